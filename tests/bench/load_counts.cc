// Many runs, and many requests.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "grpcpp/grpcpp.h"
#include "sandbox/base/monotonic_clock.h"
#include "tests/bench/bench_runs.h"
#include "tests/bench/latency_table.h"
#include "tests/bench/load_parts.h"
#include "tests/bench/server_load.h"
#include "tests/support/child_process.h"
#include "tests/support/process_view.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::bench {
namespace {

using testing::CommandRequest;
using testing::ExecuteStream;
using testing::ServerProcess;
using testing::TestClient;

double Milliseconds(absl::Duration duration) {
  return absl::ToDoubleMilliseconds(duration);
}

template <typename Value>
Value Median(std::vector<Value> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

absl::Duration TimeOfOne(TestClient& client) {
  const absl::Time begin = sandbox::MonotonicNow();
  RunOrDie(client, CommandRequest({"/bin/true"}));
  return sandbox::MonotonicNow() - begin;
}

// Runs that sleep until they are dropped.
class Sleepers {
 public:
  explicit Sleepers(const std::string& address) {
    for (size_t i = 0; i < kConnections; ++i) {
      clients_.push_back(std::make_unique<TestClient>(address));
    }
  }

  void GrowTo(size_t count) {
    v1::ExecuteRequest request = CommandRequest({"/bin/sleep", "1000"});
    testing::SetDuration(request.mutable_limits()->mutable_wall_time(),
                         absl::Minutes(20));
    while (streams_.size() < count) {
      TestClient& client = *clients_[streams_.size() % kConnections];
      streams_.push_back(client.Execute(request, absl::Minutes(20)));
      if (!streams_.back()->ReadUntilStarted()) {
        Die(absl::StrCat("sleeper ", streams_.size(), ": ",
                         streams_.back()->Finish().status.error_message()));
      }
    }
  }

  void EndAll(pid_t server) {
    for (auto& stream : streams_) stream->Cancel();
    streams_.clear();
    if (!testing::Eventually(
            [&] { return testing::ChildrenOf(server).empty(); })) {
      Die("sleepers are still there");
    }
  }

 private:
  static constexpr size_t kConnections = 10;
  std::vector<std::unique_ptr<TestClient>> clients_;
  std::vector<std::unique_ptr<ExecuteStream>> streams_;
};

struct SleeperLevel {
  size_t runs;
  std::vector<uint64_t> memory;
  std::vector<double> busy;
  std::vector<absl::Duration> latencies;
  ServerLoad load;
};

void PrintLevels(const std::vector<SleeperLevel>& levels) {
  const auto p50 = [](const SleeperLevel& of) {
    return Percentile(of.latencies, 0.5);
  };
  const auto p95 = [](const SleeperLevel& of) {
    return Percentile(of.latencies, 0.95);
  };
  const SleeperLevel& idle = levels[0];
  std::puts(
      "\nRuns that sleep, and one more run of /bin/true\n"
      "| asleep | server memory | a run | threads | descriptors | busy | p50 | "
      "p95 | p50 to idle | p95 to idle |\n"
      "|---|---|---|---|---|---|---|---|---|---|");
  for (const SleeperLevel& level : levels) {
    const double each =
        level.runs == 0
            ? 0
            : static_cast<double>(Median(level.memory) - Median(idle.memory)) /
                  1024 / level.runs;
    absl::PrintF(
        "| %d | %.1f MiB | %.1f KiB | %d | %d | %.1f%% | %.2f ms | %.2f ms | "
        "%.2fx | %.2fx |\n",
        level.runs, static_cast<double>(Median(level.memory)) / (1 << 20), each,
        level.load.threads, level.load.descriptors, 100 * Median(level.busy),
        Milliseconds(p50(level)), Milliseconds(p95(level)),
        absl::FDivDuration(p50(level), p50(idle)),
        absl::FDivDuration(p95(level), p95(idle)));
  }
}

}  // namespace

void MeasureSleepers(int rounds) {
  constexpr int kSamples = 150;
  ServerProcess server({"--slots=1100", "--log_level=warn"});
  TestClient client(server.address());
  std::vector<SleeperLevel> levels = {{0, {}, {}, {}, {}},
                                      {250, {}, {}, {}, {}},
                                      {500, {}, {}, {}, {}},
                                      {1000, {}, {}, {}, {}}};
  Sleepers sleepers(server.address());
  for (int i = 0; i < kSamples; ++i) TimeOfOne(client);
  for (int round = 0; round < rounds; ++round) {
    for (SleeperLevel& level : levels) {
      sleepers.GrowTo(level.runs);
      AwaitRest(server.pid());
      // The memory that earlier rounds left in the allocator is not a run's:
      // the first round has none.
      if (round == 0) level.memory.push_back(LoadOf(server.pid()).memory);
      const absl::Duration cpu = LoadOf(server.pid()).cpu;
      absl::SleepFor(absl::Seconds(1));
      level.load = LoadOf(server.pid());
      level.busy.push_back(
          absl::FDivDuration(level.load.cpu - cpu, absl::Seconds(1)));
      for (int i = 0; i < kSamples; ++i) {
        level.latencies.push_back(TimeOfOne(client));
      }
    }
    sleepers.EndAll(server.pid());
    AwaitRest(server.pid());
  }
  PrintLevels(levels);
  std::printf("memory after the last was gone: %.1f MiB\n",
              static_cast<double>(LoadOf(server.pid()).memory) / (1 << 20));
}

namespace {

// 200 programs that print about a megabyte each, so many at a time.
constexpr int kPrinters = 200;
const std::vector<std::string>& Printer() {
  static const auto& argv =
      *new std::vector<std::string>{"/usr/bin/seq", "150000"};
  return argv;
}
constexpr uint64_t kPrinted = 938895;

void AtATime(int concurrency, const std::function<void(int)>& one) {
  std::atomic<int> next{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < concurrency; ++i) {
    threads.emplace_back([&] {
      for (int number = next++; number < kPrinters; number = next++) {
        one(number);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void ExpectPrinted(uint64_t bytes) {
  if (bytes != kPrinted) Die(absl::StrCat("it printed ", bytes, " bytes"));
}

uint64_t StreamedBytes(TestClient& client, const v1::ExecuteRequest& request) {
  grpc::ClientContext context;
  const auto reader = client.stub().Execute(&context, request);
  v1::ExecuteResponse response;
  uint64_t bytes = 0;
  while (reader->Read(&response)) {
    if (response.has_output() && response.output().offset() != bytes) {
      Die("output is missing");
    }
    bytes += response.output().data().size();
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) Die(status.error_message());
  return bytes;
}

struct PrinterRow {
  std::string name;
  int concurrency;
  bool bare;
  std::vector<absl::Duration> times;
  std::vector<absl::Duration> server_cpu;
};

}  // namespace

void MeasurePrinters(int rounds) {
  ServerProcess server({"--slots=200", "--log_level=warn"});
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<TestClient>(server.address()));
  }
  std::vector<PrinterRow> rows = {{"bare, into pipes", 4, true, {}, {}},
                                  {"Execute", 4, false, {}, {}},
                                  {"bare, into pipes", kPrinters, true, {}, {}},
                                  {"Execute", kPrinters, false, {}, {}}};
  for (int round = 0; round <= rounds; ++round) {
    for (PrinterRow& row : rows) {
      const absl::Duration cpu = LoadOf(server.pid()).cpu;
      const absl::Time begin = sandbox::MonotonicNow();
      AtATime(row.concurrency, [&](int number) {
        if (row.bare) {
          ExpectPrinted(testing::RunCommand(Printer(), "").stdout_data.size());
        } else {
          ExpectPrinted(
              StreamedBytes(*clients[number % 10], CommandRequest(Printer())));
        }
      });
      if (round == 0) continue;
      row.times.push_back(sandbox::MonotonicNow() - begin);
      row.server_cpu.push_back(LoadOf(server.pid()).cpu - cpu);
    }
  }
  std::puts(
      "\nTwo hundred runs that print 0.9 MiB each\n"
      "| | at a time | MiB/s | server's processor time a MiB | rate to bare "
      "|\n|---|---|---|---|---|");
  for (size_t i = 0; i < rows.size(); ++i) {
    const double mebibytes = double{kPrinted} * kPrinters / (1 << 20);
    const absl::Duration time = Median(rows[i].times);
    const absl::Duration bare = Median(rows[i - i % 2].times);
    absl::PrintF("| %s | %d | %.0f | %.2f ms | %.2fx |\n", rows[i].name,
                 rows[i].concurrency, mebibytes / absl::ToDoubleSeconds(time),
                 Milliseconds(Median(rows[i].server_cpu)) / mebibytes,
                 absl::FDivDuration(bare, time));
  }
  std::printf("server memory at its peak: %.1f MiB\n",
              static_cast<double>(LoadOf(server.pid()).peak) / (1 << 20));
}

namespace {

// One Run whose answer a callback gets.
struct AsyncRun {
  grpc::ClientContext context;
  v1::Result result;
  absl::Time sent;
};

struct BurstAnswers {
  int good = 0;
  int refused = 0;
  int refused_without_delay = 0;
  int other = 0;
  std::string example;
  std::vector<absl::Duration> refusals;
  absl::Duration elapsed;
  int total() const { return good + refused + refused_without_delay + other; }
  void Count(const grpc::Status& status, absl::Duration took) {
    google::rpc::RetryInfo retry;
    if (status.ok()) {
      ++good;
    } else if (status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED) {
      ++other;
      example = status.error_message();
    } else if (!testing::ReadDetail(status, &retry)) {
      ++refused_without_delay;
      example = status.error_message();
    } else {
      ++refused;
      refusals.push_back(took);
    }
  }
};

// All at once; blocks until each is answered.
BurstAnswers Burst(const std::string& address, int count) {
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<TestClient>(address));
  }
  const v1::ExecuteRequest request = CommandRequest({"/bin/true"});
  std::mutex mutex;
  std::condition_variable changed;
  BurstAnswers answers;
  std::deque<AsyncRun> runs(count);
  const absl::Time begin = sandbox::MonotonicNow();
  for (int i = 0; i < count; ++i) {
    AsyncRun& run = runs[i];
    run.sent = sandbox::MonotonicNow();
    run.context.set_deadline(std::chrono::system_clock::now() +
                             std::chrono::minutes(2));
    clients[i % 10]->stub().async()->Run(
        &run.context, &request, &run.result, [&](const grpc::Status& status) {
          const absl::Duration took = sandbox::MonotonicNow() - run.sent;
          const std::lock_guard<std::mutex> lock(mutex);
          answers.Count(status, took);
          changed.notify_one();
        });
  }
  std::unique_lock<std::mutex> lock(mutex);
  changed.wait(lock, [&] { return answers.total() == count; });
  answers.elapsed = sandbox::MonotonicNow() - begin;
  return answers;
}

void PrintBurst(const std::string& name, const BurstAnswers& answers,
                const ServerLoad& before, const ServerLoad& after,
                int waiting) {
  const auto refusal = [&](double fraction) {
    return answers.refusals.empty()
               ? 0
               : Milliseconds(Percentile(answers.refusals, fraction));
  };
  absl::PrintF(
      "| %s | %d | %d | %d | %.0f | %.0f ms | %.0f ms | %.1f MiB | %.1f KiB "
      "|\n",
      name, answers.good, answers.refused,
      answers.other + answers.refused_without_delay,
      answers.good / absl::ToDoubleSeconds(answers.elapsed), refusal(0.5),
      refusal(0.99), static_cast<double>(after.peak) / (1 << 20),
      waiting == 0
          ? 0
          : static_cast<double>(after.peak - before.peak) / 1024 / waiting);
  if (!answers.example.empty()) {
    std::printf("for example: %s\n", answers.example.c_str());
  }
}

}  // namespace

void MeasureBurst(int rounds) {
  constexpr int kBurst = 10000;
  std::puts(
      "\nTen thousand requests at once, of /bin/true, with 8 slots\n"
      "| queue | good | refused with a delay | other | good a second | p50 of "
      "refusals | p99 | peak memory | a request |\n"
      "|---|---|---|---|---|---|---|---|---|");
  for (int round = 0; round < rounds; ++round) {
    for (const int queue : {1024, kBurst}) {
      ServerProcess server(
          {"--slots=8", absl::StrCat("--queue=", queue), "--log_level=warn"});
      TestClient client(server.address());
      for (int i = 0; i < 100; ++i) TimeOfOne(client);
      if (queue == kBurst) {
        // For the rate: no queue to speak of.
        BurstAnswers calm;
        const absl::Time begin = sandbox::MonotonicNow();
        for (int i = 0; i < 60; ++i)
          calm.good += Burst(server.address(), 8).good;
        calm.elapsed = sandbox::MonotonicNow() - begin;
        PrintBurst("8 at once", calm, {}, LoadOf(server.pid()), 0);
      }
      const ServerLoad before = LoadOf(server.pid());
      const BurstAnswers answers = Burst(server.address(), kBurst);
      PrintBurst(absl::StrCat(queue), answers, before, LoadOf(server.pid()),
                 kBurst);
    }
  }
}

namespace {

// A client that has `outstanding` requests at the server all the time: asks
// again as soon as one is done, and soon after one was refused.
class Noise {
 public:
  Noise(const std::string& address, int outstanding) : client_(address) {
    for (int i = 0; i < outstanding; ++i) {
      threads_.emplace_back([this] { Loop(); });
    }
  }
  ~Noise() {
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  int good() const { return good_; }
  int refused() const { return refused_; }

 private:
  void Loop() {
    const v1::ExecuteRequest request = CommandRequest({"/bin/sleep", "0.02"});
    while (!stopping_) {
      v1::Result result;
      if (client_.TryRun(request, &result).ok()) {
        ++good_;
      } else {
        ++refused_;
        absl::SleepFor(absl::Milliseconds(20));
      }
    }
  }

  TestClient client_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> good_ = 0;
  std::atomic<int> refused_ = 0;
  std::vector<std::thread> threads_;
};

struct QuietRow {
  std::string name;
  int noise;
  std::vector<absl::Duration> latencies;
  int refusals = 0;
  int noise_good = 0;
  absl::Duration elapsed;
};

// Until there is a result, as often as it takes, asking again when it is told.
absl::Duration TimeUntilServed(TestClient& client, int& refusals) {
  const absl::Time begin = sandbox::MonotonicNow();
  for (;;) {
    v1::Result result;
    const grpc::Status status =
        client.TryRun(CommandRequest({"/bin/true"}), &result);
    if (status.ok()) return sandbox::MonotonicNow() - begin;
    ++refusals;
    google::rpc::RetryInfo retry;
    if (!testing::ReadDetail(status, &retry)) Die(status.error_message());
    absl::SleepFor(testing::ToDuration(retry.retry_delay()));
  }
}

}  // namespace

void MeasureNoisyClient(int rounds) {
  constexpr absl::Duration kTurn = absl::Seconds(4);
  ServerProcess server({"--slots=8", "--queue=64", "--log_level=warn"});
  TestClient quiet(server.address());
  std::vector<QuietRow> rows = {
      {"nobody", 0, {}, 0, 0, {}},
      {"8 requests, which fill the slots", 8, {}, 0, 0, {}},
      {"40, which wait", 40, {}, 0, 0, {}},
      {"200, which fill the queue", 200, {}, 0, 0, {}}};
  for (int round = 0; round < rounds; ++round) {
    for (QuietRow& row : rows) {
      const Noise noise(server.address(), row.noise);
      absl::SleepFor(absl::Milliseconds(300));
      const int good = noise.good();
      const absl::Time begin = sandbox::MonotonicNow();
      const absl::Time end = begin + kTurn;
      do {
        row.latencies.push_back(TimeUntilServed(quiet, row.refusals));
      } while (sandbox::MonotonicNow() < end);
      row.noise_good += noise.good() - good;
      row.elapsed += sandbox::MonotonicNow() - begin;
    }
  }
  std::puts(
      "\nA client that asks for one run at a time, beside one with many\n"
      "| beside | served | refusals | p50 | p95 | p50 to full slots | the "
      "other's runs a second |\n|---|---|---|---|---|---|---|");
  const absl::Duration full = Percentile(rows[1].latencies, 0.5);
  for (const QuietRow& row : rows) {
    const absl::Duration p50 = Percentile(row.latencies, 0.5);
    absl::PrintF("| %s | %d | %d | %.2f ms | %.2f ms | %.2fx | %.0f |\n",
                 row.name, row.latencies.size(), row.refusals,
                 Milliseconds(p50),
                 Milliseconds(Percentile(row.latencies, 0.95)),
                 absl::FDivDuration(p50, full),
                 row.noise_good / absl::ToDoubleSeconds(row.elapsed));
  }
}

}  // namespace cordon::bench
