// ChildStack: where a child that shares this process's memory runs.
// StackPool: those that wait to be used again, since mapping and unmapping one
// interrupts every processor that runs a thread of this process.
//
// Contract: a pool is thread-safe, and outlives the stacks that it gave.

#ifndef CORDON_SANDBOX_LAUNCH_CHILD_STACK_H_
#define CORDON_SANDBOX_LAUNCH_CHILD_STACK_H_

#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace cordon::sandbox {

class ChildStack {
 public:
  // INTERNAL with step and errno (ENOMEM).
  static absl::StatusOr<ChildStack> Map();
  ChildStack(ChildStack&& other) noexcept;
  ChildStack& operator=(ChildStack&& other) noexcept;
  ~ChildStack();

  // The end of it, which clone(2) wants: stacks grow down, towards a page that
  // cannot be touched.
  void* top() const;

 private:
  explicit ChildStack(void* base) : base_(base) {}

  void* base_;
};

class StackPool {
 public:
  absl::StatusOr<ChildStack> Take() ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveBack(ChildStack stack) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  std::vector<ChildStack> free_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_LAUNCH_CHILD_STACK_H_
