// The calls that are under way: what a shutdown waits for, and then ends.

#ifndef CORDON_SERVER_CALL_REGISTRY_H_
#define CORDON_SERVER_CALL_REGISTRY_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace cordon::server {

class ExecutionCall;

// Thread-safe.
class CallRegistry final {
 public:
  CallRegistry() = default;
  CallRegistry(const CallRegistry&) = delete;
  CallRegistry& operator=(const CallRegistry&) = delete;

  void Add(const std::shared_ptr<ExecutionCall>& call);
  void Remove(ExecutionCall* call);

  std::vector<std::shared_ptr<ExecutionCall>> Calls() const;

  // Blocks until no call is left, or until `timeout` has passed: whether none
  // is left.
  bool AwaitEmpty(absl::Duration timeout) const;

 private:
  bool Empty() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return calls_.empty();
  }

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<ExecutionCall*, std::weak_ptr<ExecutionCall>> calls_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace cordon::server

#endif  // CORDON_SERVER_CALL_REGISTRY_H_
