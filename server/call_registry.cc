#include "server/call_registry.h"

namespace cordon::server {

void CallRegistry::Add(const std::shared_ptr<ExecutionCall>& call) {
  absl::MutexLock lock(&mutex_);
  calls_.emplace(call.get(), call);
}

void CallRegistry::Remove(ExecutionCall* call) {
  absl::MutexLock lock(&mutex_);
  calls_.erase(call);
}

std::vector<std::shared_ptr<ExecutionCall>> CallRegistry::Calls() const {
  std::vector<std::shared_ptr<ExecutionCall>> calls;
  absl::MutexLock lock(&mutex_);
  for (const auto& [pointer, weak] : calls_) {
    if (auto call = weak.lock()) calls.push_back(std::move(call));
  }
  return calls;
}

bool CallRegistry::AwaitEmpty(absl::Duration timeout) const {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(this, &CallRegistry::Empty),
                                 timeout);
}

}  // namespace cordon::server
