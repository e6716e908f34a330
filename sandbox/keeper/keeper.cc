// The doors are Start and Restart.

#include "sandbox/keeper/keeper.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "sandbox/base/errno_status.h"
#include "sandbox/base/scoped_signal_block.h"
#include "sandbox/keeper/keeper_main.h"

namespace cordon::sandbox {
namespace {

// fork(2) without the handlers that libraries registered for it: they take
// locks, and the child needs nothing of what they would prepare.
pid_t Fork() {
  return static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

// Forks twice: the keeper is not among the children that this process waits for
// by name. One that is started again becomes a child after all, because this
// process is a subreaper by then (prctl(2)); runs are waited for by their
// group, which it is not in.
absl::Status ForkKeeper(const KeeperContext& context) {
  // The keeper is deaf to all that can be blocked.
  const ScopedSignalBlock no_signals;
  const pid_t between = Fork();
  if (between < 0) return ErrnoToStatus(errno, "fork the keeper");
  if (between == 0) {
    const pid_t keeper = Fork();
    if (keeper == 0) KeeperMain(context);
    _exit(keeper < 0 ? errno : 0);
  }
  int status = 0;
  while (waitpid(between, &status, 0) < 0) {
    if (errno != EINTR) return ErrnoToStatus(errno, "wait for a fork");
  }
  if (status != 0) {
    return ErrnoToStatus(WIFEXITED(status) ? WEXITSTATUS(status) : EINTR,
                         "fork the keeper");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Keeper>> Keeper::Start(
    const KeeperOptions& options) {
  std::unique_ptr<Keeper> keeper(new Keeper(options));
  if (absl::Status status = keeper->Restart(); !status.ok()) return status;
  return keeper;
}

absl::Status Keeper::Restart() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoToStatus(errno, "pipe2");
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const UniqueFd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!self.valid()) return ErrnoToStatus(errno, "pidfd_open");

  KeeperContext context;
  context.slots = options_.groups->slots();
  context.capacity = options_.groups->capacity();
  context.server_pid = getpid();
  context.server = self.get();
  context.alive = writer.get();
  context.held = options_.held_descriptor;
  if (!options_.command_line.empty()) {
    // One block, in order (execve(2) lays it out so).
    char* const last = options_.command_line.back();
    context.command_line = options_.command_line.front();
    context.command_line_size =
        static_cast<size_t>(last + strlen(last) + 1 - context.command_line);
  }
  if (absl::Status forked = ForkKeeper(context); !forked.ok()) return forked;
  writer.Reset();
  pid_t pid = -1;
  ssize_t size;
  do {
    size = read(reader.get(), &pid, sizeof(pid));
  } while (size < 0 && errno == EINTR);
  if (size != sizeof(pid)) return ErrnoToStatus(EPIPE, "start of the keeper");
  // Where this process is the reaper of orphans, the one before is a zombie.
  if (pid_ > 0) waitpid(pid_, nullptr, WNOHANG);
  alive_ = std::move(reader);
  pid_ = pid;
  return absl::OkStatus();
}

}  // namespace cordon::sandbox
