// Shared anonymous memory that no process of the run shows: it stays when its
// pages are dropped, until nobody maps any of it.

#include <cstdlib>
#include <string>

#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::Outcome;
using sandbox::OutcomeKind;
using ::testing::HasSubstr;

// With a control group the kernel counts such memory. Before the first sandbox
// is made.
const bool kWithoutCgroups = setenv("CORDON_TEST_CGROUPS", "never", 1) == 0;

constexpr uint64_t kMebibyte = uint64_t{1} << 20;
constexpr uint64_t kLimit = 128 * kMebibyte;

// map(n) maps n MiB and gives the address; fill writes to all pages, drop takes
// them from the page table.
constexpr const char* kTools =
    "import ctypes, os, signal, time\n"
    "libc = ctypes.CDLL(None, use_errno=True)\n"
    "libc.mmap.restype = ctypes.c_void_p\n"
    "MiB = 1 << 20\n"
    "def map(n, flags=0x21, fd=-1):\n"
    "    at = libc.mmap(None, ctypes.c_size_t(n * MiB), 3, flags, fd,\n"
    "                   ctypes.c_long(0))\n"
    "    assert at != ctypes.c_void_p(-1).value, ctypes.get_errno()\n"
    "    return at\n"
    "def call(name, *args):\n"
    "    assert getattr(libc, name)(*args) == 0, ctypes.get_errno()\n"
    "def fill(at, n):\n"
    "    ctypes.memset(ctypes.c_void_p(at), 1, n * MiB)\n"
    "def drop(at, n):\n"
    "    call('madvise', ctypes.c_void_p(at), ctypes.c_size_t(n * MiB), 4)\n"
    "def unmap(at, n):\n"
    "    call('munmap', ctypes.c_void_p(at), ctypes.c_size_t(n * MiB))\n"
    "def fill_and_drop(at, n):\n"
    "    for i in range(n // 4):\n"
    "        fill(at + i * 4 * MiB, 4); drop(at + i * 4 * MiB, 4)\n";

Outcome RunProgram(const std::string& act) {
  ExecutionSpec spec = PythonSpec(kTools + act + "\nprint('done', flush=True)");
  spec.program.limits.memory_bytes = kLimit;
  spec.program.limits.cpu_time = absl::Seconds(50);
  spec.program.limits.wall_time = absl::Seconds(50);
  const auto run = SharedSandbox().Run(spec);
  if (run->outcome().kind == OutcomeKind::kExited) {
    EXPECT_THAT(run->stdout_data(), HasSubstr("done")) << run->stderr_data();
  }
  return run->outcome();
}

struct Case {
  const char* name;
  // With SIZE, in MiB: 512 for the attack, 64 for the control.
  const char* act;
};

class SharedMemoryAttack : public ::testing::TestWithParam<Case> {};

// The program goes on for as long as it takes to look at it.
TEST_P(SharedMemoryAttack, Counts) {
  const auto with = [](const char* size) {
    return absl::StrReplaceAll(GetParam().act, {{"SIZE", size}});
  };
  const Outcome attack = RunProgram(with("512") + "\nwhile True: pass");
  EXPECT_EQ(attack.kind, OutcomeKind::kMemoryLimit) << attack.message;
  EXPECT_GT(attack.usage.peak_memory_bytes, kLimit);
  const Outcome control =
      RunProgram(with("64") + "\nwhile time.process_time() < 1: pass");
  EXPECT_EQ(control.kind, OutcomeKind::kExited) << control.message;
  EXPECT_LT(control.usage.peak_memory_bytes, kLimit);
}

INSTANTIATE_TEST_SUITE_P(
    Kept, SharedMemoryAttack,
    ::testing::Values(
        Case{"Filled", "fill(map(SIZE), SIZE)"},
        Case{"Dropped", "fill_and_drop(map(SIZE), SIZE)"},
        Case{"InManyMappings",
             "for _ in range(SIZE // 4): fill_and_drop(map(4), 4)"},
        Case{"UnmappedButForAPage",
             "for _ in range(SIZE // 4):\n"
             "    at = map(4); fill(at, 4)\n"
             "    call('munmap', ctypes.c_void_p(at + 4096),\n"
             "         ctypes.c_size_t(4 * MiB - 4096))"},
        Case{"OfTheZeroDevice",
             "fd = os.open('/dev/zero', os.O_RDWR)\n"
             "fill_and_drop(map(SIZE, 1, fd), SIZE)"},
        Case{"Populated", "for _ in range(SIZE // 4): drop(map(4, 0x8021), 4)"},
        // open(2) reads its path, in whoever's page it is.
        Case{"ByTheSupervisorsReads",
             "at = map(SIZE)\n"
             "for i in range(SIZE * 256):\n"
             "    libc.syscall(2, ctypes.c_void_p(at + i * 4096), 1, 0)\n"
             "    if i % 1024 == 1023:\n"
             "        drop(at + (i - 1023) * 4096, 4)"},
        Case{"ByChildrenThatAreWaitedFor",
             "at = map(SIZE)\n"
             "for i in range(SIZE // 4):\n"
             "    if os.fork() == 0: fill(at + i * 4 * MiB, 4); os._exit(0)\n"
             "    os.wait()"},
        Case{"ByChildrenThatNobodyWaitsFor",
             "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
             "at = map(SIZE)\n"
             "for i in range(SIZE // 4):\n"
             "    r, w = os.pipe()\n"
             "    if os.fork() == 0: fill(at + i * 4 * MiB, 4); os._exit(0)\n"
             "    os.close(w); os.read(r, 1); os.close(r)"},
        // SA_NOCLDWAIT with a handler, among so many actions that they are
        // not looked at any more.
        Case{"ByChildrenThatVanish",
             "action = (ctypes.c_ulong * 4)(0, 0, 0, 0)\n"
             "end = time.time() + 1\n"
             "while time.time() < end:\n"
             "    libc.syscall(13, 17, action, None, 8)\n"
             "action[1] = 2\n"
             "call('syscall', 13, 17, action, None, 8)\n"
             "at = map(SIZE)\n"
             "for i in range(SIZE // 4):\n"
             "    r, w = os.pipe()\n"
             "    if os.fork() == 0: fill(at + i * 4 * MiB, 4); os._exit(0)\n"
             "    os.close(w); os.read(r, 1); os.close(r)"},
        Case{"ByOrphans",
             "at = map(SIZE)\n"
             "for i in range(SIZE // 4):\n"
             "    r, w = os.pipe()\n"
             "    if os.fork() == 0:\n"
             "        if os.fork() == 0: fill(at + i * 4 * MiB, 4)\n"
             "        os._exit(0)\n"
             "    os.wait(); os.close(w); os.read(r, 1); os.close(r)"}),
    [](const auto& info) { return std::string(info.param.name); });

// Mapped, filled and given back, a hundred times the limit in all.
TEST(SharedMemory, WhatIsGivenBackDoesNotCount) {
  const Outcome outcome = RunProgram(
      "for _ in range(200):\n"
      "    at = map(64); fill(at, 8); unmap(at, 64)");
  EXPECT_EQ(outcome.kind, OutcomeKind::kExited) << outcome.message;
}

TEST(SharedMemory, WhatIsNeverTouchedDoesNotCount) {
  const Outcome outcome = RunProgram(
      "at = map(1024); fill(at, 1)\nwhile time.process_time() < 1: pass");
  EXPECT_EQ(outcome.kind, OutcomeKind::kExited) << outcome.message;
  EXPECT_LT(outcome.usage.peak_memory_bytes, kLimit);
}

// 480 MiB of mappings, but not of shared memory.
TEST(SharedMemory, AFileIsTheDisksMatter) {
  const Outcome outcome = RunProgram(
      "fd = os.open('file', os.O_RDWR | os.O_CREAT)\n"
      "os.ftruncate(fd, 48 * MiB)\n"
      "at = [map(48, 1, fd) for _ in range(10)]\n"
      "fill(at[0], 16)\n"
      "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
      "while time.process_time() < 1: pass");
  EXPECT_EQ(outcome.kind, OutcomeKind::kExited) << outcome.message;
}

}  // namespace
}  // namespace cordon::testing
