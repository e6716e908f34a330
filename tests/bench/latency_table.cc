#include "tests/bench/latency_table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "sandbox/base/monotonic_clock.h"

namespace cordon::bench {

void SampleFor(absl::Duration turn,
               const std::function<absl::Duration()>& operation,
               std::vector<absl::Duration>& samples) {
  const absl::Time end = sandbox::MonotonicNow() + turn;
  do {
    samples.push_back(operation());
  } while (sandbox::MonotonicNow() < end);
}

absl::Duration Percentile(std::vector<absl::Duration> samples,
                          double fraction) {
  std::sort(samples.begin(), samples.end());
  const auto rank = static_cast<size_t>(
      std::ceil(fraction * static_cast<double>(samples.size())));
  return samples[std::max<size_t>(rank, 1) - 1];
}

void PrintTable(const std::string& title, const std::vector<Latencies>& rows) {
  std::printf("\n%s (%zu samples each, interleaved)\n", title.c_str(),
              rows.front().samples.size());
  std::printf("  %-34s %10s %7s %10s %7s %9s\n", "", "p50", "ratio", "p95",
              "ratio", "per s");
  const absl::Duration base_p50 = Percentile(rows.front().samples, 0.5);
  const absl::Duration base_p95 = Percentile(rows.front().samples, 0.95);
  for (const Latencies& row : rows) {
    const absl::Duration p50 = Percentile(row.samples, 0.5);
    const absl::Duration p95 = Percentile(row.samples, 0.95);
    std::printf(
        "  %-34s %7.3f ms %6.2fx %7.3f ms %6.2fx %9.0f\n", row.subject.c_str(),
        absl::ToDoubleMilliseconds(p50), absl::FDivDuration(p50, base_p50),
        absl::ToDoubleMilliseconds(p95), absl::FDivDuration(p95, base_p95),
        static_cast<double>(row.samples.size()) /
            absl::ToDoubleSeconds(row.elapsed));
  }
}

}  // namespace cordon::bench
