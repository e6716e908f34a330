// What isolation costs: a bare posix_spawn+wait, the library's run, and a Run
// over loopback gRPC, of the same program, in turn, at 1, 4 and 8 at a time.
//
//   bazel run -c opt //tests/bench:launch_bench            # over a minute
//   bazel run -c opt //tests/bench:launch_bench -- --rounds=5
//
// Read the ratios: absolute times depend on the machine and on what else it
// does. google-benchmark is not used because it has neither percentiles nor
// subjects that alternate within one run.

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "sandbox/sandbox.h"
#include "tests/bench/bench_runs.h"
#include "tests/bench/comparison.h"
#include "tests/support/sandbox_fixture.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

ABSL_FLAG(std::vector<std::string>, server_flags, {},
          "Flags for the server, separated by commas");
ABSL_FLAG(int, rounds, 40, "times that the subjects take turns");

namespace cordon::bench {
namespace {

void RunInLibrary(const Argv& argv) {
  const auto run = testing::SharedSandbox().Run(testing::CommandSpec(argv));
  const absl::StatusOr<sandbox::Outcome> result = run->result();
  if (!result.ok()) Die(result.status().ToString());
  if (result->kind != sandbox::OutcomeKind::kExited || result->exit_code != 0) {
    Die(result->message);
  }
}

// What of a Run is gRPC's own, at best: with warm caches and processors awake.
void CallWithoutRun(testing::TestClient& client) {
  grpc::ClientContext context;
  v1::ServerInfo info;
  const grpc::Status status = client.stub().GetServerInfo(&context, {}, &info);
  if (!status.ok()) Die(status.error_message());
}

std::string ResidentMemory(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  std::string line;
  while (std::getline(status, line)) {
    if (absl::StartsWith(line, "VmRSS:")) return line.substr(6);
  }
  return " unknown";
}

int Main() {
  // The sandbox wants to be first, while there is one thread.
  testing::SharedSandbox();
  testing::ServerProcess server(absl::GetFlag(FLAGS_server_flags));
  testing::TestClient client(server.address());

  const auto subjects = [&](Argv argv) {
    return std::vector<Subject>{
        {"bare posix_spawn+wait", [argv] { SpawnBare(argv); }},
        {"library", [argv] { RunInLibrary(argv); }},
        {"Run over loopback gRPC", [request = testing::CommandRequest(argv),
                                    &client] { RunOrDie(client, request); }},
        {"a call that runs nothing", [&client] { CallWithoutRun(client); }},
        // As a Run finds it: no isolation could be had for less.
        {"bare, then such a call",
         [argv, &client] {
           SpawnBare(argv);
           CallWithoutRun(client);
         }},
    };
  };
  std::printf("server memory before: %s\n",
              ResidentMemory(server.pid()).c_str());
  const int rounds = absl::GetFlag(FLAGS_rounds);
  for (const int concurrency : {1, 4}) {
    Compare("/bin/true", subjects({"/bin/true"}), concurrency, rounds);
    Compare("python3 -c pass", subjects({"/usr/bin/python3", "-c", "pass"}),
            concurrency, rounds / 4 + 1);
  }
  // More than there are processors: how many a second are possible.
  Compare("/bin/true", subjects({"/bin/true"}), 8, rounds);
  std::printf("\nserver memory after: %s\n",
              ResidentMemory(server.pid()).c_str());
  return 0;
}

}  // namespace
}  // namespace cordon::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return cordon::bench::Main();
}
