#include "sandbox/keeper/live_groups.h"

#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

std::unique_ptr<LiveGroups> MakeGroups(size_t capacity) {
  absl::StatusOr<std::unique_ptr<LiveGroups>> groups =
      LiveGroups::Create(capacity);
  EXPECT_TRUE(groups.ok()) << groups.status();
  return *std::move(groups);
}

std::multiset<pid_t> Slots(const LiveGroups& groups) {
  std::multiset<pid_t> slots;
  for (size_t i = 0; i < groups.capacity(); ++i) {
    slots.insert(groups.slots()[i].load());
  }
  return slots;
}

TEST(LiveGroupsTest, AGroupIsInTheTableFromEnterToLeave) {
  const auto groups = MakeGroups(2);
  LiveGroup group = groups->Reserve();
  EXPECT_EQ(Slots(*groups), (std::multiset<pid_t>{kFreeSlot, kReservedSlot}));
  group.Enter(42);
  EXPECT_EQ(Slots(*groups), (std::multiset<pid_t>{kFreeSlot, 42}));
  group.Leave();
  EXPECT_EQ(Slots(*groups), (std::multiset<pid_t>{kFreeSlot, kFreeSlot}));
  group.Leave();
  EXPECT_FALSE(group.valid());
}

TEST(LiveGroupsTest, DestroyingAndReplacingIsLeaving) {
  const auto groups = MakeGroups(2);
  {
    LiveGroup group = groups->Reserve();
    group.Enter(42);
    LiveGroup moved = std::move(group);
    moved = groups->Reserve();
    moved.Enter(43);
    EXPECT_EQ(Slots(*groups), (std::multiset<pid_t>{kFreeSlot, 43}));
  }
  EXPECT_EQ(Slots(*groups), (std::multiset<pid_t>{kFreeSlot, kFreeSlot}));
}

TEST(LiveGroupsTest, AFullTableGivesNoPlaceUntilOneIsFree) {
  const auto groups = MakeGroups(3);
  std::vector<LiveGroup> held;
  for (int i = 0; i < 3; ++i) held.push_back(groups->Reserve());
  EXPECT_FALSE(groups->Reserve().valid());
  held[1].Leave();
  EXPECT_TRUE(groups->Reserve().valid());
}

TEST(LiveGroupsTest, AnEmptyGroupEntersNothing) {
  LiveGroup none;
  none.Enter(42);
  none.Leave();
  EXPECT_EQ(none.address(), nullptr);
}

TEST(LiveGroupsTest, AForkedProcessWritesToTheSameTable) {
  const auto groups = MakeGroups(1);
  LiveGroup group = groups->Reserve();
  const pid_t child = fork();
  if (child == 0) {
    __atomic_store_n(group.address(), getpid(), __ATOMIC_SEQ_CST);
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  EXPECT_EQ(groups->slots()[0].load(), child);
}

TEST(LiveGroupsTest, ThreadsNeverShareAPlace) {
  const auto groups = MakeGroups(4);
  std::vector<std::thread> threads;
  for (pid_t id = 100; id < 104; ++id) {
    threads.emplace_back([&groups, id] {
      for (int i = 0; i < 20000; ++i) {
        LiveGroup group = groups->Reserve();
        ASSERT_TRUE(group.valid());
        group.Enter(id);
        ASSERT_EQ(__atomic_load_n(group.address(), __ATOMIC_SEQ_CST), id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Slots(*groups).count(kFreeSlot), 4u);
}

}  // namespace
}  // namespace cordon::sandbox
