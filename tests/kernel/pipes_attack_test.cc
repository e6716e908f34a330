// What a program does with its three descriptors to hang, spin or mislead the
// supervisor.

#include <sys/resource.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::OutcomeKind;

TEST(PipesAttack, BothStreamsFullInTurnsDoNotDeadlock) {
  const auto run = SharedSandbox().Run(
      PythonSpec("import os\n"
                 "for i in range(64):\n"
                 "  for f in (1, 2):\n"
                 "    n = 65536\n"
                 "    while n: n -= os.write(f, bytes([65 + i % 26]) * n)"));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  std::string expected;
  for (int i = 0; i < 64; ++i) {
    expected += std::string(65536, static_cast<char>('A' + i % 26));
  }
  EXPECT_TRUE(run->stdout_data() == expected);
  EXPECT_TRUE(run->stderr_data() == expected);
}

TEST(PipesAttack, ASmallerPipeDeliversEverything) {
  for (const char* size : {"4096", "1048576"}) {
    const auto run = SharedSandbox().Run(PythonSpec(
        absl::StrCat("import fcntl, os\n"
                     "for f in (1, 2): fcntl.fcntl(f, 1031, ",
                     size,
                     ")\n"
                     "n = 3000000\n"
                     "while n: n -= os.write(1, b'x' * min(n, 100000))")));
    EXPECT_EQ(run->outcome().exit_code, 0) << run->stderr_data();
    EXPECT_EQ(run->stdout_data().size(), 3000000u) << size;
  }
}

TEST(PipesAttack, NonBlockingStreamsAreTheProgramsOwn) {
  ExecutionSpec spec = PythonSpec(
      "import os, select\n"
      "for f in (0, 1, 2): os.set_blocking(f, False)\n"
      "n, full = 3000000, 0\n"
      "while n:\n"
      "  try: n -= os.write(1, b'x' * min(n, 100000))\n"
      "  except BlockingIOError: full += 1; select.select([], [1], [])\n"
      "got = 0\n"
      "while True:\n"
      "  select.select([0], [], [])\n"
      "  piece = os.read(0, 65536)\n"
      "  if not piece: break\n"
      "  got += len(piece)\n"
      "os.write(2, str(got).encode())");
  spec.program.stdin_data = std::string(1 << 20, 'y');
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  EXPECT_EQ(run->stdout_data().size(), 3000000u);
  EXPECT_EQ(run->stderr_data(), "1048576");
}

TEST(PipesAttack, AProgramReadsOnlyWhatItWasGiven) {
  // The other ends are the supervisor's: nothing to steal, nothing to forge.
  EXPECT_EQ(Confined("os.read(1, 1)"), "EBADF");
  EXPECT_EQ(Confined("os.read(2, 1)"), "EBADF");
  EXPECT_EQ(Confined("os.write(0, b'x')"), "EBADF");
  EXPECT_EQ(Confined("os.read(0, 1)"), "done");
}

TEST(PipesAttack, InputThatIsClosedEarlyLosesNoOutput) {
  ExecutionSpec spec = BashSpec(
      "head -c 10 >/dev/null; exec <&-; head -c 300000 /dev/zero; echo end "
      ">&2");
  spec.program.stdin_data = std::string(4 << 20, 'x');
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  EXPECT_EQ(run->stdout_data().size(), 300000u);
  EXPECT_EQ(run->stderr_data(), "end\n");
}

absl::Duration OwnCpuTime() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return absl::DurationFromTimeval(usage.ru_utime) +
         absl::DurationFromTimeval(usage.ru_stime);
}

// Of a second, in which one that kept looking would use most.
constexpr absl::Duration kQuiet = absl::Milliseconds(200);

// What says "ready" and then waits for nothing must not keep the supervisor
// busy. What the program did before is not counted.
void ExpectQuietOnceReady(const ExecutionSpec& spec) {
  const auto observer = std::make_shared<RecordingObserver>();
  const auto run = SharedSandbox().sandbox().Start(spec, observer);
  ASSERT_TRUE(observer->WaitForOutput(sandbox::OutputStream::kStdout, "ready"));
  const absl::Duration before = OwnCpuTime();
  absl::SleepFor(absl::Seconds(1));  // Not to wait: to let it spin.
  EXPECT_LT(OwnCpuTime() - before, kQuiet) << spec.program.argv.back();
  run->Cancel();
  observer->WaitForEnd();
  EXPECT_TRUE(absl::IsCancelled(observer->result().status()))
      << "it ended by itself: " << observer->result().status();
}

// A closed pipe is readable for ever.
TEST(PipesAttack, AClosedStreamDoesNotKeepTheSupervisorBusy) {
  for (const char* closing : {"exec >&-", "exec 2>&-", "exec >&- 2>&-"}) {
    ExpectQuietOnceReady(
        BashSpec(absl::StrCat("echo ready; ", closing, "; sleep 1000")));
  }
}

TEST(PipesAttack, InputThatIsNeverReadDoesNotKeepTheSupervisorBusy) {
  ExecutionSpec spec = BashSpec("echo ready; sleep 1000");
  spec.program.stdin_data = std::string(4 << 20, 'x');
  ExpectQuietOnceReady(spec);
}

// What is left of a program whose first thread is gone; children that nobody
// waits for; orphans, which the supervisor waits for.
TEST(PipesAttack, TheDeadDoNotKeepTheSupervisorBusy) {
  ExpectQuietOnceReady(PythonSpec(
      Program("threading.Thread(target=lambda: time.sleep(1000)).start()\n"
              "print('ready', flush=True)\n"
              "call(60, 0)")));
  ExpectQuietOnceReady(
      PythonSpec("import os, time\n"
                 "for i in range(50):\n"
                 "  if os.fork() == 0: os._exit(0)\n"
                 "print('ready', flush=True)\n"
                 "time.sleep(1000)"));
  ExpectQuietOnceReady(
      PythonSpec("import os, time\n"
                 "for i in range(50):\n"
                 "  if os.fork() == 0:\n"
                 "    if os.fork() == 0: os._exit(0)\n"
                 "    os._exit(0)\n"
                 "print('ready', flush=True)\n"
                 "time.sleep(1000)"));
}

TEST(PipesAttack, APausedRunDoesNotKeepTheSupervisorBusy) {
  auto observer = std::make_shared<RecordingObserver>();
  observer->PauseOnOutput();
  const auto run = SharedSandbox().sandbox().Start(
      BashSpec("echo x; exec >&-; sleep 1000"), observer);
  ASSERT_TRUE(observer->WaitForOutput(sandbox::OutputStream::kStdout, "x"));
  const absl::Duration before = OwnCpuTime();
  observer->Unpause();
  absl::SleepFor(absl::Milliseconds(500));  // Not to wait: to let it spin.
  run->ResumeOutput();
  absl::SleepFor(absl::Milliseconds(500));
  EXPECT_LT(OwnCpuTime() - before, kQuiet);
  run->Cancel();
  observer->WaitForEnd();
}

}  // namespace
}  // namespace cordon::testing
