#include "sandbox/supervise/event_loop.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "sandbox/base/monotonic_clock.h"

namespace cordon::sandbox {
namespace {

constexpr int kEventsPerWait = 64;

[[noreturn]] void DieWithoutKernelObject(const char* what) {
  std::perror(what);
  std::abort();
}

}  // namespace

EventLoop::EventLoop()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wakeup_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!epoll_.valid()) DieWithoutKernelObject("epoll_create1");
  if (!wakeup_.valid()) DieWithoutKernelObject("eventfd");
  // The wakeup descriptor is the one without a handler.
  if (!Watch(wakeup_.get(), EPOLLIN, nullptr))
    DieWithoutKernelObject("epoll_ctl");
  thread_ = std::thread([this] { Loop(); });
}

EventLoop::~EventLoop() {
  Post([this] { stopping_ = true; });
  thread_.join();
}

void EventLoop::Post(absl::AnyInvocable<void()> work) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    posted_.push_back(std::move(work));
    if (posted_.size() > 1) return;  // The loop was already told.
  }
  const uint64_t one = 1;
  // Fails only when the counter would overflow: then the loop is awake anyway.
  [[maybe_unused]] const ssize_t written =
      write(wakeup_.get(), &one, sizeof(one));
}

bool EventLoop::Watch(int fd, uint32_t events, EventHandler* handler) {
  epoll_event event = {};
  event.events = events;
  event.data.ptr = handler;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void EventLoop::Unwatch(int fd) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::CallAt(absl::Time when,
                                     absl::AnyInvocable<void()> work) {
  const TimerId id(when, next_serial_++);
  timers_.emplace(id, std::move(work));
  return id;
}

void EventLoop::CancelTimer(const TimerId& timer) { timers_.erase(timer); }

int EventLoop::MillisecondsToNextTimer() const {
  if (timers_.empty()) return -1;
  const absl::Duration wait = timers_.begin()->first.first - MonotonicNow();
  const int64_t milliseconds =
      absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1)));
  // An infinitely late timer saturates; epoll_wait takes an int.
  return static_cast<int>(std::clamp<int64_t>(milliseconds, 0, 3'600'000));
}

void EventLoop::RunDueTimers() {
  const absl::Time now = MonotonicNow();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    absl::AnyInvocable<void()> work = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    work();
  }
}

void EventLoop::RunPosted() {
  std::vector<absl::AnyInvocable<void()>> posted;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    posted.swap(posted_);
  }
  for (absl::AnyInvocable<void()>& work : posted) work();
}

void EventLoop::Loop() {
  // The process's signals are for other threads; and a program that reads no
  // more is EPIPE here, not SIGPIPE for the server (pipe(7)).
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  epoll_event events[kEventsPerWait];
  while (!stopping_) {
    const int count = epoll_wait(epoll_.get(), events, kEventsPerWait,
                                 MillisecondsToNextTimer());
    for (int i = 0; i < count; ++i) {
      auto* handler = static_cast<EventHandler*>(events[i].data.ptr);
      if (handler != nullptr) {
        handler->OnReady(events[i].events);
        continue;
      }
      uint64_t ignored;
      [[maybe_unused]] const ssize_t read_bytes =
          read(wakeup_.get(), &ignored, sizeof(ignored));
    }
    RunDueTimers();
    // After the events of this round, which may still name handlers that posted
    // work destroys.
    RunPosted();
  }
}

}  // namespace cordon::sandbox
