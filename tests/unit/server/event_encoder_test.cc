#include "server/event_encoder.h"

#include <cerrno>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/cordon/v1/violation_errno.h"
#include "server/utf8.h"

namespace cordon::server {
namespace {

using ::testing::ElementsAre;

TEST(EventEncoderTest, AViolationKeepsEveryField) {
  sandbox::Violation violation;
  violation.kind = sandbox::ViolationKind::kFilesystem;
  violation.syscall = "openat";
  violation.syscall_number = 257;
  violation.arguments = {1, 2, 3, 4, 5, ~uint64_t{0}};
  violation.candidates = {"a", "b"};
  violation.path = "/etc/shadow";
  violation.address = "AF_INET";
  violation.process_id = 7;
  violation.offset = absl::Milliseconds(1500);
  violation.action = sandbox::ViolationAction::kDeny;
  violation.error_number = EACCES;
  const v1::Violation proto = EncodeViolation(violation);
  EXPECT_EQ(proto.kind(), v1::Violation::FILESYSTEM);
  EXPECT_EQ(proto.syscall(), "openat");
  EXPECT_EQ(proto.syscall_number(), 257);
  EXPECT_THAT(proto.arguments(), ElementsAre(1, 2, 3, 4, 5, ~uint64_t{0}));
  EXPECT_THAT(proto.candidates(), ElementsAre("a", "b"));
  EXPECT_EQ(proto.path(), "/etc/shadow");
  EXPECT_EQ(proto.address(), "AF_INET");
  EXPECT_EQ(proto.process_id(), 7);
  EXPECT_EQ(proto.offset().seconds(), 1);
  EXPECT_EQ(proto.offset().nanos(), 500000000);
  EXPECT_EQ(proto.action(), v1::Violation::DENIED);
  EXPECT_EQ(v1::ErrnoOf(proto), EACCES);
}

TEST(EventEncoderTest, AResultKeepsEveryField) {
  sandbox::Outcome outcome;
  outcome.kind = sandbox::OutcomeKind::kMemoryLimit;
  outcome.exit_code = 3;
  outcome.signal = 9;
  outcome.message = "too much";
  outcome.usage = {absl::Seconds(1),
                   absl::Milliseconds(2),
                   absl::Microseconds(3),
                   4,
                   5,
                   6,
                   7};
  outcome.stdout_truncated = true;
  outcome.violations.resize(2);
  outcome.violations_dropped = 8;
  outcome.files = {{"out.txt", "content", ""}, {"p", "", "is a directory"}};
  outcome.enforcement.network = {sandbox::EnforcementLevel::kPartial, "why"};
  auto compilation = std::make_shared<sandbox::Outcome::Compilation>();
  compilation->outcome.exit_code = 1;
  compilation->stderr_data = "error";
  compilation->outcome.usage.compile_cache = sandbox::CompileCacheUse::kHit;
  outcome.compilation = compilation;

  const v1::Result result = EncodeResult(outcome);
  EXPECT_EQ(result.usage().compile_cache(),
            v1::Usage::COMPILE_CACHE_UNSPECIFIED);
  EXPECT_EQ(result.compilation().usage().compile_cache(), v1::Usage::HIT);
  EXPECT_EQ(result.outcome(), v1::MEMORY_LIMIT);
  EXPECT_EQ(result.exit_code(), 3);
  EXPECT_EQ(result.signal(), 9);
  EXPECT_EQ(result.message(), "too much");
  EXPECT_EQ(result.usage().wall_time().seconds(), 1);
  EXPECT_EQ(result.usage().cpu_user().nanos(), 2000000);
  EXPECT_EQ(result.usage().cpu_system().nanos(), 3000);
  EXPECT_EQ(result.usage().peak_memory_bytes(), 4u);
  EXPECT_EQ(result.usage().peak_processes(), 5u);
  EXPECT_EQ(result.usage().stdout_bytes(), 6u);
  EXPECT_EQ(result.usage().stderr_bytes(), 7u);
  EXPECT_TRUE(result.stdout_truncated());
  EXPECT_FALSE(result.stderr_truncated());
  EXPECT_EQ(result.violations_size(), 2);
  EXPECT_EQ(result.violations_dropped(), 8u);
  EXPECT_EQ(result.files(0).content(), "content");
  EXPECT_EQ(result.files(1).error(), "is a directory");
  EXPECT_EQ(result.enforcement().network().level(), v1::Enforcement::PARTIAL);
  EXPECT_EQ(result.enforcement().network().reason(), "why");
  EXPECT_EQ(result.enforcement().filesystem().level(), v1::Enforcement::NONE);
  EXPECT_EQ(result.compilation().exit_code(), 1);
  EXPECT_EQ(result.compilation().stderr(), "error");
}

TEST(EventEncoderTest, EachOutcomeHasItsOwnNumber) {
  std::set<v1::Outcome> seen;
  for (int kind = 0;
       kind <= static_cast<int>(sandbox::OutcomeKind::kNetworkViolation);
       ++kind) {
    seen.insert(EncodeOutcomeKind(static_cast<sandbox::OutcomeKind>(kind)));
  }
  EXPECT_EQ(seen.size(), 12u);
  EXPECT_EQ(seen.count(v1::OUTCOME_UNSPECIFIED), 0u);
}

TEST(EventEncoderTest, OutputKeepsItsBytes) {
  const std::string bytes("\0\xff", 2);
  const v1::Output output =
      EncodeOutput(sandbox::OutputStream::kStderr, bytes, 42);
  EXPECT_EQ(output.stream(), v1::STDERR);
  EXPECT_EQ(output.data(), bytes);
  EXPECT_EQ(output.offset(), 42u);
}

TEST(Utf8Test, TextStaysAndBytesAreEscaped) {
  EXPECT_EQ(ToUtf8("plain"), "plain");
  EXPECT_EQ(ToUtf8("h\xc3\xa9"), "h\xc3\xa9");
  EXPECT_EQ(ToUtf8("\xf0\x9f\x99\x82"), "\xf0\x9f\x99\x82");
  EXPECT_EQ(ToUtf8("a\xff"), "a\\xff");
}

TEST(Utf8Test, MalformedSequencesAreNot) {
  for (const char* bytes :
       {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
        "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(IsUtf8(bytes));
  }
}

}  // namespace
}  // namespace cordon::server
