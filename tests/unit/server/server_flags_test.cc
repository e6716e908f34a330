#include "server/server_flags.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cordon::server {
namespace {

using ::testing::ElementsAre;

std::optional<ExitCode> Parse(std::vector<const char*> arguments,
                              ServerFlags& flags) {
  arguments.insert(arguments.begin(), "cordond");
  return ParseServerFlags(static_cast<int>(arguments.size()), arguments.data(),
                          flags);
}

TEST(ServerFlagsTest, NoFlagIsLoopbackAndDefaults) {
  ServerFlags flags;
  EXPECT_EQ(Parse({}, flags), std::nullopt);
  EXPECT_EQ(ToText(flags.listen), "127.0.0.1:50051");
  EXPECT_GE(flags.slots, 4);
  EXPECT_LE(flags.limits.defaults.output_bytes,
            flags.limits.ceilings.output_bytes);
}

TEST(ServerFlagsTest, TimesAndSizesAreRead) {
  ServerFlags flags;
  EXPECT_EQ(
      Parse({"--max_cpu_time=1m30s", "--default_memory_bytes=256M",
             "--max_output_bytes=1000", "--grace", "500ms", "--listen=[::1]:0",
             "--languages_dir=a,b", "--languages_dir=c", "--allow_degraded"},
            flags),
      std::nullopt);
  EXPECT_EQ(flags.limits.ceilings.cpu_time, absl::Seconds(90));
  EXPECT_EQ(flags.limits.defaults.memory_bytes, uint64_t{256} << 20);
  EXPECT_EQ(flags.limits.ceilings.output_bytes, 1000u);
  EXPECT_EQ(flags.grace, absl::Milliseconds(500));
  EXPECT_EQ(flags.listen.host, "::1");
  EXPECT_THAT(flags.languages_dirs, ElementsAre("a", "b", "c"));
  EXPECT_TRUE(flags.sandbox.allow_degraded);
}

TEST(ServerFlagsTest, BadFlagsAreBadConfiguration) {
  for (const char* flag :
       {"--bogus", "--slots=0", "--slots=x", "--grace=10", "--grace=-1s",
        "--grace=inf", "--max_memory_bytes=1X", "--max_memory_bytes=0",
        "--max_memory_bytes=99999999999G", "--listen=here",
        "--listen=127.0.0.1:65536", "--listen=::1:5", "--log_level=loud",
        "--max_request_bytes=3G", "stray"}) {
    ServerFlags flags;
    EXPECT_EQ(Parse({flag}, flags), ExitCode::kBadConfiguration) << flag;
  }
}

TEST(ServerFlagsTest, AskingForHelpIsNoError) {
  ServerFlags flags;
  EXPECT_EQ(Parse({"--help"}, flags), ExitCode::kStopped);
  EXPECT_EQ(Parse({"--version"}, flags), ExitCode::kStopped);
}

TEST(ListenAddressTest, OnlyLoopbackIsLoopback) {
  EXPECT_TRUE(IsLoopback({"127.0.0.1", "1"}));
  EXPECT_TRUE(IsLoopback({"::1", "1"}));
  EXPECT_TRUE(IsLoopback({"localhost", "1"}));
  EXPECT_FALSE(IsLoopback({"0.0.0.0", "1"}));
  EXPECT_FALSE(IsLoopback({"::", "1"}));
  EXPECT_FALSE(IsLoopback({"10.0.0.1", "1"}));
}

}  // namespace
}  // namespace cordon::server
