// What two runs could meet in besides files, sockets and signals, which have
// tests of their own: one channel a test. Where runs share the server's uid,
// the kernel's own checks keep none of these apart.

#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"

namespace cordon::testing {
namespace {

TEST(Separation, SysVSharedMemory) {
  const std::string act = "i = call(29, 0, 4096, 0o1600)\ncall(31, i, 0, 0)";
  EXPECT_EQ(Free(act), "done");
  EXPECT_EQ(Confined(act), "killed");
}

TEST(Separation, SysVSemaphores) {
  const std::string act = "i = call(64, 0, 1, 0o1600)\ncall(66, i, 0, 0)";
  EXPECT_EQ(Free(act), "done");
  EXPECT_EQ(Confined(act), "killed");
}

TEST(Separation, SysVMessages) {
  const std::string act = "i = call(68, 0, 0o1600)\ncall(71, i, 0, 0)";
  EXPECT_EQ(Free(act), "done");
  EXPECT_EQ(Confined(act), "killed");
}

TEST(Separation, PosixSharedMemory) {
  const std::string act =
      "path = '/dev/shm/cordon-test-%d' % os.getpid()\n"
      "os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR))\n"
      "os.unlink(path)";
  EXPECT_EQ(Free(act), "done");
  EXPECT_EQ(Confined(act), "EACCES");
}

// Memory that only processes of one run see stays theirs.
TEST(Separation, AnonymousSharedMemoryIsTheRunsOwn) {
  EXPECT_EQ(Confined("m = mmap.mmap(-1, 4096)\n"
                     "child = os.fork()\n"
                     "if child == 0:\n"
                     "  m[0] = 7\n"
                     "  os._exit(0)\n"
                     "os.waitpid(child, 0)\n"
                     "return m[0]"),
            "7");
}

TEST(Separation, PosixMessageQueues) {
  const std::string act =
      "name = ctypes.create_string_buffer(b'cordon-test-%d' % os.getpid())\n"
      "call(240, ctypes.addressof(name), 0o102, 0o600, 0)\n"
      "call(241, ctypes.addressof(name))";
  EXPECT_EQ(Free(act), "done");
  EXPECT_NE(Confined(act), "done");
}

TEST(Separation, Keyrings) {
  // KEYCTL_GET_KEYRING_ID of the user's keyring, which all of a uid share.
  const std::string act = "call(250, 0, -4, 1)";
  if (!HostFiltersCalls()) {
    EXPECT_EQ(Free(act), "done");
  }
  EXPECT_NE(Confined(act), "done");
}

TEST(Separation, WatchingDirectories) {
  const std::string act = "call(294, 0)";
  EXPECT_EQ(Free(act), "done");
  EXPECT_EQ(Confined(act), "ENOSYS");
}

// Not stopped, and said in the threat model: who may read a file may lock it.
// Another process of these tests locks another one.
TEST(Separation, LocksOnFilesThatAllRunsReadAreShared) {
  const std::string lock = absl::StrCat(
      "files = [entry.path for entry in os.scandir('/usr/bin')\n"
      "         if entry.is_file(follow_symlinks=False) and\n"
      "         os.access(entry.path, os.R_OK)]\n"
      "fd = os.open(sorted(files)[",
      getpid(),
      " % len(files)], os.O_RDONLY)\n"
      "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n");
  auto observer = std::make_shared<RecordingObserver>();
  const auto holder = SharedSandbox().sandbox().Start(
      PythonSpec(Program(lock + "print('held', flush=True)\ntime.sleep(1000)")),
      observer);
  ASSERT_TRUE(observer->WaitForOutput(sandbox::OutputStream::kStdout, "held"));
  EXPECT_EQ(Confined(lock), "EAGAIN");
  // A lock ends with its run.
  holder->Cancel();
  observer->WaitForEnd();
  EXPECT_EQ(Confined(lock), "done");
}

TEST(Separation, LocksOnARunsOwnFilesAreOutOfReach) {
  OtherRun other;
  EXPECT_EQ(
      Confined("os.open('" + other.directory() + "/secret', os.O_RDONLY)"),
      "EACCES");
  EXPECT_EQ(Confined("open('mine', 'w')\n"
                     "fd = os.open('mine', os.O_RDONLY)\n"
                     "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)"),
            "done");
}

}  // namespace
}  // namespace cordon::testing
