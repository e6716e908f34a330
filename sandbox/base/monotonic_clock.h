// The clock that limits are measured with: CLOCK_MONOTONIC (clock_gettime(2)),
// which no adjustment of the date moves.

#ifndef CORDON_SANDBOX_BASE_MONOTONIC_CLOCK_H_
#define CORDON_SANDBOX_BASE_MONOTONIC_CLOCK_H_

#include <ctime>

#include "absl/time/time.h"

namespace cordon::sandbox {

// Comparable with other values of this function only, not with absl::Now().
inline absl::Time MonotonicNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::TimeFromTimespec(now);
}

// Processor time of the calling thread: what its work costs, however busy the
// machine is (clock_gettime(2)).
inline absl::Duration ThreadCpuTime() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return absl::DurationFromTimespec(time);
}

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_BASE_MONOTONIC_CLOCK_H_
