// What many runs, many requests, many bytes and a large server cost: memory,
// throughput and the latency of one more run, each beside its baseline in the
// same process and in turn.
//
//   bazel run -c opt //tests/bench:load_bench              # a few minutes
//   bazel run -c opt //tests/bench:load_bench -- --parts=sleepers,output
//
// Read the ratios. It takes 6 GiB of memory, a thousand processes and a few
// thousand descriptors.

#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "tests/bench/bare_server.h"
#include "tests/bench/bench_runs.h"
#include "tests/bench/load_parts.h"

ABSL_FLAG(std::vector<std::string>, parts, {},
          "which, separated by commas: sleepers, printers, burst, noisy, "
          "readers, output, input, large; none: all");
ABSL_FLAG(int, rounds, 3, "times that the subjects of a part take turns");

namespace cordon::bench {
namespace {

void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Main() {
  const BareServer bare;
  RaiseDescriptorLimit();
  const std::vector<std::pair<std::string, std::function<void(int)>>> parts = {
      {"sleepers", MeasureSleepers},
      {"printers", MeasurePrinters},
      {"burst", MeasureBurst},
      {"noisy", MeasureNoisyClient},
      {"readers", MeasureSlowReaders},
      {"output", [&](int rounds) { MeasureOutput(bare, rounds); }},
      {"input", [&](int rounds) { MeasureInput(bare, rounds); }},
      {"large", MeasureLargeServer},
  };
  const std::vector<std::string> wanted = absl::GetFlag(FLAGS_parts);
  for (const std::string& name : wanted) {
    if (std::none_of(parts.begin(), parts.end(),
                     [&](const auto& part) { return part.first == name; })) {
      Die(absl::StrCat("there is no part \"", name, "\""));
    }
  }
  for (const auto& [name, measure] : parts) {
    if (wanted.empty() || std::count(wanted.begin(), wanted.end(), name) > 0) {
      measure(absl::GetFlag(FLAGS_rounds));
    }
  }
  return 0;
}

}  // namespace
}  // namespace cordon::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return cordon::bench::Main();
}
