// The door is Launcher::Arm.

#include "sandbox/launch/launcher.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "sandbox/base/errno_status.h"
#include "sandbox/base/scoped_signal_block.h"
#include "sandbox/launch/same_processor.h"

namespace cordon::sandbox {
namespace {

// Asked once: in the child, where it would take a system call for each signal,
// it would be a twentieth of a launch.
//
// Of the kernel, since sigaction(3) says nothing of the two signals that the C
// library has for itself, and that posix_spawn(3), by which the server may have
// been started, leaves ignored.
uint64_t SignalsWithoutDefault() {
  // The kernel's struct sigaction: handler, flags, restorer, mask.
  constexpr int kLastSignal = 64;
  unsigned long action[4] = {};
  uint64_t signals = 0;
  for (int signal = 1; signal <= kLastSignal; ++signal) {
    if (syscall(SYS_rt_sigaction, signal, nullptr, action,
                sizeof(unsigned long)) == 0 &&
        action[0] != 0) {
      signals |= uint64_t{1} << (signal - 1);
    }
  }
  return signals;
}

}  // namespace

Launcher::Launcher(LiveGroups* live_groups)
    : live_groups_(live_groups),
      signals_to_reset_(SignalsWithoutDefault()),
      has_all_processors_(HasAllProcessors()) {}

absl::StatusOr<ArmedChild> Launcher::Arm(ArmPlan plan) {
  absl::StatusOr<ChildStack> stack = stacks_.Take();
  if (!stack.ok()) return stack.status();
  ArmedChild child(*std::move(stack), &stacks_, &low_);
  if (live_groups_ != nullptr) {
    child.group_ = live_groups_->Reserve();
    if (!child.group_.valid()) {
      return absl::ResourceExhaustedError(
          "the keeper has no room for another process group");
    }
  }
  ArmedChild::Shared& shared = *child.shared_;
  child.asks_to_execute_ = plan.asks_to_execute;
  shared.filter = {static_cast<unsigned short>(plan.filter->size()),
                   const_cast<sock_filter*>(plan.filter->data())};
  shared.entrances = std::move(plan.cgroup_entrances);
  const RunIdentity identity = plan.identity.value_or(RunIdentity{});
  shared.context = {
      .signals_to_reset = signals_to_reset_,
      .working_directory = plan.working_directory,
      .cgroup_entrances = shared.entrances.data(),
      .cgroup_entrance_count = static_cast<int>(shared.entrances.size()),
      .identity = plan.identity.has_value() ? ChildIdentity::kSwitch
                                            : ChildIdentity::kKeep,
      .uid = identity.uid,
      .gid = identity.gid,
      .parent_pid = getpid(),
      .landlock_ruleset = plan.landlock_ruleset,
      .filter = &shared.filter,
      .live_group = child.group_.address(),
      .listener = -1,
      .report = {ChildStep::kProcessors, 0, 0},
      .ordered = static_cast<uint32_t>(ChildOrdered::kWait),
      .order = nullptr,
  };
  int pidfd = -1;
  int error_number = 0;
  {
    const ScopedSignalBlock no_signals;
    std::optional<SameProcessor> here;
    if (plan.on == ArmOn::kThisProcessor && has_all_processors_) here.emplace();
    if (here.has_value() && here->holds()) {
      shared.context.processors = &AllProcessors();
      shared.context.processors_size = sizeof(cpu_set_t);
    }
    child.pid_ = clone(
        &CordonChildMain, child.stack_.top(),
        CLONE_VM | CLONE_FILES | CLONE_PIDFD | CLONE_CHILD_CLEARTID | SIGCHLD,
        &shared.context, &pidfd, nullptr, &shared.in_this_memory);
    if (child.pid_ < 0) error_number = errno;
  }
  if (child.pid_ < 0) {
    if (error_number == EAGAIN) {
      return absl::ResourceExhaustedError(
          "the host has no room for another process (clone: EAGAIN)");
    }
    return ErrnoToStatus(error_number, "clone");
  }
  child.pidfd_.Reset(pidfd);
  return child;
}

}  // namespace cordon::sandbox
