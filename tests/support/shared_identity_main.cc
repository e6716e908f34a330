// GoogleTest's main, for tests whose runs share the server's uid: as root,
// whose runs get uids of their own, the kernel's oldest check would answer for
// every other layer, and most attacks would fail for a reason that an
// unprivileged server does not have.

#include <grp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>

#include "gtest/gtest.h"

namespace {

// Below the uids of runs, and nobody's.
constexpr uid_t kUnprivileged = 199999;

bool BecomeUnprivileged() {
  if (geteuid() != 0) return true;
  return setgroups(0, nullptr) == 0 &&
         setresgid(kUnprivileged, kUnprivileged, kUnprivileged) == 0 &&
         setresuid(kUnprivileged, kUnprivileged, kUnprivileged) == 0 &&
         // As a server that was started as this user is (prctl(2)).
         prctl(PR_SET_DUMPABLE, 1) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (!BecomeUnprivileged()) {
    std::perror("cannot become an unprivileged user");
    return 1;
  }
  // Both files belong to the user who started this. GoogleTest has read the
  // name of the first one before main.
  testing::GTEST_FLAG(output) = "";
  unsetenv("TEST_PREMATURE_EXIT_FILE");
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
