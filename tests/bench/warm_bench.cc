// What a fork of a started interpreter saves: a bare python3, and runs of the
// same program that start one or fork one, through the library and over
// loopback gRPC, in turn, at 1 and 4 at a time. Then the same with numpy
// imported, where it is installed.
//
//   bazel run -c opt //tests/bench:warm_bench            # about a minute
//
// A run that should have been a fork and was not ends the benchmark.

#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "sandbox/sandbox.h"
#include "tests/bench/bench_runs.h"
#include "tests/bench/comparison.h"
#include "tests/support/sandbox_fixture.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

ABSL_FLAG(int, rounds, 12, "times that the subjects take turns");

namespace cordon::bench {
namespace {

constexpr char kNumpy[] = "numpy";

testing::FixtureOptions Profiles() {
  testing::FixtureOptions options;
  options.warm_profiles = {testing::PythonProfile({"json", "re", "random"}),
                           testing::PythonProfile({"numpy"})};
  options.warm_profiles[1].name = kNumpy;
  return options;
}

void RunInLibrary(testing::SandboxFixture& fixture, const std::string& code,
                  const std::string& profile) {
  const auto run = fixture.Run(testing::WarmSpec(code, profile));
  const absl::StatusOr<sandbox::Outcome> result = run->result();
  if (!result.ok()) Die(result.status().ToString());
  if (result->kind != sandbox::OutcomeKind::kExited || result->exit_code != 0) {
    Die(result->message);
  }
  if (result->usage.warm == profile.empty()) Die("not as it should start");
}

void RunOnServer(testing::TestClient& client, const std::string& code,
                 v1::Start start) {
  v1::ExecuteRequest request = testing::SourceRequest("python", code);
  request.mutable_policy()->set_start(start);
  const v1::Result result = RunOrDie(client, request);
  if (result.usage().warm() != (start != v1::START_COLD)) {
    Die("not as it should start");
  }
}

int Main() {
  testing::SandboxFixture fixture(Profiles());
  testing::ServerProcess server({"--log_level=warn", "--warm=auto"});
  testing::TestClient client(server.address());
  const int rounds = absl::GetFlag(FLAGS_rounds);
  const std::string code = "pass";
  for (const int concurrency : {1, 4}) {
    Compare(
        "python3 -c pass",
        {{"bare posix_spawn+wait",
          [&] {
            SpawnBare({"/usr/bin/python3", "-c", code});
          }},
         {"library, executed", [&] { RunInLibrary(fixture, code, ""); }},
         {"library, forked", [&] { RunInLibrary(fixture, code, "python"); }},
         {"Run over loopback gRPC, executed",
          [&] { RunOnServer(client, code, v1::START_COLD); }},
         {"Run over loopback gRPC, forked",
          [&] { RunOnServer(client, code, v1::START_UNSPECIFIED); }}},
        concurrency, rounds);
  }
  if (!fixture.sandbox().WarmState(kNumpy).ok()) return 0;
  const std::string import = "import numpy";
  for (const int concurrency : {1, 4}) {
    Compare(
        "python3 -c 'import numpy'",
        {{"bare posix_spawn+wait",
          [&] {
            SpawnBare({"/usr/bin/python3", "-c", import});
          }},
         {"library, forked", [&] { RunInLibrary(fixture, import, kNumpy); }}},
        concurrency, rounds / 4 + 1);
  }
  return 0;
}

}  // namespace
}  // namespace cordon::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return cordon::bench::Main();
}
