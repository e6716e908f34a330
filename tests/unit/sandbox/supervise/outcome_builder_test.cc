#include "sandbox/supervise/outcome_builder.h"

#include <signal.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

using ::testing::HasSubstr;

// Wait statuses as wait(2)'s macros read them.
int Exited(int code) { return code << 8; }
int Killed(int signal) { return signal; }

ObservedEnd End(int wait_status) {
  ObservedEnd end;
  end.wait_status = wait_status;
  end.limits.cpu_time = absl::Seconds(2);
  return end;
}

TEST(OutcomeBuilder, AnExitCodeIsTheProgramsOwn) {
  const Outcome outcome = BuildOutcome(End(Exited(3)));
  EXPECT_EQ(outcome.kind, OutcomeKind::kExited);
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.signal, 0);
  EXPECT_EQ(outcome.message, "The program exited with code 3.");
}

TEST(OutcomeBuilder, ASignalThatIsNobodysLimitIsSignaled) {
  for (const int signal : {SIGSEGV, SIGABRT, SIGKILL, SIGXCPU}) {
    const Outcome outcome = BuildOutcome(End(Killed(signal)));
    EXPECT_EQ(outcome.kind, OutcomeKind::kSignaled) << signal;
    EXPECT_EQ(outcome.signal, signal);
  }
}

TEST(OutcomeBuilder, TheFirstCauseStandsWhateverTheEndLooksLike) {
  for (const int status :
       {Exited(0), Killed(SIGKILL), Killed(SIGXFSZ), Killed(SIGSYS)}) {
    ObservedEnd end = End(status);
    end.cause = WallTimeCause(end.limits);
    end.usage.cpu_user = absl::Seconds(100);
    EXPECT_EQ(BuildOutcome(end).kind, OutcomeKind::kWallTimeLimit);
  }
}

TEST(OutcomeBuilder, TheTotalOfProcessorTimeDecidesEvenIfTheProgramExited) {
  ObservedEnd end = End(Exited(0));
  end.usage.cpu_user = absl::Seconds(1);
  end.usage.cpu_system = absl::Milliseconds(999);
  EXPECT_EQ(BuildOutcome(end).kind, OutcomeKind::kExited);
  end.usage.cpu_system = absl::Seconds(1);
  const Outcome outcome = BuildOutcome(end);
  EXPECT_EQ(outcome.kind, OutcomeKind::kCpuTimeLimit);
  EXPECT_THAT(outcome.message, HasSubstr("its limit is 2s"));
}

TEST(OutcomeBuilder, SigxfszIsTheFileLimit) {
  ObservedEnd end = End(Killed(SIGXFSZ));
  end.limits.file_bytes = 3 << 20;
  const Outcome outcome = BuildOutcome(end);
  EXPECT_EQ(outcome.kind, OutcomeKind::kDiskLimit);
  EXPECT_THAT(outcome.message, HasSubstr("3 MiB"));
}

TEST(OutcomeBuilder, AFileThatReachesTheLimitExplainsAShellsExit) {
  ObservedEnd end = End(Exited(128 + SIGXFSZ));
  end.longest_file = end.limits.file_bytes;
  EXPECT_EQ(BuildOutcome(end).kind, OutcomeKind::kDiskLimit);
  end.longest_file = end.limits.file_bytes - 1;
  EXPECT_EQ(BuildOutcome(end).kind, OutcomeKind::kExited);
  end = End(Exited(1));
  end.longest_file = end.limits.file_bytes;
  EXPECT_EQ(BuildOutcome(end).kind, OutcomeKind::kExited);
}

TEST(OutcomeBuilder, SigxfszThatMayBeTheProgramsOwnIsASignal) {
  ObservedEnd end = End(Killed(SIGXFSZ));
  end.may_signal_file_size = true;
  const Outcome outcome = BuildOutcome(end);
  EXPECT_EQ(outcome.kind, OutcomeKind::kSignaled);
  EXPECT_EQ(outcome.signal, SIGXFSZ);
}

TEST(OutcomeBuilder, SigsysIsAViolationWhereTheFilterKills) {
  ObservedEnd end = End(Killed(SIGSYS));
  end.breaches_may_hide = true;
  EXPECT_EQ(BuildOutcome(end).kind, OutcomeKind::kSyscallViolation);
  end.breaches_may_hide = false;
  EXPECT_EQ(BuildOutcome(end).kind, OutcomeKind::kSignaled);
}

TEST(OutcomeBuilder, ADiskCauseNamesWhatWasTooMuch) {
  Limits limits;
  limits.disk_bytes = 3 << 20;
  limits.disk_inodes = 100;
  EXPECT_THAT(DiskCause(limits, 5 << 20, 7).message,
              ::testing::AllOf(HasSubstr("5 MiB"), HasSubstr("3 MiB")));
  EXPECT_THAT(DiskCause(limits, 1 << 20, 101).message,
              ::testing::AllOf(HasSubstr("101 files"), HasSubstr("100.")));
  EXPECT_EQ(DiskCause(limits, 1, 101).kind, OutcomeKind::kDiskLimit);
}

TEST(OutcomeBuilder, ARefusedMappingIsAMemoryLimitOnlyIfTheProgramFailed) {
  ObservedEnd end = End(Exited(1));
  end.refused_mapping_bytes = uint64_t{8} << 30;
  EXPECT_EQ(BuildOutcome(end).kind, OutcomeKind::kMemoryLimit);
  end.wait_status = Killed(SIGABRT);
  EXPECT_EQ(BuildOutcome(end).kind, OutcomeKind::kMemoryLimit);
  end.wait_status = Exited(0);
  EXPECT_EQ(BuildOutcome(end).kind, OutcomeKind::kExited);
}

TEST(OutcomeBuilder, ABreachIsFiledUnderItsKind) {
  Violation violation;
  violation.syscall = "openat";
  violation.path = "/etc/shadow";
  violation.kind = ViolationKind::kFilesystem;
  EXPECT_EQ(ViolationCause(violation).kind, OutcomeKind::kFilesystemViolation);
  EXPECT_EQ(
      ViolationCause(violation).message,
      "The program called openat on /etc/shadow, which its policy does not "
      "allow.");
  violation.kind = ViolationKind::kNetwork;
  EXPECT_EQ(ViolationCause(violation).kind, OutcomeKind::kNetworkViolation);
  violation.kind = ViolationKind::kProcess;
  EXPECT_EQ(ViolationCause(violation).kind, OutcomeKind::kSyscallViolation);
}

}  // namespace
}  // namespace cordon::sandbox
