// The keeper with a server that is nothing but its groups: what it ends, what
// it leaves alone, and what ends it.

#include "sandbox/keeper/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/keeper/live_groups.h"
#include "tests/support/process_view.h"

namespace cordon::testing {
namespace {

using sandbox::Keeper;
using sandbox::LiveGroup;
using sandbox::LiveGroups;
using sandbox::UniqueFd;

// Whether a process is there and not only waiting to be reaped.
bool Lives(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  return name_end != std::string::npos && line[name_end + 2] != 'Z';
}

// A leader of a new group that does `act` first and then sleeps for ever.
pid_t StartGroup(const std::function<void()>& act) {
  const pid_t leader = fork();
  // By whoever of the two is first: the group must be there when it is entered.
  setpgid(leader, leader);
  if (leader != 0) return leader;
  act();
  for (;;) pause();
}

void WriteTo(int fd, pid_t pid) { (void)!write(fd, &pid, sizeof(pid)); }

pid_t ReadPid(int fd) {
  pid_t pid = -1;
  return read(fd, &pid, sizeof(pid)) == sizeof(pid) ? pid : -1;
}

bool IsAtEnd(int fd) {
  pollfd end = {fd, POLLIN, 0};
  char byte;
  return poll(&end, 1, 0) == 1 && read(fd, &byte, 1) == 0;
}

// A process with a keeper. What it does is told to it before it is forked; pids
// come back through a pipe.
class KeptServer {
 public:
  using Act = std::function<void(LiveGroups&, Keeper&, int tell)>;

  explicit KeptServer(const Act& act) {
    int told[2], held[2];
    EXPECT_EQ(pipe2(told, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(held, O_CLOEXEC), 0);
    told_.Reset(told[0]);
    held_.Reset(held[0]);
    pid_ = fork();
    if (pid_ == 0) {
      setpgid(0, 0);
      auto groups = LiveGroups::Create(8);
      auto keeper =
          Keeper::Start({.groups = groups->get(), .held_descriptor = held[1]});
      // The keeper alone has it from here on.
      close(held[1]);
      WriteTo(told[1], (*keeper)->pid());
      act(**groups, **keeper, told[1]);
      for (;;) pause();
    }
    close(told[1]);
    close(held[1]);
    keeper_ = NextPid();
  }
  ~KeptServer() {
    End(SIGKILL);
    if (keeper_ > 1) kill(keeper_, SIGKILL);
  }

  pid_t pid() const { return pid_; }
  pid_t keeper() const { return keeper_; }
  pid_t NextPid() { return ReadPid(told_.get()); }
  // The pipe that it holds has no other holder.
  bool KeeperHasEnded() const { return IsAtEnd(held_.get()); }

  void End(int signal) {
    if (ended_) return;
    ended_ = true;
    kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
  pid_t keeper_ = -1;
  bool ended_ = false;
  UniqueFd told_;
  UniqueFd held_;
};

// One group in the table, of a leader and its orphaned child.
void EnterOne(LiveGroups& groups, Keeper&, int tell) {
  static LiveGroup group;
  group = groups.Reserve();
  const pid_t leader = StartGroup([tell] {
    if (fork() == 0) {
      WriteTo(tell, getpid());
      for (;;) pause();
    }
  });
  group.Enter(leader);
  WriteTo(tell, leader);
}

TEST(Keeper, EveryProcessOfALiveGroupEndsWithAKilledServer) {
  KeptServer server(EnterOne);
  const pid_t one = server.NextPid();
  const pid_t other = server.NextPid();
  ASSERT_TRUE(Lives(one) && Lives(other));
  server.End(SIGKILL);
  EXPECT_TRUE(Eventually([&] { return !Lives(one) && !Lives(other); }));
  EXPECT_TRUE(Eventually([&] { return server.KeeperHasEnded(); }));
}

TEST(Keeper, AGroupThatIsNotInTheTableGoesOn) {
  KeptServer server([](LiveGroups& groups, Keeper&, int tell) {
    const auto nothing = [] {};
    static LiveGroup entered = groups.Reserve(), left = groups.Reserve(),
                     reserved = groups.Reserve();
    const pid_t never = StartGroup(nothing);
    const pid_t gone = StartGroup(nothing);
    const pid_t live = StartGroup(nothing);
    left.Enter(gone);
    left.Leave();
    entered.Enter(live);
    for (const pid_t pid : {never, gone, live}) WriteTo(tell, pid);
  });
  const pid_t never = server.NextPid();
  const pid_t gone = server.NextPid();
  const pid_t live = server.NextPid();
  server.End(SIGKILL);
  EXPECT_TRUE(Eventually([&] { return server.KeeperHasEnded(); }));
  EXPECT_FALSE(Lives(live));
  EXPECT_TRUE(Lives(never));
  EXPECT_TRUE(Lives(gone));
  kill(never, SIGKILL);
  kill(gone, SIGKILL);
}

// What a process can do to be hard to end.
TEST(Keeper, StoppedAndDeafProcessesEndToo) {
  KeptServer server([](LiveGroups& groups, Keeper&, int tell) {
    static LiveGroup stopped = groups.Reserve(), deaf = groups.Reserve();
    const pid_t first = StartGroup([] { raise(SIGSTOP); });
    const pid_t second = StartGroup([] {
      sigset_t all;
      sigfillset(&all);
      sigprocmask(SIG_SETMASK, &all, nullptr);
    });
    stopped.Enter(first);
    deaf.Enter(second);
    WriteTo(tell, first);
    WriteTo(tell, second);
  });
  const pid_t stopped = server.NextPid();
  const pid_t deaf = server.NextPid();
  server.End(SIGKILL);
  EXPECT_TRUE(Eventually([&] { return !Lives(stopped) && !Lives(deaf); }));
}

TEST(Keeper, AServerThatEndsByItselfEndsIt) {
  KeptServer server([](LiveGroups&, Keeper&, int) {
    signal(SIGUSR1, [](int) { _exit(0); });
  });
  EXPECT_FALSE(server.KeeperHasEnded());
  server.End(SIGUSR1);
  EXPECT_TRUE(Eventually([&] { return server.KeeperHasEnded(); }));
}

TEST(Keeper, WhatASupervisorSendsToAServersGroupDoesNotReachIt) {
  KeptServer server(EnterOne);
  const pid_t one = server.NextPid();
  const pid_t other = server.NextPid();
  kill(-server.pid(), SIGKILL);
  EXPECT_TRUE(Eventually([&] { return !Lives(one) && !Lives(other); }));
  EXPECT_TRUE(Eventually([&] { return server.KeeperHasEnded(); }));
}

TEST(Keeper, SignalsThatCanBeIgnoredAre) {
  KeptServer server(EnterOne);
  const pid_t one = server.NextPid();
  const pid_t other = server.NextPid();
  for (const int signal :
       {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGSEGV}) {
    ASSERT_EQ(kill(server.keeper(), signal), 0);
  }
  EXPECT_FALSE(server.KeeperHasEnded());
  server.End(SIGKILL);
  EXPECT_TRUE(Eventually([&] { return !Lives(one) && !Lives(other); }));
}

TEST(Keeper, AKilledOneIsNoticedAndTheNextOneKeeps) {
  KeptServer server([](LiveGroups& groups, Keeper& keeper, int tell) {
    EnterOne(groups, keeper, tell);
    pollfd ended = {keeper.fd(), POLLIN, 0};
    poll(&ended, 1, -1);
    if (keeper.Restart().ok()) WriteTo(tell, keeper.pid());
  });
  const pid_t one = server.NextPid();
  const pid_t other = server.NextPid();
  ASSERT_EQ(kill(server.keeper(), SIGKILL), 0);
  const pid_t next = server.NextPid();
  EXPECT_NE(next, server.keeper());
  EXPECT_TRUE(Lives(next));
  EXPECT_TRUE(Lives(one) && Lives(other));
  server.End(SIGKILL);
  EXPECT_TRUE(Eventually([&] { return !Lives(one) && !Lives(other); }));
  EXPECT_TRUE(Eventually([&] { return !Lives(next); }));
}

TEST(Keeper, WithoutOneADescendantGoesOn) {
  KeptServer server(EnterOne);
  const pid_t one = server.NextPid();
  const pid_t other = server.NextPid();
  ASSERT_EQ(kill(server.keeper(), SIGKILL), 0);
  EXPECT_TRUE(Eventually([&] { return server.KeeperHasEnded(); }));
  server.End(SIGKILL);
  EXPECT_TRUE(Lives(one) && Lives(other));
  kill(one, SIGKILL);
  kill(other, SIGKILL);
}

TEST(Keeper, ItHoldsNothingOfTheServers) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  KeptServer server([&writer](LiveGroups&, Keeper&, int tell) {
    writer.Reset();
    WriteTo(tell, getpid());
  });
  EXPECT_FALSE(IsAtEnd(reader.get()));
  writer.Reset();
  server.NextPid();
  // Both others have closed it: the server, and the keeper before.
  EXPECT_TRUE(IsAtEnd(reader.get()));
  EXPECT_FALSE(server.KeeperHasEnded());
}

TEST(Keeper, ItStandsApartUnderItsOwnName) {
  KeptServer server([](LiveGroups&, Keeper&, int) {});
  EXPECT_EQ(getsid(server.keeper()), server.keeper());
  EXPECT_EQ(getpgid(server.keeper()), server.keeper());
  std::ifstream comm(absl::StrCat("/proc/", server.keeper(), "/comm"));
  std::string name;
  std::getline(comm, name);
  EXPECT_EQ(name, "cordond-keeper");
}

}  // namespace
}  // namespace cordon::testing
