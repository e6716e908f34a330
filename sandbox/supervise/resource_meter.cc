#include "sandbox/supervise/resource_meter.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "sandbox/base/monotonic_clock.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::sandbox {
namespace {

// More than a processor can fault in: about 1.5 GiB/s in pages of 4 KiB, 3 to 4
// in huge pages.
constexpr double kFaultBytesPerCpuSecond = 4.0 * (uint64_t{1} << 30);
constexpr absl::Duration kShortestPause = absl::Milliseconds(2);
constexpr absl::Duration kLongestPause = absl::Milliseconds(500);
// Of a run that makes processes, whose time may be gone with them.
constexpr absl::Duration kPauseOfMakers = absl::Milliseconds(5);
constexpr int kCloseSamples = 10;
// Of the time of its loop, a run's samples take at most a tenth.
constexpr int kPausePerCost = 9;
// Beside that, near its limit of memory, in all.
constexpr absl::Duration kCloseLooks = absl::Milliseconds(50);

int Processors() {
  static const int processors =
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return processors;
}

// What proc_pid_stat(5) counts in.
absl::Duration Tick() {
  static const absl::Duration tick =
      absl::Seconds(1) / static_cast<int64_t>(sysconf(_SC_CLK_TCK));
  return tick;
}

// What the end of a process takes by itself, of an interpreter 0.3 to 0.4 ms,
// and a little for what the rest of an estimate may miss.
constexpr absl::Duration kCostOfExit = absl::Microseconds(500);
// The longest time between two looks that a run is charged for by estimate.
constexpr absl::Duration kLongestCharge = absl::Milliseconds(10);

// How often the kernel looks at what runs: what the coarse clock counts in
// (clock_getres(2)).
absl::Duration KernelTick() {
  static const absl::Duration tick = [] {
    timespec resolution = {};
    clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
    return absl::DurationFromTimespec(resolution);
  }();
  return tick;
}

}  // namespace

ResourceMeter::ResourceMeter(const Limits& limits, pid_t pgid,
                             UsageSource* source)
    : limits_(limits), pgid_(pgid), source_(source) {}

// clock_getcpuclockid(3), proc_pid_stat(5)
std::optional<ResourceMeter::CpuTimes> ResourceMeter::CpuTimesOf(pid_t pid) {
  CpuTimes times;
  clockid_t clock;
  timespec own;
  if (clock_getcpuclockid(pid, &clock) == 0 &&
      clock_gettime(clock, &own) == 0) {
    times.own = absl::DurationFromTimespec(own);
  }
  const std::string stat = ReadProcFile(pid, "stat");
  constexpr size_t kState = 0;            // Field 3.
  constexpr size_t kChildUserTime = 13;   // "cutime", field 16.
  constexpr size_t kIgnoredSignals = 30;  // "sigignore", field 33.
  const std::vector<absl::string_view> fields =
      StatFields(stat, kIgnoredSignals + 1);
  if (fields.empty()) return std::nullopt;
  if (fields.size() <= kIgnoredSignals) return times;
  times.running = fields[kState] == "R";
  times.ended = fields[kState] == "Z" || fields[kState] == "X";
  int64_t user, system;
  if (absl::SimpleAtoi(fields[kChildUserTime], &user) &&
      absl::SimpleAtoi(fields[kChildUserTime + 1], &system)) {
    times.waited = Tick() * (user + system);
  }
  uint64_t ignored;
  times.ignores_children =
      absl::SimpleAtoi(fields[kIgnoredSignals], &ignored) &&
      (ignored >> (SIGCHLD - 1) & 1) != 0;
  return times;
}

void ResourceMeter::SampleCpu(const std::vector<pid_t>& members,
                              absl::Duration reaped_cpu) {
  std::map<pid_t, CpuTimes> current;
  absl::Duration waited = reaped_cpu - last_reaped_;
  absl::Duration vanished;
  int running = 0;
  for (const pid_t pid : members) {
    const std::optional<CpuTimes> read = CpuTimesOf(pid);
    if (!read.has_value()) continue;
    CpuTimes times = *read;
    CpuTimes before;
    if (const auto known = known_.find(pid); known != known_.end()) {
      before = known->second;
      known_.erase(known);
    } else if (pid != pgid_) {
      --unseen_processes_;
    }
    if (times.own < before.own) {  // Another process with the same id.
      vanished += before.own + before.waited;
      before = {};
    }
    times.gained = times.own - before.own;
    cpu_ += times.gained;
    waited += times.waited - before.waited;
    if (times.running) ++running;
    if (times.ignores_children) NoteLostChildren();
    current[pid] = times;
  }
  for (const auto& [pid, times] : known_) {
    vanished += times.own + times.waited;
  }
  const absl::Time now = MonotonicNow();
  if (estimates_) {
    // If somebody has waited for them after all, it is not charged twice.
    const absl::Duration unseen = EstimateUnseen(now - looked_);
    cpu_ += unseen;
    vanished += unseen;
  } else {
    unseen_processes_ = 0;
  }
  estimates_ = loses_time_;
  looked_ = now;
  known_ = std::move(current);
  running_ = running;
  last_reaped_ = reaped_cpu;
  Balance(waited, vanished, members.size());
}

// `known_` holds those that are gone now. Each has ended at some time since the
// last look, half-way on the average. Until then one that was running went on,
// on its share of the processors, and its clock had not been told of all that
// was before: with a limit on processor time (RLIMIT_CPU) it moves once a tick.
// Those that were never seen were like the others, but shorter than the time
// between two looks.
absl::Duration ResourceMeter::EstimateUnseen(absl::Duration since_last_look) {
  // A look that is later than planned is no fault of the run's.
  const absl::Duration between =
      std::min(since_last_look, std::max(planned_pause_, kLongestCharge));
  const double share =
      std::min(1.0, static_cast<double>(Processors()) / std::max(running_, 1));
  const absl::Duration ran = (between + KernelTick()) / 2 * share;
  absl::Duration unseen;
  for (const auto& [pid, times] : known_) {
    absl::Duration rest;
    if (!times.ended) {
      rest = kCostOfExit + (times.running ? ran : times.gained / 2);
    }
    unseen += rest;
    time_of_gone_ += times.own + rest;
    ++gone_;
  }
  // One more may be on its way.
  const int never_seen = unseen_processes_ - 1;
  if (never_seen > 0 && gone_ > 0) {
    unseen += std::min(time_of_gone_ / gone_, between * share) * never_seen;
    unseen_processes_ -= never_seen;
  }
  return std::min(unseen, (between + KernelTick()) * Processors());
}

void ResourceMeter::Balance(absl::Duration waited, absl::Duration vanished,
                            size_t members) {
  balance_ += waited - vanished;
  if (balance_ > absl::ZeroDuration()) {
    cpu_ += balance_;
    balance_ = absl::ZeroDuration();
  }
  // Two numbers of each process are cut to whole ticks. A parent may also have
  // been read just before it waited: that is made up for by the next sample.
  const absl::Duration explained =
      -Tick() * 2 * static_cast<int64_t>(members + 1);
  if (balance_ >= explained) {
    samples_short_ = 0;
    return;
  }
  constexpr int kSamplesToBelieve = 3;
  if (++samples_short_ < kSamplesToBelieve) return;
  loses_time_ = true;
  balance_ = explained;
  samples_short_ = 0;
}

void ResourceMeter::Sample(const std::vector<pid_t>& members,
                           absl::Duration finding, absl::Duration reaped_cpu) {
  const absl::Duration begin = ThreadCpuTime() - finding;
  const absl::Time begin_time = MonotonicNow();
  rest_bytes_ = 0;
  close_samples_ = std::max(0, close_samples_ - 1);
  const std::optional<absl::Duration> cpu =
      source_ != nullptr ? source_->CpuTime() : std::nullopt;
  if (cpu.has_value()) {
    cpu_ = std::max(cpu_, *cpu);
  } else {
    SampleCpu(members, reaped_cpu);
  }
  processes_ = static_cast<uint32_t>(members.size());
  // Memory does not grow without processor time; but what the kernel makes into
  // huge pages does (khugepaged, Documentation/admin-guide/mm/transhuge.rst),
  // by 16 MiB in ten seconds.
  constexpr absl::Duration kLongestUnseen = absl::Seconds(4);
  const double grown = absl::ToDoubleSeconds(cpu_ - cpu_at_memory_sample_) *
                       kFaultBytesPerCpuSecond;
  // The first time for the record: what wait4(2) says of memory may be more
  // than the program's own.
  if (peak_memory_ == 0 || memory_ + grown >= limits_.memory_bytes ||
      begin_time - memory_sampled_ > kLongestUnseen) {
    SampleMemory(members);
  }
  const absl::Time now = MonotonicNow();
  const bool hastened = now - sampled_ < sample_cost_ * kPausePerCost;
  sampled_ = now;
  sample_cost_ = ThreadCpuTime() - begin;
  if (hastened) close_looks_ += sample_cost_;
  planned_pause_ = UntilNextSample();
}

// Most runs of many wait most of the time: for them there is nothing to read in
// /proc or of a cgroup, which would keep a processor busy for a thousand of
// them. Those with anything out of the ordinary are looked at as ever.
bool ResourceMeter::NoteRest(absl::Duration used) {
  constexpr absl::Duration kRest = absl::Milliseconds(1);
  constexpr absl::Duration kLongestRest = absl::Seconds(1);
  if (used > kRest || MonotonicNow() - sampled_ > kLongestRest ||
      close_samples_ > 0 || loses_time_ || CountsFaults() || doubted_ ||
      memory_ > limits_.memory_bytes / 2 ||
      limits_.cpu_time - cpu() < absl::Milliseconds(100)) {
    return false;
  }
  // With a limit on processor time a clock moves once a tick (setrlimit(2)).
  const double rest =
      absl::ToDoubleSeconds(used + KernelTick()) * kFaultBytesPerCpuSecond;
  const double before = absl::ToDoubleSeconds(cpu_ - cpu_at_memory_sample_) *
                        kFaultBytesPerCpuSecond;
  if (memory_ + before + rest >= limits_.memory_bytes) return false;
  rest_bytes_ = static_cast<uint64_t>(rest);
  return true;
}

// With what its processes cannot be seen to keep in shared mappings.
uint64_t ResourceMeter::WithUnseen(const ResidentMemory& seen,
                                   uint64_t most_shared) {
  return seen.own + std::max(seen.shared, most_shared);
}

// What the run may keep in shared mappings, seen or not. A little is not worth
// a look at each mapping, and neither is what stays below the limit anyway.
uint64_t ResourceMeter::MostShared(const std::vector<pid_t>& members,
                                   const ResidentMemory& seen) const {
  if (!CountsFaults()) return 0;
  uint64_t most =
      std::min(shared_mappings_.total_bytes(), ReadHostSharedBytes());
  // The faults of children that nobody waits for are gone with them.
  if (!loses_time_) {
    const uint64_t faulted = FaultedBytes(members);
    most = std::min(most, faulted + std::min(noted_fault_bytes_, ~faulted));
  }
  if (WithUnseen(seen, most) <= limits_.memory_bytes) return most;
  return std::min(most, shared_mappings_.HeldBytes(members));
}

// A child that shares its parent's memory until it executes (vfork(2)) has the
// same figures, and no file of /proc says that they are of one memory.
bool ResourceMeter::MayCountTwice(
    const std::map<pid_t, ProcessMemory>& processes) {
  for (const auto& [pid, process] : processes) {
    const auto parent = processes.find(process.parent);
    if (parent == processes.end() || !parent->second.is_suspended) continue;
    const ResidentMemory& own = process.resident;
    const ResidentMemory& parents = parent->second.resident;
    if (own.own == parents.own && own.shared == parents.shared) return true;
  }
  return false;
}

void ResourceMeter::SampleMemory(const std::vector<pid_t>& members) {
  cpu_at_memory_sample_ = cpu_;
  memory_sampled_ = MonotonicNow();
  ResidentMemory seen;
  uint64_t pool = 0;
  uint64_t swapped = 0;
  uint64_t threads = 0;
  std::map<pid_t, ProcessMemory> processes;
  for (const pid_t pid : members) {
    const ProcessMemory& memory = processes[pid] = ReadProcessMemory(pid);
    seen.own += memory.resident.own;
    seen.shared += memory.resident.shared;
    pool += memory.pool;
    swapped += memory.swapped;
    threads += memory.threads;
  }
  const std::optional<uint64_t> known =
      source_ != nullptr ? source_->MemoryBytes() : std::nullopt;
  if (known.has_value()) {
    seen = {.own = *known + swapped};
    memory_ = seen.own + pool;
  } else {
    memory_ = UnsourcedMemory(processes, seen) + pool;
  }
  // What was not seen is in the record when it decides.
  peak_memory_ =
      std::max(peak_memory_,
               over_memory_limit() ? memory_ : seen.own + seen.shared + pool);
  processes_ = static_cast<uint32_t>(threads);
  peak_processes_ = std::max(peak_processes_, processes_);
}

// Of pages of 4 KiB. `seen`, their sum, becomes what they share among them.
uint64_t ResourceMeter::UnsourcedMemory(
    const std::map<pid_t, ProcessMemory>& processes, ResidentMemory& seen) {
  std::vector<pid_t> members;
  for (const auto& [pid, process] : processes) members.push_back(pid);
  const uint64_t most_shared = MostShared(members, seen);
  uint64_t memory = WithUnseen(seen, most_shared);
  if (memory > limits_.memory_bytes && (members.size() > 1 || shares_memory_)) {
    seen = InProportion(members, seen);
    memory = WithUnseen(seen, most_shared);
  }
  const bool is_over = memory > limits_.memory_bytes;
  if (!is_over || doubted_ || !MayCountTwice(processes)) {
    doubted_ = false;
    return memory;
  }
  // The next look is as soon as can be.
  doubted_ = true;
  seen = {};
  return limits_.memory_bytes;
}

// Or `resident`, if that is less.
ResidentMemory ResourceMeter::InProportion(const std::vector<pid_t>& members,
                                           const ResidentMemory& resident) {
  ResidentMemory sum;
  for (const pid_t pid : members) {
    const std::optional<ResidentMemory> read = ReadProportionalMemory(pid);
    const ResidentMemory memory =
        read.has_value() ? *read : ReadProcessMemory(pid).resident;
    sum.own += memory.own;
    sum.shared += memory.shared;
  }
  return {.own = std::min(sum.own, resident.own),
          .shared = std::min(sum.shared, resident.shared)};
}

absl::Duration ResourceMeter::UntilNextSample() const {
  const absl::Duration cpu_left = (limits_.cpu_time - cpu()) / Processors();
  const uint64_t memory = memory_ + rest_bytes_;
  const double headroom =
      memory < limits_.memory_bytes
          ? static_cast<double>(limits_.memory_bytes - memory)
          : 0;
  const absl::Duration until_full =
      absl::Seconds(headroom / kFaultBytesPerCpuSecond) / Processors();
  absl::Duration longest = kLongestPause;
  if (close_samples_ > 0) longest = kPauseOfMakers;
  if (loses_time_) longest = kShortestPause;
  return std::max(ShortestPause(), std::min({cpu_left, until_full, longest}));
}

// A run of many processes must not keep the loop from serving the others. But
// one that comes near its limit of memory is looked at as often as it takes,
// for a while.
absl::Duration ResourceMeter::ShortestPause() const {
  const bool urgent =
      memory_ > limits_.memory_bytes / 2 && close_looks_ < kCloseLooks;
  return std::max(kShortestPause, sample_cost_ * (urgent ? 1 : kPausePerCost));
}

absl::Duration ResourceMeter::NoteNewProcess() {
  ++unseen_processes_;
  close_samples_ = kCloseSamples;
  return std::max(ShortestPause(), kPauseOfMakers);
}

}  // namespace cordon::sandbox
