// WorkQueue: a few long-lived threads that do blocking work in the order in
// which it came.
//
//   queue.Submit(work);                   // As soon as a thread is free.
//   queue.SubmitWithin(patience, other);  // Later, or...
//   queue.Hurry();                        // ...now.
//
// Contract: these from any thread. The destructor runs what was submitted, then
// joins the threads.

#ifndef CORDON_SANDBOX_WORK_QUEUE_H_
#define CORDON_SANDBOX_WORK_QUEUE_H_

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

namespace cordon::sandbox {

// `Worker` is what each thread owns and its work is given.
template <typename Worker>
class WorkQueue {
 public:
  using Work = absl::AnyInvocable<void(Worker&)>;

  // One thread for each worker.
  explicit WorkQueue(std::vector<Worker> workers)
      : workers_(std::move(workers)) {
    threads_.reserve(workers_.size());
    for (Worker& worker : workers_) {
      threads_.emplace_back([this, &worker] { Serve(worker); });
    }
  }

  ~WorkQueue() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    ready_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // So that the order stays, what waits before it is not put off any longer.
  void Submit(Work work) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      queue_.push_back(std::move(work));
      due_ = Clock::time_point::min();
    }
    ready_.notify_one();
  }

  // The work is put off until there is other work, or somebody hurries, but not
  // for longer than `patience` once a thread is free.
  void SubmitWithin(absl::Duration patience, Work work) {
    const Clock::time_point due =
        Clock::now() + absl::ToChronoMicroseconds(patience);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      queue_.push_back(std::move(work));
      if (due >= due_) return;  // A thread wakes by then, or is awake.
      due_ = due;
    }
    ready_.notify_one();
  }

  void Hurry() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (queue_.empty()) return;
      due_ = Clock::time_point::min();
    }
    ready_.notify_all();
  }

 private:
  using Clock = std::chrono::steady_clock;

  void Serve(Worker& worker) {
    for (;;) {
      Work work;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        while (!stopping_ && (queue_.empty() || due_ > Clock::now())) {
          if (queue_.empty()) {
            ready_.wait(lock);
          } else {
            ready_.wait_until(lock, due_);
          }
        }
        if (queue_.empty()) return;
        work = std::move(queue_.front());
        queue_.pop_front();
        if (queue_.empty()) {
          due_ = Clock::time_point::max();
        } else {
          ready_.notify_one();  // All that is there is due.
        }
      }
      work(worker);
    }
  }

  // The standard library's, which the thread sanitizer can follow; Debian's
  // Abseil is not instrumented.
  std::mutex mutex_;
  std::condition_variable ready_;
  // Guarded by mutex_.
  std::deque<Work> queue_;
  // When the first of it is to be done, and all that is there by then.
  Clock::time_point due_ = Clock::time_point::max();
  bool stopping_ = false;
  std::vector<Worker> workers_;
  std::vector<std::thread> threads_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WORK_QUEUE_H_
