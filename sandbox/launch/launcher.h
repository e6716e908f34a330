// Launcher: makes the processes that become programs.
//
//   Launcher launcher(/*live_groups=*/nullptr);
//   absl::StatusOr<ArmedChild> child = launcher.Arm(plan);
//
// clone(2) with CLONE_VM and CLONE_FILES: copying the page tables of a large
// server would cost tens of milliseconds a launch; this way its size does not
// matter.
//
// Contract: it is made after the process has set its signal handlers, which
// it does not change any more. Thread-safe; outlives its children.

#ifndef CORDON_SANDBOX_LAUNCH_LAUNCHER_H_
#define CORDON_SANDBOX_LAUNCH_LAUNCHER_H_

#include <linux/filter.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "sandbox/keeper/live_groups.h"
#include "sandbox/launch/armed_child.h"
#include "sandbox/launch/child_stack.h"
#include "sandbox/launch/low_descriptors.h"

namespace cordon::sandbox {

// The uid and gid of a run of its own.
struct RunIdentity {
  uint32_t uid = 0;
  uint32_t gid = 0;
};

// Where a child begins.
enum class ArmOn {
  kAnyProcessor,
  // The caller's, since others are likely to be busy (same_processor.h).
  kThisProcessor,
};

// What restricts a child. Borrowed, until the child was launched.
struct ArmPlan {
  // Where the program starts.
  int working_directory = -1;
  // Empty: runs share the server's identity.
  std::optional<RunIdentity> identity;
  // -1: no Landlock.
  int landlock_ruleset = -1;
  const std::vector<sock_filter>* filter = nullptr;
  // Whether the filter asks about execve, which AwaitStart then answers.
  bool asks_to_execute = false;
  // Of the run's cgroup; empty: none.
  std::vector<int> cgroup_entrances;
  ArmOn on = ArmOn::kAnyProcessor;
};

class Launcher {
 public:
  // `live_groups` gets the group of every child; may be null, and outlives
  // them. Who calls Arm was started by this thread.
  explicit Launcher(LiveGroups* live_groups);
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  // RESOURCE_EXHAUSTED when the host has no room for another process, or
  // `live_groups` has none for another group; INTERNAL with step and errno.
  // Does not wait for the child to be armed: what fails in it is Launch's to
  // report.
  absl::StatusOr<ArmedChild> Arm(ArmPlan plan);

 private:
  LiveGroups* const live_groups_;
  // As ChildContext wants it.
  const uint64_t signals_to_reset_;
  const bool has_all_processors_;
  StackPool stacks_;
  LowDescriptors low_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_LAUNCH_LAUNCHER_H_
