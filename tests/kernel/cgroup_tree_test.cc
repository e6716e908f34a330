// Control groups on the real kernel, of whichever version it has.
//
// Needs groups that may be written to: root, or a group that was delegated.

#include "sandbox/cgroup/cgroup_tree.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/support/process_view.h"
#include "tests/support/root_only.h"

namespace cordon::sandbox {
namespace {

using ::cordon::testing::Eventually;

std::string Text(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::unique_ptr<CgroupTree> OpenTree() {
  const auto hierarchies =
      FindHierarchies(Text("/proc/self/mountinfo"), Text("/proc/self/cgroup"));
  EXPECT_TRUE(hierarchies.ok()) << hierarchies.status();
  if (!hierarchies.ok()) return nullptr;
  auto tree =
      CgroupTree::Open(*hierarchies, absl::StrCat("cordon-test-", getpid()));
  EXPECT_TRUE(tree.ok()) << tree.status();
  return tree.ok() ? *std::move(tree) : nullptr;
}

// Runs `work` in a process that is in the group already.
pid_t Fork(const RunCgroup& group, const std::function<int()>& work) {
  const std::vector<int> entrances = group.entrances();
  int joined[2];
  EXPECT_EQ(pipe(joined), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    for (const int entrance : entrances) {
      if (write(entrance, "0", 1) != 1) _exit(99);
    }
    // As execve would: the lock of the tree is among them.
    close_range(3, ~0U, 0);
    _exit(work());
  }
  close(joined[1]);
  char byte;
  EXPECT_EQ(read(joined[0], &byte, 1), 0);
  close(joined[0]);
  return pid;
}

int Wait(pid_t pid) {
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

void Spin(absl::Duration cpu) {
  timespec now;
  do {
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  } while (absl::DurationFromTimespec(now) < cpu);
}

int Touch(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  std::memset(memory, 1, bytes);
  return 0;
}

TEST(CgroupTree, CountsTheTimeOfChildrenThatNobodyWaitedFor) {
  if (testing::OnlyRootCan("make control groups here")) return;
  const auto tree = OpenTree();
  auto group = tree->Create();
  ASSERT_TRUE(group.ok()) << group.status();
  const int status = Wait(Fork(*group, [] {
    signal(SIGCHLD, SIG_IGN);
    if (fork() == 0) {
      Spin(absl::Milliseconds(100));
      _exit(0);
    }
    return wait(nullptr) == -1 ? 0 : 1;
  }));
  EXPECT_EQ(status, 0);
  const auto cpu = group->CpuTime();
  ASSERT_TRUE(cpu.ok()) << cpu.status();
  EXPECT_GE(*cpu, absl::Milliseconds(100));
  ASSERT_TRUE(group->StartOver().ok());
  EXPECT_LT(*group->CpuTime(), absl::Milliseconds(100));
}

TEST(CgroupTree, SeesResidentMemory) {
  if (testing::OnlyRootCan("make control groups here")) return;
  const auto tree = OpenTree();
  auto group = tree->Create();
  ASSERT_TRUE(group.ok()) << group.status();
  const pid_t pid = Fork(*group, [] {
    Touch(64 << 20);
    pause();
    return 0;
  });
  EXPECT_TRUE(Eventually([&group] {
    const auto bytes = group->MemoryBytes();
    return bytes.ok() && *bytes >= uint64_t{64} << 20;
  }));
  kill(pid, SIGKILL);
  Wait(pid);
}

TEST(CgroupTree, TheKernelHoldsTheMemoryLimit) {
  if (testing::OnlyRootCan("make control groups here")) return;
  const auto tree = OpenTree();
  auto group = tree->Create();
  ASSERT_TRUE(group.ok()) << group.status();
  ASSERT_TRUE(group->SetLimits({.memory_bytes = 32 << 20}).ok());
  EXPECT_EQ(Wait(Fork(*group, [] { return Touch(8 << 20); })), 0);
  EXPECT_EQ(*group->OomKills(), 0u);
  const int status = Wait(Fork(*group, [] { return Touch(64 << 20); }));
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_GE(*group->OomKills(), 1u);
  ASSERT_TRUE(group->StartOver().ok());
  EXPECT_EQ(*group->OomKills(), 0u);
  // And lets go of it.
  ASSERT_TRUE(group->SetLimits({}).ok());
  EXPECT_EQ(Wait(Fork(*group, [] { return Touch(64 << 20); })), 0);
}

TEST(CgroupTree, TheKernelHoldsTheNumberOfProcesses) {
  if (testing::OnlyRootCan("make control groups here")) return;
  const auto tree = OpenTree();
  auto group = tree->Create();
  ASSERT_TRUE(group.ok()) << group.status();
  ASSERT_TRUE(group->SetLimits({.processes = 3}).ok());
  // With itself.
  const int status = Wait(Fork(*group, [] {
    std::vector<pid_t> made;
    for (int i = 0; i < 8; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        pause();
        _exit(0);
      }
      if (child > 0) made.push_back(child);
    }
    for (const pid_t child : made) kill(child, SIGKILL);
    while (wait(nullptr) > 0) {
    }
    return static_cast<int>(made.size());
  }));
  EXPECT_EQ(WEXITSTATUS(status), 2);
}

// A process that opens the tree and is killed, with a process in a group of it
// that goes on. Returns that one's id.
pid_t LeaveOneBehind() {
  int ids[2];
  EXPECT_EQ(pipe(ids), 0);
  const pid_t server = fork();
  if (server == 0) {
    const auto tree = OpenTree();
    auto group = tree->Create();
    const pid_t left = Fork(*group, [] {
      pause();
      return 0;
    });
    if (write(ids[1], &left, sizeof(left)) != sizeof(left)) _exit(1);
    kill(getpid(), SIGKILL);
  }
  pid_t left = -1;
  EXPECT_EQ(read(ids[0], &left, sizeof(left)), ssize_t{sizeof(left)});
  Wait(server);
  close(ids[0]);
  close(ids[1]);
  return left;
}

TEST(CgroupTree, WhatAnEarlierServerLeftIsKilledAndRemoved) {
  if (testing::OnlyRootCan("make control groups here")) return;
  const pid_t left = LeaveOneBehind();
  ASSERT_EQ(kill(left, 0), 0);
  const auto later = OpenTree();
  ASSERT_NE(later, nullptr);
  EXPECT_TRUE(Eventually([left] { return kill(left, 0) != 0; }));
  for (const std::string& path : later->paths()) {
    EXPECT_FALSE(std::filesystem::exists(path + "/run-2")) << path;
  }
}

TEST(CgroupTree, ALivingServersGroupsAreItsOwn) {
  if (testing::OnlyRootCan("make control groups here")) return;
  const auto tree = OpenTree();
  auto group = tree->Create();
  const pid_t pid = Fork(*group, [] {
    pause();
    return 0;
  });
  const auto hierarchies =
      FindHierarchies(Text("/proc/self/mountinfo"), Text("/proc/self/cgroup"));
  // The same, and one beside it that looks for what dead ones left.
  EXPECT_FALSE(
      CgroupTree::Open(*hierarchies, absl::StrCat("cordon-test-", getpid()))
          .ok());
  EXPECT_TRUE(
      CgroupTree::Open(*hierarchies, absl::StrCat("cordon-other-", getpid()))
          .ok());
  EXPECT_EQ(kill(pid, 0), 0);
  EXPECT_TRUE(group->CpuTime().ok());
  kill(pid, SIGKILL);
  Wait(pid);
}

}  // namespace
}  // namespace cordon::sandbox
