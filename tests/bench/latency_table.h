// Latencies of several subjects, measured in turn, as a table with ratios to
// the first subject of a group.

#ifndef CORDON_TESTS_BENCH_LATENCY_TABLE_H_
#define CORDON_TESTS_BENCH_LATENCY_TABLE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace cordon::bench {

struct Latencies {
  std::string subject;
  std::vector<absl::Duration> samples;
  // From the first start to the last end of all rounds, for the throughput.
  absl::Duration elapsed;
};

// One turn: adds what `operation` returns, again and again until `turn` has
// passed, at least once.
void SampleFor(absl::Duration turn,
               const std::function<absl::Duration()>& operation,
               std::vector<absl::Duration>& samples);

// The smallest sample that `fraction` of all do not exceed. `samples` is not
// empty.
absl::Duration Percentile(std::vector<absl::Duration> samples, double fraction);

// Prints a title and a line a subject: p50, p95, both as ratios to the first
// subject, and operations a second.
void PrintTable(const std::string& title, const std::vector<Latencies>& rows);

}  // namespace cordon::bench

#endif  // CORDON_TESTS_BENCH_LATENCY_TABLE_H_
