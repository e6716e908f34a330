// PreparedChild: everything that a program needs to start, allocated and opened
// by the parent, so that the child has nothing left to do but system calls.

#ifndef CORDON_SANDBOX_LAUNCH_PREPARED_CHILD_H_
#define CORDON_SANDBOX_LAUNCH_PREPARED_CHILD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/launch/child/child_main.h"
#include "sandbox/spec/execution_spec.h"

namespace cordon::sandbox {

// What a launch takes from the run. Borrowed: all of it outlives the
// PreparedChild.
struct LaunchPlan {
  const Step* step = nullptr;
  const std::vector<std::string>* path_directories = nullptr;
  // Executed in place of argv[0], unless it is empty.
  std::string program;
  // Absolute: HOME and TMPDIR.
  std::string home;
  std::string temporary_directory;
};

class PreparedChild {
 public:
  PreparedChild(PreparedChild&&) = default;
  PreparedChild& operator=(PreparedChild&&) = default;

 private:
  friend class ArmedChild;
  friend class WarmFork;
  friend absl::StatusOr<PreparedChild> PrepareChild(const LaunchPlan& plan);
  PreparedChild() = default;

  std::vector<std::string> argv_;
  std::vector<std::string> environment_;
  std::vector<std::string> candidates_;
  std::vector<ChildResourceLimit> resource_limits_;

  // The program's ends, closed after the launch, and the supervisor's ends.
  UniqueFd child_stdin_, child_stdout_, child_stderr_;
  UniqueFd stdin_, stdout_, stderr_;
};

// RLIMIT_DATA of a process whose run may use `memory_bytes`: what a program
// reserves is not what it uses, and runtimes reserve generously, so one process
// may map 4 GiB more than its run may use. What it uses is sampled.
uint64_t DataLimitBytes(uint64_t memory_bytes);

// Makes the pipes and the argument vectors of one step. Standard input that
// fits a pipe (64 KiB, pipe(7)) is written here and closed; an empty one is
// /dev/null. Errors: INTERNAL with the step and errno (EMFILE, ENFILE, ENOMEM).
absl::StatusOr<PreparedChild> PrepareChild(const LaunchPlan& plan);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_LAUNCH_PREPARED_CHILD_H_
