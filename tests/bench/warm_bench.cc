// What a fork of a started interpreter saves: a bare python3, and runs of the
// same program that start one or fork one, through the library and over
// loopback gRPC, in turn, at 1 and 4 at a time. Then the same with numpy
// imported, where it is installed.
//
//   bazel run -c opt //tests/bench:warm_bench            # about a minute
//   bazel run -c opt //tests/bench:warm_bench -- --problems=HumanEval.jsonl.gz
//
// The second runs that file's programs instead, 4 at a time: bare by threads
// that each spawn `python3 FILE` and wait for it.
//
// A busy machine may have no fork in time for a run, which is executed then:
// how many were is said at the end, and more than one in twenty, or a fork that
// should not have been one, ends the benchmark.

#include <stdlib.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "sandbox/sandbox.h"
#include "tests/bench/bench_runs.h"
#include "tests/bench/comparison.h"
#include "tests/bench/problem_programs.h"
#include "tests/support/sandbox_fixture.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

ABSL_FLAG(int, rounds, 12, "times that the subjects take turns");
ABSL_FLAG(std::string, problems, "", "HumanEval's file of problems, absolute");
ABSL_DECLARE_FLAG(int, batch);

namespace cordon::bench {
namespace {

constexpr char kNumpy[] = "numpy";

// As server/languages/python.textproto has them.
std::vector<std::string> UsualModules() {
  return {"bisect",   "collections", "copy",       "dataclasses", "datetime",
          "decimal",  "enum",        "fractions",  "functools",   "hashlib",
          "heapq",    "io",          "itertools",  "json",        "math",
          "operator", "random",      "re",         "statistics",  "string",
          "textwrap", "typing",      "unicodedata"};
}

testing::FixtureOptions Profiles() {
  testing::FixtureOptions options;
  options.warm_profiles = {testing::PythonProfile(UsualModules()),
                           testing::PythonProfile({"numpy"})};
  options.warm_profiles[1].name = kNumpy;
  // As a server has it.
  for (sandbox::WarmProfile& profile : options.warm_profiles) {
    profile.fork_patience = sandbox::WarmProfile().fork_patience;
  }
  return options;
}

enum class Wanted { kExecuted, kForked };
std::atomic<int> wanted_forks = 0;
std::atomic<int> missed_forks = 0;

void Count(Wanted wanted, bool was_fork) {
  if (wanted == Wanted::kExecuted) {
    if (was_fork) Die("a fork that should not have been one");
    return;
  }
  ++wanted_forks;
  if (!was_fork) ++missed_forks;
}

void ReportMissed() {
  std::printf("%d of %d forks were not there in time\n", missed_forks.load(),
              wanted_forks.load());
  if (missed_forks * 20 > wanted_forks) Die("not as they should start");
}

void RunInLibrary(testing::SandboxFixture& fixture, const std::string& code,
                  const std::string& profile) {
  const auto run = fixture.Run(testing::WarmSpec(code, profile));
  const absl::StatusOr<sandbox::Outcome> result = run->result();
  if (!result.ok()) Die(result.status().ToString());
  if (result->kind != sandbox::OutcomeKind::kExited || result->exit_code != 0) {
    Die(result->message);
  }
  Count(profile.empty() ? Wanted::kExecuted : Wanted::kForked,
        result->usage.warm);
}

void RunOnServer(testing::TestClient& client, const std::string& code,
                 v1::Start start) {
  v1::ExecuteRequest request = testing::SourceRequest("python", code);
  request.mutable_policy()->set_start(start);
  const v1::Result result = RunOrDie(client, request);
  Count(start == v1::START_COLD ? Wanted::kExecuted : Wanted::kForked,
        result.usage().warm());
}

// All programs are a turn of each subject.
void CompareProblems(testing::SandboxFixture& fixture,
                     testing::TestClient& client,
                     const std::vector<std::string>& programs) {
  std::string directory = "/tmp/cordon-bench-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) Die("mkdtemp failed");
  const auto file_of = [&](size_t i) {
    return absl::StrCat(directory, "/", i, ".py");
  };
  for (size_t i = 0; i < programs.size(); ++i) {
    std::ofstream(file_of(i)) << programs[i];
  }
  std::atomic<size_t> next = 0;
  const auto take = [&] { return next.fetch_add(1) % programs.size(); };
  absl::SetFlag(&FLAGS_batch, static_cast<int>(programs.size()));
  Compare(
      absl::StrCat(programs.size(), " programs of HumanEval"),
      {{"bare posix_spawn+wait",
        [&] {
          SpawnBare({"/usr/bin/python3", file_of(take())});
        }},
       {"library, executed",
        [&] { RunInLibrary(fixture, programs[take()], ""); }},
       {"library, forked",
        [&] { RunInLibrary(fixture, programs[take()], "python"); }},
       {"Run over loopback gRPC, executed",
        [&] { RunOnServer(client, programs[take()], v1::START_COLD); }},
       {"Run over loopback gRPC, forked",
        [&] { RunOnServer(client, programs[take()], v1::START_UNSPECIFIED); }}},
      /*concurrency=*/4, absl::GetFlag(FLAGS_rounds) / 4 + 1);
  std::filesystem::remove_all(directory);
}

int Main() {
  testing::SandboxFixture fixture(Profiles());
  testing::ServerProcess server({"--log_level=warn", "--warm=auto"});
  testing::TestClient client(server.address());
  const int rounds = absl::GetFlag(FLAGS_rounds);
  if (const std::string path = absl::GetFlag(FLAGS_problems); !path.empty()) {
    CompareProblems(fixture, client, ReadProgramsOrDie(path));
    ReportMissed();
    return 0;
  }
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
  ReportMissed();
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
  ReportMissed();
  return 0;
}

}  // namespace
}  // namespace cordon::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return cordon::bench::Main();
}
