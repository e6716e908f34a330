// What a run uses is looked at while it goes on, and the directory once more at
// its end.

#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "sandbox/base/monotonic_clock.h"
#include "sandbox/supervise/crowd_priority.h"
#include "sandbox/supervise/supervision.h"

namespace cordon::sandbox {

void Supervision::ScheduleSample() {
  const absl::Time now = MonotonicNow();
  next_sample_ = now + std::min(meter_.UntilNextSample(),
                                disk_.UntilDue(meter_.cpu(), now));
  sample_timer_ = loop_->CallAt(next_sample_, [this] { SampleResources(); });
}

void Supervision::SampleWithin(absl::Duration pause) {
  const absl::Time latest = MonotonicNow() + pause;
  if (next_sample_ <= latest) return;
  loop_->CancelTimer(sample_timer_);
  next_sample_ = latest;
  sample_timer_ = loop_->CallAt(latest, [this] { SampleResources(); });
}

// Behind what is measured and counted, for what a run does between two looks.
// Not before the first: a run cannot pass its limits until then, and a short
// one is spared the cost. And never before the child executes: it has the
// server's memory, and the kernel's answer to a group at its limit is to kill
// who has it.
//
// The group is charged for page cache and the kernel's own structures as well.
// Where the limit cannot be set (EBUSY: the run is past it), the measurements
// see why.
void Supervision::PutUpWall() {
  if (plan_.cgroup == nullptr || std::exchange(has_wall_, true)) return;
  constexpr uint64_t kRoom = uint64_t{16} << 20;
  constexpr uint32_t kSpareProcesses = 8;
  const Limits& limits = plan_.limits;
  CgroupLimits wall;
  wall.memory_bytes = limits.memory_bytes + limits.memory_bytes / 16 + kRoom;
  if (limits.processes > 0) wall.processes = limits.processes + kSpareProcesses;
  plan_.cgroup->SetLimits(wall).IgnoreError();
}

// One way only: a run of many does not get its priority back when it becomes
// one of few. As root without CAP_SYS_NICE a run of another uid stays as it is.
void Supervision::LowerPriorityOfMany() {
  static const int processors =
      static_cast<int>(std::thread::hardware_concurrency());
  static const int servers = getpriority(PRIO_PROCESS, 0);
  const int niceness = CrowdNiceness(meter_.processes(), processors);
  if (niceness == 0) return;
  const id_t group = static_cast<id_t>(pid_);
  // Its least nice member.
  if (getpriority(PRIO_PGRP, group) < servers + niceness) {
    setpriority(PRIO_PGRP, group, servers + niceness);
  }
}

bool Supervision::Rests() {
  if (path_thread_.has_value() || disk_.Due(meter_.cpu(), MonotonicNow())) {
    return false;
  }
  // One that nobody waits for would count as a process.
  if (members_.OneHasEnded(members_.known())) return false;
  const std::optional<absl::Duration> used = members_.UsedSinceRest();
  return used.has_value() && meter_.NoteRest(*used);
}

void Supervision::SampleResources() {
  if (Rests()) return ScheduleSample();
  PutUpWall();
  const absl::Duration begin = ThreadCpuTime();
  std::vector<pid_t> members = members_.Get();
  // The first one's end is an event of its own.
  if (members_.OneHasEnded(members)) {
    ReapGroup();
    if (killed_) return;
    members = members_.Get();
  }
  if (path_thread_.has_value()) {
    meter_.NoteServiceCpu(path_thread_->CpuTime());
    if (meter_.CountsFaults()) {
      meter_.NoteFaults(path_thread_->TakeFaultedBytes());
    }
  }
  members_.NoteRest();  // Before, so that what comes meanwhile counts.
  meter_.Sample(members, ThreadCpuTime() - begin,
                usage_.cpu_user + usage_.cpu_system);
  LowerPriorityOfMany();
  if (meter_.over_cpu_limit()) {
    EndRun(CpuTimeCause(plan_.limits, meter_.cpu()));
  } else if (meter_.over_memory_limit() || cgroup_.KilledForMemory()) {
    EndRun(CauseOfMemory());
  } else {
    if (disk_.Due(meter_.cpu(), MonotonicNow())) StartDiskMeasurement();
    ScheduleSample();
  }
}

void Supervision::StartDiskMeasurement() {
  disk_.Start(meter_.cpu(), members_.Get(), loop_,
              [self = self_] { self->OnDiskMeasured(); });
}

void Supervision::OnDiskMeasured() {
  if (killed_) return FinishIfDrained();
  if (disk_.over_limit()) {
    EndRun(DiskCause(plan_.limits, disk_.usage().bytes, disk_.usage().inodes));
  } else if (disk_.evaded()) {
    EndRun(EvadedDiskCause(plan_.limits));
  } else if (plan_.sees_open_files && disk_.usage().files_hidden) {
    EndRun(HiddenFilesCause(plan_.limits));
  } else {
    AnswerHeldReservations();
  }
}

// What the program wrote in its last moments. Not for a run that was ended.
bool Supervision::DiskIsKnown() {
  if (!failure_.ok() || cause_.has_value()) return true;
  if (disk_.running()) {
    if (!disk_measured_at_end_) disk_.Hurry();
    return false;
  }
  if (!disk_measured_at_end_ && disk_.measures() &&
      (disk_.DueAtEnd(MonotonicNow()) ||
       (WIFEXITED(leader_status_) &&
        WEXITSTATUS(leader_status_) == kShellsFileSizeExit))) {
    disk_measured_at_end_ = true;
    disk_.Start(absl::ZeroDuration(), {}, loop_,
                [self = self_] { self->OnDiskMeasured(); });
    return false;
  }
  if (disk_.over_limit()) {
    cause_ = DiskCause(plan_.limits, disk_.usage().bytes, disk_.usage().inodes);
  }
  return true;
}

}  // namespace cordon::sandbox
