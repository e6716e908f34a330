#include "sandbox/host/notification_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sandbox/host/calls_to_probe.h"
#include "sandbox/host/probe_host.h"
#include "sandbox/policy/seccomp/syscall_table_x86_64.h"

namespace cordon::sandbox {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Answers `action` to `number`, as a container runtime's filter would.
bool InstallOuterFilter(const std::vector<int>& numbers, uint32_t action) {
  std::vector<sock_filter> filter = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const int number : numbers) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                              static_cast<uint32_t>(number), 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, action));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program = {static_cast<unsigned short>(filter.size()),
                              filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

// Whether `body`'s expectations hold in a child of its own, so that a filter
// does not stay with the test.
bool HoldsInChild(const std::function<void()>& body) {
  fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    body();
    fflush(nullptr);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child &&
         WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Calls that no container runtime's own filter refuses: these tests may be
// under one already.
std::vector<ProbedCall> SomeCalls() {
  return {{SYS_mknod, {}}, {SYS_symlink, {}}, {SYS_ptrace, {}},
          {SYS_sync, {}},  {SYS_mknod, {1}},  {SYS_truncate, {}}};
}

std::set<int> MaskedBy(const std::vector<int>& numbers, uint32_t action) {
  EXPECT_TRUE(InstallOuterFilter(numbers, action));
  auto probe = ProbeNotifications(SomeCalls());
  EXPECT_TRUE(probe.ok()) << probe.status();
  EXPECT_TRUE(probe->works);
  return probe->masked;
}

TEST(NotificationProbeTest, NothingIsMaskedWithoutAnOuterFilter) {
  EXPECT_TRUE(HoldsInChild([] {
    auto probe = ProbeNotifications(SomeCalls());
    ASSERT_TRUE(probe.ok()) << probe.status();
    EXPECT_TRUE(probe->works);
    EXPECT_THAT(probe->masked, IsEmpty());
  }));
}

TEST(NotificationProbeTest, AnErrnoOfAnOuterFilterMasksExactlyItsCalls) {
  EXPECT_TRUE(HoldsInChild([] {
    EXPECT_THAT(MaskedBy({SYS_mknod, SYS_symlink}, SECCOMP_RET_ERRNO | EPERM),
                UnorderedElementsAre(SYS_mknod, SYS_symlink));
  }));
}

TEST(NotificationProbeTest, AnOuterFilterThatKillsMasksItsCallsAndNoOthers) {
  for (const uint32_t action :
       {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP}) {
    EXPECT_TRUE(HoldsInChild([action] {
      EXPECT_THAT(MaskedBy({SYS_mknod, SYS_truncate}, action),
                  UnorderedElementsAre(SYS_mknod, SYS_truncate));
    })) << action;
  }
}

TEST(NotificationProbeTest, AnOuterFilterThatAllowsOrLogsMasksNothing) {
  for (const uint32_t action : {SECCOMP_RET_LOG, SECCOMP_RET_ALLOW}) {
    EXPECT_TRUE(HoldsInChild([action] {
      EXPECT_THAT(MaskedBy({SYS_mknod, SYS_truncate}, action), IsEmpty());
    })) << action;
  }
}

// A listener above ours: the kernel refuses a second one.
TEST(NotificationProbeTest, AnOuterListenerMeansThatNotificationDoesNotWork) {
  EXPECT_TRUE(HoldsInChild([] {
    sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program = {1, allow};
    ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_GE(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                      SECCOMP_FILTER_FLAG_NEW_LISTENER, &program),
              0);
    auto probe = ProbeNotifications(SomeCalls());
    ASSERT_TRUE(probe.ok()) << probe.status();
    EXPECT_FALSE(probe->works);
    EXPECT_THAT(probe->masked, IsEmpty());
  }));
}

TEST(NotificationProbeTest, NoCallIsExecutedAndNothingIsLeft) {
  char name[] = "/tmp/cordon-probe-XXXXXX";
  const std::string directory = mkdtemp(name);
  const std::string path = directory + "/made";
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  const auto before = descriptors();
  const ProbedCall call = {SYS_mkdir,
                           {reinterpret_cast<uintptr_t>(path.c_str()), 0700}};
  auto probe = ProbeNotifications({call});
  ASSERT_TRUE(probe.ok());
  EXPECT_TRUE(probe->works);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(descriptors(), before);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);

  // The same call, made outside the probe.
  EXPECT_EQ(syscall(SYS_mkdir, call.arguments[0], call.arguments[1]), 0);
  EXPECT_TRUE(std::filesystem::exists(path));
  std::filesystem::remove_all(directory);
}

TEST(CallsToProbeTest, EveryCallIsAViolationAndEveryViolatingRowIsThere) {
  const SyscallPolicy policy = DefaultPolicy({});
  std::set<int> numbers;
  for (const ProbedCall& call : CallsToProbe(policy)) {
    EXPECT_EQ(policy.Evaluate(call.number, call.arguments).kind,
              VerdictKind::kViolation)
        << call.number;
    numbers.insert(call.number);
  }
  for (const SyscallRow& row : policy.rows()) {
    // uretprobe and uprobe pass every filter.
    if (row.number == 335 || row.number == 336) continue;
    bool violates = row.otherwise.kind == VerdictKind::kViolation;
    for (const Rule& rule : row.rules) {
      violates |= rule.verdict.kind == VerdictKind::kViolation;
    }
    EXPECT_EQ(numbers.count(row.number), violates ? 1u : 0u) << row.number;
  }
  EXPECT_THAT(numbers, Contains(SYS_mount));
  EXPECT_THAT(numbers, Contains(SYS_clone));
  EXPECT_EQ(numbers.count(SYS_read), 0u);
}

TEST(ProbeHostTest, ThisMachineHasWhatTheTestsNeed) {
  auto host = ProbeHost({.calls = CallsToProbe(DefaultPolicy({}))});
  ASSERT_TRUE(host.ok()) << host.status();
  EXPECT_THAT(host->kernel, testing::StartsWith("Linux "));
  EXPECT_GE(host->landlock_abi, 6);
  EXPECT_TRUE(host->seccomp_user_notification);
  EXPECT_TRUE(host->pidfd);
  EXPECT_TRUE(host->close_range);
  EXPECT_TRUE(host->child_memory_readable);
  // Without an outer filter there is nothing that could hide a call.
  if (!host->outer_seccomp_filter) {
    EXPECT_THAT(host->masked_syscalls, IsEmpty());
  }
}

TEST(ProbeHostTest, AnOuterFilterIsSeenWithTheCallsThatItHides) {
  EXPECT_TRUE(HoldsInChild([] {
    const HostProbeOptions options = {.calls = CallsToProbe(DefaultPolicy({}))};
    auto before = ProbeHost(options);
    ASSERT_TRUE(before.ok());
    ASSERT_TRUE(InstallOuterFilter(
        {SYS_mount, SYS_unshare, SYS_clone3, SYS_close_range, SYS_pidfd_open},
        SECCOMP_RET_ERRNO | EPERM));
    auto after = ProbeHost(options);
    ASSERT_TRUE(after.ok()) << after.status();
    EXPECT_TRUE(after->outer_seccomp_filter);
    EXPECT_FALSE(after->close_range);
    EXPECT_FALSE(after->pidfd);
    EXPECT_TRUE(after->seccomp_user_notification);
    std::set<int> hidden = before->masked_syscalls;
    // clone3 and the two others are no violations: there is nothing to hide.
    hidden.insert({SYS_mount, SYS_unshare});
    EXPECT_EQ(after->masked_syscalls, hidden);
  }));
}

TEST(ProbeHostTest, OnlyRootWithItsCapabilitiesSwitchesIdentity) {
  auto host = ProbeHost({});
  ASSERT_TRUE(host.ok());
  EXPECT_EQ(host->can_switch_identity, geteuid() == 0);
  if (geteuid() != 0) return;
  EXPECT_TRUE(HoldsInChild([] {
    ASSERT_EQ(setresuid(54321, 54321, 54321), 0);
    auto unprivileged = ProbeHost({});
    ASSERT_TRUE(unprivileged.ok()) << unprivileged.status();
    EXPECT_FALSE(unprivileged->can_switch_identity);
    EXPECT_TRUE(unprivileged->seccomp_user_notification);
    EXPECT_GE(unprivileged->landlock_abi, 6);
  }));
}

}  // namespace
}  // namespace cordon::sandbox
