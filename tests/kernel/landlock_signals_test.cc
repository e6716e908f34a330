#include <signal.h>

#include "gtest/gtest.h"
#include "tests/kernel/landlock_child.h"
#include "tests/support/degraded_host.h"

namespace cordon::sandbox {
namespace {

TEST(LandlockSignalsTest, TheServerCannotBeSignalled) {
  if (testing::NeedsLandlock(6, "keep signals inside")) return;
  LandlockSite site;
  const pid_t server = getpid();
  const auto act = [server] { return Try(kill(server, 0)); };
  EXPECT_EQ(site.Run(Confinement::kNone, act), 0);
  EXPECT_EQ(site.Run(Confinement::kRun, act), EPERM);
}

TEST(LandlockSignalsTest, AnotherRunCannotBeSignalled) {
  if (testing::NeedsLandlock(6, "keep signals inside")) return;
  LandlockSite site;
  const pid_t other = fork();
  ASSERT_GE(other, 0);
  if (other == 0) {
    pause();
    _exit(0);
  }
  const auto act = [other] { return Try(kill(other, SIGKILL)); };
  EXPECT_EQ(site.Run(Confinement::kRun, act), EPERM);
  // It is alive: the same signal from outside is what ends it.
  EXPECT_EQ(site.Run(Confinement::kNone, act), 0);
  int status = 0;
  ASSERT_EQ(waitpid(other, &status, 0), other);
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST(LandlockSignalsTest, ARunSignalsItselfAndItsChildren) {
  LandlockSite site;
  EXPECT_EQ(site.Run(Confinement::kRun,
                     [] {
                       if (kill(getpid(), 0) != 0) return errno;
                       const pid_t child = fork();
                       if (child == 0) {
                         pause();
                         _exit(0);
                       }
                       const int result = Try(kill(child, SIGKILL));
                       int status;
                       waitpid(child, &status, 0);
                       return result;
                     }),
            0);
}

// The server must still be able to end the run.
TEST(LandlockSignalsTest, TheServerSignalsARun) {
  LandlockSite site;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t runner = fork();
  ASSERT_GE(runner, 0);
  if (runner == 0) {
    _exit(site.Run(Confinement::kRun, [&] {
      const pid_t self = getpid();
      if (write(ready[1], &self, sizeof(self)) != sizeof(self)) return 1;
      pause();
      return 1;
    }));
  }
  pid_t confined = 0;
  ASSERT_EQ(read(ready[0], &confined, sizeof(confined)),
            static_cast<ssize_t>(sizeof(confined)));
  EXPECT_EQ(kill(confined, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(waitpid(runner, &status, 0), runner);
  // LandlockSite says 255 when its child was killed.
  EXPECT_EQ(WEXITSTATUS(status), 255);
}

}  // namespace
}  // namespace cordon::sandbox
