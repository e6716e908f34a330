// DescriptorCopies counts the children of this process that have a copy of its
// descriptors, for the moment between taking it and their execve(2).
//
//   DescriptorCopies::Copy copy = DescriptorCopies::Of().Add();  // before
//   there is one DescriptorCopies::Of().AwaitOlder(absl::Milliseconds(100));
//
// A file that was open for writing in this process is busy in each of them, so
// that nobody can execute it (execve(2), ETXTBSY), after this process has
// closed it.
//
// Contract: thread-safe; one a process.

#ifndef CORDON_SANDBOX_BASE_DESCRIPTOR_COPIES_H_
#define CORDON_SANDBOX_BASE_DESCRIPTOR_COPIES_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <utility>

#include "absl/time/time.h"

namespace cordon::sandbox {

class DescriptorCopies {
 public:
  static DescriptorCopies& Of() {
    static DescriptorCopies& only = *new DescriptorCopies;
    return only;
  }

  // One child's; ends with the object.
  class Copy {
   public:
    Copy() = default;
    Copy(Copy&& other) noexcept : id_(std::exchange(other.id_, 0)) {}
    Copy& operator=(Copy&& other) noexcept {
      std::swap(id_, other.id_);
      return *this;
    }
    ~Copy() { End(); }
    void End() {
      if (id_ != 0) Of().Remove(std::exchange(id_, 0));
    }

   private:
    friend class DescriptorCopies;
    explicit Copy(uint64_t id) : id_(id) {}
    uint64_t id_ = 0;
  };

  Copy Add() {
    const std::lock_guard<std::mutex> lock(mutex_);
    live_.insert(++last_);
    return Copy(last_);
  }

  // Waits until those that there are have ended, or for `patience`.
  void AwaitOlder(absl::Duration patience) {
    std::unique_lock<std::mutex> lock(mutex_);
    const uint64_t last = last_;
    changed_.wait_for(lock, absl::ToChronoMilliseconds(patience),
                      [&] { return live_.empty() || *live_.begin() > last; });
  }

 private:
  DescriptorCopies() = default;
  void Remove(uint64_t id) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      live_.erase(id);
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t last_ = 0;
  std::set<uint64_t> live_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_BASE_DESCRIPTOR_COPIES_H_
