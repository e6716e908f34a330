// ResourceMeter samples what the processes of a run use, and says when to look
// again.
//
// Memory is what the run keeps resident: anonymous and shared pages (RssAnon
// and RssShmem of proc_pid_status(5)), and where that sum passes the limit with
// more than one process, the proportional set size (proc_pid_smaps(5)), because
// pages that a fork shares are counted once for each process otherwise. What a
// process has in swap counts as well, and huge pages of the host's pool
// (HugetlbPages), and what shared mappings may keep unseen
// (shared_mappings.h).
//
// Processor time is each process's own, up to the kernel's last tick, and what
// its parent has waited for (clock ticks, proc_pid_stat(5)). The time of
// children that nobody waits for is gone with them; where that happens, samples
// come close together, and what a child did after its last one, or between two,
// is estimated.
//
// A UsageSource, such as a cgroup, takes the place of /proc for what it knows.
//
// Contract: one thread at a time. Costs nothing until the first Sample, which a
// short run never reaches.

#ifndef CORDON_SANDBOX_SUPERVISE_RESOURCE_METER_H_
#define CORDON_SANDBOX_SUPERVISE_RESOURCE_METER_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "sandbox/spec/limits.h"
#include "sandbox/supervise/process_memory.h"
#include "sandbox/supervise/shared_mappings.h"

namespace cordon::sandbox {

// Knows what a whole run uses. What it does not know is nullopt.
class UsageSource {
 public:
  virtual ~UsageSource() = default;
  // Of all processes that the run has or had.
  virtual std::optional<absl::Duration> CpuTime() = 0;
  virtual std::optional<uint64_t> MemoryBytes() = 0;
};

class ResourceMeter {
 public:
  // `source` outlives the meter; it may be null.
  ResourceMeter(const Limits& limits, pid_t pgid,
                UsageSource* source = nullptr);

  // The run has made a process: it may be gone before the next Sample, which
  // should therefore not be later than returned from now on.
  absl::Duration NoteNewProcess();
  // The ends of the run's processes may be nobody's to wait for (SA_NOCLDWAIT,
  // sigaction(2)). A Sample finds SIG_IGN by itself.
  void NoteLostChildren() { loses_time_ = true; }

  // The run asks for a shared mapping of this length (mmap(2)).
  void NoteSharedMapping(uint64_t bytes) { shared_mappings_.Note(bytes); }
  // Page faults of processes that the supervisor has waited for, and of itself
  // in the memory of others (getrusage(2)), in bytes.
  void NoteFaults(uint64_t bytes) { noted_fault_bytes_ += bytes; }
  // Processor time that this process has spent on the run's behalf so far: it
  // counts as the run's own.
  void NoteServiceCpu(absl::Duration total) { service_cpu_ = total; }
  // The run's processes share pages with others: those count in proportion.
  void NoteSharedMemory() { shares_memory_ = true; }
  // Whether faults matter.
  bool CountsFaults() const {
    return shared_mappings_.total_bytes() > limits_.memory_bytes / 8;
  }

  // Looks at the run now, whose processes are `members`, zombies included,
  // which to find took this thread `finding` of processor time. `reaped_cpu` is
  // the processor time of processes that the supervisor has already waited for.
  void Sample(const std::vector<pid_t>& members, absl::Duration finding,
              absl::Duration reaped_cpu);

  // In place of a Sample: since the last one the run used at most `used`, and
  // made no process. False: it takes a Sample to know what that did.
  bool NoteRest(absl::Duration used);

  // How long the next Sample can wait without a limit being passed by more than
  // the run can use in two milliseconds.
  absl::Duration UntilNextSample() const;

  bool over_cpu_limit() const { return cpu() >= limits_.cpu_time; }
  bool over_memory_limit() const { return memory_ > limits_.memory_bytes; }

  // Never decreases.
  absl::Duration cpu() const { return cpu_ + service_cpu_; }
  // Of the last sample that read it, in bytes.
  uint64_t memory_bytes() const { return memory_; }
  uint64_t peak_memory_bytes() const { return peak_memory_; }
  // Processes and threads, or at least the processes, at the last sample.
  uint32_t processes() const { return processes_; }
  // Processes and threads.
  uint32_t peak_processes() const { return peak_processes_; }

 private:
  // Of one process, when it was last looked at.
  struct CpuTimes {
    absl::Duration own;
    // Of the children that it has waited for.
    absl::Duration waited;
    // Of its own time, what it used between the last two looks.
    absl::Duration gained;
    // It had a processor, or waited for one; or it had ended.
    bool running = false;
    bool ended = false;
    // The kernel reaps its children by itself (SIG_IGN, sigaction(2)).
    bool ignores_children = false;
  };

  // nullopt: it is gone.
  static std::optional<CpuTimes> CpuTimesOf(pid_t pid);
  void SampleCpu(const std::vector<pid_t>& members, absl::Duration reaped_cpu);
  // What processes used that are gone now, as far as no look has seen it.
  absl::Duration EstimateUnseen(absl::Duration since_last_look);
  void Balance(absl::Duration waited, absl::Duration vanished, size_t members);
  void SampleMemory(const std::vector<pid_t>& members);
  static uint64_t WithUnseen(const ResidentMemory& seen, uint64_t most_shared);
  uint64_t MostShared(const std::vector<pid_t>& members,
                      const ResidentMemory& seen) const;
  static bool MayCountTwice(const std::map<pid_t, ProcessMemory>& processes);
  uint64_t UnsourcedMemory(const std::map<pid_t, ProcessMemory>& processes,
                           ResidentMemory& seen);
  static ResidentMemory InProportion(const std::vector<pid_t>& members,
                                     const ResidentMemory& resident);
  absl::Duration ShortestPause() const;

  const Limits limits_;
  const pid_t pgid_;
  UsageSource* const source_;
  absl::Duration cpu_;
  absl::Duration service_cpu_;
  std::map<pid_t, CpuTimes> known_;
  int running_ = 0;
  absl::Time looked_ = absl::InfinitePast();
  absl::Duration last_reaped_;
  // Waited-for time less the time of processes that are gone: above zero it is
  // time that was not seen yet, below it is time that nobody has waited for
  // yet, or ever will.
  absl::Duration balance_;
  int samples_short_ = 0;
  bool loses_time_ = false;
  bool shares_memory_ = false;
  // Since before the last look: looks are close together then.
  bool estimates_ = false;
  // New processes that the run was allowed since then, less those that a look
  // has found: the rest came and went between two.
  int unseen_processes_ = 0;
  // Of those that a look has found and that are gone.
  absl::Duration time_of_gone_;
  int gone_ = 0;
  // Samples that still come close together after the last new process.
  int close_samples_ = 0;
  absl::Duration sample_cost_;
  // What may have become resident since the last Sample, while the run rested.
  uint64_t rest_bytes_ = 0;
  // When the last Sample ended, and when the next one was due.
  absl::Time sampled_ = absl::InfinitePast();
  absl::Duration planned_pause_;
  // What looks have cost that came sooner than others of their cost would.
  absl::Duration close_looks_;
  // Processor time when memory was last read.
  absl::Duration cpu_at_memory_sample_ = -absl::InfiniteDuration();
  absl::Time memory_sampled_ = absl::InfinitePast();
  SharedMappings shared_mappings_;
  uint64_t noted_fault_bytes_ = 0;
  // The last look found more than the limit, but perhaps counted twice.
  bool doubted_ = false;
  uint64_t memory_ = 0;
  uint64_t peak_memory_ = 0;
  uint32_t processes_ = 1;
  uint32_t peak_processes_ = 1;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_RESOURCE_METER_H_
