#include "sandbox/work_queue.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "sandbox/identity_pool.h"

namespace cordon::sandbox {
namespace {

TEST(WorkQueue, EveryWorkerServesAndHasItsOwnState) {
  std::mutex mutex;
  std::set<int> seen;
  std::latch all_begun(3);
  {
    WorkQueue<int> queue({1, 2, 3});
    // None of the three can finish before all of them have begun.
    for (int i = 0; i < 3; ++i) {
      queue.Submit([&](int& worker) {
        {
          const std::lock_guard<std::mutex> lock(mutex);
          seen.insert(worker);
        }
        all_begun.arrive_and_wait();
      });
    }
  }
  EXPECT_EQ(seen, (std::set<int>{1, 2, 3}));
}

TEST(WorkQueue, OneWorkerKeepsTheOrder) {
  std::vector<int> order;
  {
    WorkQueue<int> queue(std::vector<int>(1));
    for (int i = 0; i < 100; ++i) {
      queue.Submit([&order, i](int&) { order.push_back(i); });
    }
  }
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
}

TEST(WorkQueue, WorkSubmittedBeforeTheEndIsDone) {
  std::atomic<int> done = 0;
  {
    WorkQueue<int> queue(std::vector<int>(2));
    for (int i = 0; i < 1000; ++i) queue.Submit([&done](int&) { ++done; });
  }
  EXPECT_EQ(done, 1000);
}

class PutOff : public testing::Test {
 protected:
  auto Note(int number) {
    return [this, number](int&) {
      const std::lock_guard<std::mutex> lock(mutex_);
      done_.push_back(number);
      arrived_.notify_all();
    };
  }

  std::vector<int> AwaitAll(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    arrived_.wait(lock, [&] { return done_.size() == count; });
    return done_;
  }

  std::vector<int> DoneAfterAWhile() {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::lock_guard<std::mutex> lock(mutex_);
    return done_;
  }

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<int> done_;
};

constexpr absl::Duration kForEver = absl::Hours(1);

TEST_F(PutOff, WaitsUntilSomebodyHurries) {
  WorkQueue<int> queue(std::vector<int>(1));
  queue.SubmitWithin(kForEver, Note(1));
  queue.SubmitWithin(kForEver, Note(2));
  EXPECT_EQ(DoneAfterAWhile(), std::vector<int>());
  queue.Hurry();
  EXPECT_EQ(AwaitAll(2), (std::vector<int>{1, 2}));
  // That was for what was there.
  queue.SubmitWithin(kForEver, Note(3));
  EXPECT_EQ(DoneAfterAWhile(), (std::vector<int>{1, 2}));
}

TEST_F(PutOff, GoesBeforeOtherWork) {
  WorkQueue<int> queue(std::vector<int>(1));
  queue.SubmitWithin(kForEver, Note(1));
  queue.Submit(Note(2));
  EXPECT_EQ(AwaitAll(2), (std::vector<int>{1, 2}));
}

// Or the second would wait for the first.
TEST_F(PutOff, KeepsNoThreadIdle) {
  std::latch second_begun(1);
  WorkQueue<int> queue(std::vector<int>(2));
  queue.SubmitWithin(kForEver, [&](int&) { second_begun.wait(); });
  DoneAfterAWhile();  // Both threads wait by now.
  queue.Submit([&](int& worker) {
    second_begun.count_down();
    Note(2)(worker);
  });
  EXPECT_EQ(AwaitAll(1), (std::vector<int>{2}));
}

TEST_F(PutOff, IsDoneWithoutAnythingElse) {
  WorkQueue<int> queue(std::vector<int>(1));
  queue.SubmitWithin(kForEver, Note(1));
  queue.SubmitWithin(absl::Milliseconds(1), Note(2));
  EXPECT_EQ(AwaitAll(2), (std::vector<int>{1, 2}));
}

TEST_F(PutOff, IsDoneAtTheEnd) {
  {
    WorkQueue<int> queue(std::vector<int>(2));
    queue.SubmitWithin(kForEver, Note(1));
  }
  EXPECT_EQ(done_, (std::vector<int>{1}));
}

TEST(IdentityPool, HandsOutEachOnceAndTheOldestFirst) {
  IdentityPool pool(100, 2);
  EXPECT_EQ(pool.Acquire(), 100u);
  EXPECT_EQ(pool.Acquire(), 101u);
  EXPECT_EQ(pool.Acquire(), std::nullopt);
  pool.Release(101);
  pool.Release(100);
  EXPECT_EQ(pool.Acquire(), 101u);
}

}  // namespace
}  // namespace cordon::sandbox
