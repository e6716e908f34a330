// What each mechanism of a run costs: the same act with it and without it, in
// turn, as the Markdown table that docs/limits.md quotes.
//
//   bazel run -c opt //tests/bench:mechanisms_bench        # about a minute
//   bazel run -c opt //tests/bench:mechanisms_bench -- --seconds=10
//
// Acts are timed by the program that does them (workload.cc): neither launch
// nor RPC is in the figures. "Without" is the same program without cordon,
// unless the row says otherwise.

#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "sandbox/base/monotonic_clock.h"
#include "tests/bench/bench_runs.h"
#include "tests/bench/latency_table.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

ABSL_FLAG(int, seconds, 60, "that the turns go on, the last round aside");

namespace cordon::bench {
namespace {

// A short act is repeated for as long.
constexpr absl::Duration kTurn = absl::Milliseconds(30);

struct Side {
  std::function<absl::Duration()> operation;
  std::vector<absl::Duration> samples;
};

struct Row {
  std::string mechanism;
  std::string act;
  // What one sample is divided by.
  int acts;
  Side with;
  Side without;
};

class Bench {
 public:
  Bench()
      : server_({"--log_level=warn"}),
        groupless_server_({"--log_level=warn", "--cgroups=never"}),
        client_(server_.address()),
        groupless_client_(groupless_server_.address()) {
    char pattern[] = "/tmp/cordon-bench-XXXXXX";
    if (mkdtemp(pattern) == nullptr) Die("mkdtemp");
    directory_ = pattern;
    AddRows();
  }
  ~Bench() { std::filesystem::remove_all(directory_); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  void Measure(absl::Duration at_least);
  void Print() const;

 private:
  void AddRows();
  void AddLaunches();
  void AddDisk();
  void AddFilesystem();
  // `act`, so many times, in a run and bare.
  void Add(const std::string& mechanism, const std::string& description,
           const std::string& act, int times);

  testing::ServerProcess server_;
  testing::ServerProcess groupless_server_;
  testing::TestClient client_;
  testing::TestClient groupless_client_;
  std::string directory_;
  std::vector<Row> rows_;
};

std::function<absl::Duration()> Launching(testing::TestClient& client,
                                          v1::ExecuteRequest request) {
  return [&client, request = std::move(request)] {
    const absl::Time begin = sandbox::MonotonicNow();
    RunOrDie(client, request);
    return sandbox::MonotonicNow() - begin;
  };
}

std::function<absl::Duration()> Timing(testing::TestClient& client,
                                       v1::ExecuteRequest request) {
  return [&client, request = std::move(request)] {
    return TimeInRun(client, request);
  };
}

void Bench::Add(const std::string& mechanism, const std::string& description,
                const std::string& act, int times) {
  const std::vector<std::string> arguments = {act, absl::StrCat(times)};
  rows_.push_back(
      {mechanism,
       description,
       times,
       {Timing(client_, WorkloadRequest(arguments)), {}},
       {[this, arguments] { return TimeBare(arguments, directory_); }, {}}});
}

void Bench::AddLaunches() {
  const v1::ExecuteRequest bin_true = testing::CommandRequest({"/bin/true"});
  rows_.push_back({"control groups",
                   "Run(/bin/true); without: `--cgroups=never`",
                   1,
                   {Launching(client_, bin_true), {}},
                   {Launching(groupless_client_, bin_true), {}}});
}

// Far from its limit, a directory is not measured while the run goes on.
void Bench::AddDisk() {
  constexpr int kMebibytes = 128;
  const auto writing = [](uint64_t limit) {
    v1::ExecuteRequest request =
        WorkloadRequest({"write-disk", absl::StrCat(kMebibytes)});
    request.mutable_limits()->set_disk_bytes(limit << 20);
    return request;
  };
  rows_.push_back({"measuring the directory",
                   "1 MiB written, 128 of at most 160; without: of at most "
                   "16384",
                   kMebibytes,
                   {Timing(client_, writing(160)), {}},
                   {Timing(client_, writing(16384)), {}}});
}

v1::ExecuteRequest WithVirtualFilesystem(v1::ExecuteRequest request) {
  request.mutable_policy()->set_filesystem(v1::FILESYSTEM_VIRTUAL);
  return request;
}

void Bench::AddFilesystem() {
  const v1::ExecuteRequest python =
      testing::CommandRequest({"/usr/bin/python3", "-c", "pass"});
  rows_.push_back({"`--filesystem=virtual`",
                   "Run(python3 -c pass); without: `--filesystem=host`",
                   1,
                   {Launching(client_, WithVirtualFilesystem(python)), {}},
                   {Launching(client_, python), {}}});
  constexpr int kOpens = 5'000;
  const v1::ExecuteRequest opening =
      WorkloadRequest({"open-for-reading", absl::StrCat(kOpens)});
  rows_.push_back({"the same",
                   "a file of the host opened for reading; without: "
                   "`--filesystem=host`",
                   kOpens,
                   {Timing(client_, WithVirtualFilesystem(opening)), {}},
                   {Timing(client_, opening), {}}});
  const std::vector<std::string> temporary = {"open-temporary",
                                              absl::StrCat(kOpens)};
  rows_.push_back(
      {"the same",
       "a file of /tmp opened for reading",
       kOpens,
       {Timing(client_, WithVirtualFilesystem(WorkloadRequest(temporary))), {}},
       {[this, temporary] { return TimeBare(temporary, directory_); }, {}}});
}

void Bench::AddRows() {
  AddLaunches();
  Add("system call filter", "getppid(2)", "ask-kernel", 200'000);
  Add("Landlock", "a file opened for reading", "open-for-reading", 5'000);
  Add("opens for writing are asked for", "a file opened for writing",
      "open-for-writing", 5'000);
  Add("clones are asked for and counted", "fork(2) and waitpid(2)",
      "fork-child", 100);
  Add("the same", "posix_spawn(3) of /bin/true and waitpid(2)", "spawn-child",
      50);
  Add("the same", "pthread_create(3) and pthread_join(3)", "join-thread", 500);
  Add("samples of time and memory", "a millisecond of computing", "compute",
      300);
  Add("the same", "1 MiB of memory taken, of 256", "take-memory", 256);
  Add("shared mappings are asked for", "1 MiB shared, filled and given back",
      "share-memory", 1'000);
  Add("all that concerns files", "1 MiB written, of 128", "write-disk", 128);
  AddDisk();
  AddFilesystem();
}

void Bench::Measure(absl::Duration at_least) {
  const absl::Time end = sandbox::MonotonicNow() + at_least;
  bool with_first = false;
  do {
    with_first = !with_first;
    for (Row& row : rows_) {
      Side& first = with_first ? row.with : row.without;
      Side& second = with_first ? row.without : row.with;
      SampleFor(kTurn, first.operation, first.samples);
      SampleFor(kTurn, second.operation, second.samples);
    }
  } while (sandbox::MonotonicNow() < end);
}

void Bench::Print() const {
  std::puts("| mechanism | act | with | without | ratio |");
  std::puts("|---|---|---|---|---|");
  for (const Row& row : rows_) {
    const absl::Duration with = Percentile(row.with.samples, 0.5) / row.acts;
    const absl::Duration without =
        Percentile(row.without.samples, 0.5) / row.acts;
    absl::PrintF("| %s | %s | %.2f µs | %.2f µs | %.2fx |\n", row.mechanism,
                 row.act, absl::ToDoubleMicroseconds(with),
                 absl::ToDoubleMicroseconds(without),
                 absl::FDivDuration(with, without));
  }
}

int Main() {
  Bench bench;
  bench.Measure(absl::Seconds(absl::GetFlag(FLAGS_seconds)));
  bench.Print();
  return 0;
}

}  // namespace
}  // namespace cordon::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return cordon::bench::Main();
}
