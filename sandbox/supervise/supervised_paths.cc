// Calls on paths of a run's own file system, which the broker performs: most at
// once, an open of a FIFO when somebody is at its other end; and those that the
// program has to do itself, on another path.

#include <fcntl.h>
#include <linux/seccomp.h>

#include <cerrno>
#include <utility>

#include "sandbox/base/monotonic_clock.h"
#include "sandbox/base/notification_buffer.h"
#include "sandbox/supervise/supervision.h"

namespace cordon::sandbox {
namespace {

// How often both are looked at.
constexpr absl::Duration kPause = absl::Milliseconds(1);
// Of one run, at once.
constexpr size_t kMostFifos = 256;

}  // namespace

bool Supervision::PerformPathCall(const seccomp_notif& notification) {
  if (!paths_.has_value()) return false;
  if (redirects_.Continue(notification, listener_.fd.get())) return true;
  BrokeredPath performed = paths_->Perform(notification, listener_.fd.get());
  if (performed.kind == BrokeredPath::Kind::kUnconcerned) return false;
  SettlePathCall(notification, std::move(performed));
  return true;
}

void Supervision::SettlePathCall(const seccomp_notif& notification,
                                 BrokeredPath performed) {
  const int listener = listener_.fd.get();
  switch (performed.kind) {
    case BrokeredPath::Kind::kUnconcerned:
    case BrokeredPath::Kind::kHanded:
      return;
    case BrokeredPath::Kind::kWaits:
      if (waiting_fifos_.size() >= kMostFifos) {
        AnswerCall(listener, notification.id, ENFILE);
        return;
      }
      waiting_fifos_.push_back({notification, std::move(performed.fifo)});
      if (waiting_fifos_.size() == 1) {
        loop_->CallAt(MonotonicNow() + kPause,
                      [self = shared_from_this()] { self->TryFifosAgain(); });
      }
      return;
    case BrokeredPath::Kind::kElsewhere: {
      const int error =
          redirects_.Begin(notification, std::move(performed.path),
                           std::move(performed.arguments), listener);
      if (error != 0) AnswerCall(listener, notification.id, error);
      StepRedirects();
      return;
    }
    case BrokeredPath::Kind::kAnswered:
      break;
  }
  if (!performed.path.empty()) {
    JudgedCall breach = JudgeRefused(notification, std::move(performed.path),
                                     plan_.on_violation);
    HandleCall(notification.id, static_cast<pid_t>(notification.pid),
               std::move(breach));
    return;
  }
  AnswerCall(listener, notification.id, performed.error_number,
             performed.value);
}

void Supervision::TryFifosAgain() {
  if (killed_) return waiting_fifos_.clear();
  std::vector<WaitingFifo> waiting = std::exchange(waiting_fifos_, {});
  for (WaitingFifo& open : waiting) {
    if (!IsWaiting(open.notification.id)) continue;
    if (HasSignal(static_cast<pid_t>(open.notification.pid))) {
      AnswerCall(listener_.fd.get(), open.notification.id, EINTR);
      continue;
    }
    BrokeredPath performed = paths_->TryAgain(
        open.notification.id, std::move(open.fifo), listener_.fd.get());
    if (performed.kind == BrokeredPath::Kind::kWaits) {
      waiting_fifos_.push_back({open.notification, std::move(performed.fifo)});
    } else {
      SettlePathCall(open.notification, std::move(performed));
    }
  }
  if (waiting_fifos_.empty()) return;
  loop_->CallAt(MonotonicNow() + kPause,
                [self = shared_from_this()] { self->TryFifosAgain(); });
}

// Until none is on its way to a stop: also of a run that is being ended.
void Supervision::StepRedirects() {
  redirects_.Step();
  if (redirects_step_ || !redirects_.waiting() || all_reaped_) return;
  redirects_step_ = true;
  loop_->CallAt(MonotonicNow() + kPause, [self = shared_from_this()] {
    self->redirects_step_ = false;
    self->StepRedirects();
  });
}

}  // namespace cordon::sandbox
