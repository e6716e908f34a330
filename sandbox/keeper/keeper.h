// Keeper: a small process that outlives this one, however this one ends, and
// then kills every process group that it was running.
//
//   auto groups = LiveGroups::Create(slots);
//   auto keeper = Keeper::Start({.groups = groups->get()});
//   options.live_groups = groups->get();           // SandboxOptions
//   ... poll (*keeper)->fd(): readable when the keeper has ended ...
//
// Why: the first process of a run dies with the server (PR_SET_PDEATHSIG), its
// descendants do not, and nobody is left who would end them.
//
// What it does not do: remove directories (the next start does, and the
// keeper's copy of the lock keeps it waiting until the runs are gone), or end
// groups of a server that lives. It is no parent of the server, so the process
// that one starts and signals is the server. Where the server is process 1 of a
// container, the kernel ends all processes with it, and the keeper has nothing
// to do.
//
// How it hears: it polls a pidfd of this process, which is readable when the
// last thread has ended (pidfd_open(2)): after that no group is made any more.
// Not a pipe, which a child between clone and execve would hold open.
//
// Why a run cannot end it: it is outside of the run's Landlock domain, which
// scopes signals (ABI 6), below that the supervisor asks whether a target is in
// the run; and as root the keeper has another uid. It ignores every signal that
// can be ignored.
//
// What if an id in the table were another group's by then? An id is entered by
// its own leader before that executes anything, and leaves the table when
// waitid(2) says that the group is empty. The kernel hands a number out again
// only after all others of its range, and never while a process of the group
// or a zombie is left (the group's struct pid holds it). So a wrong one would
// take 32,768 or more new processes between the last wait of the server and its
// next instruction, or between two looks of the keeper, 16 ms at most; and a
// new leader with that very number. An unprivileged keeper could not signal
// another user's group even then.
//
// Contract: Start and Restart may be called with threads running; the first
// Start is better made before there are any, while little memory is copied.
// `groups` and the memory of `command_line` outlive this process's use of them.

#ifndef CORDON_SANDBOX_KEEPER_KEEPER_H_
#define CORDON_SANDBOX_KEEPER_KEEPER_H_

#include <sys/types.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/keeper/live_groups.h"

namespace cordon::sandbox {

struct KeeperOptions {
  const LiveGroups* groups = nullptr;
  // A descriptor that stays open until the runs are gone: a lock (flock(2)).
  // Borrowed; -1: none.
  int held_descriptor = -1;
  // main's arguments: the keeper writes its name over its own copy of them, for
  // ps(1). May be empty.
  absl::Span<char* const> command_line;
};

class Keeper {
 public:
  // Returns when the keeper is ready. INTERNAL with step and errno.
  static absl::StatusOr<std::unique_ptr<Keeper>> Start(
      const KeeperOptions& options);

  // The keeper stays; it ends with this process.
  ~Keeper() = default;
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Readable (end of file) when the keeper has ended, which it does not while
  // this process lives unless somebody killed it.
  int fd() const { return alive_.get(); }
  pid_t pid() const { return pid_; }

  // Starts another one, with the same groups. Errors as Start.
  absl::Status Restart();

 private:
  explicit Keeper(const KeeperOptions& options) : options_(options) {}

  const KeeperOptions options_;
  UniqueFd alive_;
  pid_t pid_ = -1;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_KEEPER_KEEPER_H_
