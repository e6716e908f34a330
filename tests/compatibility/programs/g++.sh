# flags: --memory=1G
cat >main.cc <<'C'
#include <atomic>
#include <filesystem>
#include <future>
#include <iostream>
#include <regex>
#include <stdexcept>
#include <thread>
#include <vector>
int main() {
  std::atomic<int> sum = 0;
  std::vector<std::thread> threads;
  for (int i = 1; i <= 8; ++i) threads.emplace_back([&sum, i] { sum += i; });
  for (auto& t : threads) t.join();
  sum += std::async(std::launch::async, [] { return 6; }).get();
  try { throw std::runtime_error("x"); } catch (const std::exception&) { ++sum; }
  std::filesystem::create_directories("a/b");
  if (std::regex_match("abc", std::regex("a.c"))) ++sum;
  std::cout << sum << std::endl;
}
C
g++ -std=c++20 -O2 -Wall -pthread -o main main.cc; [[ $(./main) == 44 ]]
g++ -std=c++20 -g -fsanitize=address,undefined -fno-sanitize=leak -o checked main.cc 2>err || grep -q 'cannot find' err
