// Nothing is left behind: ten thousand runs one after the other, two hundred at
// once, and more forks than a template serves.

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/support/process_view.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

constexpr int kRuns = 10000;
// By then every thread, arena and cache of the server exists.
constexpr int kWarmUp = 1000;
constexpr int kAtOnce = 200;
// gRPC's event engine and connections come and go by a few.
constexpr int kDescriptorSlack = 16;
constexpr uint64_t kResidentSlack = uint64_t{4} << 20;

// Everything in the state directory.
int EntriesOf(const ServerProcess& server) {
  std::error_code error;
  int entries = 0;
  for (auto entry = std::filesystem::recursive_directory_iterator(
           server.state_directory(), error);
       entry != std::filesystem::recursive_directory_iterator();
       entry.increment(error)) {
    ++entries;
  }
  return entries;
}

struct Footprint {
  explicit Footprint(const ServerProcess& server)
      : children(static_cast<int>(ChildrenOf(server.pid()).size())),
        armed(static_cast<int>(ArmedChildrenOf(server.pid()).size())),
        descriptors(DescriptorsOf(server.pid())),
        entries(EntriesOf(server)),
        resident(ResidentBytesOf(server.pid())) {}
  int children;
  int armed;
  int descriptors;
  int entries;
  uint64_t resident;
};

// Nothing runs, and what is kept ready is ready: after a result the server goes
// on removing, making and arming for a moment.
Footprint AtRest(const ServerProcess& server) {
  Footprint last(server);
  EXPECT_TRUE(Eventually([&] {
    absl::SleepFor(absl::Milliseconds(50));
    const Footprint now(server);
    const bool still = now.children == 0 && now.armed == last.armed &&
                       now.entries == last.entries;
    last = now;
    return still;
  }));
  return last;
}

// Cleaning up goes on for a moment after a result.
bool AwaitSameAs(const Footprint& before, const ServerProcess& server) {
  return Eventually([&] {
    const Footprint now(server);
    return now.children == before.children && now.armed <= before.armed &&
           now.entries <= before.entries &&
           now.descriptors <= before.descriptors + kDescriptorSlack;
  });
}

void ExpectSame(const Footprint& before, const ServerProcess& server) {
  EXPECT_TRUE(AwaitSameAs(before, server));
  const Footprint after(server);
  EXPECT_EQ(after.children, before.children);
  EXPECT_LE(after.armed, before.armed);
  EXPECT_LE(after.entries, before.entries);
  EXPECT_LE(after.descriptors, before.descriptors + kDescriptorSlack);
}

TEST(Leak, TenThousandRunsLeaveNothingBehind) {
  ServerProcess server({"--log_level=warn"});
  TestClient client(server.address());
  const v1::ExecuteRequest request = CommandRequest({"/bin/true"});
  const auto run = [&](int count) {
    for (int i = 0; i < count; ++i) {
      v1::Result result;
      const grpc::Status status = client.TryRun(request, &result);
      ASSERT_TRUE(status.ok()) << "run " << i << ": " << status.error_message();
      ASSERT_EQ(result.outcome(), v1::EXITED) << result.message();
    }
  };
  run(kWarmUp);
  const Footprint before = AtRest(server);
  run(kRuns - kWarmUp);
  ExpectSame(before, server);
  const uint64_t resident = ResidentBytesOf(server.pid());
  EXPECT_LT(resident, before.resident + kResidentSlack)
      << (before.resident >> 10) << " KiB after " << kWarmUp << " runs, "
      << (resident >> 10) << " KiB after " << kRuns;
  RecordProperty("resident_kib_before",
                 static_cast<int>(before.resident >> 10));
  RecordProperty("resident_kib_after", static_cast<int>(resident >> 10));
}

// Longer than a template serves (warm_templates.h).
TEST(Leak, ForksOfTemplatesLeaveNothingBehind) {
  constexpr int kForks = 600;
  ServerProcess server({"--log_level=warn"});
  TestClient client(server.address());
  int forks = 0;
  const auto run = [&] {
    for (int i = 0; i < kForks; ++i) {
      const v1::Result result = client.Run(SourceRequest("python", "print(1)"));
      ASSERT_EQ(result.outcome(), v1::EXITED) << result.message();
      ASSERT_EQ(result.stdout(), "1\n");
      forks += result.usage().warm() ? 1 : 0;
    }
  };
  run();
  const Footprint before = AtRest(server);
  run();
  run();
  EXPECT_GT(forks, kForks);
  ExpectSame(before, server);
  EXPECT_LT(ResidentBytesOf(server.pid()), before.resident + kResidentSlack);
}

TEST(Leak, TwoHundredRunsAtOnceLeaveNothingBehind) {
  ServerProcess server({"--slots=200", "--log_level=warn"});
  const auto all_at_once = [&] {
    std::atomic<int> good{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < kAtOnce; ++i) {
      callers.emplace_back([&] {
        TestClient client(server.address());
        const v1::Result result =
            client.Run(BashRequest("sleep 0.2; echo done"));
        if (result.stdout() == "done\n") ++good;
      });
    }
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(good, kAtOnce);
  };
  all_at_once();
  const Footprint before = AtRest(server);
  for (int i = 0; i < 3; ++i) all_at_once();
  ExpectSame(before, server);
}

TEST(Leak, RunsThatEndBadlyLeaveNothingBehindEither) {
  ServerProcess server({"--log_level=warn"});
  TestClient client(server.address());
  const auto bad_endings = [&] {
    v1::Result result;
    client.TryRun(CommandRequest({"no-such-program"}), &result);
    client.TryRun(BashRequest("kill -9 $$"), &result);
    client.TryRun(BashRequest("sleep 1000 & sleep 1000 & exit 1"), &result);
    client.TryRun(SourceRequest("c", "nonsense"), &result);
    client.TryRun(CommandRequest({}), &result);
    v1::ExecuteRequest flood = CommandRequest({"/bin/cat", "/dev/zero"});
    flood.mutable_limits()->set_output_bytes(1000);
    client.TryRun(flood, &result);
    const auto stream = client.Execute(BashRequest("echo x; sleep 1000"));
    stream->ReadUntilStdoutHas("x");
  };
  bad_endings();
  const Footprint before = AtRest(server);
  for (int i = 0; i < 20; ++i) bad_endings();
  ExpectSame(before, server);
}

}  // namespace
}  // namespace cordon::testing
