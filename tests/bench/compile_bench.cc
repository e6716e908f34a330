// What compiling costs: a bare g++ -O2, and runs of C++ sources that the server
// has never seen, without and with a precompiled header, and of one that it
// has, in turn, over loopback gRPC. A run also executes what it compiled.
//
//   bazel run -c opt //tests/bench:compile_bench         # about two minutes
//
// A run that was not compiled in the way that it should be ends the benchmark.

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/bench/bench_runs.h"
#include "tests/bench/comparison.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

ABSL_FLAG(int, rounds, 10, "times that the subjects take turns");
ABSL_DECLARE_FLAG(int, batch);

namespace cordon::bench {
namespace {

// What a solution of a judged problem looks like.
constexpr char kSource[] = R"(#include <bits/stdc++.h>
using namespace std;
int main() {
  ios::sync_with_stdio(false);
  int n = 0;
  cin >> n;
  vector<int> values(n);
  for (int& value : values) cin >> value;
  sort(values.begin(), values.end());
  map<int, int> counts;
  for (int value : values) ++counts[value];
  for (const auto& [value, count] : counts) cout << value << ' ' << count << '\n';
}
)";

std::string NewSource() {
  static std::atomic<int> number = 0;
  return absl::StrCat(kSource, "// ", ++number, "\n");
}

void RunOnServer(testing::TestClient& client, const std::string& source,
                 v1::Usage::CompileCache use) {
  const v1::Result result =
      RunOrDie(client, testing::SourceRequest("c++", source));
  if (result.compilation().usage().compile_cache() != use) {
    Die("not compiled as it should be");
  }
}

void AwaitHeader(const testing::ServerProcess& server) {
  const std::string header =
      server.state_directory() + "/headers/c++/bits/stdc++.h.gch";
  const absl::Time end = absl::Now() + absl::Minutes(1);
  while (!std::filesystem::exists(header)) {
    if (absl::Now() > end) Die("there is no precompiled header");
    absl::SleepFor(absl::Milliseconds(10));
  }
}

int Main() {
  char directory[] = "/tmp/compile_bench-XXXXXX";
  if (mkdtemp(directory) == nullptr) Die("mkdtemp failed");
  const std::string source = absl::StrCat(directory, "/main.cc");
  std::ofstream(source) << kSource;
  testing::ServerProcess plain(
      {"--log_level=warn", "--precompiled_headers=never"});
  testing::ServerProcess server({"--log_level=warn"});
  testing::TestClient plain_client(plain.address());
  testing::TestClient client(server.address());
  RunOnServer(client, kSource, v1::Usage::MISS);
  AwaitHeader(server);
  for (const int concurrency : {1, 2}) {
    Compare("C++ with bits/stdc++.h",
            {{"bare g++ -O2",
              [&] {
                SpawnBare({"/usr/bin/g++", "-O2", "-std=c++20", "-o",
                           absl::StrCat(directory, "/program"), source});
              }},
             {"Run, no precompiled header",
              [&] { RunOnServer(plain_client, NewSource(), v1::Usage::MISS); }},
             {"Run, first of a source",
              [&] { RunOnServer(client, NewSource(), v1::Usage::MISS); }},
             {"Run, repeated",
              [&] { RunOnServer(client, kSource, v1::Usage::HIT); }}},
            concurrency, absl::GetFlag(FLAGS_rounds));
  }
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace cordon::bench

int main(int argc, char** argv) {
  absl::SetFlag(&FLAGS_batch, 2);
  absl::ParseCommandLine(argc, argv);
  return cordon::bench::Main();
}
