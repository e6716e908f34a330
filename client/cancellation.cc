#include "client/cancellation.h"

#include <utility>

namespace cordon::client {

void Cancellation::Arm(std::function<void()> cancel) {
  absl::MutexLock lock(&mutex_);
  cancel_ = std::move(cancel);
  if (signal_ != 0) cancel_();
}

void Cancellation::Disarm() {
  absl::MutexLock lock(&mutex_);
  cancel_ = nullptr;
}

Cancellation::Effect Cancellation::Request(int signal) {
  absl::MutexLock lock(&mutex_);
  if (signal_ == 0) {
    signal_ = signal;
    if (cancel_) cancel_();
  }
  return cancel_ ? Effect::kCancelled : Effect::kNothingArmed;
}

int Cancellation::signal() const {
  absl::MutexLock lock(&mutex_);
  return signal_;
}

}  // namespace cordon::client
