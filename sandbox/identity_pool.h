// IdentityPool hands each run a uid and gid of its own, so that runs cannot
// touch each other's files and processes.
//
// Contract: thread-safe. A uid is handed out again only after Release, and as
// late as possible: something that outlived its run would show.

#ifndef CORDON_SANDBOX_IDENTITY_POOL_H_
#define CORDON_SANDBOX_IDENTITY_POOL_H_

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>

namespace cordon::sandbox {

class IdentityPool {
 public:
  // `count` numbers from `first`.
  IdentityPool(uint32_t first, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) free_.push_back(first + i);
  }

  // nullopt when all are in use.
  std::optional<uint32_t> Acquire() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (free_.empty()) return std::nullopt;
    const uint32_t id = free_.front();
    free_.pop_front();
    return id;
  }

  void Release(uint32_t id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back(id);
  }

 private:
  std::mutex mutex_;
  // Guarded by mutex_.
  std::deque<uint32_t> free_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_IDENTITY_POOL_H_
