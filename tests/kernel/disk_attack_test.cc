// Ways past the limit of the disk that a run takes.

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::Outcome;
using sandbox::OutcomeKind;
using ::testing::HasSubstr;

ExecutionSpec WithDisk(ExecutionSpec spec, uint64_t mebibytes,
                       uint64_t inodes = 100000) {
  spec.program.limits.disk_bytes = mebibytes << 20;
  spec.program.limits.disk_inodes = inodes;
  spec.program.limits.file_bytes = uint64_t{64} << 20;
  spec.program.limits.wall_time = absl::Seconds(20);
  spec.program.limits.cpu_time = absl::Seconds(20);
  return spec;
}

// `act` takes about 40 MiB, or 400 inodes, and then sleeps for a long time.
void ExpectDiskLimit(const std::string& act) {
  const ExecutionSpec spec = PythonSpec(
      absl::StrCat("import os, mmap, socket, tempfile, time\n"
                   "def fill(f, mib=40):\n"
                   "  for i in range(mib): f.write(b'x' * (1 << 20))\n"
                   "  f.flush()\n",
                   act, "\nprint('done', flush=True)"));
  ExecutionSpec sleeping = WithDisk(spec, 16, 200);
  sleeping.program.argv.back() += "\nwhile True: pass";
  auto run = SharedSandbox().Run(sleeping);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kDiskLimit)
      << act << ": " << run->outcome().message << run->stderr_data();
  run = SharedSandbox().Run(WithDisk(spec, 256, 100000));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited)
      << act << ": " << run->outcome().message;
  EXPECT_EQ(run->stdout_data(), "done\n") << act << run->stderr_data();
}

TEST(DiskLimit, AFileCounts) { ExpectDiskLimit("fill(open('f', 'wb'))"); }

TEST(DiskLimit, ManySmallFilesCount) {
  ExpectDiskLimit(
      "for i in range(400): open(f'f{i}', 'wb').write(b'x' * 100000)");
}

TEST(DiskLimit, EmptyFilesDirectoriesAndLinksCount) {
  ExpectDiskLimit("for i in range(400): open(f'f{i}', 'wb')");
  ExpectDiskLimit("for i in range(400): os.mkdir(f'd{i}')");
  ExpectDiskLimit("for i in range(400): os.symlink('/etc', f'l{i}')");
}

TEST(DiskLimit, AFileThatIsDeletedAndOpenCounts) {
  ExpectDiskLimit("f = open('f', 'wb'); os.unlink('f'); fill(f)");
  ExpectDiskLimit(
      "f = os.fdopen(os.open('.', os.O_TMPFILE | os.O_RDWR), 'wb'); fill(f)");
}

TEST(DiskLimit, ADeletedFileOfAnotherProcessCounts) {
  ExpectDiskLimit(
      "r, w = os.pipe()\n"
      "if os.fork() == 0:\n"
      "  f = open('f', 'wb'); os.unlink('f'); fill(f); os.write(w, b'x')\n"
      "  time.sleep(1000)\n"
      "os.read(r, 1)");
}

// A program with a thread that takes a table of descriptors of its own: what it
// opens is in no other thread's.
TEST(DiskLimit, ADeletedFileInAThreadsOwnTableCounts) {
  ExpectDiskLimit(
      "import ctypes, threading\n"
      "held = threading.Event()\n"
      "def hold():\n"
      "  close_range, unshare = 436, 2\n"
      "  if ctypes.CDLL(None).syscall(close_range, 1 << 20, 1 << 20, "
      "unshare):\n"
      "    raise OSError\n"
      "  f = open('f', 'wb'); os.unlink('f'); fill(f); held.set()\n"
      "  time.sleep(1000)\n"
      "threading.Thread(target=hold, daemon=True).start()\n"
      "held.wait()");
}

TEST(DiskLimit, ADeletedFileOutlivesTheMainThread) {
  ExpectDiskLimit(
      "import ctypes, threading\n"
      "r, w = os.pipe()\n"
      "def hold():\n"
      "  f = open('f', 'wb'); os.unlink('f'); fill(f); os.write(w, b'x')\n"
      "  time.sleep(1000)\n"
      "if os.fork() == 0:\n"
      "  threading.Thread(target=hold).start()\n"
      "  ctypes.CDLL(None).syscall(60, 0)  # exit(2), of this thread alone\n"
      "os.read(r, 1)");
}

// A program that becomes one whose file has this mode, and then holds a deleted
// file.
ExecutionSpec Becomes(int mode, int mebibytes) {
  return PythonSpec(
      absl::StrCat("import os, shutil, sys\n"
                   "shutil.copy(os.path.realpath(sys.executable), 'python')\n"
                   "os.chmod('python', ",
                   mode,
                   ")\n"
                   "os.execv('./python', ['python', '-c', '''import os\n"
                   "f = open('f', 'wb'); os.unlink('f')\n"
                   "for i in range(",
                   mebibytes,
                   "): f.write(b'x' * (1 << 20))\n"
                   "f.flush()\n"
                   "print('done', flush=True)\n"
                   "while i > 8: pass\n"
                   "'''])"));
}

// The kernel shows nobody but root what a process has open that executes what
// it may not read.
TEST(DiskLimit, AProgramThatHidesItsFilesIsEnded) {
  const auto hidden = SharedSandbox().Run(WithDisk(Becomes(0111, 60), 48));
  EXPECT_EQ(hidden->outcome().kind, OutcomeKind::kDiskLimit)
      << hidden->outcome().message << hidden->stderr_data();
  ExecutionSpec shown = WithDisk(Becomes(0555, 20), 48);
  shown.program.limits.cpu_time = absl::Milliseconds(700);
  EXPECT_EQ(SharedSandbox().Run(shown)->outcome().kind,
            OutcomeKind::kCpuTimeLimit);
}

TEST(DiskLimit, AnUnreadableProgramThatWritesLittleRuns) {
  const auto run = SharedSandbox().Run(WithDisk(Becomes(0111, 1), 16384));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited)
      << run->outcome().message;
  EXPECT_EQ(run->stdout_data(), "done\n") << run->stderr_data();
}

TEST(DiskLimit, ADirectoryWithoutRightsCounts) {
  ExpectDiskLimit(
      "os.mkdir('d'); f = open('d/f', 'wb'); os.chmod('d', 0); fill(f)");
}

TEST(DiskLimit, DepthDoesNotHideAFile) {
  ExpectDiskLimit(
      "for i in range(150): os.mkdir('d'); os.chdir('d')\n"
      "fill(open('f', 'wb'))");
}

TEST(DiskLimit, ReservedSpaceCounts) {
  ExpectDiskLimit(
      "for i in range(4):\n"
      "  f = os.open(f'f{i}', os.O_CREAT | os.O_RDWR)\n"
      "  os.posix_fallocate(f, 0, 10 << 20)");
}

TEST(DiskLimit, ALinkDoesNotLeadTheMeasureOut) {
  const auto run = SharedSandbox().Run(
      WithDisk(BashSpec("ln -s /usr usr; ln -s / root; for ((i = 0; i < "
                        "300000; ++i)); do :; done"),
               16, 200));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited)
      << run->outcome().message;
}

TEST(DiskLimit, AFileLimitThatEndsAShellsChildIsTheRuns) {
  const auto run = [](const std::string& script) {
    ExecutionSpec spec = BashSpec(script);
    spec.program.limits.file_bytes = 1 << 20;
    return SharedSandbox().Run(std::move(spec))->outcome();
  };
  const Outcome over = run("head -c 2000000 /dev/zero > file; exit $?");
  EXPECT_EQ(over.kind, OutcomeKind::kDiskLimit) << over.message;
  const Outcome below = run("head -c 1000000 /dev/zero > file; exit $?");
  EXPECT_EQ(below.kind, OutcomeKind::kExited);
  EXPECT_EQ(below.exit_code, 0);
  // The number alone says nothing; neither does a shell that goes on.
  EXPECT_EQ(run("exit 153").kind, OutcomeKind::kExited);
  EXPECT_EQ(run("head -c 2000000 /dev/zero > file; exit 3").exit_code, 3);
}

TEST(DiskLimit, AHoleIsNoDisk) {
  const auto run = SharedSandbox().Run(
      WithDisk(PythonSpec("for i in range(20):\n"
                          "  f = open(f'f{i}', 'wb'); f.truncate(60 << 20)\n"
                          "for i in range(3000000): pass"),
               16));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited)
      << run->outcome().message;
}

TEST(DiskLimit, SeveralNamesOfAFileCountOnce) {
  const auto run = SharedSandbox().Run(
      WithDisk(PythonSpec("import os\n"
                          "open('f', 'wb').write(b'x' * (10 << 20))\n"
                          "for i in range(20): os.link('f', f'l{i}')\n"
                          "for i in range(3000000): pass"),
               16));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited)
      << run->outcome().message;
}

TEST(DiskLimit, WhatTheLastMomentWroteCounts) {
  const ExecutionSpec spec = BashSpec(
      "for ((i = 0; i < 400; ++i)); do > f$i; done; head -c 40000000 "
      "/dev/zero > g");
  EXPECT_EQ(SharedSandbox().Run(WithDisk(spec, 16))->outcome().kind,
            OutcomeKind::kDiskLimit);
  EXPECT_EQ(SharedSandbox().Run(WithDisk(spec, 100, 200))->outcome().kind,
            OutcomeKind::kDiskLimit);
  EXPECT_EQ(SharedSandbox().Run(WithDisk(spec, 100))->outcome().kind,
            OutcomeKind::kExited);
}

TEST(DiskLimit, DirectoriesThatMoveAboutAreMeasured) {
  ExpectDiskLimit(
      "os.makedirs('a/x'); os.mkdir('b')\n"
      "f = open('a/x/f', 'wb')\n"
      "if os.fork() == 0:\n"
      "  while True: os.rename('a/x', 'b/x'); os.rename('b/x', 'a/x')\n"
      "fill(f)");
}

TEST(DiskLimit, TheMessageSaysHowMuch) {
  const Outcome outcome =
      SharedSandbox()
          .Run(WithDisk(BashSpec("head -c 40000000 /dev/zero > f"), 16))
          ->outcome();
  EXPECT_THAT(outcome.message, HasSubstr("its limit is 16 MiB"));
}

TEST(DiskLimit, DeletingGivesRoom) {
  const auto run = SharedSandbox().Run(WithDisk(
      BashSpec("for ((i = 0; i < 20; ++i)); do head -c 8000000 /dev/zero > f; "
               "rm f; done; echo all"),
      16));
  EXPECT_EQ(run->stdout_data(), "all\n") << run->outcome().message;
}

}  // namespace
}  // namespace cordon::testing
