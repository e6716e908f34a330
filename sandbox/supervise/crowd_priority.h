// How much of a processor a run of many gets beside others.
//
//   setpriority(PRIO_PGRP, pgid, CrowdNiceness(256, /*processors=*/2));
//
// The kernel shares processors among threads, not among runs, unless each run
// has a group of its own (autogroup, or a cgroup; sched(7)). Where it has none,
// a run of many that compute would take nearly all from one of a few.

#ifndef CORDON_SANDBOX_SUPERVISE_CROWD_PRIORITY_H_
#define CORDON_SANDBOX_SUPERVISE_CROWD_PRIORITY_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace cordon::sandbox {

// 24 threads, or six for each processor if that is more, are nobody's crowd: a
// JVM has as many. The niceness of more is such that together they weigh less
// the more they are, as if they were 24 * 24 / `threads`. Each level is a
// factor of 1.25 (sched(7)). 0 to 19.
inline int CrowdNiceness(uint32_t threads, int processors) {
  constexpr double kFactorOfALevel = 1.25;
  constexpr int kLowestPriority = 19;
  const double ordinary = std::max(24, 6 * processors);
  const double crowd = std::max(1.0, threads / ordinary);
  const double levels = 2 * std::log(crowd) / std::log(kFactorOfALevel);
  return std::min(kLowestPriority, static_cast<int>(levels));
}

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_CROWD_PRIORITY_H_
