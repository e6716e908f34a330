// From the first cause to the outcome. The doors are EndRun and Fail.

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sandbox/base/monotonic_clock.h"
#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "sandbox/supervise/process_memory.h"
#include "sandbox/supervise/supervision.h"

namespace cordon::sandbox {
namespace {

// While killed processes are dying. SIGCHLD would tell, but it belongs to the
// whole server and several deaths become one signal.
constexpr absl::Duration kFirstReapPause = absl::Microseconds(500);
constexpr absl::Duration kLongestReapPause = absl::Milliseconds(50);

// Whether a process that SIGXFSZ has ended had a smaller limit than the run
// was given, which is then one of its own making. It must not be reaped yet.
bool HadFileLimitOfItsOwn(pid_t pid, uint64_t run_limit) {
  const std::optional<uint64_t> limit = ReadFileSizeLimit(pid);
  rlimit servers;
  return limit.has_value() && getrlimit(RLIMIT_FSIZE, &servers) == 0 &&
         *limit < std::min<uint64_t>(run_limit, servers.rlim_max);
}

constexpr uint64_t kKibibyte = 1024;  // ru_maxrss, getrusage(2)

uint64_t OwnPeakMemory() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * kKibibyte;
}

}  // namespace

void Supervision::OnLeaderExit(uint32_t) { EndRun(std::nullopt); }

// The first cause stands; without one the program's own end, or Kill, is it.
void Supervision::EndRun(std::optional<Cause> cause) {
  if (finished_) return;
  if (!cause_.has_value() && (!killed_ || cause.has_value())) {
    // Output that passes its limit while the pipes are drained ends the run as
    // it would have a moment before.
    cause_ = std::move(cause);
  }
  if (killed_) return;
  killed_ = true;
  loop_->CancelTimer(wall_timer_);
  loop_->CancelTimer(sample_timer_);
  loop_->CancelTimer(recount_timer_);
  ForgetConnections();
  Close(stdin_);
  KillGroup();
  StopPaths();
  ReapGroup();
}

// What the program still wrote is nobody's any more: nothing waits for a
// reader.
void Supervision::Fail(absl::Status status) {
  if (finished_) return;
  if (failure_.ok()) failure_ = std::move(status);
  EndRun(std::nullopt);
  FinishIfDrained();
}

// The leader is not reaped before this, so its id still names its group and
// nobody else's. The kernel excludes fork while it signals a group.
void Supervision::KillGroup() { kill(-pid_, SIGKILL); }

void Supervision::ReapGroup() {
  while (!all_reaped_) {
    // Look before taking: the leader must stay until its group was killed.
    siginfo_t info = {};
    // To find a group the kernel looks at each child of this process, of which
    // there may be thousands.
    const int peek =
        waitid(counter_.has_grown() ? P_PGID : P_PID, static_cast<id_t>(pid_),
               &info, WEXITED | WNOHANG | WNOWAIT | __WALL);
    if (peek != 0 && errno == EINTR) continue;
    if (peek != 0) {  // ECHILD: none is left, and none can come.
      group_.Leave();
      all_reaped_ = true;
      FinishIfDrained();  // The loop keeps this object.
      Close(leader_);
      return;
    }
    if (info.si_pid == 0) break;  // Some are left; none is ready.
    // One that is held is shown whatever was asked for (ptrace(2)).
    if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED) break;
    // One that another process of the run waits for, and that was held when it
    // died: the run's thread for paths lets it go.
    if (path_thread_.has_value() && info.si_pid != pid_ &&
        !IsOwnChild(info.si_pid)) {
      break;
    }
    if (info.si_pid == pid_ && !killed_) {
      EndRun(std::nullopt);
      return;
    }
    if (info.si_pid == pid_ && info.si_status == SIGXFSZ &&
        HadFileLimitOfItsOwn(pid_, plan_.limits.file_bytes)) {
      may_signal_file_size_ = true;
    }
    int status = 0;
    rusage usage = {};
    if (wait4(info.si_pid, &status, __WALL, &usage) == info.si_pid) {
      AddReaped(info.si_pid, status, usage);
    }
  }
  if (!killed_ || all_reaped_) return;
  // The zombie leader would wake the loop for ever.
  Unwatch(leader_);
  reap_pause_ = std::clamp(reap_pause_ * 2, kFirstReapPause, kLongestReapPause);
  loop_->CallAt(MonotonicNow() + reap_pause_, [self = self_] {
    // Again: a process that was being created when the signal was sent.
    if (!self->all_reaped_) self->ReapGroup();
  });
}

// wait4's figures include those of the children that a process has waited for.
void Supervision::AddReaped(pid_t pid, int status, const rusage& usage) {
  if (pid == pid_) {
    leader_status_ = status;
    usage_.wall_time = MonotonicNow() - start_;
  }
  usage_.cpu_user += absl::DurationFromTimeval(usage.ru_utime);
  usage_.cpu_system += absl::DurationFromTimeval(usage.ru_stime);
  static const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  meter_.NoteFaults(static_cast<uint64_t>(usage.ru_minflt + usage.ru_majflt) *
                    page);
  const uint64_t peak = static_cast<uint64_t>(usage.ru_maxrss) * kKibibyte;
  // The leader was cloned with this process's memory, and execve(2) counts the
  // memory that it leaves: up to that, the figure may be ours.
  if (pid == pid_ && peak <= OwnPeakMemory()) return;
  usage_.peak_memory_bytes = std::max(usage_.peak_memory_bytes, peak);
}

// The kernel holds the limit between two samples, with some room above it for
// what is not the program's own.
Cause Supervision::CauseOfMemory() const {
  return MemoryCause(
      plan_.limits, std::max(meter_.memory_bytes(), plan_.limits.memory_bytes));
}

// What the samples did not see: children that nobody waited for, and what the
// kernel did after the last one.
void Supervision::AddWhatTheCgroupKnows() {
  // Of a single process, wait4(2) has said all.
  const bool killed =
      WIFSIGNALED(leader_status_) && WTERMSIG(leader_status_) == SIGKILL;
  if (!counter_.has_grown() && !killed) return;
  const absl::Duration seen = usage_.cpu_user + usage_.cpu_system;
  usage_.cpu_user +=
      std::max(absl::ZeroDuration(), cgroup_.CpuTime().value_or(seen) - seen);
  if (!cause_.has_value() && cgroup_.KilledForMemory()) {
    cause_ = CauseOfMemory();
  }
}

ObservedEnd Supervision::Observed() const {
  ObservedEnd end;
  end.cause = cause_;
  end.wait_status = leader_status_;
  end.limits = plan_.limits;
  end.usage = usage_;
  end.usage.peak_memory_bytes =
      std::max(usage_.peak_memory_bytes, meter_.peak_memory_bytes());
  end.usage.peak_processes = std::max(meter_.peak_processes(), counter_.peak());
  end.usage.stdout_bytes = stdout_.capture.total();
  end.usage.stderr_bytes = stderr_.capture.total();
  end.refused_mapping_bytes = refused_mapping_bytes_;
  end.longest_file = disk_measured_at_end_ ? disk_.usage().longest_file : 0;
  end.may_signal_file_size = may_signal_file_size_;
  end.breaches_may_hide = !plan_.masked_syscalls->empty();
  return end;
}

void Supervision::FinishIfDrained() {
  if (!all_reaped_ || finished_) return;
  if (failure_.ok()) {
    for (Pipe* pipe : {&stdout_, &stderr_}) {
      while (pipe->source.fd.valid() && !paused_) ReadPipe(*pipe);
    }
    for (Pipe* pipe : {&stdout_, &stderr_}) DeliverTail(*pipe);
    if (paused_) return;  // SetPaused comes back here.
  }
  if (!paths_stopped_) return;  // The thread's last event comes back here.
  if (!DiskIsKnown()) return;   // OnDiskMeasured does.
  finished_ = true;
  if (failure_.ok()) {
    observer_->OnStepFinished(MakeOutcome());
  } else {
    observer_->OnStepFinished(failure_);
  }
  // The result is not kept waiting for this: the kernel frees the filter.
  for (Source* source : {&listener_, &stdout_.source, &stderr_.source}) {
    Close(*source);
  }
  // Events of this round may still name this object.
  loop_->Post([self = std::move(self_)] {});
}

Outcome Supervision::MakeOutcome() {
  AddWhatTheCgroupKnows();
  // What was done on the run's behalf is its own system time.
  if (path_thread_.has_value()) usage_.cpu_system += path_thread_->CpuTime();
  Outcome outcome = BuildOutcome(Observed());
  outcome.stdout_truncated = stdout_.capture.over_limit();
  outcome.stderr_truncated = stderr_.capture.over_limit();
  if (outcome.kind == OutcomeKind::kSyscallViolation && !cause_.has_value()) {
    Violation hidden;
    hidden.process_id = pid_;
    for (const int number : *plan_.masked_syscalls) {
      hidden.candidates.emplace_back(SyscallName(number));
    }
    Report(std::move(hidden));
  }
  outcome.violations = std::move(violations_);
  outcome.violations_dropped = violations_dropped_;
  return outcome;
}

}  // namespace cordon::sandbox
