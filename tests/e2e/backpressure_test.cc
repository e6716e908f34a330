// Clients that do not read: they stop their own program, not the server.

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/process_view.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

constexpr int kStalled = 8;
// What eight stalled streams may cost the server: gRPC's windows, the call's
// own buffer and the pipes, with room to spare. The programs could write
// without end.
constexpr uint64_t kResidentBound = uint64_t{32} << 20;

v1::ExecuteRequest Flood() {
  v1::ExecuteRequest request = BashRequest("echo first; exec cat /dev/zero");
  request.mutable_limits()->set_output_bytes(uint64_t{64} << 20);
  SetDuration(request.mutable_limits()->mutable_wall_time(), absl::Minutes(10));
  return request;
}

// Processor ticks of all the server's children (utime and stime of stat): a
// program that is blocked on its pipe gets no more of them.
std::string CpuOfChildren(const ServerProcess& server) {
  std::string ticks;
  for (const pid_t child : ChildrenOf(server.pid())) {
    ticks += std::to_string(child) + ":" + CpuTicksOf(child) + " ";
  }
  return ticks;
}

// Until nothing of the server moves for a while.
bool AwaitStandstill(const ServerProcess& server) {
  int still = 0;
  std::string last;
  return Eventually([&] {
    const std::string now = CpuOfChildren(server);
    still = now == last && !now.empty() ? still + 1 : 0;
    last = now;
    return still > 60;
  });
}

TEST(Backpressure, StalledReadersStopTheirProgramsAndNotTheServer) {
  ServerProcess server({"--slots=16"});
  TestClient other(server.address());
  // What the first calls need once is no cost of a stalled reader.
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(other.Run(BashRequest("echo warm")).outcome(), v1::EXITED);
  }
  const uint64_t before = ResidentBytesOf(server.pid());
  std::vector<std::unique_ptr<TestClient>> clients;
  std::vector<std::unique_ptr<ExecuteStream>> streams;
  for (int i = 0; i < kStalled; ++i) {
    clients.push_back(std::make_unique<TestClient>(server.address()));
    streams.push_back(clients.back()->Execute(Flood()));
    ASSERT_TRUE(streams.back()->ReadUntilStdoutHas("first"));
  }
  EXPECT_TRUE(AwaitStandstill(server));
  const uint64_t after = ResidentBytesOf(server.pid());
  EXPECT_LT(after, before + kResidentBound)
      << "resident before " << (before >> 10) << " KiB, after " << (after >> 10)
      << " KiB";
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(other.Run(BashRequest("echo $((6 * 7))")).stdout(), "42\n");
  }
  // A child that is just being armed has no name yet.
  EXPECT_TRUE(Eventually(
      [&] { return ChildrenOf(server.pid()).size() == size_t{kStalled}; }));
  streams.clear();
  EXPECT_TRUE(Eventually([&] { return ChildrenOf(server.pid()).empty(); }));
}

TEST(Backpressure, AReaderThatGoesOnGetsEveryByte) {
  ServerProcess server({});
  TestClient client(server.address());
  v1::ExecuteRequest request =
      BashRequest("echo first; head -c 30000000 /dev/zero; echo last");
  request.mutable_limits()->set_output_bytes(uint64_t{64} << 20);
  const auto stream = client.Execute(request);
  ASSERT_TRUE(stream->ReadUntilStdoutHas("first"));
  EXPECT_TRUE(AwaitStandstill(server));
  const StreamRecord record = stream->Finish();
  EXPECT_EQ(record.result().outcome(), v1::EXITED) << record.result().message();
  EXPECT_EQ(record.stdout_data.size(), 6u + 30000000u + 5u);
  EXPECT_EQ(record.stdout_data.substr(30000006), "last\n");
}

TEST(Backpressure, AStalledReaderLosesItsSlotAfterTheDeliveryTimeout) {
  ServerProcess server({"--slots=1", "--delivery_timeout=1s"});
  TestClient staller(server.address());
  v1::ExecuteRequest request = Flood();
  SetDuration(request.mutable_limits()->mutable_wall_time(), absl::Seconds(1));
  const auto stream = staller.Execute(request);
  ASSERT_TRUE(stream->ReadUntilStdoutHas("first"));
  // Waits for the only slot, whose owner never reads on.
  TestClient other(server.address());
  const v1::Result result = other.Run(BashRequest("echo served"));
  EXPECT_EQ(result.stdout(), "served\n");
  EXPECT_GT(ToDuration(result.usage().queue_time()), absl::ZeroDuration());
}

TEST(Backpressure, ACollectedRunIsHeldUpToItsOutputLimitOnly) {
  ServerProcess server({});
  TestClient client(server.address());
  v1::ExecuteRequest request = CommandRequest({"/bin/cat", "/dev/zero"});
  request.mutable_limits()->set_output_bytes(1 << 20);
  for (int i = 0; i < 10; ++i) {
    const v1::Result result = client.Run(request);
    EXPECT_EQ(result.outcome(), v1::OUTPUT_LIMIT);
    EXPECT_EQ(result.stdout().size(), size_t{1} << 20);
  }
  const uint64_t before = ResidentBytesOf(server.pid());
  request.set_output_mode(v1::OUTPUT_MODE_KEEP_TAIL);
  SetDuration(request.mutable_limits()->mutable_wall_time(), absl::Seconds(1));
  const v1::Result result = client.Run(request);
  EXPECT_EQ(result.outcome(), v1::WALL_TIME_LIMIT);
  EXPECT_GT(result.usage().stdout_bytes(), uint64_t{64} << 20);
  EXPECT_LT(ResidentBytesOf(server.pid()), before + (uint64_t{16} << 20));
}

}  // namespace
}  // namespace cordon::testing
