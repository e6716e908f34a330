// What the kernel says of another process, for tests that look for leaks.
//
//   EXPECT_TRUE(Eventually([&] { return ChildrenOf(server.pid()).empty(); }));
//
// Sources: proc_pid_task(5), proc_pid_fd(5), proc_pid_status(5),
// proc_pid_stat(5).

#ifndef CORDON_TESTS_SUPPORT_PROCESS_VIEW_H_
#define CORDON_TESTS_SUPPORT_PROCESS_VIEW_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cordon::testing {

// Children of all its threads, zombies included; but not those that wait,
// armed, for a program to become (sandbox/launch/armed_child.h), and not the
// templates (sandbox/warm).
std::vector<pid_t> ChildrenOf(pid_t pid);
// Those.
std::vector<pid_t> ArmedChildrenOf(pid_t pid);
std::vector<pid_t> TemplatesOf(pid_t pid);
int DescriptorsOf(pid_t pid);
int ThreadsOf(pid_t pid);
uint64_t ResidentBytesOf(pid_t pid);
// User and system time in clock ticks, as one text; empty when it is gone.
std::string CpuTicksOf(pid_t pid);

// Processes that have `mark` somewhere in their arguments.
std::vector<pid_t> ProcessesMarked(const std::string& mark);
// The keeper of that server (sandbox/keeper), found by its name and the
// server's id in its arguments; -1 when there is none.
pid_t KeeperOf(pid_t server);

// Looks again and again, for at most 30 seconds, until `condition` holds.
bool Eventually(const std::function<bool()>& condition);

}  // namespace cordon::testing

#endif  // CORDON_TESTS_SUPPORT_PROCESS_VIEW_H_
