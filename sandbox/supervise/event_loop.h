// EventLoop: one thread that waits on descriptors, timers and posted work.
//
//   EventLoop loop;                       // the thread runs from here on
//   loop.Post([&] { loop.Watch(fd, EPOLLIN, &handler); });
//
// Contract: Post may be called from any thread; everything else only on the
// loop's own thread. A handler stays alive until it was unwatched and control
// has returned to the loop (post its destruction). The destructor stops the
// thread; work posted but not run is destroyed.

#ifndef CORDON_SANDBOX_SUPERVISE_EVENT_LOOP_H_
#define CORDON_SANDBOX_SUPERVISE_EVENT_LOOP_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::sandbox {

class EventHandler {
 public:
  virtual ~EventHandler() = default;
  // `events` as epoll_wait(2) gives them. Called again as long as the condition
  // holds (level-triggered).
  virtual void OnReady(uint32_t events) = 0;
};

class EventLoop {
 public:
  // A point in time and a serial number: unique, and cheap to cancel.
  using TimerId = std::pair<absl::Time, uint64_t>;

  // Dies with a message when the kernel gives no epoll instance: there is no
  // service without it.
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void Post(absl::AnyInvocable<void()> work);

  // Calls handler->OnReady when `events` (EPOLLIN, EPOLLOUT or none: hang-ups
  // only) hold for `fd`. False when the kernel refuses (ENOSPC, ENOMEM).
  [[nodiscard]] bool Watch(int fd, uint32_t events, EventHandler* handler);
  void Unwatch(int fd);

  // Runs `work` once, not before `when` (MonotonicNow's clock); at most about a
  // millisecond late on an idle machine.
  TimerId CallAt(absl::Time when, absl::AnyInvocable<void()> work);
  void CancelTimer(const TimerId& timer);

 private:
  void Loop();
  int MillisecondsToNextTimer() const;
  void RunDueTimers();
  void RunPosted();

  UniqueFd epoll_;
  UniqueFd wakeup_;
  std::map<TimerId, absl::AnyInvocable<void()>> timers_;
  uint64_t next_serial_ = 0;
  bool stopping_ = false;

  // The standard library's, which the thread sanitizer can follow; Debian's
  // Abseil is not instrumented.
  std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<absl::AnyInvocable<void()>> posted_;

  std::thread thread_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_EVENT_LOOP_H_
