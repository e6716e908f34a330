// What a run at its limits takes from the others: the time of a Run(/bin/true),
// one after the other, while nobody else runs and beside one hostile run, which
// is started again as soon as it ends. Ratios to nobody and to a neighbour that
// only computes, as the Markdown table that docs/limits.md quotes.
//
//   bazel run -c opt //tests/bench:neighbours_bench        # about a minute
//   bazel run -c opt //tests/bench:neighbours_bench -- --seconds=10
//
// All take turns, so that what else the machine does is everybody's.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "sandbox/base/monotonic_clock.h"
#include "tests/bench/bench_runs.h"
#include "tests/bench/latency_table.h"
#include "tests/support/process_view.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

ABSL_FLAG(int, seconds, 60, "that the turns go on, the last round aside");
ABSL_FLAG(std::vector<std::string>, server_flags, {},
          "Flags for the server, separated by commas");

namespace cordon::bench {
namespace {

constexpr absl::Duration kTurn = absl::Milliseconds(200);
// For a neighbour to arrive at its limits, and for what it left to be cleared
// away.
constexpr absl::Duration kSettling = absl::Milliseconds(100);

enum class Client { kReads, kNeverReads };

struct Neighbour {
  std::string name;
  // Nobody, where it has no program.
  v1::ExecuteRequest request;
  Client client = Client::kReads;
  std::vector<absl::Duration> samples;
};

// Executes one request again and again, one at a time, until it is destroyed.
class Repeating {
 public:
  Repeating(v1::CodeExecution::Stub& stub, const Neighbour& neighbour)
      : stub_(stub), neighbour_(neighbour), thread_([this] { Loop(); }) {
    under_way_.WaitForNotification();
  }
  ~Repeating() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stop_.Notify();
      context_->TryCancel();
    }
    thread_.join();
  }

 private:
  void Loop() {
    while (NewContext()) {
      const auto reader = stub_.Execute(context_.get(), neighbour_.request);
      v1::ExecuteResponse response;
      const bool started = reader->Read(&response) && response.has_started();
      if (started && !under_way_.HasBeenNotified()) under_way_.Notify();
      if (neighbour_.client == Client::kNeverReads) {
        stop_.WaitForNotification();
      }
      while (reader->Read(&response)) {
      }
      const grpc::Status status = reader->Finish();
      if (!started && !stop_.HasBeenNotified()) Die(status.error_message());
    }
  }

  // False after the stop.
  bool NewContext() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stop_.HasBeenNotified()) return false;
    context_ = std::make_unique<grpc::ClientContext>();
    return true;
  }

  v1::CodeExecution::Stub& stub_;
  const Neighbour& neighbour_;
  absl::Notification under_way_;
  absl::Notification stop_;
  std::mutex mutex_;
  // Guarded by mutex_, as to which one it is.
  std::unique_ptr<grpc::ClientContext> context_;
  std::thread thread_;
};

std::vector<Neighbour> Neighbours() {
  const auto of = [](const char* act) { return WorkloadRequest({act}); };
  v1::ExecuteRequest all_read = of("print");
  all_read.mutable_limits()->set_output_bytes(64 << 20);
  v1::ExecuteRequest thrown_away = of("print");
  thrown_away.set_output_mode(v1::OUTPUT_MODE_KEEP_HEAD);
  // A shell that starts them, and the program.
  v1::ExecuteRequest many_ask = of("");
  *many_ask.mutable_command() =
      testing::BashRequest(absl::StrCat("for i in {1..64}; do ", kWorkload,
                                        " open-forbidden & done; wait"))
          .command();
  return {
      {"nobody", {}},
      {"one that computes", of("compute")},
      {"one that computes in each process it may have", of("fork-spinner")},
      {"a fork bomb", of("keep-forking")},
      {"a thread bomb", of("keep-thread")},
      {"children, one after the other", of("fork-child")},
      {"threads, one after the other", of("join-thread")},
      {"opens for writing that are refused", of("open-forbidden")},
      {"the same by 64 processes", many_ask},
      {"memory, to its limit", of("take-memory")},
      {"disk, to its limit", of("write-disk")},
      {"output, read by its client", all_read},
      {"output past its limit", thrown_away},
      {"output that nobody reads", of("print"), Client::kNeverReads},
  };
}

void TakeTurn(const testing::ServerProcess& server, testing::TestClient& client,
              v1::CodeExecution::Stub& neighbours_stub, Neighbour& neighbour) {
  const auto operation = [&client] {
    const absl::Time begin = sandbox::MonotonicNow();
    RunOrDie(client, testing::CommandRequest({"/bin/true"}));
    return sandbox::MonotonicNow() - begin;
  };
  if (!neighbour.request.has_command()) {
    SampleFor(kTurn, operation, neighbour.samples);
    return;
  }
  {
    const Repeating repeating(neighbours_stub, neighbour);
    absl::SleepFor(kSettling);
    SampleFor(kTurn, operation, neighbour.samples);
  }
  const pid_t pid = server.pid();
  if (!testing::Eventually(
          [pid] { return testing::ChildrenOf(pid).empty(); })) {
    Die(absl::StrCat(neighbour.name, ": it is still there"));
  }
  absl::SleepFor(kSettling);
}

void Print(const std::vector<Neighbour>& neighbours) {
  const auto p50 = [](const Neighbour& of) {
    return Percentile(of.samples, 0.5);
  };
  const auto p95 = [](const Neighbour& of) {
    return Percentile(of.samples, 0.95);
  };
  const Neighbour& nobody = neighbours[0];
  const Neighbour& computes = neighbours[1];
  std::puts(
      "| beside | samples | p50 | p95 | p50 to nobody | p50 to computing | p95 "
      "to computing |");
  std::puts("|---|---|---|---|---|---|---|");
  for (const Neighbour& one : neighbours) {
    absl::PrintF("| %s | %d | %.2f ms | %.2f ms | %.1fx | %.1fx | %.1fx |\n",
                 one.name, one.samples.size(),
                 absl::ToDoubleMilliseconds(p50(one)),
                 absl::ToDoubleMilliseconds(p95(one)),
                 absl::FDivDuration(p50(one), p50(nobody)),
                 absl::FDivDuration(p50(one), p50(computes)),
                 absl::FDivDuration(p95(one), p95(computes)));
  }
}

int Main() {
  std::vector<std::string> flags = absl::GetFlag(FLAGS_server_flags);
  flags.push_back("--log_level=warn");
  const testing::ServerProcess server(flags);
  testing::TestClient client(server.address());
  // A connection of its own: what is shared is the server.
  testing::TestClient neighbours_client(server.address());
  std::vector<Neighbour> neighbours = Neighbours();
  const absl::Time end =
      sandbox::MonotonicNow() + absl::Seconds(absl::GetFlag(FLAGS_seconds));
  size_t round = 0;
  do {
    for (size_t i = 0; i < neighbours.size(); ++i) {
      // Another first one each round: nobody always comes after the same.
      TakeTurn(server, client, neighbours_client.stub(),
               neighbours[(i + round) % neighbours.size()]);
    }
    ++round;
  } while (sandbox::MonotonicNow() < end);
  Print(neighbours);
  return 0;
}

}  // namespace
}  // namespace cordon::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return cordon::bench::Main();
}
