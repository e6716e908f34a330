// How long anything of a run lives on when the server is killed: from SIGKILL
// to the end of the last process.
//
//   bazel run -c opt //tests/bench:server_death_bench
//   bazel run -c opt //tests/bench:server_death_bench -- --rounds=50 --runs=64
//
// Every run is a shell with children of children, which do not die with the
// server by themselves. Each round is a server of its own.

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "sandbox/base/monotonic_clock.h"
#include "sandbox/base/unique_fd.h"
#include "tests/bench/latency_table.h"
#include "tests/support/process_view.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

ABSL_FLAG(int, rounds, 20, "servers to kill");
ABSL_FLAG(int, runs, 16, "runs that each has under way");

namespace cordon::bench {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "server_death_bench: %s\n", what.c_str());
  std::exit(1);
}

// Until the last of them has ended, reaped or not (pidfd_open(2)).
void AwaitEnds(const std::vector<sandbox::UniqueFd>& pidfds) {
  for (const sandbox::UniqueFd& pidfd : pidfds) {
    pollfd end = {pidfd.get(), POLLIN, 0};
    if (poll(&end, 1, 10000) != 1) Die("a process has outlived its server");
  }
}

absl::Duration KillOneServer(int round, int runs) {
  testing::ServerProcess server({absl::StrCat("--slots=", runs)});
  testing::TestClient client(server.address());
  const std::string mark = absl::StrCat("10000", getpid(), round);
  std::vector<std::unique_ptr<testing::ExecuteStream>> streams;
  for (int i = 0; i < runs; ++i) {
    streams.push_back(client.Execute(testing::BashRequest(
        absl::StrCat("sleep ", mark, " & (sleep ", mark, " & sleep ", mark,
                     ") & echo up; wait"))));
    if (!streams.back()->ReadUntilStdoutHas("up")) Die("a run did not start");
  }
  // As the kernel shows arguments (proc_pid_cmdline(5)); not so in the shell's.
  const std::string sleeps = absl::StrCat("sleep", std::string(1, '\0'), mark);
  const size_t expected = static_cast<size_t>(runs) * 3;
  std::vector<pid_t> processes;
  if (!testing::Eventually([&] {
        processes = testing::ProcessesMarked(sleeps);
        return processes.size() >= expected;
      })) {
    Die("the runs are not complete");
  }
  std::vector<sandbox::UniqueFd> pidfds;
  for (const pid_t pid : processes) {
    pidfds.emplace_back(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  }
  const absl::Time start = sandbox::MonotonicNow();
  server.Signal(SIGKILL);
  AwaitEnds(pidfds);
  const absl::Duration took = sandbox::MonotonicNow() - start;
  server.WaitForExit();
  return took;
}

int Main() {
  Latencies rows = {"last process gone", {}, {}};
  const int runs = absl::GetFlag(FLAGS_runs);
  for (int round = 0; round < absl::GetFlag(FLAGS_rounds); ++round) {
    rows.samples.push_back(KillOneServer(round, runs));
    rows.elapsed += rows.samples.back();
  }
  std::printf(
      "server killed with %d runs of 4 processes: p50 %s, p95 %s, "
      "longest %s\n",
      runs, absl::FormatDuration(Percentile(rows.samples, 0.5)).c_str(),
      absl::FormatDuration(Percentile(rows.samples, 0.95)).c_str(),
      absl::FormatDuration(Percentile(rows.samples, 1)).c_str());
  return 0;
}

}  // namespace
}  // namespace cordon::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return cordon::bench::Main();
}
