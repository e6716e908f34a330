// BusyHost keeps every processor busy while it lives: who has to be woken
// waits.
//
// Contract: threads of this process, of ordinary priority, two a processor.

#ifndef CORDON_TESTS_SUPPORT_BUSY_HOST_H_
#define CORDON_TESTS_SUPPORT_BUSY_HOST_H_

#include <atomic>
#include <thread>
#include <vector>

namespace cordon::testing {

class BusyHost {
 public:
  BusyHost() {
    for (unsigned i = 0; i < 2 * std::thread::hardware_concurrency(); ++i) {
      threads_.emplace_back([this] {
        while (!stopping_.load(std::memory_order_relaxed)) {
        }
      });
    }
  }
  ~BusyHost() {
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  BusyHost(const BusyHost&) = delete;
  BusyHost& operator=(const BusyHost&) = delete;

 private:
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace cordon::testing

#endif  // CORDON_TESTS_SUPPORT_BUSY_HOST_H_
