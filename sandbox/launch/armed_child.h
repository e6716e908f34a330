// ArmedChild: a process of this server that has restricted itself already and
// waits to be told which program to become.
//
//   absl::StatusOr<ArmedChild> child = launcher->Arm(plan);
//   // ... later, when a request is there:
//   child->Order(prepared);
//   absl::StatusOr<LaunchResult> result = child->AwaitStart(prepared);
//
// Restricting a process (a session, a uid, Landlock, and above all a seccomp
// filter, which the kernel translates anew for each process) takes longer than
// all that is left to do then.
//
// What it does not do: outlive its owner. One that nobody awaited ends with
// its object.
//
// Contract: thread-safe as a value is: one thread at a time. The child dies
// with the thread that armed it (PR_SET_PDEATHSIG follows the thread,
// prctl(2)), so that one has to be long-lived.

#ifndef CORDON_SANDBOX_LAUNCH_ARMED_CHILD_H_
#define CORDON_SANDBOX_LAUNCH_ARMED_CHILD_H_

#include <linux/filter.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sandbox/base/descriptor_copies.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/keeper/live_groups.h"
#include "sandbox/launch/child/child_main.h"
#include "sandbox/launch/child_stack.h"
#include "sandbox/launch/low_descriptors.h"
#include "sandbox/launch/prepared_child.h"

namespace cordon::sandbox {

// A program that runs. Descriptors are the supervisor's ends.
struct RunningChild {
  // Also the id of its process group and session.
  pid_t pid = -1;
  UniqueFd pidfd;
  // To be left when no process of the group is left; may be empty.
  LiveGroup group;
  // Seccomp notifications (seccomp_unotify(2)).
  UniqueFd listener;
  // Not valid when all of the input was delivered before the start.
  UniqueFd stdin_writer;
  UniqueFd stdout_reader;
  UniqueFd stderr_reader;
  // When the child was told to go, as MonotonicNow gives it.
  absl::Time start;
};

// The program could not be started, and that is the caller's doing.
struct StartFailure {
  // errno(3) of execve.
  int error_number = 0;
  // What was tried.
  std::string path;
};

using LaunchResult = std::variant<RunningChild, StartFailure>;

class ArmedChild {
 public:
  ArmedChild(ArmedChild&& other) noexcept = default;
  ArmedChild& operator=(ArmedChild&& other) noexcept;
  // Ends the child, unless AwaitStart returned it, and waits for its end.
  ~ArmedChild();

  // Once: tells the child to become `program`, which is borrowed until
  // AwaitStart returns. Does not wait.
  void Order(const PreparedChild& program);
  // Once, after Order, with its program. Waits until the program runs, or could
  // not be started. UNAVAILABLE when something killed the child before it
  // began: `program` is as it was, for another child. INTERNAL with the child's
  // step and errno for every failure that is ours, in arming as well. The child
  // is gone then.
  absl::StatusOr<LaunchResult> AwaitStart(PreparedChild& program);

 private:
  friend class Launcher;

  // What child and parent share, until the child has left this memory.
  struct Shared {
    ChildContext context = {};
    sock_fprog filter = {};
    std::vector<int> entrances;
    // What `order` points to.
    std::vector<const char*> argv, environment, candidates;
    ChildOrder order = {};
    // A futex(2): the kernel clears it, and wakes who waits, when the child
    // leaves this memory, by execve or by its end (set_tid_address(2)).
    std::atomic<pid_t> in_this_memory = 1;
  };

  ArmedChild(ChildStack stack, StackPool* stacks, LowDescriptors* low)
      : shared_(std::make_unique<Shared>()),
        stack_(std::move(stack)),
        stacks_(stacks),
        low_(low) {}
  void AwaitDeparture();
  void NoteDeparture();
  void LetExecute();
  void Wake(ChildOrdered ordered);
  void Dismiss();
  void Reap();

  std::unique_ptr<Shared> shared_;
  ChildStack stack_;
  StackPool* stacks_;
  LowDescriptors* low_;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  LiveGroup group_;
  // From its order to its execve.
  DescriptorCopies::Copy descriptors_;
  LowDescriptors::Streams streams_;
  bool asks_to_execute_ = false;
  // When it was ordered to execute.
  std::optional<absl::Time> ordered_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_LAUNCH_ARMED_CHILD_H_
