// The doors are Start and Stop; everything else is on the thread.

#include "sandbox/supervise/path_thread.h"

#include <linux/audit.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/base/monotonic_clock.h"
#include "sandbox/base/notification_buffer.h"
#include "sandbox/base/scoped_signal_block.h"
#include "sandbox/supervise/call_judge.h"
#include "sandbox/supervise/process_memory.h"

namespace cordon::sandbox {
namespace {

// How often FIFOs that wait are looked at, if that is cheap.
constexpr absl::Duration kPause = absl::Milliseconds(1);
constexpr int kPausePerCost = 9;
// Of one run, at once; two descriptors each.
constexpr size_t kMostFifos = 64;

}  // namespace

PathThread::PathThread(const PathBroker* broker, const SyscallPolicy* policy,
                       int listener, PathThreadEvents events)
    : broker_(broker),
      policy_(policy),
      listener_(listener),
      events_(std::move(events)),
      redirects_(listener, stopping_) {}

PathThread::~PathThread() {
  if (thread_.joinable()) thread_.join();
}

// Signals to the server are for its own threads.
absl::Status PathThread::Start() {
  wakeup_.Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wakeup_.valid()) return ErrnoToStatus(errno, "eventfd");
  const ScopedSignalBlock no_signals;
  try {
    thread_ = std::thread([this] { Loop(); });
  } catch (const std::system_error& error) {
    return ErrnoToStatus(error.code().value(), "a run's thread for paths");
  }
  return absl::OkStatus();
}

void PathThread::Stop() {
  stopping_ = true;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written =
      write(wakeup_.get(), &one, sizeof(one));
}

// Fields 10 and 12 of proc_pid_stat(5).
uint64_t PathThread::TakeFaultedBytes() {
  static const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  constexpr size_t kMinor = 7;
  constexpr size_t kMajor = 9;
  const std::string stat =
      ReadProcFile(getpid(), absl::StrCat("task/", tid_.load(), "/stat"));
  const std::vector<absl::string_view> fields = StatFields(stat, kMajor + 1);
  uint64_t minor = 0;
  uint64_t major = 0;
  if (fields.size() <= kMajor || !absl::SimpleAtoi(fields[kMinor], &minor) ||
      !absl::SimpleAtoi(fields[kMajor], &major)) {
    return 0;
  }
  const uint64_t now = (minor + major) * page;
  return now - std::exchange(taken_bytes_, now);
}

void PathThread::Loop() {
  tid_ = static_cast<pid_t>(syscall(SYS_gettid));
  pollfd watched[] = {{.fd = wakeup_.get(), .events = POLLIN, .revents = 0},
                      {.fd = listener_, .events = POLLIN, .revents = 0}};
  RunRights rights(broker_->owner());
  while (!stopping_) {
    if (poll(watched, std::size(watched), MillisecondsToFifos()) < 0) continue;
    if (stopping_) break;
    NotificationBuffer buffer;
    if ((watched[1].revents & POLLIN) == 0) {
      // Hang-up: no process uses the filter any more.
      if (watched[1].revents != 0) watched[1].fd = -1;
    } else if (ReceiveNotification(listener_, buffer)) {
      OnCall(buffer.notification, rights);
      while (!kept_.empty() && !stopping_) {
        const seccomp_notif call = kept_.front();
        kept_.pop_front();
        OnCall(call, rights);
      }
    }
    if (!fifos_.empty() && MonotonicNow() >= next_fifos_) TryFifosAgain();
  }
  last_cpu_ = absl::ToInt64Nanoseconds(ThreadCpuTime());
  events_.on_stopped();
}

void PathThread::OnCall(const seccomp_notif& call, RunRights& rights) {
  // The numbers of another architecture mean other calls (seccomp(2)).
  if (call.data.arch != AUDIT_ARCH_X86_64) {
    return events_.on_other_call(call, nullptr);
  }
  if (redirects_.Continue(call)) return;
  BrokeredPath performed = broker_->Perform(call, listener_, rights);
  if (performed.kind != BrokeredPath::Kind::kUnconcerned) {
    return Settle(call, std::move(performed));
  }
  const Verdict verdict = policy_->Evaluate(call.data.nr, ArgumentsOf(call));
  if (verdict.kind == VerdictKind::kAsk &&
      verdict.question == Question::kPath) {
    LetContinue(listener_, call.id);
  } else if (verdict.kind == VerdictKind::kAsk &&
             verdict.question == Question::kSocketCall) {
    events_.on_other_call(call, FindNamedSocket(call, *broker_));
  } else {
    events_.on_other_call(call, nullptr);
  }
}

void PathThread::Settle(const seccomp_notif& call, BrokeredPath performed) {
  switch (performed.kind) {
    case BrokeredPath::Kind::kUnconcerned:
    case BrokeredPath::Kind::kHanded:
      return;
    case BrokeredPath::Kind::kWaits:
      if (fifos_.size() >= kMostFifos) {
        AnswerCall(listener_, call.id, ENFILE);
        return;
      }
      fifos_.push_back({call, std::move(performed.fifo)});
      return;
    case BrokeredPath::Kind::kElsewhere:
      if (const int error = redirects_.Begin(
              call, performed.path, performed.arguments,
              [this](const seccomp_notif& other) { kept_.push_back(other); });
          error != 0) {
        AnswerCall(listener_, call.id, error);
      }
      return;
    case BrokeredPath::Kind::kAnswered:
      break;
  }
  if (!performed.path.empty()) {
    return events_.on_refused(call, std::move(performed.path),
                              performed.error_number);
  }
  AnswerCall(listener_, call.id, performed.error_number, performed.value);
}

// Looking at them takes a tenth of the time at most.
int PathThread::MillisecondsToFifos() const {
  constexpr int kForever = -1;
  if (fifos_.empty()) return kForever;
  const absl::Duration left = next_fifos_ - MonotonicNow();
  return left <= absl::ZeroDuration()
             ? 0
             : static_cast<int>(absl::ToInt64Milliseconds(left)) + 1;
}

void PathThread::TryFifosAgain() {
  const absl::Duration begin = ThreadCpuTime();
  std::vector<WaitingFifo> waiting = std::exchange(fifos_, {});
  for (WaitingFifo& open : waiting) {
    if (!IsAwaited(listener_, open.call.id)) continue;
    if (HasSignal(static_cast<pid_t>(open.call.pid))) {
      AnswerCall(listener_, open.call.id, EINTR);
      continue;
    }
    BrokeredPath performed =
        broker_->TryAgain(open.call.id, std::move(open.fifo), listener_);
    Settle(open.call, std::move(performed));
  }
  const absl::Duration cost = ThreadCpuTime() - begin;
  next_fifos_ = fifos_.empty()
                    ? absl::InfinitePast()
                    : MonotonicNow() + std::max(kPause, cost * kPausePerCost);
}

absl::Duration PathThread::CpuTime() {
  clockid_t clock;
  timespec time;
  // The thread is there until it is joined; its clock is not.
  if (last_cpu_ == 0 &&
      pthread_getcpuclockid(thread_.native_handle(), &clock) == 0 &&
      clock_gettime(clock, &time) == 0) {
    return absl::DurationFromTimespec(time);
  }
  return absl::Nanoseconds(last_cpu_.load());
}

}  // namespace cordon::sandbox
