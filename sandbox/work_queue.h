// WorkQueue: a few long-lived threads that do blocking work in the order in
// which it came.
//
// Contract: Submit from any thread. The destructor runs what was submitted,
// then joins the threads.

#ifndef CORDON_SANDBOX_WORK_QUEUE_H_
#define CORDON_SANDBOX_WORK_QUEUE_H_

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"

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

  void Submit(Work work) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      queue_.push_back(std::move(work));
    }
    ready_.notify_one();
  }

 private:
  void Serve(Worker& worker) {
    for (;;) {
      Work work;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        work = std::move(queue_.front());
        queue_.pop_front();
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
  bool stopping_ = false;
  std::vector<Worker> workers_;
  std::vector<std::thread> threads_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WORK_QUEUE_H_
