// The compiled policy in the real kernel: what it allows, refuses, reports and
// kills is what the table says.

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sandbox/policy/seccomp/filter_compiler.h"
#include "sandbox/policy/seccomp/filter_dump.h"
#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/syscall_table_x86_64.h"
#include "tests/kernel/seccomp_harness.h"
#include "tests/unit/sandbox/policy/seccomp/boundary_arguments.h"

namespace cordon::sandbox {
namespace {

constexpr int kMount = static_cast<int>(Sys::mount);
// A violation that no container runtime's own filter hides.
constexpr int kPtrace = static_cast<int>(Sys::ptrace);
// No verdict of the table has it, so it can only be the listener's.
constexpr int kListenerErrno = EOWNERDEAD;

Answer FailAll(const seccomp_data&) { return Answer::Fail(kListenerErrno); }

Filter CompileDefault(SignalScope signals, const std::set<int>& masked = {}) {
  return CompileFilter(DefaultPolicy({.signals = signals}),
                       {.audit_arch = kX86_64AuditArch,
                        .number_limit = kX86_64NumberLimit,
                        .masked = masked})
      .value();
}

// Reports one number and allows the others.
Filter Reporting(int number) {
  return {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(number), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
}

bool KilledBySigsys(const FilteredRun& run) {
  return WIFSIGNALED(run.wait_status) && WTERMSIG(run.wait_status) == SIGSYS;
}

// Calls that a test cannot make with zeros for arguments.
const std::map<Sys, const char*>& Uncallable() {
  static const auto& calls = *new std::map<Sys, const char*>{
      {Sys::exit, "ends the child before it reports"},
      {Sys::exit_group, "ends the child before it reports"},
      {Sys::fchmod, "takes the mode of standard input, which may be /dev/null"},
      {Sys::pause, "waits for a signal for ever"},
      {Sys::select, "waits for no descriptor for ever"},
      {Sys::pselect6, "waits for no descriptor for ever"},
      {Sys::ppoll, "waits for no descriptor for ever"},
      {Sys::rt_sigreturn, "returns to a frame that does not exist"},
      {Sys::vfork, "shares the stack that the wrapper returns on"},
      {Sys::sync, "waits for every disk of the host"},
      {Sys::uretprobe, "not filtered since Linux 6.14: SIGILL"},
      {Sys::uprobe, "not filtered since Linux 6.18"},
  };
  return calls;
}

class SeccompFilterTest : public testing::TestWithParam<SignalScope> {
 protected:
  SeccompFilterTest()
      : policy_(DefaultPolicy({.signals = GetParam()})),
        filter_(CompileDefault(GetParam())) {}

  FilteredRun Call(int number, const SyscallArguments& arguments) const {
    return RunFiltered(
        filter_, {}, [&] { return RawSyscall(number, arguments); }, FailAll);
  }

  // What a filter of the host's answers to a call, if it comes before any
  // listener: these tests may run in a container, and the kernel takes the
  // strictest answer of all filters (seccomp(2)).
  static std::optional<long> HostsAnswer(int number,
                                         const SyscallArguments& arguments) {
    if (prctl(PR_GET_SECCOMP) != SECCOMP_MODE_FILTER) return std::nullopt;
    const FilteredRun run = RunFiltered(
        Reporting(number), {}, [&] { return RawSyscall(number, arguments); },
        FailAll);
    if (!run.notified.empty() || run.result >= 0) return std::nullopt;
    return run.result;
  }

  // What a call that was made in the child must have come to.
  void ExpectVerdict(const Verdict& verdict, int number,
                     const FilteredRun& run) const {
    ASSERT_TRUE(run.returned);
    switch (verdict.kind) {
      case VerdictKind::kAllow:
        EXPECT_TRUE(run.notified.empty());
        break;
      case VerdictKind::kRefuse:
        EXPECT_TRUE(run.notified.empty());
        EXPECT_EQ(run.result, -verdict.error_number);
        break;
      case VerdictKind::kDeny:
      case VerdictKind::kAsk:
      case VerdictKind::kViolation:
        if (run.notified.empty() && run.result == HostsAnswer(number, {})) {
          break;
        }
        ASSERT_EQ(run.notified.size(), 1u);
        EXPECT_EQ(run.notified[0].nr, number);
        EXPECT_EQ(run.result, -kListenerErrno);
        break;
    }
  }

  // Descriptor 0 of a test may be the host's /dev/null, which root's
  // fchmod(0, 0) would close to everybody.
  static void SetUpTestSuite() {
    const int harmless = memfd_create("standard input", MFD_CLOEXEC);
    ASSERT_GE(harmless, 0);
    ASSERT_EQ(dup2(harmless, STDIN_FILENO), STDIN_FILENO);
    close(harmless);
  }

  const SyscallPolicy policy_;
  const Filter filter_;
};

TEST_P(SeccompFilterTest, EveryNumberGetsItsVerdictWithZeros) {
  for (int number = 0; number <= 480; ++number) {
    const Verdict verdict = policy_.Evaluate(number, {});
    if (Uncallable().count(static_cast<Sys>(number)) > 0) continue;
    SCOPED_TRACE(testing::Message() << SyscallName(number) << " " << number
                                    << ": " << DescribeVerdict(verdict));
    ASSERT_NO_FATAL_FAILURE(ExpectVerdict(verdict, number, Call(number, {})));
  }
}

// Those that are allowed are left to the test above and to real programs: with
// such arguments they would do something.
TEST_P(SeccompFilterTest, RulesHoldAtTheirBoundaries) {
  int checked = 0;
  for (const SyscallRow& row : policy_.rows()) {
    if (row.rules.empty()) continue;
    std::vector<SyscallArguments> calls;
    for (const SyscallArguments& arguments : BoundaryArguments(&row)) {
      if (policy_.Evaluate(row.number, arguments) != Allow()) {
        calls.push_back(arguments);
      }
    }
    void* memory =
        mmap(nullptr, calls.size() * sizeof(long), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    long* results = static_cast<long*>(memory);
    const auto call_all = [&]() -> long {
      for (size_t i = 0; i < calls.size(); ++i) {
        results[i] = RawSyscall(row.number, calls[i]);
      }
      return 0;
    };
    const FilteredRun run = RunFiltered(filter_, {}, call_all, FailAll);
    ASSERT_TRUE(run.returned) << SyscallName(row.number);
    size_t notified = 0;
    for (size_t i = 0; i < calls.size(); ++i) {
      const Verdict verdict = policy_.Evaluate(row.number, calls[i]);
      const bool refused = verdict.kind == VerdictKind::kRefuse;
      ++checked;
      if (!refused && results[i] != -kListenerErrno &&
          results[i] == HostsAnswer(row.number, calls[i])) {
        continue;
      }
      if (!refused) ++notified;
      ASSERT_EQ(results[i], refused ? -verdict.error_number : -kListenerErrno)
          << SyscallName(row.number) << std::hex << " " << calls[i][0] << " "
          << calls[i][1] << " " << calls[i][2];
    }
    EXPECT_EQ(run.notified.size(), notified) << SyscallName(row.number);
    munmap(memory, calls.size() * sizeof(long));
  }
  EXPECT_GT(checked, 5000);
}

TEST_P(SeccompFilterTest, ExitIsAllowed) {
  for (const Sys call : {Sys::exit, Sys::exit_group}) {
    const FilteredRun run = Call(static_cast<int>(call), {7});
    EXPECT_FALSE(run.returned);
    EXPECT_TRUE(WIFEXITED(run.wait_status));
    EXPECT_EQ(WEXITSTATUS(run.wait_status), 7);
    EXPECT_TRUE(run.notified.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(, SeccompFilterTest,
                         testing::Values(SignalScope::kByLandlock,
                                         SignalScope::kBySupervisor),
                         [](const auto& info) -> std::string {
                           return info.param == SignalScope::kByLandlock
                                      ? "SignalsScopedByLandlock"
                                      : "SignalsScopedBySupervisor";
                         });

FilteredRun RunDefault(absl::FunctionRef<long()> body) {
  return RunFiltered(CompileDefault(SignalScope::kByLandlock), {}, body,
                     FailAll);
}

// getpid by i386's gate, which takes i386's numbers.
long I386GetPid() {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
  return result;
}

Filter AllowAll() { return {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}; }

TEST(SeccompArchitectureTest, I386CallsAreNotifiedAsSuch) {
  const FilteredRun control = RunFiltered(
      AllowAll(), {}, [] { return I386GetPid(); }, FailAll);
  const FilteredRun run = RunDefault([] { return I386GetPid(); });
  if (control.returned) {
    EXPECT_GT(control.result, 0);
    ASSERT_EQ(run.notified.size(), 1u);
    EXPECT_EQ(run.notified[0].arch, AUDIT_ARCH_I386);
    EXPECT_EQ(run.notified[0].nr, 20);
    EXPECT_LE(run.result, 0);
  } else {
    // A kernel without i386 emulation: the instruction itself faults.
    EXPECT_TRUE(WIFSIGNALED(run.wait_status));
  }
}

TEST(SeccompArchitectureTest, X32CallsAreNotified) {
  const auto x32_getpid = [] {
    return RawSyscall(0x40000000 | SYS_getpid, {});
  };
  const FilteredRun run = RunDefault(x32_getpid);
  ASSERT_EQ(run.notified.size(), 1u);
  EXPECT_EQ(run.notified[0].nr, 0x40000000 | SYS_getpid);
  EXPECT_EQ(run.result, -kListenerErrno);
  EXPECT_TRUE(RunFiltered(AllowAll(), {}, x32_getpid, FailAll).returned);
}

// As a container runtime's profile does.
Filter OuterRefusing(int number) {
  return {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(number), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
}

TEST(SeccompMaskingTest, AnOuterFilterHidesAViolationUnlessItIsMasked) {
  const auto attack = [] { return RawSyscall(kMount, {}); };
  const FilteredRun hidden =
      RunFiltered(CompileDefault(SignalScope::kByLandlock),
                  OuterRefusing(kMount), attack, FailAll);
  EXPECT_EQ(hidden.result, -EPERM);
  EXPECT_TRUE(hidden.notified.empty());

  const FilteredRun masked =
      RunFiltered(CompileDefault(SignalScope::kByLandlock, {kMount}),
                  OuterRefusing(kMount), attack, FailAll);
  EXPECT_FALSE(masked.returned);
  EXPECT_TRUE(KilledBySigsys(masked)) << masked.wait_status;
}

TEST(SeccompMaskingTest, OtherCallsAreReportedAsBefore) {
  const auto attack = [] { return RawSyscall(kPtrace, {}); };
  const FilteredRun run =
      RunFiltered(CompileDefault(SignalScope::kByLandlock, {kMount}),
                  OuterRefusing(kMount), attack, FailAll);
  ASSERT_EQ(run.notified.size(), 1u);
  EXPECT_EQ(run.notified[0].nr, kPtrace);
}

// If nobody listens any more, nothing runs.
TEST(SeccompListenerTest, WithoutAListenerAReportedCallFails) {
  const Filter filter = CompileDefault(SignalScope::kByLandlock);
  const pid_t child = fork();
  if (child == 0) {
    const sock_fprog program = {static_cast<unsigned short>(filter.size()),
                                const_cast<sock_filter*>(filter.data())};
    if (RawSyscall(SYS_prctl, {38, 1}) != 0) _exit(1);
    const long listener = RawSyscall(
        SYS_seccomp, {SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                      reinterpret_cast<uint64_t>(&program)});
    if (listener < 0) _exit(2);
    close(static_cast<int>(listener));
    _exit(RawSyscall(kPtrace, {}) == -ENOSYS ? 42 : 3);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

}  // namespace
}  // namespace cordon::sandbox
