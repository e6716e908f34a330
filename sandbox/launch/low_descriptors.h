// LowDescriptors: numbers of descriptors that are kept for the streams of a
// program about to start.
//
//   LowDescriptors low;  // Early, while a process has few.
//   LowDescriptors::Streams streams = low.Lend({in, out, err});
//   // streams.numbers(): copies of them, until it ends.
//
// A child takes a copy of this process's descriptors, and leaves out those that
// come after its streams (close_range(2), CLOSE_RANGE_UNSHARE). A server of a
// thousand runs has sixteen thousand: with its streams among the first of them,
// a launch takes what it takes in an idle one.
//
// Contract: thread-safe; outlives what it lends.

#ifndef CORDON_SANDBOX_LAUNCH_LOW_DESCRIPTORS_H_
#define CORDON_SANDBOX_LAUNCH_LOW_DESCRIPTORS_H_

#include <array>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::sandbox {

class LowDescriptors {
 public:
  using Numbers = std::array<int, 3>;

  // Copies of three descriptors; closed at its end.
  class Streams {
   public:
    Streams() = default;
    Streams(Streams&& other) noexcept
        : from_(std::exchange(other.from_, nullptr)),
          numbers_(other.numbers_) {}
    Streams& operator=(Streams&& other) noexcept {
      std::swap(from_, other.from_);
      std::swap(numbers_, other.numbers_);
      return *this;
    }
    ~Streams() { End(); }
    void End() {
      if (from_ != nullptr) std::exchange(from_, nullptr)->TakeBack(numbers_);
    }
    const Numbers& numbers() const { return numbers_; }

   private:
    friend class LowDescriptors;
    LowDescriptors* from_ = nullptr;
    Numbers numbers_ = {-1, -1, -1};
  };

  LowDescriptors();

  // The originals' own numbers when there are no others left.
  Streams Lend(const Numbers& originals) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void TakeBack(const Numbers& numbers) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Fill(const Numbers& numbers, const Numbers& with);

  // What fills them while they are not lent.
  UniqueFd nothing_;
  std::vector<UniqueFd> held_;
  absl::Mutex mutex_;
  std::vector<Numbers> free_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_LAUNCH_LOW_DESCRIPTORS_H_
