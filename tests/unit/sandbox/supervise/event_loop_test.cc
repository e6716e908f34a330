#include "sandbox/supervise/event_loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "sandbox/base/monotonic_clock.h"

namespace cordon::sandbox {
namespace {

TEST(EventLoop, WorkOfManyThreadsRunsOnOneInTheOrderOfEach) {
  constexpr int kThreads = 8;
  constexpr int kEach = 1000;
  // Touched by the loop's thread only: a race would be the thread sanitizer's.
  std::vector<int> last(kThreads, -1);
  int done = 0;
  std::latch all_done{1};
  EventLoop loop;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kEach; ++i) {
        loop.Post([&, thread, i] {
          EXPECT_EQ(last[thread], i - 1);
          last[thread] = i;
          if (++done == kThreads * kEach) all_done.count_down();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  all_done.wait();
}

TEST(EventLoop, TimersRunInTheOrderOfTheirTimesAndACancelledOneNever) {
  std::vector<int> order;
  std::latch done{1};
  EventLoop loop;
  loop.Post([&] {
    const absl::Time now = MonotonicNow();
    loop.CallAt(now + absl::Milliseconds(6), [&] {
      order.push_back(3);
      done.count_down();
    });
    const EventLoop::TimerId cancelled =
        loop.CallAt(now + absl::Milliseconds(4), [&] { order.push_back(-1); });
    loop.CallAt(now + absl::Milliseconds(2), [&, cancelled] {
      order.push_back(2);
      loop.CancelTimer(cancelled);
    });
    loop.CallAt(now - absl::Seconds(1), [&] { order.push_back(1); });
  });
  done.wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

class CountingReader : public EventHandler {
 public:
  CountingReader(EventLoop* loop, int fd, int expected)
      : loop_(loop), fd_(fd), left_(expected) {}
  void OnReady(uint32_t) override {
    char byte;
    if (read(fd_, &byte, 1) == 1 && --left_ == 0) {
      loop_->Unwatch(fd_);
      done.count_down();
    }
  }
  std::latch done{1};

 private:
  EventLoop* loop_;
  int fd_;
  int left_;
};

TEST(EventLoop, AReadyDescriptorIsReportedUntilItIsRead) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  // Three bytes at once, read one at a time: level-triggered.
  ASSERT_EQ(write(writer.get(), "abc", 3), 3);
  EventLoop loop;
  CountingReader counter(&loop, reader.get(), 3);
  loop.Post([&] { EXPECT_TRUE(loop.Watch(reader.get(), EPOLLIN, &counter)); });
  counter.done.wait();
}

TEST(EventLoop, WhatCannotBeWatchedSaysSo) {
  std::latch done{1};
  EventLoop loop;
  loop.Post([&] {
    const UniqueFd file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    EXPECT_FALSE(loop.Watch(file.get(), EPOLLIN, nullptr));
    done.count_down();
  });
  done.wait();
}

TEST(EventLoop, WorkLeftAtTheEndIsDestroyed) {
  auto alive = std::make_shared<int>(0);
  {
    EventLoop loop;
    loop.Post([&loop, alive] {
      // Never comes.
      loop.CallAt(MonotonicNow() + absl::Hours(1), [alive] {});
    });
  }
  EXPECT_EQ(alive.use_count(), 1);
}

}  // namespace
}  // namespace cordon::sandbox
