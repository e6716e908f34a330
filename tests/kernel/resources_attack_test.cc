// Ways around a limit.

#include <sys/resource.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::Outcome;
using sandbox::OutcomeKind;

Outcome WithMemory(ExecutionSpec spec, uint64_t mebibytes) {
  spec.program.limits.memory_bytes = mebibytes << 20;
  return SharedSandbox().Run(std::move(spec))->outcome();
}

void ExpectSuccess(const Outcome& outcome) {
  EXPECT_EQ(outcome.kind, OutcomeKind::kExited) << outcome.message;
  EXPECT_EQ(outcome.exit_code, 0);
}

// Neither RLIMIT_DATA nor RLIMIT_AS of one process sees the sum.
TEST(ResourcesAttack, SharedMemoryCounts) {
  const ExecutionSpec spec = PythonSpec(
      "import mmap\nm = mmap.mmap(-1, 300 << 20)\n"
      "for i in range(0, 300 << 20, 4096): m[i] = 1\n"
      "import time; time.sleep(1)");
  EXPECT_EQ(WithMemory(spec, 100).kind, OutcomeKind::kMemoryLimit);
  ExpectSuccess(WithMemory(spec, 500));
}

TEST(ResourcesAttack, MemoryOfManyProcessesIsAdded) {
  const ExecutionSpec spec = PythonSpec(
      "import os, time\n"
      "for i in range(6):\n"
      "  if os.fork() == 0:\n"
      "    x = bytearray(b'x' * (30 << 20)); time.sleep(3); os._exit(0)\n"
      "for i in range(6): os.wait()");
  EXPECT_EQ(WithMemory(spec, 100).kind, OutcomeKind::kMemoryLimit);
  ExpectSuccess(WithMemory(spec, 500));
}

// A run that waits is looked at by its clocks alone (run_members.h). What it
// takes after that, by itself or in a child that waited too, is seen in time
// all the same: long before the two gigabytes that it wants.
TEST(ResourcesAttack, MemoryTakenAfterALongRestCounts) {
  const std::string take =
      "  m = mmap.mmap(-1, MEBIBYTES << 20, flags=0x22)\n"
      "  for i in range(0, MEBIBYTES << 20, 4096): m[i] = 1\n"
      "  time.sleep(0.3)\n";
  const std::string by_itself = "if True:\n" + take;
  const std::string by_a_child =
      "order, give = os.pipe()\n"
      "if os.fork() == 0:\n"
      "  os.read(order, 1)\n" +
      take +
      "  os._exit(0)\n"
      "time.sleep(1.2); os.write(give, b'x'); os.wait()\n";
  for (const std::string& program : {by_itself, by_a_child}) {
    const auto spec_of = [&](const char* mebibytes) {
      return PythonSpec(absl::StrCat(
          "import mmap, os, time\ntime.sleep(1.2)\n",
          absl::StrReplaceAll(program, {{"MEBIBYTES", mebibytes}})));
    };
    const Outcome attack = WithMemory(spec_of("2048"), 100);
    EXPECT_EQ(attack.kind, OutcomeKind::kMemoryLimit) << attack.message;
    EXPECT_LT(attack.usage.peak_memory_bytes, uint64_t{400} << 20);
    ExpectSuccess(WithMemory(spec_of("50"), 100));
  }
}

// Of pages that are looked at and never written there are none, but tables that
// say so (VmPTE, proc_pid_status(5)): a page of them for each 2 MiB. A second
// process makes shared pages count in proportion.
TEST(ResourcesAttack, PageTablesCount) {
  const ExecutionSpec spec = PythonSpec(
      "import mmap, os, time\n"
      "if os.fork() == 0: time.sleep(60)\n"
      "maps = []\n"
      "for i in range(4):\n"
      "  m = mmap.mmap(-1, 16 << 30, flags=0x4022, prot=mmap.PROT_READ)\n"
      "  m.madvise(15); maps.append(m)\n"
      "  for at in range(0, 16 << 30, 2 << 20): m[at]");
  EXPECT_EQ(WithMemory(spec, 64).kind, OutcomeKind::kMemoryLimit);
  ExpectSuccess(WithMemory(spec, 512));
}

// Each child looks at all of the pages for a while, so that they are sampled.
TEST(ResourcesAttack, PagesThatProcessesShareAreCountedOnce) {
  const ExecutionSpec spec = PythonSpec(
      "import os, time\n"
      "x = bytearray(b'x' * (25 << 20))\n"
      "for i in range(6):\n"
      "  if os.fork() == 0:\n"
      "    for j in range(5): x.count(b'y')\n"
      "    os._exit(0)\n"
      "for i in range(6): os.wait()");
  ExpectSuccess(WithMemory(spec, 120));
  EXPECT_EQ(WithMemory(spec, 20).kind, OutcomeKind::kMemoryLimit);
}

// Address space is not memory: no RLIMIT_AS.
TEST(ResourcesAttack, AReservationIsNotUse) {
  const ExecutionSpec spec =
      PythonSpec("import mmap\nm = mmap.mmap(-1, 3 << 30)\nprint(len(m))");
  ExpectSuccess(WithMemory(spec, 100));
}

TEST(ResourcesAttack, CpuTimeOfChildrenThatAreGoneCounts) {
  ExecutionSpec spec =
      BashSpec("while :; do (for ((i = 0; i < 20000; ++i)); do :; done); done");
  spec.program.limits.cpu_time = absl::Seconds(1);
  EXPECT_EQ(SharedSandbox().Run(spec)->outcome().kind,
            OutcomeKind::kCpuTimeLimit);
}

TEST(ResourcesAttack, CpuAndWallTimeAreDifferentEnds) {
  ExecutionSpec spin = BashSpec("while :; do :; done");
  spin.program.limits.cpu_time = absl::Milliseconds(300);
  ExecutionSpec sleep = BashSpec("sleep 1000");
  sleep.program.limits.wall_time = absl::Milliseconds(300);
  EXPECT_EQ(SharedSandbox().Run(spin)->outcome().kind,
            OutcomeKind::kCpuTimeLimit);
  EXPECT_EQ(SharedSandbox().Run(sleep)->outcome().kind,
            OutcomeKind::kWallTimeLimit);
}

TEST(ResourcesAttack, IgnoringTheSignalOfALimitDoesNotHelp) {
  ExecutionSpec spec = BashSpec("trap '' XCPU TERM; while :; do :; done");
  spec.program.limits.cpu_time = absl::Milliseconds(300);
  EXPECT_EQ(SharedSandbox().Run(spec)->outcome().kind,
            OutcomeKind::kCpuTimeLimit);
  spec = BashSpec("trap '' XFSZ; head -c 8000000 /dev/zero > file; echo on");
  spec.program.limits.file_bytes = 1 << 20;
  EXPECT_EQ(SharedSandbox().Run(spec)->stdout_data(), "on\n");
}

// Where the kernel shares processors among processes instead of runs, the many
// would take nearly all from the others.
TEST(ResourcesAttack, ManyThatComputeGetALowerPriority) {
  const auto priority_of = [](int children, double seconds) {
    ExecutionSpec spec = PythonSpec(
        absl::StrCat("import os, time\n"
                     "for i in range(",
                     children,
                     "):\n"
                     "  if os.fork() == 0:\n"
                     "    while True: pass\n"
                     "niceness = lambda: os.getpriority(os.PRIO_PROCESS, 0) - ",
                     getpriority(PRIO_PROCESS, 0),
                     "\n"
                     "end = time.time() + ",
                     seconds,
                     "\n"
                     "while niceness() == 0 and time.time() < end: pass\n"
                     "print(niceness())"));
    spec.program.limits.processes = 100;
    spec.program.limits.cpu_time = absl::Seconds(100);
    const auto run = SharedSandbox().Run(std::move(spec));
    ExpectSuccess(run->outcome());
    return run->stdout_data();
  };
  EXPECT_EQ(priority_of(2, 0.5), "0\n");
  EXPECT_NE(priority_of(90, 10), "0\n");
}

TEST(ResourcesAttack, AnEndlessForkIsEnded) {
  ExecutionSpec spec = PythonSpec(
      "import os\n"
      "for i in range(200):\n"
      "  if os.fork() == 0:\n"
      "    while True: pass\n"
      "while True: pass");
  spec.program.limits.cpu_time = absl::Seconds(2);
  EXPECT_EQ(SharedSandbox().Run(spec)->outcome().kind,
            OutcomeKind::kCpuTimeLimit);
}

}  // namespace
}  // namespace cordon::testing
