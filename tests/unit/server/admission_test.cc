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

Sender From(const std::string& host, int port) {
  return SenderOf(absl::StrCat("ipv4:", host, ":", port));
}

// Answers in the order of their grants, of requests that each hold the slot for
// no time.
struct Served {
  std::vector<std::string> names;
  Admission::Callback Callback(const std::string& name) {
    return [this, name](absl::StatusOr<Slot> slot) {
      names.push_back(slot.ok() ? name : absl::StrCat(name, " refused"));
    };
  }
};

TEST(AdmissionTest, AClientWithManyRequestsDelaysAnotherByATurnOnly) {
  Admission admission({.slots = 1, .queue_capacity = 10});
  Answer first;
  Served served;
  admission.Request(first.Callback());
  for (const char* name : {"a1", "a2", "a3"}) {
    admission.Request(served.Callback(name), 0, From("10.0.0.1", 1));
  }
  admission.Request(served.Callback("b1"), 0, From("10.0.0.2", 1));
  admission.Request(served.Callback("b2"), 0, From("10.0.0.2", 1));
  first.slot.reset();
  EXPECT_EQ(served.names,
            (std::vector<std::string>{"a1", "b1", "a2", "b2", "a3"}));
}

TEST(AdmissionTest, OneClientsRequestsKeepTheirOrder) {
  Admission admission({.slots = 1, .queue_capacity = 10});
  Answer first;
  Served served;
  admission.Request(first.Callback());
  for (const char* name : {"1", "2", "3"}) {
    admission.Request(served.Callback(name), 0, From("10.0.0.1", 1));
  }
  first.slot.reset();
  EXPECT_EQ(served.names, (std::vector<std::string>{"1", "2", "3"}));
}

// More connections are more turns only beside others of the same host.
TEST(AdmissionTest, AHostWithManyConnectionsIsOneHost) {
  Admission admission({.slots = 1, .queue_capacity = 10});
  Answer first;
  Served served;
  admission.Request(first.Callback());
  for (int port = 1; port <= 4; ++port) {
    admission.Request(served.Callback(absl::StrCat("a", port)), 0,
                      From("10.0.0.1", port));
  }
  for (const char* name : {"b1", "b2", "b3"}) {
    admission.Request(served.Callback(name), 0, From("10.0.0.2", 1));
  }
  first.slot.reset();
  EXPECT_EQ(served.names, (std::vector<std::string>{"a1", "b1", "a2", "b2",
                                                    "a3", "b3", "a4"}));
}

TEST(AdmissionTest, WhoHasFilledTheQueueMakesRoomForWhoHasLessOfIt) {
  Admission admission({.slots = 1, .queue_capacity = 3});
  Answer first;
  admission.Request(first.Callback());
  std::vector<Answer> crowd(4);
  for (Answer& one : crowd) {
    admission.Request(one.Callback(), 0, From("10.0.0.1", 1));
  }
  EXPECT_EQ(crowd[3].Code(), absl::StatusCode::kResourceExhausted)
      << "control: nobody has less than itself";
  EXPECT_FALSE(crowd[2].slot.has_value());
  Answer quiet;
  auto ticket = admission.Request(quiet.Callback(), 0, From("10.0.0.1", 2));
  EXPECT_FALSE(quiet.slot.has_value()) << "it waits";
  EXPECT_EQ(crowd[2].Code(), absl::StatusCode::kResourceExhausted)
      << "the last that came";
  EXPECT_TRUE(
      crowd[2]
          .slot->status()
          .GetPayload(absl::StrCat(kTypeUrlPrefix, "google.rpc.RetryInfo"))
          .has_value());
  EXPECT_FALSE(crowd[0].slot.has_value());
  EXPECT_FALSE(crowd[1].slot.has_value());
  admission.Drain();
}

// Else two clients would take each other's places for ever.
TEST(AdmissionTest, WhoHasAsMuchOfTheQueueDisplacesNobody) {
  Admission admission({.slots = 1, .queue_capacity = 2});
  Answer first, a, b, another;
  admission.Request(first.Callback());
  admission.Request(a.Callback(), 0, From("10.0.0.1", 1));
  admission.Request(b.Callback(), 0, From("10.0.0.2", 1));
  admission.Request(another.Callback(), 0, From("10.0.0.2", 1));
  EXPECT_EQ(another.Code(), absl::StatusCode::kResourceExhausted);
  Answer third;
  admission.Request(third.Callback(), 0, From("10.0.0.3", 1));
  EXPECT_EQ(third.Code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(a.slot.has_value());
  EXPECT_FALSE(b.slot.has_value());
  admission.Drain();
}

TEST(AdmissionTest, OneRequestThatFillsTheQueuesMemoryMakesRoomToo) {
  Admission admission({.slots = 1, .queue_capacity = 10, .queue_bytes = 100});
  Answer first, large, small, too_large;
  admission.Request(first.Callback());
  admission.Request(large.Callback(), 100, From("10.0.0.1", 1));
  admission.Request(too_large.Callback(), 101, From("10.0.0.2", 1));
  EXPECT_EQ(too_large.Code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(large.slot.has_value()) << "that would not have helped";
  admission.Request(small.Callback(), 1, From("10.0.0.2", 1));
  EXPECT_EQ(large.Code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(small.slot.has_value());
  admission.Drain();
}

// Nobody goes unless that makes room, and they keep their places.
TEST(AdmissionTest, NobodyLeavesForNothing) {
  Admission admission({.slots = 1, .queue_capacity = 100, .queue_bytes = 100});
  Answer first, a, b, newcomer;
  admission.Request(first.Callback());
  admission.Request(a.Callback(), 20, From("10.0.0.1", 1));
  admission.Request(b.Callback(), 20, From("10.0.0.1", 1));
  std::vector<Answer> others(6);
  for (size_t i = 0; i < others.size(); ++i) {
    admission.Request(others[i].Callback(), 10,
                      From(absl::StrCat("10.0.1.", i), 1));
  }
  admission.Request(newcomer.Callback(), 30, From("10.0.0.2", 1));
  EXPECT_EQ(newcomer.Code(), absl::StatusCode::kResourceExhausted);
  for (const Answer* one : {&a, &b, &others[0], &others[5]}) {
    EXPECT_FALSE(one->slot.has_value());
  }
  // The control: 20 is what one of them gives.
  Answer smaller;
  admission.Request(smaller.Callback(), 15, From("10.0.0.2", 1));
  EXPECT_FALSE(smaller.slot.has_value());
  EXPECT_EQ(b.Code(), absl::StatusCode::kResourceExhausted);
  first.slot.reset();
  EXPECT_TRUE(a.slot.has_value()) << "it is first still";
  admission.Drain();
}

// Where memory is short, it is about memory.
TEST(AdmissionTest, ManySmallRequestsAreNotWhatALargeOneDisplaces) {
  Admission admission(
      {.slots = 1, .queue_capacity = 1000, .queue_bytes = 1000});
  Answer first, newcomer;
  admission.Request(first.Callback());
  std::vector<Answer> small(400);
  for (Answer& one : small) {
    admission.Request(one.Callback(), 1, From("10.0.0.1", 1));
  }
  std::vector<Answer> larger(2);
  for (Answer& one : larger) {
    admission.Request(one.Callback(), 300, From("10.0.0.2", 1));
  }
  admission.Request(newcomer.Callback(), 200, From("10.0.0.3", 1));
  EXPECT_FALSE(newcomer.slot.has_value());
  for (const Answer& one : small) EXPECT_FALSE(one.slot.has_value());
  EXPECT_EQ(larger[1].Code(), absl::StatusCode::kResourceExhausted);
  admission.Drain();
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
      const Sender sender = From("10.0.0.1", thread % 3);
      auto answered = [&](absl::StatusOr<Slot> slot) {
        if (!slot.ok()) {
          ++(absl::IsCancelled(slot.status()) ? cancelled : refused);
          return;
        }
        if (++live > kSlots) exceeded = true;
        ++granted;
        std::this_thread::yield();
        --live;
      };
      auto ticket = admission.Request(answered, 0, sender);
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
