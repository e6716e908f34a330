// Calls on internet sockets, which the broker performs: most at once, a connect
// that waits when the other end has answered.

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/base/monotonic_clock.h"
#include "sandbox/base/notification_buffer.h"
#include "sandbox/supervise/process_memory.h"
#include "sandbox/supervise/supervision.h"

namespace cordon::sandbox {
namespace {

// How long a signal waits for a connect that it interrupts.
constexpr absl::Duration kSignalsPause = absl::Milliseconds(20);

}  // namespace

void Supervision::PerformSocketCall(const seccomp_notif& notification,
                                    Violation violation, absl::Time since,
                                    std::shared_ptr<const NamedSocket> named) {
  BrokeredCall performed =
      broker_.Perform(notification, listener_.fd.get(), since, named);
  if (performed.service_failed) {
    return Fail(absl::InternalError("nobody opens sockets in a run's network"));
  }
  if (performed.retry_at != absl::InfiniteFuture()) {
    loop_->CallAt(performed.retry_at,
                  [self = shared_from_this(), notification,
                   violation = std::move(violation), since, named]() mutable {
                    if (self->killed_ || !self->IsWaiting(notification.id))
                      return;
                    if (HasSignal(static_cast<pid_t>(notification.pid))) {
                      self->Answer(notification.id, CallAnswer::kFail, EINTR);
                      return;
                    }
                    self->PerformSocketCall(notification, std::move(violation),
                                            since, std::move(named));
                  });
    return;
  }
  if (notification.data.nr == __NR_socket && performed.error_number == 0) {
    return;  // It has its answer.
  }
  if (performed.connecting >= 0) {
    Connecting* const connecting = WatchConnection(performed);
    if (performed.waits && connecting != nullptr &&
        !connecting->call().has_value()) {
      connecting->Attach(notification);
      return;
    }
    // Another thread waits for it, or too many do.
    if (performed.waits) performed.error_number = EALREADY;
  }
  if (!performed.forbidden_address.empty() && IsWaiting(notification.id)) {
    violation.address = std::move(performed.forbidden_address);
    violation.action = plan_.on_violation.For(violation.kind);
    if (violation.action == ViolationAction::kTerminate) {
      std::optional<Cause> cause = ViolationCause(violation);
      Report(std::move(violation));
      return EndRun(std::move(cause));
    }
    violation.error_number = performed.error_number;
    Report(std::move(violation));
  }
  AnswerSocketCall(notification.id, performed);
}

void Supervision::AnswerSocketCall(uint64_t id, const BrokeredCall& performed) {
  AnswerCall(listener_.fd.get(), id, performed.error_number, performed.value);
}

// Watched is a duplicate, because the loop knows descriptors and the broker may
// close its own. Null: there are too many, or the host has no more.
Supervision::Connecting* Supervision::WatchConnection(
    const BrokeredCall& performed) {
  constexpr size_t kMost = 64;
  const auto found = connecting_.find(performed.socket);
  if (found != connecting_.end()) return found->second.get();
  if (connecting_.size() >= kMost) return nullptr;
  UniqueFd fd(fcntl(performed.connecting, F_DUPFD_CLOEXEC, 0));
  if (!fd.valid()) return nullptr;
  auto connecting =
      std::make_unique<Connecting>(this, performed.socket, std::move(fd));
  if (!loop_->Watch(connecting->fd(), EPOLLOUT, connecting.get())) {
    return nullptr;
  }
  if (connecting_.empty()) {
    signals_timer_ = loop_->CallAt(MonotonicNow() + kSignalsPause,
                                   [this] { LookForSignals(); });
  }
  return (connecting_[performed.socket] = std::move(connecting)).get();
}

void Supervision::OnConnected(Connecting& connecting) {
  const auto found = connecting_.find(connecting.socket());
  if (found == connecting_.end() || found->second.get() != &connecting) return;
  std::unique_ptr<Connecting> done = std::move(found->second);
  connecting_.erase(found);
  if (connecting_.empty()) loop_->CancelTimer(signals_timer_);
  loop_->Unwatch(done->fd());
  if (const std::optional<seccomp_notif>& call = done->call();
      call.has_value()) {
    if (!killed_) {
      AnswerSocketCall(call->id, broker_.FinishConnect(done->socket(), *call,
                                                       listener_.fd.get()));
    }
  } else {
    broker_.NoteSettled(done->socket());
  }
  // Events of this round may still name it.
  loop_->Post([self = shared_from_this(), done = std::move(done)] {});
}

// A call that the supervisor has received is interrupted by the thread's end
// only (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, seccomp(2)). connect(2) would
// have been by any signal, and its socket have gone on connecting.
void Supervision::LookForSignals() {
  for (const auto& [socket, connecting] : connecting_) {
    const std::optional<seccomp_notif>& call = connecting->call();
    if (!call.has_value()) continue;
    if (!IsWaiting(call->id)) {
      connecting->Detach();
    } else if (HasSignal(static_cast<pid_t>(call->pid))) {
      Answer(connecting->Detach()->id, CallAnswer::kFail, EINTR);
    }
  }
  // Of a socket that is closed nobody wants to know.
  for (auto entry = connecting_.begin(); entry != connecting_.end();) {
    if (entry->second->call().has_value() || broker_.IsHeld(entry->first)) {
      ++entry;
      continue;
    }
    loop_->Unwatch(entry->second->fd());
    loop_->Post([gone = std::move(entry->second)] {});
    entry = connecting_.erase(entry);
  }
  if (connecting_.empty()) return;
  signals_timer_ = loop_->CallAt(MonotonicNow() + kSignalsPause,
                                 [this] { LookForSignals(); });
}

bool Supervision::IsWaiting(uint64_t call) const {
  return IsAwaited(listener_.fd.get(), call);
}

void Supervision::ForgetConnections() {
  loop_->CancelTimer(signals_timer_);
  for (auto& [socket, connecting] : connecting_) {
    loop_->Unwatch(connecting->fd());
    loop_->Post([gone = std::move(connecting)] {});
  }
  connecting_.clear();
  broker_.Clear();
}

}  // namespace cordon::sandbox
