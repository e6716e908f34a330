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
    : options_(options),
      free_slots_(options.slots),
      queue_(options.queue_capacity, options.queue_bytes) {}

std::shared_ptr<Admission::Ticket> Admission::Request(Callback callback,
                                                      size_t bytes,
                                                      const Sender& sender) {
  auto ticket = std::make_shared<Ticket>();
  ticket->admission_ = this;
  ticket->requested_at_ = Now();
  absl::Status refusal, leaving;
  std::vector<Callback> made_room;
  bool waits = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (draining_) {
      refusal = Draining();
    } else if (queue_.empty() && free_slots_ > 0) {
      --free_slots_;
    } else {
      made_room = MakeRoom(bytes, sender);
      waits = queue_.HasRoomFor(bytes);
      if (waits) {
        ticket->callback_ = std::move(callback);
        ticket->queued_ = true;
        queue_.Add(ticket, sender, bytes);
      } else {
        refusal = Full();
      }
      if (!made_room.empty()) leaving = Full();
    }
  }
  for (Callback& callback : made_room) callback(leaving);
  if (waits) return ticket;
  if (refusal.ok()) {
    callback(Slot(this, ticket->requested_at_));
  } else {
    callback(refusal);
  }
  return ticket;
}

void Admission::Drain() {
  std::vector<Callback> waiting;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    draining_ = true;
    for (const auto& ticket : queue_.TakeAll()) {
      waiting.push_back(Leave(ticket));
    }
  }
  for (Callback& callback : waiting) callback(Draining());
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
    callback = std::move(ticket.callback_);
    // The caller holds the ticket, so this is not its end.
    queue_.Remove(ticket);
  }
  callback(absl::CancelledError("cancelled while waiting for a slot"));
}

void Admission::Dispatch() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (dispatching_) return;
  dispatching_ = true;
  while (free_slots_ > 0 && !queue_.empty()) {
    --free_slots_;
    const WaitingLine::Ticket next = queue_.TakeNext();
    const absl::Duration since = static_cast<Ticket&>(*next).requested_at_;
    Callback callback = Leave(next);
    lock.unlock();
    const absl::Duration now = Now();
    callback(Slot(this, now, now - since));
    callback = nullptr;
    lock.lock();
  }
  dispatching_ = false;
}

std::vector<Admission::Callback> Admission::MakeRoom(size_t bytes,
                                                     const Sender& sender) {
  std::vector<Callback> left;
  for (const WaitingLine::Ticket& loser : queue_.MakeRoom(sender, bytes)) {
    left.push_back(Leave(loser));
  }
  return left;
}

Admission::Callback Admission::Leave(const WaitingLine::Ticket& ticket) {
  auto& leaving = static_cast<Ticket&>(*ticket);
  leaving.queued_ = false;
  return std::move(leaving.callback_);
}

absl::Status Admission::Full() {
  // What is ahead of a newcomer, in rounds of all slots.
  const double rounds =
      1 + static_cast<double>(queue_.size()) / std::max(options_.slots, 1);
  const absl::Duration delay =
      std::clamp(average_held_ * rounds, kMinRetryDelay, kMaxRetryDelay);
  absl::Status status = absl::ResourceExhaustedError(absl::StrCat(
      "all ", options_.slots, " slots are busy and the queue is full (",
      queue_.size(), " requests, ", queue_.bytes(), " bytes); retry in ",
      absl::FormatDuration(absl::Floor(delay, absl::Milliseconds(1)))));
  AttachRetryInfo(status, delay);
  return status;
}

}  // namespace cordon::server
