// How runs end, on the real kernel: each cause, and that nothing outlives one.

#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process_view.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::Outcome;
using sandbox::OutcomeKind;
using sandbox::OutputMode;
using sandbox::OutputStream;
using sandbox::ViolationAction;
using sandbox::ViolationKind;
using ::testing::HasSubstr;

TEST(Supervision, OutputAndExitCodeArrive) {
  const auto run =
      SharedSandbox().Run(BashSpec("echo out; echo err >&2; exit 7"));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  EXPECT_EQ(run->outcome().exit_code, 7);
  EXPECT_EQ(run->stdout_data(), "out\n");
  EXPECT_EQ(run->stderr_data(), "err\n");
}

TEST(Supervision, ASignalThatIsNotOursIsSignaled) {
  const auto run = SharedSandbox().Run(BashSpec("kill -SEGV $$"));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kSignaled);
  EXPECT_EQ(run->outcome().signal, SIGSEGV);
}

TEST(Supervision, StandardInputLargerThanAPipeDoesNotDeadlock) {
  ExecutionSpec spec = CommandSpec({"/bin/cat"});
  spec.program.stdin_data = std::string(4 << 20, 'x');
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  EXPECT_EQ(run->stdout_data(), spec.program.stdin_data);
}

TEST(Supervision, AbsentStandardInputIsEndOfFile) {
  const auto run = SharedSandbox().Run(CommandSpec({"/bin/cat"}));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  EXPECT_EQ(run->stdout_data(), "");
}

TEST(Supervision, AProgramThatDoesNotReadItsInputEnds) {
  ExecutionSpec spec = CommandSpec({"/bin/true"});
  spec.program.stdin_data = std::string(4 << 20, 'x');
  EXPECT_EQ(SharedSandbox().Run(spec)->outcome().kind, OutcomeKind::kExited);
}

TEST(Supervision, WallTimeEndsASleeper) {
  ExecutionSpec spec = BashSpec("echo before; sleep 1000");
  spec.program.limits.wall_time = absl::Milliseconds(300);
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kWallTimeLimit);
  EXPECT_EQ(run->stdout_data(), "before\n");
}

TEST(Supervision, WallTimeEndsAProgramThatClosedItsOutput) {
  ExecutionSpec spec = BashSpec("exec >&- 2>&-; sleep 1000");
  spec.program.limits.wall_time = absl::Milliseconds(300);
  const Outcome outcome = SharedSandbox().Run(spec)->outcome();
  EXPECT_EQ(outcome.kind, OutcomeKind::kWallTimeLimit);
  // A closed stream must not keep the supervisor busy either, but this is about
  // the program.
  EXPECT_LT(outcome.usage.cpu_user, outcome.usage.wall_time / 2);
}

TEST(Supervision, CpuTimeEndsASpinner) {
  ExecutionSpec spec = BashSpec("while :; do :; done");
  spec.program.limits.cpu_time = absl::Milliseconds(300);
  EXPECT_EQ(SharedSandbox().Run(spec)->outcome().kind,
            OutcomeKind::kCpuTimeLimit);
}

TEST(Supervision, CpuTimeIsTheSumOfAllProcesses) {
  ExecutionSpec spec =
      BashSpec("for i in 1 2 3 4; do (while :; do :; done) & done; wait");
  spec.program.limits.cpu_time = absl::Milliseconds(600);
  EXPECT_EQ(SharedSandbox().Run(spec)->outcome().kind,
            OutcomeKind::kCpuTimeLimit);
}

TEST(Supervision, MemoryEndsAnAllocator) {
  ExecutionSpec spec =
      PythonSpec("x = []\nwhile True: x.append(bytearray(b'x' * (1 << 20)))");
  spec.program.limits.memory_bytes = uint64_t{128} << 20;
  EXPECT_EQ(SharedSandbox().Run(spec)->outcome().kind,
            OutcomeKind::kMemoryLimit);
}

TEST(Supervision, MemoryOfAChildCounts) {
  ExecutionSpec spec = BashSpec(
      "python3 -c 'x = bytearray(b\"x\" * (400 << 20)); import time; "
      "time.sleep(1000)' & wait");
  spec.program.limits.memory_bytes = uint64_t{128} << 20;
  EXPECT_EQ(SharedSandbox().Run(spec)->outcome().kind,
            OutcomeKind::kMemoryLimit);
}

TEST(Supervision, AMappingThatIsRefusedIsAMemoryLimit) {
  ExecutionSpec spec = PythonSpec("x = bytearray(1 << 40)");
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kMemoryLimit);
  EXPECT_THAT(run->stderr_data(), HasSubstr("MemoryError"));
}

TEST(Supervision, AFileLargerThanItsLimitIsADiskLimit) {
  for (const ExecutionSpec& base :
       {CommandSpec({"/bin/dd", "if=/dev/zero", "of=big", "bs=1M", "count=8"}),
        PythonSpec("open('big', 'wb').write(b'x' * (8 << 20))")}) {
    ExecutionSpec spec = base;
    spec.program.limits.file_bytes = uint64_t{8} << 20;
    EXPECT_EQ(SharedSandbox().Run(spec)->outcome().exit_code, 0);
    spec.program.limits.file_bytes = uint64_t{4} << 20;
    EXPECT_EQ(SharedSandbox().Run(spec)->outcome().kind,
              OutcomeKind::kDiskLimit)
        << base.program.argv.front();
  }
}

TEST(Supervision, OpenFilesGiveEmfile) {
  ExecutionSpec spec = PythonSpec(
      "import os\n"
      "n = 0\n"
      "try:\n"
      "  while True: os.dup(0); n += 1\n"
      "except OSError as e: print(n + 3, e.errno)");
  spec.program.limits.open_files = 64;
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->stdout_data(), "64 24\n") << run->stderr_data();
}

TEST(Supervision, NoCoreIsWritten) {
  ExecutionSpec spec = BashSpec("ulimit -c; kill -ABRT $$");
  spec.output_files = {"core*"};
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->stdout_data(), "0\n");
  EXPECT_EQ(run->outcome().signal, SIGABRT);
}

TEST(Supervision, OutputPastItsLimitEndsTheRunAndWhatFitsArrives) {
  ExecutionSpec spec = BashSpec("while :; do echo 0123456789; done");
  spec.program.limits.output_bytes = 100000;
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kOutputLimit);
  EXPECT_EQ(run->stdout_data().size(), 100000u);
  EXPECT_TRUE(run->outcome().stdout_truncated);
}

TEST(Supervision, OutputOfExactlyItsLimitIsWithinIt) {
  ExecutionSpec spec = BashSpec("head -c 100000 /dev/zero");
  spec.program.limits.output_bytes = 100000;
  EXPECT_EQ(SharedSandbox().Run(spec)->outcome().kind, OutcomeKind::kExited);
  spec.program.limits.output_bytes = 99999;
  EXPECT_EQ(SharedSandbox().Run(spec)->outcome().kind,
            OutcomeKind::kOutputLimit);
}

TEST(Supervision, KeepHeadGoesOnAndCounts) {
  ExecutionSpec spec =
      BashSpec("echo first; head -c 1000000 /dev/zero; exit 3");
  spec.program.output_mode = OutputMode::kKeepHead;
  spec.program.limits.output_bytes = 6;
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().exit_code, 3);
  EXPECT_EQ(run->stdout_data(), "first\n");
  EXPECT_EQ(run->outcome().usage.stdout_bytes, 1000006u);
  EXPECT_TRUE(run->outcome().stdout_truncated);
}

TEST(Supervision, KeepTailDeliversTheEndWithItsOffset) {
  ExecutionSpec spec = BashSpec("head -c 1000000 /dev/zero; echo last");
  spec.program.output_mode = OutputMode::kKeepTail;
  spec.program.limits.output_bytes = 5;
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->stdout_data(), "last\n");
  EXPECT_EQ(run->first_stdout_offset(), 1000000u);
}

TEST(Supervision, OutputArrivesWhileTheProgramRuns) {
  ExecutionSpec spec = BashSpec("printf partial; sleep 1000");
  auto observer = std::make_shared<RecordingObserver>();
  const auto run = SharedSandbox().sandbox().Start(spec, observer);
  EXPECT_TRUE(observer->WaitForOutput(OutputStream::kStdout, "partial"));
  run->Cancel();
  observer->WaitForEnd();
  EXPECT_EQ(observer->result().status().code(), absl::StatusCode::kCancelled);
}

TEST(Supervision, APausedReaderStopsTheProgramAndLosesNothing) {
  ExecutionSpec spec = BashSpec("head -c 3000000 /dev/zero; echo done >&2");
  auto observer = std::make_shared<RecordingObserver>();
  observer->PauseOnOutput();
  const auto run = SharedSandbox().sandbox().Start(spec, observer);
  // The pipe is full long before the program is done.
  EXPECT_TRUE(observer->WaitForOutput(OutputStream::kStdout, ""));
  observer->Unpause();
  while (!observer->result().ok()) run->ResumeOutput();
  EXPECT_EQ(observer->stdout_data().size(), 3000000u);
  EXPECT_EQ(observer->stderr_data(), "done\n");
}

TEST(Supervision, CancelEndsAPausedRunWhoseProgramIsOver) {
  auto observer = std::make_shared<RecordingObserver>();
  observer->PauseOnOutput();
  const auto run =
      SharedSandbox().sandbox().Start(BashSpec("echo x; echo y >&2"), observer);
  EXPECT_TRUE(observer->WaitForOutput(OutputStream::kStdout, "x") ||
              observer->WaitForOutput(OutputStream::kStderr, "y"));
  run->Cancel();
  observer->WaitForEnd();
  EXPECT_EQ(observer->result().status().code(), absl::StatusCode::kCancelled);
}

// --------------------------------------------------------- nothing is left

void ExpectNoChildren() {
  // A child that is just being armed has no name yet.
  EXPECT_TRUE(Eventually([] { return ChildrenOf(getpid()).empty(); }));
}

TEST(Supervision, AGrandchildThatHoldsThePipeDoesNotDelayTheResult) {
  const auto run = SharedSandbox().Run(BashSpec("sleep 1000 & echo parent"));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  EXPECT_EQ(run->stdout_data(), "parent\n");
  ExpectNoChildren();
}

TEST(Supervision, TwentyDaemonsHalfOfThemStoppedAreGone) {
  const auto run = SharedSandbox().Run(
      PythonSpec("import os, signal, time\n"
                 "r, w = os.pipe()\n"
                 "for i in range(20):\n"
                 "  if os.fork() == 0:\n"
                 "    if os.fork() == 0:\n"
                 "      signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                 "      os.write(w, b'x')\n"
                 "      if i % 2: os.kill(os.getpid(), signal.SIGSTOP)\n"
                 "      time.sleep(1000)\n"
                 "    os._exit(0)\n"
                 "n = 0\n"
                 "while n < 20: n += len(os.read(r, 20))\n"
                 "print(n)"));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  EXPECT_EQ(run->stdout_data(), "20\n");
  ExpectNoChildren();
}

TEST(Supervision, LeavingTheProcessGroupIsRefusedAndHarmless) {
  const auto run = SharedSandbox().Run(
      PythonSpec("import os\n"
                 "for call in (os.setsid, lambda: os.setpgid(0, 0)):\n"
                 "  try: call(); print('left')\n"
                 "  except PermissionError: print('refused')"));
  EXPECT_EQ(run->stdout_data(), "refused\nrefused\n");
  EXPECT_THAT(run->violations(), ::testing::IsEmpty());
}

TEST(Supervision, TheRunsDirectoryIsRemoved) {
  const auto run = SharedSandbox().Run(BashSpec("pwd; mkdir -p a/b; > a/b/c"));
  std::string path = run->stdout_data();
  ASSERT_THAT(path, HasSubstr(SharedSandbox().state_directory()));
  path.pop_back();
  // Off the way of the result, hence soon, not at once.
  while (std::filesystem::exists(path)) sched_yield();
}

// --------------------------------------------------------------- violations

TEST(Violations, AForbiddenCallEndsTheRunAndIsNamed) {
  const auto run = SharedSandbox().Run(
      PythonSpec("import ctypes\nprint('before', flush=True)\n"
                 "ctypes.CDLL(None).syscall(101, 0, 1, 2, 3)\nprint('after')"));
  const Outcome outcome = run->outcome();
  EXPECT_EQ(outcome.kind, OutcomeKind::kSyscallViolation);
  EXPECT_EQ(run->stdout_data(), "before\n");
  ASSERT_EQ(outcome.violations.size(), 1u);
  EXPECT_EQ(outcome.violations[0].syscall, "ptrace");
  EXPECT_EQ(outcome.violations[0].syscall_number, 101);
  EXPECT_EQ(outcome.violations[0].arguments[1], 1u);
  EXPECT_EQ(outcome.violations[0].action, ViolationAction::kTerminate);
}

TEST(Violations, AForbiddenCallOfAChildEndsTheRun) {
  const auto run = SharedSandbox().Run(
      BashSpec("python3 -c 'import ctypes; ctypes.CDLL(None).syscall(101)'; "
               "echo survived"));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kSyscallViolation);
  EXPECT_EQ(run->stdout_data(), "");
}

TEST(Violations, DeniedAForbiddenCallFailsAndTheRunGoesOn) {
  ExecutionSpec spec = PythonSpec(
      "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
      "print(libc.syscall(101, 0, 0, 0, 0), ctypes.get_errno())");
  spec.on_violation.syscall = ViolationAction::kDeny;
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  EXPECT_EQ(run->stdout_data(), "-1 1\n");
  ASSERT_EQ(run->violations().size(), 1u);
  EXPECT_EQ(run->violations()[0].error_number, EPERM);
}

TEST(Violations, AnInternetSocketIsDeniedAndReported) {
  const auto run = SharedSandbox().Run(
      PythonSpec("import socket\n"
                 "try: socket.socket()\n"
                 "except PermissionError as e: print(e.errno)"));
  EXPECT_EQ(run->stdout_data(), "13\n");
  ASSERT_EQ(run->violations().size(), 1u);
  EXPECT_EQ(run->violations()[0].kind, ViolationKind::kNetwork);
  EXPECT_EQ(run->violations()[0].syscall, "socket");
  EXPECT_EQ(run->violations()[0].address, "AF_INET");
}

TEST(Violations, AWriteOutsideIsReportedWithItsPath) {
  ExecutionSpec spec = BashSpec("echo x > inside; echo x > /etc/outside");
  auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  ASSERT_EQ(run->violations().size(), 1u);
  EXPECT_EQ(run->violations()[0].kind, ViolationKind::kFilesystem);
  EXPECT_EQ(run->violations()[0].path, "/etc/outside");
  EXPECT_EQ(run->violations()[0].action, ViolationAction::kDeny);
  EXPECT_FALSE(std::filesystem::exists("/etc/outside"));
  spec.on_violation.filesystem = ViolationAction::kTerminate;
  run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kFilesystemViolation);
}

TEST(Violations, ViolationsAreBoundedAndTheRestCounted) {
  const auto run =
      SharedSandbox().Run(PythonSpec("import socket\n"
                                     "for i in range(100):\n"
                                     "  try: socket.socket()\n"
                                     "  except PermissionError: pass"));
  EXPECT_EQ(run->violations().size(), 64u);
  EXPECT_EQ(run->outcome().violations_dropped, 36u);
}

TEST(Violations, TheSupervisorCannotBeLimitedByItsRuns) {
  const auto run = SharedSandbox().Run(PythonSpec(
      "import os, resource\n"
      "resource.prlimit(os.getpid(), resource.RLIMIT_NOFILE)\n"
      "print('own')\n"
      "try: resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))\n"
      "except PermissionError: print('denied')"));
  EXPECT_EQ(run->stdout_data(), "own\ndenied\n");
  ASSERT_EQ(run->violations().size(), 1u);
  EXPECT_EQ(run->violations()[0].kind, ViolationKind::kProcess);
}

// --------------------------------------------------------------- compiling

ExecutionSpec CSpec(const std::string& source) {
  ExecutionSpec spec = CommandSpec({"./program"});
  spec.files = {{"main.c", source, sandbox::FileMode::kRegular}};
  spec.compile =
      CommandSpec({"/usr/bin/gcc", "main.c", "-o", "program"}).program;
  return spec;
}

TEST(Compilation, ACompiledProgramRuns) {
  const auto run = SharedSandbox().Run(CSpec(
      "#include <stdio.h>\nint main() { puts(\"compiled\"); return 4; }"));
  EXPECT_EQ(run->outcome().exit_code, 4);
  EXPECT_EQ(run->stdout_data(), "compiled\n");
  ASSERT_NE(run->outcome().compilation, nullptr);
  EXPECT_EQ(run->outcome().compilation->outcome.kind, OutcomeKind::kExited);
  EXPECT_THAT(run->outcome().compilation->outcome.violations,
              ::testing::IsEmpty());
}

TEST(Compilation, AnErrorCarriesTheCompilersOutput) {
  const auto run =
      SharedSandbox().Run(CSpec("int main() { return undeclared; }"));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kCompileFailed);
  ASSERT_NE(run->outcome().compilation, nullptr);
  EXPECT_THAT(run->outcome().compilation->stderr_data, HasSubstr("undeclared"));
  EXPECT_EQ(run->stderr_data(), "");
}

TEST(Compilation, TheCompilerCannotReadWhatARunMayNot) {
  const auto run =
      SharedSandbox().Run(CSpec("#include \"/etc/shadow\"\nint main() {}"));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kCompileFailed);
  EXPECT_THAT(run->outcome().compilation->stderr_data,
              HasSubstr("/etc/shadow: Permission denied"));
}

}  // namespace
}  // namespace cordon::testing
