#include "server/admission.h"

#include <algorithm>
#include <chrono>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/status_details.h"

namespace cordon::server {
namespace {

constexpr absl::Duration kMinRetryDelay = absl::Milliseconds(100);
constexpr absl::Duration kMaxRetryDelay = absl::Seconds(10);
constexpr double kAverageWeight = 0.1;

// Time on a clock that nobody sets.
absl::Duration Now() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

absl::Status Draining() {
  return absl::UnavailableError("the server is shutting down");
}

}  // namespace

Slot::~Slot() {
  if (admission_ != nullptr) admission_->Release(Now() - granted_at_);
}

void Admission::Ticket::Cancel() { admission_->Cancel(*this); }

Admission::Admission(const Options& options)
    : options_(options), free_slots_(options.slots) {}

std::shared_ptr<Admission::Ticket> Admission::Request(Callback callback,
                                                      size_t bytes) {
  auto ticket = std::make_shared<Ticket>();
  ticket->admission_ = this;
  ticket->requested_at_ = Now();
  ticket->bytes_ = bytes;
  absl::Status refusal;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (draining_) {
      refusal = Draining();
    } else if (queue_.empty() && free_slots_ > 0) {
      --free_slots_;
    } else if (!HasRoomFor(bytes)) {
      refusal = Full();
    } else {
      ticket->callback_ = std::move(callback);
      ticket->queued_ = true;
      waiting_bytes_ += bytes;
      ticket->position_ = queue_.insert(queue_.end(), ticket);
      return ticket;
    }
  }
  if (refusal.ok()) {
    callback(Slot(this, ticket->requested_at_, absl::ZeroDuration()));
  } else {
    callback(refusal);
  }
  return ticket;
}

void Admission::Drain() {
  std::list<std::shared_ptr<Ticket>> waiting;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    draining_ = true;
    waiting.swap(queue_);
    waiting_bytes_ = 0;
    for (const auto& ticket : waiting) ticket->queued_ = false;
  }
  for (const auto& ticket : waiting) {
    std::exchange(ticket->callback_, nullptr)(Draining());
  }
}

void Admission::Release(absl::Duration held) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++free_slots_;
    average_held_ += (held - average_held_) * kAverageWeight;
  }
  Dispatch();
}

void Admission::Cancel(Ticket& ticket) {
  Callback callback;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!ticket.queued_) return;
    ticket.queued_ = false;
    waiting_bytes_ -= ticket.bytes_;
    callback = std::move(ticket.callback_);
    // The caller holds the ticket, so this is not its end.
    queue_.erase(ticket.position_);
  }
  callback(absl::CancelledError("cancelled while waiting for a slot"));
}

void Admission::Dispatch() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (dispatching_) return;
  dispatching_ = true;
  while (free_slots_ > 0 && !queue_.empty()) {
    --free_slots_;
    const std::shared_ptr<Ticket> ticket = std::move(queue_.front());
    queue_.pop_front();
    ticket->queued_ = false;
    waiting_bytes_ -= ticket->bytes_;
    Callback callback = std::move(ticket->callback_);
    lock.unlock();
    const absl::Duration now = Now();
    callback(Slot(this, now, now - ticket->requested_at_));
    callback = nullptr;
    lock.lock();
  }
  dispatching_ = false;
}

bool Admission::HasRoomFor(size_t bytes) const {
  return queue_.size() < options_.queue_capacity &&
         waiting_bytes_ + bytes <= options_.queue_bytes;
}

absl::Status Admission::Full() {
  // What is ahead of a newcomer, in rounds of all slots.
  const double rounds =
      1 + static_cast<double>(queue_.size()) / std::max(options_.slots, 1);
  const absl::Duration delay =
      std::clamp(average_held_ * rounds, kMinRetryDelay, kMaxRetryDelay);
  absl::Status status = absl::ResourceExhaustedError(absl::StrCat(
      "all ", options_.slots, " slots are busy and the queue is full (",
      queue_.size(), " requests, ", waiting_bytes_, " bytes); retry in ",
      absl::FormatDuration(absl::Floor(delay, absl::Milliseconds(1)))));
  AttachRetryInfo(status, delay);
  return status;
}

}  // namespace cordon::server
