// Admission: a fixed number of slots, and a bounded queue in front of them.
//
//   auto ticket = admission.Request([](absl::StatusOr<Slot> slot) {
//     if (slot.ok()) StartRun(*std::move(slot));
//   });
//   ...
//   ticket->Cancel();  // The caller went away.
//
// What it does not do: know what a slot is used for, or take one back.
//
// Clients take turns (waiting_line.h): one that has filled the queue delays
// another by a turn, and makes room for it.
//
// Contract: thread-safe. A callback is called exactly once, with no lock held,
// on the thread that made it due: that of Request (its own, or that of one
// which it made leave the queue), Cancel, Drain or of a slot's destruction.
// Slots and tickets must not outlive the Admission. The requests of one client
// are served in their order.

#ifndef CORDON_SERVER_ADMISSION_H_
#define CORDON_SERVER_ADMISSION_H_

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/waiting_line.h"

namespace cordon::server {

class Admission;

// The right to run one program; given back on destruction.
class Slot {
 public:
  Slot(Slot&& other) noexcept
      : admission_(std::exchange(other.admission_, nullptr)),
        granted_at_(other.granted_at_),
        queue_time_(other.queue_time_),
        waited_(other.waited_) {}
  Slot& operator=(Slot&&) = delete;
  ~Slot();

  // How long the request waited.
  absl::Duration queue_time() const { return queue_time_; }
  // Whether it was not there yet when Request came.
  bool waited() const { return waited_; }

 private:
  friend class Admission;
  Slot(Admission* admission, absl::Duration granted_at)
      : admission_(admission), granted_at_(granted_at) {}
  Slot(Admission* admission, absl::Duration granted_at,
       absl::Duration queue_time)
      : admission_(admission),
        granted_at_(granted_at),
        queue_time_(queue_time),
        waited_(true) {}

  Admission* admission_;
  absl::Duration granted_at_;
  absl::Duration queue_time_ = absl::ZeroDuration();
  bool waited_ = false;
};

class Admission final {
 public:
  struct Options {
    int slots = 1;
    // Requests that can wait; 0: none.
    size_t queue_capacity = 0;
    // What they may hold in memory together.
    size_t queue_bytes = size_t{256} << 20;
  };

  // OK; RESOURCE_EXHAUSTED with a google.rpc.RetryInfo when the queue is full,
  // or became so and its sender has most of it; UNAVAILABLE while draining;
  // CANCELLED after Ticket::Cancel.
  using Callback = absl::AnyInvocable<void(absl::StatusOr<Slot>)>;

  // One waiting request.
  class Ticket : public WaitingLine::Place {
   public:
    // Leaves the queue. Without effect when the callback was called, or is
    // about to be.
    void Cancel();

   private:
    friend class Admission;
    Admission* admission_ = nullptr;
    Callback callback_;
    absl::Duration requested_at_;
    bool queued_ = false;
  };

  explicit Admission(const Options& options);
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // `bytes` is what the request holds in memory while it waits.
  std::shared_ptr<Ticket> Request(Callback callback, size_t bytes = 0,
                                  const Sender& sender = {});

  // From now on every request, those in the queue included, gets UNAVAILABLE.
  void Drain();

  const Options& options() const { return options_; }

 private:
  friend class Slot;

  void Release(absl::Duration held);
  void Cancel(Ticket& ticket);
  // Hands free slots to waiting requests until there is none of one of them.
  void Dispatch();

  // These are called with mutex_ locked.
  // Lets those leave who have more of the queue than `sender` would have, if
  // that makes room for it.
  std::vector<Callback> MakeRoom(size_t bytes, const Sender& sender);
  Callback Leave(const WaitingLine::Ticket& ticket);
  absl::Status Full();

  const Options options_;
  // Guards all that follows. Not absl::Mutex: the thread sanitizer, which
  // checks that, does not see into Debian's library.
  std::mutex mutex_;
  int free_slots_;
  bool draining_ = false;
  // Whether a thread is in Dispatch: a slot that is given back inside a
  // callback must not recurse into the next one.
  bool dispatching_ = false;
  WaitingLine queue_;
  // Moving average of how long a slot is held.
  absl::Duration average_held_;
};

}  // namespace cordon::server

#endif  // CORDON_SERVER_ADMISSION_H_
