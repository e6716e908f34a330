#include "tests/bench/server_load.h"

#include <unistd.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "sandbox/base/monotonic_clock.h"
#include "tests/support/process_view.h"

namespace cordon::bench {
namespace {

absl::Duration CpuOf(pid_t pid) {
  const std::pair<std::string, std::string> ticks =
      absl::StrSplit(testing::CpuTicksOf(pid), '+');
  int64_t user = 0, system = 0;
  if (!absl::SimpleAtoi(ticks.first, &user) ||
      !absl::SimpleAtoi(ticks.second, &system)) {
    return absl::ZeroDuration();
  }
  return absl::Seconds(1) * (user + system) / sysconf(_SC_CLK_TCK);
}

}  // namespace

ServerLoad LoadOf(pid_t pid) {
  ServerLoad load;
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  std::string word;
  while (status >> word) {
    uint64_t kibibytes = 0;
    const bool resident = word == "VmRSS:" || word == "VmPTE:";
    if (!resident && word != "VmHWM:") continue;
    if (!(status >> kibibytes)) break;
    (resident ? load.memory : load.peak) += kibibytes << 10;
  }
  load.threads = testing::ThreadsOf(pid);
  load.descriptors = testing::DescriptorsOf(pid);
  load.cpu = CpuOf(pid);
  return load;
}

void AwaitRest(pid_t pid) {
  constexpr absl::Duration kLook = absl::Milliseconds(100);
  constexpr int kLooks = 5;
  const absl::Time end = sandbox::MonotonicNow() + absl::Seconds(30);
  ServerLoad last = LoadOf(pid);
  for (int still = 0; still < kLooks && sandbox::MonotonicNow() < end;) {
    absl::SleepFor(kLook);
    const ServerLoad now = LoadOf(pid);
    const bool rests = now.memory == last.memory &&
                       now.cpu - last.cpu < absl::Milliseconds(20);
    still = rests ? still + 1 : 0;
    last = now;
  }
}

}  // namespace cordon::bench
