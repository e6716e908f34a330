#include "sandbox/launch/low_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

namespace cordon::sandbox {
namespace {

// More than launches at a moment: each has a thread.
constexpr int kAtOnce = 8;

}  // namespace

LowDescriptors::LowDescriptors()
    : nothing_(open("/dev/null", O_RDWR | O_CLOEXEC)) {
  for (int i = 0; i < kAtOnce; ++i) {
    Numbers numbers;
    for (int& number : numbers) {
      held_.emplace_back(fcntl(nothing_.get(), F_DUPFD_CLOEXEC, 0));
      if (!held_.back().valid()) return;
      number = held_.back().get();
    }
    absl::MutexLock lock(&mutex_);
    free_.push_back(numbers);
  }
}

LowDescriptors::Streams LowDescriptors::Lend(const Numbers& originals) {
  Streams streams;
  streams.numbers_ = originals;
  Numbers numbers;
  {
    absl::MutexLock lock(&mutex_);
    if (free_.empty()) return streams;
    numbers = free_.back();
    free_.pop_back();
  }
  if (!Fill(numbers, originals)) {
    TakeBack(numbers);
    return streams;
  }
  streams.from_ = this;
  streams.numbers_ = numbers;
  return streams;
}

// Nobody reads from a pipe's end for ever because a copy of the other is here.
void LowDescriptors::TakeBack(const Numbers& numbers) {
  const int nothing = nothing_.get();
  if (!Fill(numbers, {nothing, nothing, nothing})) return;
  absl::MutexLock lock(&mutex_);
  free_.push_back(numbers);
}

bool LowDescriptors::Fill(const Numbers& numbers, const Numbers& with) {
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (dup3(with[i], numbers[i], O_CLOEXEC) < 0) return false;
  }
  return true;
}

}  // namespace cordon::sandbox
