#include "sandbox/supervise/run_members.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

enum class Act { kWait, kSpin };

// A child in a process group: its own, or that of `group`.
class Member {
 public:
  explicit Member(Act act, pid_t group = 0) : pid_(fork()) {
    if (pid_ == 0) {
      volatile bool spins = act == Act::kSpin;
      while (spins) {
      }
      for (;;) pause();
    }
    setpgid(pid_, group);
    while (act == Act::kWait && !Waits()) usleep(100);
    // A walk is everybody's for a millisecond.
    usleep(5000);
  }
  ~Member() {
    if (pid_ <= 0) return;
    Kill();
    Reap();
  }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  pid_t pid() const { return pid_; }
  // Until it is a zombie.
  void Kill() const {
    kill(pid_, SIGKILL);
    siginfo_t info;
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }
  void Reap() { waitpid(std::exchange(pid_, -1), nullptr, 0); }

 private:
  bool Waits() const {
    std::ifstream stat("/proc/" + std::to_string(pid_) + "/stat");
    std::string id, name, state;
    stat >> id >> name >> state;
    return state == "S";
  }

  pid_t pid_;
};

class RunMembersTest : public ::testing::Test {
 protected:
  explicit RunMembersTest(Act act = Act::kWait) : leader_(act) {}

  std::vector<pid_t> Sorted() {
    std::vector<pid_t> members = members_.Get();
    std::sort(members.begin(), members.end());
    return members;
  }
  std::vector<pid_t> LeaderAnd(const Member& other) const {
    std::vector<pid_t> both = {leader_.pid(), other.pid()};
    std::sort(both.begin(), both.end());
    return both;
  }
  // As the supervisor does it for a clone of the leader, which is over then:
  // the leader waits in another call.
  Member AllowOne() {
    EXPECT_TRUE(counter_.Take(leader_.pid()));
    return Member(Act::kWait, leader_.pid());
  }

  Member leader_;
  ProcessTable table_;
  ProcessCounter counter_{10, leader_.pid(), &table_};
  RunMembers members_{leader_.pid(), &table_, &counter_};
};

class SpinningLeaderTest : public RunMembersTest {
 protected:
  SpinningLeaderTest() : RunMembersTest(Act::kSpin) {}
};

TEST_F(RunMembersTest, ARunThatNeverAskedForAProcessIsItsFirst) {
  EXPECT_EQ(Sorted(), std::vector<pid_t>{leader_.pid()});
}

TEST_F(RunMembersTest, WhatWasAllowedIsSeenAtOnce) {
  Sorted();
  const Member other = AllowOne();
  EXPECT_EQ(Sorted(), LeaderAnd(other));
  const Member third = AllowOne();
  EXPECT_EQ(members_.Get().size(), 3u);
}

// A thread that was allowed to clone can take its time. As long as it may still
// be in that call, nothing that was seen before it is all that there is.
TEST_F(SpinningLeaderTest, AProcessThatComesLongAfterItWasAllowedIsSeen) {
  ASSERT_TRUE(counter_.Take(leader_.pid()));
  EXPECT_EQ(Sorted(), std::vector<pid_t>{leader_.pid()});
  const Member late(Act::kWait, leader_.pid());
  EXPECT_EQ(Sorted(), LeaderAnd(late));
}

TEST_F(RunMembersTest, AZombieIsAMemberUntilItIsReaped) {
  Member other = AllowOne();
  EXPECT_FALSE(members_.OneHasEnded(Sorted())) << "control: it lives";
  other.Kill();
  EXPECT_EQ(Sorted(), LeaderAnd(other));
  EXPECT_TRUE(members_.OneHasEnded(Sorted()));
  other.Reap();
  EXPECT_EQ(Sorted(), std::vector<pid_t>{leader_.pid()});
  EXPECT_FALSE(members_.OneHasEnded(Sorted()));
}

// As an id is that another process has by now.
TEST_F(RunMembersTest, WhoLeftTheGroupIsNoMember) {
  const Member other = AllowOne();
  EXPECT_EQ(Sorted(), LeaderAnd(other));
  ASSERT_EQ(setpgid(other.pid(), other.pid()), 0);
  EXPECT_EQ(Sorted(), std::vector<pid_t>{leader_.pid()});
}

TEST_F(RunMembersTest, ARunThatWaitsHasUsedNextToNothing) {
  EXPECT_FALSE(members_.UsedSinceRest().has_value()) << "nobody looked yet";
  Sorted();
  members_.NoteRest();
  usleep(20000);
  const auto used = members_.UsedSinceRest();
  ASSERT_TRUE(used.has_value());
  EXPECT_LT(*used, absl::Milliseconds(10));
}

TEST_F(SpinningLeaderTest, ARunThatComputesHasUsedWhatItTook) {
  Sorted();
  members_.NoteRest();
  absl::Duration used;
  while (used < absl::Milliseconds(20)) {
    const auto now = members_.UsedSinceRest();
    ASSERT_TRUE(now.has_value());
    ASSERT_GE(*now, used);
    used = *now;
  }
}

TEST_F(RunMembersTest, WithAnotherProcessNobodyKnowsWhatWasUsed) {
  Sorted();
  members_.NoteRest();
  Member other = AllowOne();
  EXPECT_FALSE(members_.UsedSinceRest().has_value());
  Sorted();
  members_.NoteRest();
  EXPECT_TRUE(members_.UsedSinceRest().has_value()) << "control: it is known";
  other.Kill();
  other.Reap();
  EXPECT_FALSE(members_.UsedSinceRest().has_value());
}

// Whoever connects to a server can take its last descriptor for a moment.
TEST(RunMembersWalk, SeesThemWithoutAFreeDescriptor) {
  const Member first(Act::kWait);
  const Member second(Act::kWait, first.pid());
  ProcessTable table;
  rlimit before, none;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_EQ(open("/proc", O_RDONLY), -1) << "the control";
  const std::vector<pid_t> members = table.CurrentMembers(first.pid());
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(members.size(), 2u);
}

// A walk that does not find the first, as one that failed, is not the last.
TEST(RunMembersWalk, OneThatFailedIsDoneAgain) {
  const Member first(Act::kWait);
  const Member second(Act::kWait, first.pid());
  ProcessTable table;
  ProcessCounter counter(10, first.pid(), &table);
  RunMembers members(first.pid(), &table, &counter);
  ASSERT_TRUE(counter.Take(first.pid()));
  // It is in no group of that number now.
  const Member third(Act::kWait);
  ASSERT_EQ(setpgid(first.pid(), third.pid()), 0);
  EXPECT_TRUE(members.Get().empty());
  ASSERT_EQ(setpgid(first.pid(), first.pid()), 0);
  EXPECT_EQ(members.Get().size(), 2u);
}

}  // namespace
}  // namespace cordon::sandbox
