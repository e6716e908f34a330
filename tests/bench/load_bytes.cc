// Many bytes, and a server that holds many.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
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

using testing::BashRequest;
using testing::CommandRequest;
using testing::ExecuteStream;
using testing::ServerProcess;
using testing::TestClient;

constexpr uint64_t kMebibyte = uint64_t{1} << 20;

double Mebibytes(uint64_t bytes) {
  return static_cast<double>(bytes) / kMebibyte;
}

absl::Duration TimeOf(const std::function<void()>& act) {
  const absl::Time begin = sandbox::MonotonicNow();
  act();
  return sandbox::MonotonicNow() - begin;
}

absl::Duration TimeOfOne(TestClient& client) {
  return TimeOf([&] { RunOrDie(client, CommandRequest({"/bin/true"})); });
}

// One that prints without end to a client of its own, which reads one message.
class SlowReader {
 public:
  explicit SlowReader(const std::string& address) : client_(address) {
    v1::ExecuteRequest request = BashRequest("echo first; exec cat /dev/zero");
    request.mutable_limits()->set_output_bytes(64 * kMebibyte);
    testing::SetDuration(request.mutable_limits()->mutable_wall_time(),
                         absl::Minutes(20));
    stream_ = client_.Execute(request, absl::Minutes(20));
    if (!stream_->ReadUntilStdoutHas("first")) Die("a slow reader's run");
  }

 private:
  TestClient client_;
  std::unique_ptr<ExecuteStream> stream_;
};

struct Subject {
  std::string name;
  std::function<void()> act;
  std::vector<absl::Duration> times = {};
};

// In turn, after one turn each that does not count. As a table of rates, with
// ratios to the first.
void CompareRates(const std::string& title, uint64_t bytes,
                  std::vector<Subject> subjects, int rounds) {
  for (Subject& subject : subjects) subject.act();
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < subjects.size(); ++i) {
      Subject& subject = subjects[(i + round) % subjects.size()];
      subject.times.push_back(TimeOf(subject.act));
    }
  }
  absl::PrintF(
      "\n%s\n| | MiB/s | time | rate to the first |\n|---|---|---|---|\n",
      title);
  const auto median = [](const Subject& of) {
    return Percentile(of.times, 0.5);
  };
  for (const Subject& subject : subjects) {
    absl::PrintF("| %s | %.0f | %.0f ms | %.2fx |\n", subject.name,
                 Mebibytes(bytes) / absl::ToDoubleSeconds(median(subject)),
                 absl::ToDoubleMilliseconds(median(subject)),
                 absl::FDivDuration(median(subjects[0]), median(subject)));
  }
}

struct Received {
  uint64_t bytes = 0;
  uint64_t messages = 0;
};

Received Receive(TestClient& client, const v1::ExecuteRequest& request) {
  grpc::ClientContext context;
  const auto reader = client.stub().Execute(&context, request);
  v1::ExecuteResponse response;
  Received received;
  while (reader->Read(&response)) {
    if (!response.has_output()) continue;
    if (response.output().offset() != received.bytes) Die("output is missing");
    received.bytes += response.output().data().size();
    ++received.messages;
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) Die(status.error_message());
  return received;
}

}  // namespace

void MeasureSlowReaders(int rounds) {
  constexpr int kSamples = 50;
  ServerProcess server({"--slots=300", "--log_level=warn"});
  TestClient client(server.address());
  for (int i = 0; i < 100; ++i) TimeOfOne(client);
  struct Level {
    size_t readers;
    std::vector<absl::Duration> latencies;
    ServerLoad load;
  };
  std::vector<Level> levels = {
      {0, {}, {}}, {50, {}, {}}, {100, {}, {}}, {200, {}, {}}};
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::unique_ptr<SlowReader>> readers;
    for (Level& level : levels) {
      while (readers.size() < level.readers) {
        readers.push_back(std::make_unique<SlowReader>(server.address()));
      }
      AwaitRest(server.pid());
      if (round == 0) level.load = LoadOf(server.pid());
      for (int i = 0; i < kSamples; ++i) {
        level.latencies.push_back(TimeOfOne(client));
      }
    }
    readers.clear();
    AwaitRest(server.pid());
  }
  std::puts(
      "\nClients that read nothing of a program that prints without end\n"
      "| readers | server memory | a reader | p50 of one more run | to nobody "
      "|\n|---|---|---|---|---|");
  for (const Level& level : levels) {
    const absl::Duration p50 = Percentile(level.latencies, 0.5);
    absl::PrintF(
        "| %d | %.1f MiB | %.0f KiB | %.2f ms | %.2fx |\n", level.readers,
        Mebibytes(level.load.memory),
        level.readers == 0
            ? 0
            : static_cast<double>(level.load.memory - levels[0].load.memory) /
                  1024 / level.readers,
        absl::ToDoubleMilliseconds(p50),
        absl::FDivDuration(p50, Percentile(levels[0].latencies, 0.5)));
  }
}

void MeasureOutput(const BareServer& bare_server, int rounds) {
  constexpr uint64_t kBytes = 1024 * kMebibyte;
  ServerProcess server({"--max_output_bytes=2G", "--log_level=warn"});
  TestClient client(server.address());
  TestClient bare(bare_server.address());
  constexpr uint64_t kChunk = 64 << 10;
  v1::ExecuteRequest from_memory;
  from_memory.mutable_limits()->set_output_bytes(kBytes);
  from_memory.mutable_limits()->set_file_bytes(kChunk);
  v1::ExecuteRequest in_large_chunks = from_memory;
  in_large_chunks.mutable_limits()->set_file_bytes(4 * kChunk);
  v1::ExecuteRequest from_program =
      CommandRequest({"/bin/dd", "if=/dev/zero", "bs=64k",
                      absl::StrCat("count=", kBytes / kChunk), "status=none"});
  from_program.mutable_limits()->set_output_bytes(kBytes);
  v1::ExecuteRequest bare_program = from_program;
  bare_program.mutable_limits()->set_file_bytes(kChunk);
  const auto expect_all = [](TestClient& of,
                             const v1::ExecuteRequest& request) {
    const Received received = Receive(of, request);
    if (received.bytes != kBytes) Die("output is missing");
    return received;
  };
  Received received;
  absl::Duration server_cpu;
  CompareRates(
      "A gigabyte through Execute, written in chunks of 64 KiB", kBytes,
      {{"bare stream, from memory", [&] { expect_all(bare, from_memory); }},
       {"bare stream, from a program's pipe",
        [&] { expect_all(bare, bare_program); }},
       {"bare stream, from memory, chunks of 256 KiB",
        [&] { expect_all(bare, in_large_chunks); }},
       {"Execute",
        [&] {
          const absl::Duration before = LoadOf(server.pid()).cpu;
          received = expect_all(client, from_program);
          server_cpu = LoadOf(server.pid()).cpu - before;
        }}},
      rounds);
  std::printf(
      "messages: %.1f KiB on average; the server's processor time: %.0f ms, "
      "peak memory: %.1f MiB\n",
      static_cast<double>(received.bytes) / 1024 / received.messages,
      absl::ToDoubleMilliseconds(server_cpu),
      Mebibytes(LoadOf(server.pid()).peak));
}

void MeasureInput(const BareServer& bare_server, int rounds) {
  constexpr uint64_t kBytes = 64 * kMebibyte;
  ServerProcess server(
      {"--max_request_bytes=80M", "--max_stdin_bytes=64M", "--log_level=warn"});
  TestClient client(server.address());
  TestClient bare(bare_server.address());
  const std::vector<std::string> argv = {"/bin/bash", "-c",
                                         "exec cat > /dev/null"};
  v1::ExecuteRequest request = CommandRequest(argv);
  request.set_stdin(std::string(kBytes, 'x'));
  CompareRates(
      "64 MiB of standard input", kBytes,
      {{"bare pipe, then the message to a bare server",
        [&] {
          testing::RunCommand(argv, request.stdin());
          RunOrDie(bare, request);
        }},
       {"bare pipe", [&] { testing::RunCommand(argv, request.stdin()); }},
       {"the message to a bare server", [&] { RunOrDie(bare, request); }},
       {"Run", [&] { RunOrDie(client, request); }}},
      rounds);
  std::printf("peak memory of the server: %.1f MiB\n",
              Mebibytes(LoadOf(server.pid()).peak));
}

namespace {

// A server that holds so much of one run's output, which is all that differs.
class HoldingServer {
 public:
  HoldingServer(uint64_t resident, std::string name)
      : name_(std::move(name)),
        server_({"--max_output_bytes=4G", "--log_level=warn"}),
        client_(server_.address()) {
    for (int i = 0; i < 100; ++i) TimeOfOne(client_);
    const uint64_t missing = resident - LoadOf(server_.pid()).memory;
    v1::ExecuteRequest request = BashRequest(
        absl::StrCat("head -c ", missing, " /dev/zero; exec sleep 1000"));
    request.set_output_mode(v1::OUTPUT_MODE_KEEP_TAIL);
    request.mutable_limits()->set_output_bytes(4096 * kMebibyte);
    testing::SetDuration(request.mutable_limits()->mutable_wall_time(),
                         absl::Minutes(20));
    stream_ = client_.Execute(request, absl::Minutes(20));
    if (!stream_->ReadUntilStarted()) Die("the run whose output is held");
    if (!testing::Eventually([&] {
          return LoadOf(server_.pid()).memory + 4 * kMebibyte >= resident;
        })) {
      Die("the server does not hold the output");
    }
    AwaitRest(server_.pid());
  }

  void RunSome(int count) {
    for (int i = 0; i < count; ++i) times_.push_back(TimeOfOne(client_));
  }
  absl::Duration p(double fraction) const {
    return Percentile(times_, fraction);
  }
  const std::string& name() const { return name_; }
  size_t runs() const { return times_.size(); }
  double mebibytes() const { return Mebibytes(LoadOf(server_.pid()).memory); }

 private:
  std::string name_;
  ServerProcess server_;
  TestClient client_;
  std::unique_ptr<ExecuteStream> stream_;
  std::vector<absl::Duration> times_;
};

}  // namespace

void MeasureLargeServer(int rounds) {
  constexpr int kRuns = 1000;
  constexpr int kInTurn = 10;
  HoldingServer small(50 * kMebibyte, "50 MiB");
  HoldingServer large(2048 * kMebibyte, "2 GiB");
  for (int i = 0; i < rounds * kRuns / 3; i += kInTurn) {
    HoldingServer& first = i % (2 * kInTurn) == 0 ? small : large;
    HoldingServer& second = i % (2 * kInTurn) == 0 ? large : small;
    first.RunSome(kInTurn);
    second.RunSome(kInTurn);
  }
  std::puts(
      "\nRuns of /bin/true by a server of this size\n"
      "| server | resident | runs | p50 | p95 | p50 to the small one | p95 "
      "|\n|---|---|---|---|---|---|---|");
  for (const HoldingServer* server : {&small, &large}) {
    absl::PrintF("| %s | %.0f MiB | %d | %.3f ms | %.3f ms | %.3fx | %.3fx |\n",
                 server->name(), server->mebibytes(), server->runs(),
                 absl::ToDoubleMilliseconds(server->p(0.5)),
                 absl::ToDoubleMilliseconds(server->p(0.95)),
                 absl::FDivDuration(server->p(0.5), small.p(0.5)),
                 absl::FDivDuration(server->p(0.95), small.p(0.95)));
  }
}

}  // namespace cordon::bench
