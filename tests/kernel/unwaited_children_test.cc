// Children that the kernel reaps by itself, whose processor time nobody is
// told.

#include <algorithm>
#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::OutcomeKind;

// With a control group the time is the kernel's figure. Before the first
// sandbox is made.
const bool kWithoutCgroups = setenv("CORDON_TEST_CGROUPS", "never", 1) == 0;

constexpr absl::Duration kLimit = absl::Milliseconds(500);

// Makes COUNT children, one after the other, that each do ACT and then print
// the processor time that they used, in microseconds; their parent looks after
// its children as SETUP says.
constexpr const char* kChildren =
    "import ctypes, os, signal, time\n"
    "SETUP\n"
    "for _ in range(COUNT):\n"
    "    reader, writer = os.pipe()\n"
    "    if os.fork() == 0:\n"
    "        ACT\n"
    "        os.write(1, b'%d\\n' % (time.process_time() * 1e6))\n"
    "        os._exit(0)\n"
    "    os.close(writer)\n"
    "    os.read(reader, 1)\n"
    "    os.close(reader)\n";
constexpr const char* kIgnore = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)";
// struct kernel_sigaction: handler, flags, restorer, mask.
constexpr const char* kDoNotWait =
    "action = (ctypes.c_ulong * 4)(0, 2, 0, 0)  # SA_NOCLDWAIT\n"
    "if ctypes.CDLL(None).syscall(13, 17, action, None, 8): raise OSError";
constexpr const char* kCompute = "while time.process_time() < 0.002: pass";

ExecutionSpec Children(const std::string& setup, const std::string& act,
                       int count) {
  ExecutionSpec spec = PythonSpec(absl::StrReplaceAll(
      kChildren,
      {{"SETUP", setup}, {"ACT", act}, {"COUNT", absl::StrCat(count)}}));
  spec.program.limits.cpu_time = kLimit;
  spec.program.limits.wall_time = absl::Seconds(50);
  return spec;
}

absl::Duration Sum(const std::string& reports) {
  absl::Duration sum;
  for (const absl::string_view line : absl::StrSplit(reports, '\n')) {
    int64_t microseconds;
    if (absl::SimpleAtoi(line, &microseconds)) {
      sum += absl::Microseconds(microseconds);
    }
  }
  return sum;
}

// At least two seconds of work, in pieces too short to be seen one by one.
TEST(UnwaitedChildren, TheirTimeCounts) {
  ASSERT_TRUE(kWithoutCgroups);
  for (const char* setup : {kIgnore, kDoNotWait}) {
    const auto run = SharedSandbox().Run(Children(setup, kCompute, 1000));
    EXPECT_EQ(run->outcome().kind, OutcomeKind::kCpuTimeLimit) << setup;
    EXPECT_LT(Sum(run->stdout_data()), 2 * kLimit) << setup;
    EXPECT_GT(Sum(run->stdout_data()), kLimit / 10) << setup;
  }
}

TEST(UnwaitedChildren, ThoseThatSleepUseNone) {
  ExecutionSpec spec = Children(kIgnore, "time.sleep(0.005)", 60);
  spec.program.limits.cpu_time = 4 * kLimit;
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  EXPECT_EQ(run->outcome().exit_code, 0) << run->stderr_data();
  const std::string reports = run->stdout_data();
  EXPECT_EQ(std::count(reports.begin(), reports.end(), '\n'), 60);
}

// Children that were waited for before, and are after, are not charged for the
// time in which others were not; nor do those few cost as much as a long one
// that went before them.
TEST(UnwaitedChildren, OthersAreNotChargedForThem) {
  const std::string short_ones =
      "def short_ones(wait):\n"
      "    for _ in range(60):\n"
      "        pid = os.fork()\n"
      "        if pid == 0: os._exit(0)\n"
      "        if wait: os.waitpid(pid, 0)\n"
      "        else: time.sleep(0.002)\n";
  ExecutionSpec spec = PythonSpec(absl::StrCat(
      "import os, signal, time\n", short_ones, "short_ones(True)\n", kIgnore,
      "\n"
      "if os.fork() == 0:\n"
      "    while time.process_time() < 0.5: pass\n"
      "    os._exit(0)\n"
      "try: os.wait()\n"
      "except ChildProcessError: pass\n"
      "short_ones(False)\n"
      "signal.signal(signal.SIGCHLD, signal.SIG_DFL)\n"
      "short_ones(True)\n"
      "print('done')\n"));
  // Half a second and 180 children; a naive estimate made minutes of them.
  spec.program.limits.cpu_time = absl::Seconds(3);
  spec.program.limits.wall_time = absl::Seconds(50);
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  EXPECT_EQ(run->stdout_data(), "done\n") << run->stderr_data();
}

}  // namespace
}  // namespace cordon::testing
