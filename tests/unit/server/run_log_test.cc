#include "server/run_log.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cordon::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

RunRecord Record() {
  RunRecord record;
  record.request_id = "id";
  record.program = "python";
  return record;
}

TEST(RunLogTest, ARunIsOneLineWithItsOutcome) {
  RunRecord record = Record();
  record.outcome = sandbox::OutcomeKind::kCpuTimeLimit;
  record.signal = 9;
  record.usage.wall_time = absl::Milliseconds(12);
  record.usage.cpu_user = absl::Milliseconds(3);
  record.usage.cpu_system = absl::Milliseconds(4);
  record.queue_time = absl::Microseconds(5);
  EXPECT_EQ(FormatRunRecord(record),
            "run request_id=\"id\" program=\"python\" outcome=CPU_TIME_LIMIT "
            "exit_code=0 signal=9 wall=12ms cpu=7ms queue=5us violations=0 "
            "warm=false");
  EXPECT_EQ(LevelOf(record), LogLevel::kInfo);
}

TEST(RunLogTest, AFailureSaysWhy) {
  RunRecord record = Record();
  record.status = absl::InternalError("mkdirat: No space left on device");
  EXPECT_EQ(FormatRunRecord(record),
            "run request_id=\"id\" program=\"python\" status=INTERNAL "
            "message=\"mkdirat: No space left on device\"");
  EXPECT_EQ(LevelOf(record), LogLevel::kError);
}

TEST(RunLogTest, ACallerCannotWriteLinesOfItsOwn) {
  RunRecord record = Record();
  record.program = "x\nroot logged in";
  record.label = "a\" outcome=EXITED";
  const std::string line = FormatRunRecord(record);
  EXPECT_THAT(line, Not(HasSubstr("\n")));
  EXPECT_THAT(line, HasSubstr("label=\"a\\\" outcome"));
}

TEST(RunLogTest, RefusedRequestsAreDebug) {
  RunRecord record = Record();
  record.status = absl::InvalidArgumentError("");
  EXPECT_EQ(LevelOf(record), LogLevel::kDebug);
}

}  // namespace
}  // namespace cordon::server
