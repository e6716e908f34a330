// A request to stop what is under way, from another thread.
//
//   Cancellation cancellation;
//   cancellation.Arm([&] { context.TryCancel(); });
//   ... another thread: cancellation.Request(SIGINT) ...
//   cancellation.Disarm();
//   if (cancellation.signal() != 0) return 128 + cancellation.signal();
//
// Contract: Request may be called from any thread; Arm and Disarm from the one
// that does the work. After Disarm the function is neither running nor called.

#ifndef CORDON_CLIENT_CANCELLATION_H_
#define CORDON_CLIENT_CANCELLATION_H_

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace cordon::client {

class Cancellation final {
 public:
  Cancellation() = default;
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  // Calls `cancel` once when asked to stop: at once if that was before.
  void Arm(std::function<void()> cancel);
  void Disarm();

  // The first request counts. Returns whether something was there to cancel.
  enum class Effect { kCancelled, kNothingArmed };
  Effect Request(int signal);

  // The signal that asked, or 0.
  int signal() const;

 private:
  mutable absl::Mutex mutex_;
  std::function<void()> cancel_ ABSL_GUARDED_BY(mutex_);
  int signal_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace cordon::client

#endif  // CORDON_CLIENT_CANCELLATION_H_
