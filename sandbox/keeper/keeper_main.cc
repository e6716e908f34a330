// The door is KeeperMain.

#include "sandbox/keeper/keeper_main.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace cordon::sandbox {
namespace {

constexpr int64_t kFirstPauseNanoseconds = 1'000'000;
constexpr int64_t kLongestPauseNanoseconds = 16'000'000;
// One SIGKILL is enough for a group, because the kernel lets none of it fork
// meanwhile (fork(2), ERESTARTNOINTR). So this is for what takes long to die, a
// process in the middle of a disk access; a zombie that nobody reaps looks the
// same from here.
constexpr int64_t kPatienceNanoseconds = 500'000'000;

// All descriptors but the context's own. What the server has open (its log, its
// listening socket, the lock of its directory of runs) ends with the server.
void CloseDescriptors(const KeeperContext& context) {
  int kept[] = {context.server, context.alive, context.held};
  std::sort(std::begin(kept), std::end(kept));
  unsigned int first = 0;
  for (const int fd : kept) {
    if (fd < 0) continue;
    const auto number = static_cast<unsigned int>(fd);
    if (number > first) syscall(SYS_close_range, first, number - 1, 0);
    first = number + 1;
  }
  syscall(SYS_close_range, first, ~0U, 0);
}

// "cordond: keeper of 1234", for ps(1).
void RenameCommandLine(const KeeperContext& context) {
  static constexpr char kTitle[] = "cordond: keeper of ";
  char digits[16];
  char* digit = std::end(digits);
  for (pid_t rest = context.server_pid; rest > 0; rest /= 10) {
    *--digit = static_cast<char>('0' + rest % 10);
  }
  const auto digit_count = static_cast<size_t>(std::end(digits) - digit);
  const size_t size = sizeof(kTitle) - 1 + digit_count;
  if (context.command_line == nullptr || context.command_line_size <= size) {
    return;
  }
  memset(context.command_line, 0, context.command_line_size);
  memcpy(context.command_line, kTitle, sizeof(kTitle) - 1);
  memcpy(context.command_line + sizeof(kTitle) - 1, digit, digit_count);
}

// All but the one that reaches runs with a uid of their own; of those that the
// server has none is gained. Failure leaves what an idle process does not use.
void KeepCapabilityToKill() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return;
  const uint32_t kill = data[0].permitted & (1u << CAP_KILL);
  const __user_cap_data_struct kept[2] = {{kill, kill, 0}, {0, 0, 0}};
  syscall(SYS_capset, &header, kept);
}

// A session of its own: neither the terminal's keys nor a signal to the
// server's process group reaches it. Every signal is blocked already; what
// cannot be blocked, a run cannot send.
void StandApart(const KeeperContext& context) {
  setsid();
  CloseDescriptors(context);
  (void)!chdir("/");
  RenameCommandLine(context);
  prctl(PR_SET_NAME, "cordond-keeper");
  KeepCapabilityToKill();
  // It has a copy of what the server's memory was when it was forked.
  prctl(PR_SET_DUMPABLE, 0);
}

void AwaitEndOf(int pidfd) {
  pollfd end = {pidfd, POLLIN, 0};
  while (poll(&end, 1, -1) != 1 || (end.revents & POLLIN) == 0) {
  }
}

// Whether some are left. A group that is not there any more (ESRCH), or whose
// id has become somebody else's (EPERM), is not looked at again.
bool KillLiveGroups(const KeeperContext& context) {
  bool left = false;
  for (size_t i = 0; i < context.capacity; ++i) {
    const pid_t pgid = context.slots[i].load();
    // kill(2) reads -1 and 0 as "everybody".
    if (pgid <= 1) continue;
    if (kill(-pgid, SIGKILL) == 0) {
      left = true;
    } else {
      context.slots[i].store(kFreeSlot);
    }
  }
  return left;
}

}  // namespace

void KeeperMain(const KeeperContext& context) {
  StandApart(context);
  const pid_t own = getpid();
  // When nobody reads, the server is gone already, which is what comes next.
  (void)!write(context.alive, &own, sizeof(own));
  AwaitEndOf(context.server);
  int64_t waited = 0;
  int64_t pause = kFirstPauseNanoseconds;
  while (KillLiveGroups(context) && waited < kPatienceNanoseconds) {
    const timespec time = {0, pause};
    nanosleep(&time, nullptr);
    waited += pause;
    pause = std::min(pause * 2, kLongestPauseNanoseconds);
  }
  _exit(0);
}

}  // namespace cordon::sandbox
