// How the system calls that a run must ask for are answered: most at once, a
// clone or a reservation of disk at its limit only after a look.

#include <asm/unistd.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sandbox/base/monotonic_clock.h"
#include "sandbox/base/notification_buffer.h"
#include "sandbox/supervise/supervision.h"

namespace cordon::sandbox {
namespace {

// How long a clone waits for others that were allowed before it to be seen.
constexpr absl::Duration kPatience = absl::Milliseconds(20);
// A program that asks on at its limit gets an answer this often.
constexpr absl::Duration kRefusalPause = absl::Milliseconds(2);
// Of the time of its loop, a run at its limit takes at most a tenth.
constexpr int kPausePerCost = 9;
// What it costs to be asked, beside the recount.
constexpr absl::Duration kCostOfAsking = absl::Microseconds(20);

// Notes the page faults of this thread while it lives (getrusage(2)): reading a
// program's memory may bring its pages in.
class FaultNote {
 public:
  explicit FaultNote(ResourceMeter& meter)
      : meter_(meter),
        counts_(meter.CountsFaults()),
        begin_(counts_ ? Faults() : 0) {}
  ~FaultNote() {
    static const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    if (counts_) meter_.NoteFaults((Faults() - begin_) * page);
  }
  FaultNote(const FaultNote&) = delete;
  FaultNote& operator=(const FaultNote&) = delete;

 private:
  static uint64_t Faults() {
    rusage usage = {};
    getrusage(RUSAGE_THREAD, &usage);
    return static_cast<uint64_t>(usage.ru_minflt + usage.ru_majflt);
  }

  ResourceMeter& meter_;
  const bool counts_;
  const uint64_t begin_;
};

}  // namespace

void Supervision::OnNotification(uint32_t events) {
  if (!listener_.fd.valid()) return;
  if ((events & EPOLLIN) ==
      0) {  // Hang-up: no process uses the filter any more.
    Close(listener_);
    return;
  }
  NotificationBuffer buffer;
  if (!ReceiveNotification(listener_.fd.get(), buffer)) return;
  Judge(buffer.notification, nullptr);
}

void Supervision::Judge(const seccomp_notif& notification,
                        std::shared_ptr<const NamedSocket> named) {
  // A killed run gets no answers, hence executes nothing.
  if (killed_) return;

  const FaultNote faults(meter_);
  const JudgeContext context = {
      .policy = plan_.policy,
      .on_violation = &plan_.on_violation,
      .writable = &plan_.writable,
      .readable = &plan_.readable,
      .pgid = pid_,
      .data_limit_bytes = DataLimitBytes(plan_.limits.memory_bytes),
      .paths = MayResolve() ? PathReading::kResolved : PathReading::kAsGiven,
      .file_bytes = plan_.limits.file_bytes,
      .owner = plan_.owner,
      .listener = listener_.fd.get(),
      .writes_actions = MayWriteActions(),
  };
  const absl::Time begin_wall = MonotonicNow();
  const absl::Duration begin = ThreadCpuTime();
  JudgedCall judged = JudgeCall(notification, context);
  judging_ += ThreadCpuTime() - begin;
  if (notification.data.nr == __NR_rt_sigaction) {
    writing_actions_ += MonotonicNow() - begin_wall;
  }
  // What was read may have been another process's if the caller died.
  if (!IsWaiting(notification.id)) return;
  if (judged.answer == CallAnswer::kSocketCall) {
    return PerformSocketCall(notification, *std::move(judged.violation),
                             MonotonicNow(), std::move(named));
  }
  HandleCall(notification.id, static_cast<pid_t>(notification.pid),
             std::move(judged));
}

PathThreadEvents Supervision::EventsOfPaths() {
  return {.on_other_call =
              [this](const seccomp_notif& call,
                     std::shared_ptr<const NamedSocket> named) {
                loop_->Post([self = shared_from_this(), call,
                             named = std::move(named)]() mutable {
                  self->Judge(call, std::move(named));
                });
              },
          .on_refused =
              [this](const seccomp_notif& call, std::string path,
                     int error_number) {
                JudgedCall breach = JudgeRefused(
                    call, std::move(path), error_number, plan_.on_violation);
                loop_->Post([self = shared_from_this(), call,
                             breach = std::move(breach)]() mutable {
                  if (self->killed_) return;
                  self->HandleCall(call.id, static_cast<pid_t>(call.pid),
                                   std::move(breach));
                });
              },
          .on_stopped =
              [this] {
                loop_->Post([self = shared_from_this()] {
                  self->paths_stopped_ = true;
                  self->FinishIfDrained();
                });
              }};
}

// A program can make paths that take milliseconds to walk, of links to links. A
// run gets a tenth of its loop for that, and a little to begin with; after that
// its paths are reported as it wrote them.
bool Supervision::MayResolve() const {
  constexpr absl::Duration kToBeginWith = absl::Milliseconds(20);
  constexpr int kOneIn = 10;
  return judging_ < kToBeginWith + (MonotonicNow() - start_) / kOneIn;
}

// Memory that is a file's can make its writer wait for a disk.
bool Supervision::MayWriteActions() const {
  constexpr absl::Duration kInAll = absl::Milliseconds(50);
  return writing_actions_ < kInAll;
}

void Supervision::HandleCall(uint64_t id, pid_t tid, JudgedCall judged) {
  counter_.NoteCall(tid);
  refused_mapping_bytes_ =
      std::max(refused_mapping_bytes_, judged.refused_mapping_bytes);
  may_signal_file_size_ |= judged.may_signal_file_size;
  if (judged.ignores_children) meter_.NoteLostChildren();
  if (judged.shared_mapping_bytes > 0) {
    meter_.NoteSharedMapping(judged.shared_mapping_bytes);
  }
  HeldCall call = {.id = id,
                   .since = MonotonicNow(),
                   .violation = {},
                   .reserved_bytes = judged.reserved_bytes};
  switch (judged.answer) {
    case CallAnswer::kNewProcess:
      call.violation = *std::move(judged.violation);
      return AskForProcess(std::move(call));
    case CallAnswer::kReserveSpace:
      return AskForSpace(std::move(call));
    case CallAnswer::kSocketCall:  // Not here.
    case CallAnswer::kContinue:
    case CallAnswer::kFail:
    case CallAnswer::kKillRun:
      break;
  }
  std::optional<Cause> cause;
  if (judged.violation.has_value()) {
    if (judged.answer == CallAnswer::kKillRun) {
      cause = ViolationCause(*judged.violation);
    }
    Report(*std::move(judged.violation));
  }
  if (judged.answer == CallAnswer::kKillRun) return EndRun(std::move(cause));
  Answer(id, judged.answer, judged.error_number);
}

bool Supervision::Answer(uint64_t id, CallAnswer answer, int error_number) {
  const int listener = listener_.fd.get();
  return answer == CallAnswer::kContinue
             ? LetContinue(listener, id)
             : AnswerCall(listener, id, error_number);
}

void Supervision::Report(Violation violation) {
  // The one that ends the run is always told.
  if (violations_.size() >= static_cast<size_t>(plan_.max_violations) &&
      violation.action != ViolationAction::kTerminate) {
    ++violations_dropped_;
    return;
  }
  violation.offset = MonotonicNow() - start_;
  violations_.push_back(std::move(violation));
  observer_->OnViolation(violations_.back());
}

// ---------------------------------------------------------------- processes

bool Supervision::TakeProcess(const HeldCall& call) {
  const auto tid = static_cast<pid_t>(call.violation.process_id);
  if (!counter_.Take(tid)) return false;
  if (!Answer(call.id, CallAnswer::kContinue, 0)) {
    counter_.GiveBack(tid);
    return true;
  }
  constexpr uint64_t kThread = CLONE_THREAD;
  if ((call.violation.arguments[0] & kThread) == 0 ||
      call.violation.syscall_number != __NR_clone) {
    SampleWithin(meter_.NoteNewProcess());
  }
  return true;
}

void Supervision::AskForProcess(HeldCall call) {
  // First come, first served.
  if (held_clones_.empty() && TakeProcess(call)) return;
  held_clones_.push_back(std::move(call));
  if (held_clones_.size() > 1) return;  // The recount is under way.
  if (MonotonicNow() >= next_recount_) {
    AnswerHeldClones();
  } else {
    ScheduleRecount();
  }
}

void Supervision::ScheduleRecount() {
  recount_timer_ = loop_->CallAt(next_recount_, [this] { AnswerHeldClones(); });
}

// A program that is told again and again that it has enough must not take the
// loop from other runs: it waits for its answers, and is answered in one go.
void Supervision::AnswerHeldClones() {
  if (killed_) return;
  const absl::Time begin = MonotonicNow();
  const absl::Duration begin_cpu = ThreadCpuTime();
  ReapGroup();  // What has ended gives its place back.
  if (killed_) return;
  counter_.Recount();
  const size_t asked = held_clones_.size();
  absl::Duration pause;
  std::deque<HeldCall> kept;
  for (HeldCall& call : std::exchange(held_clones_, {})) {
    if (TakeProcess(call)) continue;
    pause = kRefusalPause;
    if (counter_.uncertain() && begin - call.since < kPatience) {
      kept.push_back(std::move(call));
      continue;
    }
    RefuseProcess(std::move(call));
    if (killed_) return;
  }
  held_clones_ = std::move(kept);
  const absl::Duration cost =
      ThreadCpuTime() - begin_cpu + static_cast<int64_t>(asked) * kCostOfAsking;
  next_recount_ = MonotonicNow() + std::max(pause, cost * kPausePerCost);
  if (!held_clones_.empty()) ScheduleRecount();
}

void Supervision::RefuseProcess(HeldCall call) {
  Violation violation = std::move(call.violation);
  violation.action = plan_.on_violation.For(violation.kind);
  if (violation.action == ViolationAction::kTerminate) {
    Report(std::move(violation));
    return EndRun(ProcessesCause(plan_.limits));
  }
  violation.error_number = EAGAIN;
  Report(std::move(violation));
  Answer(call.id, CallAnswer::kFail, EAGAIN);
}

// --------------------------------------------------------------------- disk

void Supervision::AskForSpace(HeldCall call) {
  if (held_reservations_.empty() && disk_.Reserve(call.reserved_bytes)) {
    Answer(call.id, CallAnswer::kContinue, 0);
    return;
  }
  held_reservations_.push_back(std::move(call));
  MeasureForReservations();
}

void Supervision::MeasureForReservations() {
  if (disk_.running()) return;  // Its end comes back here.
  const absl::Time now = MonotonicNow();
  if (disk_.Due(meter_.cpu(), now)) {
    StartDiskMeasurement();
  } else {
    SampleWithin(disk_.UntilDue(meter_.cpu(), now));
  }
}

void Supervision::AnswerHeldReservations() {
  while (!held_reservations_.empty() &&
         disk_.Reserve(held_reservations_.front().reserved_bytes)) {
    Answer(held_reservations_.front().id, CallAnswer::kContinue, 0);
    held_reservations_.pop_front();
  }
  if (!held_reservations_.empty()) MeasureForReservations();
}

}  // namespace cordon::sandbox
