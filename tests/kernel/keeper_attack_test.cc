// What a run tries on the keeper: without it, killing the server would free the
// run's descendants.

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sandbox/keeper/keeper.h"
#include "sandbox/keeper/live_groups.h"
#include "tests/kernel/attack.h"

namespace cordon::testing {
namespace {

using ::testing::AnyOf;

class KeeperAttack : public ::testing::Test {
 protected:
  // Before the sandbox has threads, as a server does.
  static void SetUpTestSuite() {
    groups_ = sandbox::LiveGroups::Create(8)->release();
    keeper_ = sandbox::Keeper::Start({.groups = groups_})->release();
    ASSERT_NE(keeper_, nullptr);
  }

  static std::string On(const std::string& act) {
    return absl::StrReplaceAll(act, {{"KEEPER", absl::StrCat(keeper_->pid())}});
  }

  static bool HasEnded() {
    pollfd end = {keeper_->fd(), POLLIN, 0};
    return poll(&end, 1, 0) == 1;
  }

  static sandbox::LiveGroups* groups_;
  static sandbox::Keeper* keeper_;
};

sandbox::LiveGroups* KeeperAttack::groups_ = nullptr;
sandbox::Keeper* KeeperAttack::keeper_ = nullptr;

TEST_F(KeeperAttack, NoSignalReachesIt) {
  for (const char* act : {
           "os.kill(KEEPER, 0)", "os.kill(KEEPER, signal.SIGTERM)",
           "os.killpg(KEEPER, signal.SIGTERM)",
           "call(200, KEEPER, signal.SIGTERM)",          // tkill
           "call(234, KEEPER, KEEPER, signal.SIGTERM)",  // tgkill
       }) {
    // The control: it is there, and it ignores what may be sent to it.
    EXPECT_EQ(Free(On(act)), "done") << act;
    EXPECT_EQ(Confined(On(act)), "EPERM") << act;
  }
  for (const char* act :
       {"os.kill(KEEPER, signal.SIGKILL)", "os.kill(KEEPER, signal.SIGSTOP)",
        "os.killpg(KEEPER, signal.SIGKILL)"}) {
    EXPECT_EQ(Confined(On(act)), "EPERM") << act;
  }
  EXPECT_FALSE(HasEnded());
}

TEST_F(KeeperAttack, NoSignalToEverybodyReachesIt) {
  // The control: it ends what it may, which is its own child (kill(2) leaves
  // out the caller).
  EXPECT_EQ(Confined("child = os.fork()\n"
                     "if child == 0: time.sleep(1000)\n"
                     "os.kill(-1, signal.SIGKILL)\n"
                     "return os.waitpid(child, 0)[1]"),
            "9");
  EXPECT_FALSE(HasEnded());
}

TEST_F(KeeperAttack, ItsSettingsAreOutOfReach) {
  for (const char* act :
       {"resource.prlimit(KEEPER, resource.RLIMIT_CORE, (0, 0))",
        "os.sched_setaffinity(KEEPER, os.sched_getaffinity(KEEPER))",
        "os.setpriority(os.PRIO_PROCESS, KEEPER, "
        "os.getpriority(os.PRIO_PROCESS, KEEPER))"}) {
    EXPECT_EQ(Free(On(act)), "done") << act;
    EXPECT_EQ(Confined(On(act)), "EPERM") << act;
  }
}

TEST_F(KeeperAttack, ItCannotBeLookedInto) {
  for (const char* file : {"mem", "environ", "maps", "fd/3"}) {
    const std::string act =
        absl::StrCat("os.close(os.open('/proc/KEEPER/", file, "', 0))");
    EXPECT_THAT(Confined(On(act)), AnyOf("EACCES", "ENOENT")) << file;
  }
  EXPECT_EQ(Free(On("os.close(os.open('/proc/KEEPER/stat', 0))")), "done");
  EXPECT_EQ(Confined(On("os.close(os.open('/proc/KEEPER/stat', 0))")),
            "EACCES");
  EXPECT_EQ(Confined(On("call(101, 0x4206, KEEPER, 0, 0)")), "killed");
}

// Not an attack, and last: the same signal from outside of every run.
TEST_F(KeeperAttack, ZControlTheHostCanEndIt) {
  EXPECT_EQ(Free(On("os.kill(KEEPER, signal.SIGKILL)")), "done");
  pollfd end = {keeper_->fd(), POLLIN, 0};
  EXPECT_EQ(poll(&end, 1, 30000), 1);
}

}  // namespace
}  // namespace cordon::testing
