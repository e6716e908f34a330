// Many requests, many runs and many bytes: every request is answered once,
// every byte arrives where it belongs, and nothing is left.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "tests/support/child_process.h"
#include "tests/support/process_view.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

// Requests under way at once, each `echo NUMBER`, and what came of them.
class Burst {
 public:
  // Blocks until they are answered.
  ~Burst() { Await(sent_); }

  // One more, by this client.
  void Send(TestClient& client) {
    Call& call = calls_.emplace_back();
    const size_t number = sent_++;
    call.request = CommandRequest({"/bin/echo", std::to_string(number)});
    call.context.set_deadline(std::chrono::system_clock::now() +
                              std::chrono::minutes(2));
    client.stub().async()->Run(&call.context, &call.request, &call.result,
                               [this, &call, number](grpc::Status status) {
                                 Answered(call, number, std::move(status));
                               });
  }
  // Until so many are answered.
  void Await(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return answered_.size() >= count; });
  }

  // In the order of the answers, whether they are a result.
  std::vector<size_t> answered() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return answered_;
  }
  size_t sent() const { return sent_; }
  size_t good() const { return good_; }
  size_t refused() const { return refused_; }

 private:
  struct Call {
    grpc::ClientContext context;
    v1::ExecuteRequest request;
    v1::Result result;
    int answers = 0;
  };

  void Answered(Call& call, size_t number, grpc::Status status) {
    EXPECT_EQ(++call.answers, 1) << number;
    google::rpc::RetryInfo retry;
    if (status.ok()) {
      EXPECT_EQ(call.result.stdout(), absl::StrCat(number, "\n"));
      ++good_;
    } else {
      EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED)
          << status.error_message();
      EXPECT_TRUE(ReadDetail(status, &retry)) << status.error_message();
      EXPECT_GT(ToDuration(retry.retry_delay()), absl::ZeroDuration());
      ++refused_;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    answered_.push_back(number);
    changed_.notify_one();
  }

  std::deque<Call> calls_;
  std::atomic<size_t> sent_ = 0;
  std::atomic<size_t> good_ = 0;
  std::atomic<size_t> refused_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<size_t> answered_;
};

TEST(Load, ABurstBeyondTheQueueIsAnsweredToTheLastRequest) {
  constexpr size_t kSlots = 2, kQueue = 50, kRequests = 2000;
  ServerProcess server(
      {absl::StrCat("--slots=", kSlots), absl::StrCat("--queue=", kQueue)});
  TestClient holder(server.address());
  std::vector<std::unique_ptr<ExecuteStream>> held;
  for (size_t i = 0; i < kSlots; ++i) {
    held.push_back(holder.Execute(BashRequest("echo held; sleep 1000")));
    ASSERT_TRUE(held.back()->ReadUntilStdoutHas("held"));
  }
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<TestClient>(server.address()));
  }
  Burst burst;
  for (size_t i = 0; i < kRequests; ++i) burst.Send(*clients[i % 4]);
  burst.Await(kRequests - kQueue);
  EXPECT_EQ(burst.refused(), kRequests - kQueue);
  EXPECT_EQ(burst.good(), 0u) << "no slot is free";
  held.clear();
  burst.Await(kRequests);
  EXPECT_EQ(burst.good(), kQueue);
  EXPECT_EQ(burst.refused(), kRequests - kQueue);
}

TEST(Load, AClientThatFillsTheQueueDelaysAnotherByItsTurnsOnly) {
  constexpr size_t kQueue = 20;
  ServerProcess server({"--slots=1", absl::StrCat("--queue=", kQueue)});
  TestClient holder(server.address());
  auto held = holder.Execute(BashRequest("echo held; sleep 1000"));
  ASSERT_TRUE(held->ReadUntilStdoutHas("held"));
  TestClient noisy(server.address());
  TestClient quiet(server.address());
  Burst burst;
  for (size_t i = 0; i < kQueue + 5; ++i) burst.Send(noisy);
  burst.Await(5);
  EXPECT_EQ(burst.refused(), 5u) << "control: the queue is full";
  const size_t its_number = burst.sent();
  burst.Send(quiet);
  // One of the others has to go.
  burst.Await(6);
  EXPECT_NE(burst.answered().back(), its_number);
  held.reset();
  burst.Await(burst.sent());
  EXPECT_EQ(burst.refused(), 6u);
  const std::vector<size_t> order = burst.answered();
  size_t place = 0;
  while (order[place] != its_number) ++place;
  // Second in turn; the answers come by two connections.
  EXPECT_LT(place, 6 + kQueue / 2);
}

TEST(Load, SixtyFourMebibytesOfStandardInputArriveWhole) {
  ServerProcess server({"--max_request_bytes=80M", "--max_stdin_bytes=64M"});
  TestClient client(server.address());
  v1::ExecuteRequest request = CommandRequest({"/usr/bin/sha256sum"});
  std::string& data = *request.mutable_stdin();
  data.resize(size_t{64} << 20);
  uint64_t state = 1;
  for (size_t i = 0; i < data.size(); i += sizeof(state)) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::memcpy(&data[i], &state, sizeof(state));
  }
  const std::string expected =
      RunCommand({"/usr/bin/sha256sum"}, data).stdout_data;
  ASSERT_EQ(expected.size(), 64u + 4u);
  EXPECT_EQ(client.Run(request).stdout(), expected);
}

// Each word of a block is the block's number.
constexpr uint64_t kBlockBytes = 64 << 10;
constexpr char kNumberedBlocks[] = R"(
import sys
for i in range(4096):
    sys.stdout.buffer.write(i.to_bytes(8, 'little') * 8192)
)";

TEST(Load, AQuarterOfAGigabyteArrivesWhole) {
  constexpr uint64_t kBytes = uint64_t{256} << 20;
  ServerProcess server({"--max_output_bytes=512M"});
  TestClient client(server.address());
  v1::ExecuteRequest request = PythonRequest(kNumberedBlocks);
  request.mutable_limits()->set_output_bytes(kBytes);
  grpc::ClientContext context;
  const auto reader = client.stub().Execute(&context, request);
  v1::ExecuteResponse response;
  std::string block;
  uint64_t position = 0, blocks = 0;
  v1::Result result;
  while (reader->Read(&response)) {
    if (response.has_result()) result = response.result();
    if (!response.has_output()) continue;
    ASSERT_EQ(response.output().offset(), position);
    position += response.output().data().size();
    block.append(response.output().data());
    size_t done = 0;
    for (; block.size() - done >= kBlockBytes; done += kBlockBytes, ++blocks) {
      const std::vector<uint64_t> expected(kBlockBytes / 8, blocks);
      ASSERT_EQ(std::memcmp(block.data() + done, expected.data(), kBlockBytes),
                0)
          << "block " << blocks;
    }
    block.erase(0, done);
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(position, kBytes);
  EXPECT_EQ(result.outcome(), v1::EXITED) << result.message();
  EXPECT_EQ(result.usage().stdout_bytes(), kBytes);
  EXPECT_FALSE(result.stdout_truncated());
}

// What is not the server's own is a few kernel objects each.
constexpr uint64_t kBytesOfASleeper = 64 << 10;

TEST(Load, ThreeHundredRunsThatSleepCostLittleAndLeaveNothing) {
  constexpr size_t kRuns = 300;
  ServerProcess server({"--slots=320", "--log_level=warn"});
  TestClient client(server.address());
  for (int i = 0; i < 50; ++i) client.Run(CommandRequest({"/bin/true"}));
  const uint64_t memory = ResidentBytesOf(server.pid());
  const int descriptors = DescriptorsOf(server.pid());
  const int threads = ThreadsOf(server.pid());
  std::vector<std::unique_ptr<ExecuteStream>> sleepers;
  for (size_t i = 0; i < kRuns; ++i) {
    // Half of them with a process of a process.
    sleepers.push_back(
        client.Execute(i % 2 == 0 ? CommandRequest({"/bin/sleep", "1000"})
                                  : BashRequest("sleep 1000; echo")));
    ASSERT_TRUE(sleepers.back()->ReadUntilStarted()) << i;
  }
  EXPECT_TRUE(
      Eventually([&] { return ChildrenOf(server.pid()).size() == kRuns; }));
  EXPECT_LT(ResidentBytesOf(server.pid()), memory + kRuns * kBytesOfASleeper);
  EXPECT_LE(ThreadsOf(server.pid()), threads + 4) << "none for each run";
  EXPECT_EQ(client.Run(BashRequest("echo $((6 * 7))")).stdout(), "42\n")
      << "there is room for others";
  for (auto& sleeper : sleepers) sleeper->Cancel();
  for (auto& sleeper : sleepers) {
    EXPECT_EQ(sleeper->Finish().status.error_code(),
              grpc::StatusCode::CANCELLED);
  }
  EXPECT_TRUE(Eventually([&] {
    return ChildrenOf(server.pid()).empty() &&
           DescriptorsOf(server.pid()) <= descriptors + 16;
  })) << ChildrenOf(server.pid()).size()
      << " children, " << DescriptorsOf(server.pid()) << " descriptors, "
      << descriptors << " before";
}

}  // namespace
}  // namespace cordon::testing
