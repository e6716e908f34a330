// Runs a fuzz target without libFuzzer: a fixed number of pseudo-random inputs,
// the same in every run, so that GCC builds and CI exercise it briefly. Files
// named as arguments (an input that libFuzzer found) are run instead.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kInputs = 1000;
constexpr size_t kMaxSize = 4096;

void RunFile(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> content{std::istreambuf_iterator<char>(file), {}};
  std::printf("%s: %zu bytes\n", path, content.size());
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(content.data()),
                         content.size());
}

void RunPseudoRandom() {
  std::mt19937_64 random(20240501);
  std::vector<uint8_t> input;
  for (int i = 0; i < kInputs; ++i) {
    // Short ones more often: they get past more checks.
    input.resize(random() % (1 + random() % kMaxSize));
    // Every other input is mostly zeros, which many formats need.
    const uint64_t zeros = i % 2 == 0 ? 0 : 3;
    for (uint8_t& byte : input) {
      byte = random() % (zeros + 1) == 0 ? static_cast<uint8_t>(random()) : 0;
    }
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%d inputs\n", kInputs);
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) RunFile(argv[i]);
  if (argc == 1) RunPseudoRandom();
  return 0;
}
