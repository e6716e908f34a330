#include "sandbox/policy/seccomp/syscall_names_x86_64.h"

#include <asm/unistd.h>

#include <optional>

#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

TEST(SyscallNamesTest, NamesAndNumbersAgreeWithTheHeaders) {
  EXPECT_EQ(SyscallName(__NR_read), "read");
  EXPECT_EQ(SyscallName(__NR_mount), "mount");
  EXPECT_EQ(SyscallName(__NR_clone3), "clone3");
  EXPECT_EQ(SyscallNumber("openat2"), __NR_openat2);
  EXPECT_EQ(static_cast<int>(Sys::io_uring_setup), __NR_io_uring_setup);
}

TEST(SyscallNamesTest, CallsNewerThanTheHeadersAreKnown) {
  EXPECT_EQ(SyscallName(452), "fchmodat2");
  EXPECT_EQ(SyscallName(462), "mseal");
  EXPECT_EQ(SyscallNumber("file_setattr"), 469);
}

TEST(SyscallNamesTest, EveryNameLeadsBackToItsNumber) {
  int known = 0;
  for (int number = -1; number < 1024; ++number) {
    if (SyscallName(number).empty()) continue;
    ++known;
    EXPECT_EQ(SyscallNumber(SyscallName(number)), number);
  }
  EXPECT_EQ(known, 384);
}

TEST(SyscallNamesTest, TheUnknownHasNoName) {
  EXPECT_EQ(SyscallName(-1), "");
  EXPECT_EQ(SyscallName(400), "");
  EXPECT_EQ(SyscallName(1 << 30), "");
  EXPECT_EQ(SyscallNumber("no_such_call"), std::nullopt);
  EXPECT_EQ(SyscallNumber(""), std::nullopt);
}

}  // namespace
}  // namespace cordon::sandbox
