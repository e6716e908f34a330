#include "server/admission.h"

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "server/durations.h"
#include "server/status_details.h"

namespace cordon::server {
namespace {

// Where the answer to one request ends up.
struct Answer {
  std::optional<absl::StatusOr<Slot>> slot;

  Admission::Callback Callback() {
    return [this](absl::StatusOr<Slot> value) {
      EXPECT_FALSE(slot.has_value()) << "answered twice";
      slot.emplace(std::move(value));
    };
  }
  bool Granted() const { return slot.has_value() && slot->ok(); }
  absl::StatusCode Code() const {
    return slot.has_value() ? slot->status().code()
                            : absl::StatusCode::kUnknown;
  }
};

TEST(AdmissionTest, AFreeSlotIsGrantedAtOnce) {
  Admission admission({.slots = 1, .queue_capacity = 0});
  Answer first;
  admission.Request(first.Callback());
  ASSERT_TRUE(first.Granted());
  EXPECT_EQ((*first.slot)->queue_time(), absl::ZeroDuration());
}

TEST(AdmissionTest, RequestsWaitInTheirOrder) {
  Admission admission({.slots = 1, .queue_capacity = 2});
  Answer first, second, third;
  admission.Request(first.Callback());
  admission.Request(second.Callback());
  admission.Request(third.Callback());
  EXPECT_FALSE(second.slot.has_value());
  first.slot.reset();
  EXPECT_TRUE(second.Granted());
  EXPECT_GT((*second.slot)->queue_time(), absl::ZeroDuration());
  EXPECT_FALSE(third.slot.has_value());
  second.slot.reset();
  EXPECT_TRUE(third.Granted());
}

TEST(AdmissionTest, AFullQueueSaysWhenToRetry) {
  Admission admission({.slots = 1, .queue_capacity = 1});
  Answer first, second, third;
  admission.Request(first.Callback());
  admission.Request(second.Callback());
  admission.Request(third.Callback());
  EXPECT_EQ(third.Code(), absl::StatusCode::kResourceExhausted);
  const auto payload = third.slot->status().GetPayload(
      absl::StrCat(kTypeUrlPrefix, "google.rpc.RetryInfo"));
  ASSERT_TRUE(payload.has_value());
  google::rpc::RetryInfo info;
  ASSERT_TRUE(info.ParseFromString(std::string(*payload)));
  const auto delay = FromProto(info.retry_delay());
  ASSERT_TRUE(delay.has_value());
  EXPECT_GE(*delay, absl::Milliseconds(100));
  EXPECT_LE(*delay, absl::Seconds(10));
  first.slot.reset();
  second.slot.reset();
  Answer fourth;
  admission.Request(fourth.Callback());
  EXPECT_TRUE(fourth.Granted());
}

TEST(AdmissionTest, WaitingRequestsHoldABoundedMemory) {
  Admission admission({.slots = 1, .queue_capacity = 100, .queue_bytes = 10});
  Answer first, second, third, fourth;
  admission.Request(first.Callback(), 1000);
  EXPECT_TRUE(first.Granted()) << "it does not wait";
  auto ticket = admission.Request(second.Callback(), 6);
  admission.Request(third.Callback(), 5);
  EXPECT_EQ(third.Code(), absl::StatusCode::kResourceExhausted);
  ticket->Cancel();
  admission.Request(fourth.Callback(), 5);
  EXPECT_FALSE(fourth.slot.has_value()) << "there is room again";
  first.slot.reset();
  EXPECT_TRUE(fourth.Granted());
}

TEST(AdmissionTest, ACancelledRequestLeavesTheQueue) {
  Admission admission({.slots = 1, .queue_capacity = 1});
  Answer first, second, third;
  admission.Request(first.Callback());
  auto ticket = admission.Request(second.Callback());
  ticket->Cancel();
  EXPECT_EQ(second.Code(), absl::StatusCode::kCancelled);
  admission.Request(third.Callback());
  EXPECT_FALSE(third.slot.has_value());
  first.slot.reset();
  EXPECT_TRUE(third.Granted());
}

TEST(AdmissionTest, CancellingAGrantedRequestChangesNothing) {
  Admission admission({.slots = 1, .queue_capacity = 0});
  Answer first, second;
  auto ticket = admission.Request(first.Callback());
  ticket->Cancel();
  ASSERT_TRUE(first.Granted());
  admission.Request(second.Callback());
  EXPECT_EQ(second.Code(), absl::StatusCode::kResourceExhausted);
}

TEST(AdmissionTest, DrainingRefusesWaitingAndNewRequests) {
  Admission admission({.slots = 1, .queue_capacity = 1});
  Answer first, second, third;
  admission.Request(first.Callback());
  admission.Request(second.Callback());
  admission.Drain();
  EXPECT_TRUE(first.Granted());
  EXPECT_EQ(second.Code(), absl::StatusCode::kUnavailable);
  first.slot.reset();
  admission.Request(third.Callback());
  EXPECT_EQ(third.Code(), absl::StatusCode::kUnavailable);
}

TEST(AdmissionTest, ASlotDroppedInItsCallbackServesTheWholeQueue) {
  // Deep enough to overflow a stack that recursed.
  constexpr int kWaiting = 100000;
  Admission admission({.slots = 1, .queue_capacity = kWaiting});
  Answer first;
  admission.Request(first.Callback());
  int served = 0;
  for (int i = 0; i < kWaiting; ++i) {
    admission.Request([&served](absl::StatusOr<Slot> slot) {
      if (slot.ok()) ++served;
    });
  }
  first.slot.reset();
  EXPECT_EQ(served, kWaiting);
}

TEST(AdmissionTest, ManyThreadsGetAtMostTheSlotsAtOnce) {
  constexpr int kSlots = 3;
  constexpr int kThreads = 8;
  constexpr int kRequests = 500;
  Admission admission({.slots = kSlots, .queue_capacity = 4});
  std::atomic<int> live = 0, granted = 0, refused = 0, cancelled = 0;
  std::atomic<bool> exceeded = false;
  const auto work = [&](int thread) {
    for (int i = 0; i < kRequests; ++i) {
      auto ticket = admission.Request([&](absl::StatusOr<Slot> slot) {
        if (!slot.ok()) {
          ++(absl::IsCancelled(slot.status()) ? cancelled : refused);
          return;
        }
        if (++live > kSlots) exceeded = true;
        ++granted;
        std::this_thread::yield();
        --live;
      });
      if ((i + thread) % 3 == 0) ticket->Cancel();
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(exceeded);
  EXPECT_GT(granted, 0);
  EXPECT_EQ(granted + refused + cancelled, kThreads * kRequests);
  Answer last;
  admission.Request(last.Callback());
  EXPECT_TRUE(last.Granted());
}

}  // namespace
}  // namespace cordon::server
