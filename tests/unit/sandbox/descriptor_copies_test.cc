#include "sandbox/base/descriptor_copies.h"

#include <atomic>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

constexpr absl::Duration kForever = absl::Hours(1);

TEST(DescriptorCopiesTest, NobodyIsWaitedForWhereThereIsNone) {
  DescriptorCopies::Of().AwaitOlder(kForever);
  { const DescriptorCopies::Copy gone = DescriptorCopies::Of().Add(); }
  DescriptorCopies::Of().AwaitOlder(kForever);
}

TEST(DescriptorCopiesTest, AnOlderOneIsWaitedForAndNoLongerThanIsAsked) {
  DescriptorCopies::Copy older = DescriptorCopies::Of().Add();
  DescriptorCopies::Of().AwaitOlder(absl::Milliseconds(1));  // It is there.
  std::atomic<bool> over = false;
  std::thread waiting([&over] {
    DescriptorCopies::Of().AwaitOlder(kForever);
    over = true;
  });
  // Moved from, it is nobody's to end.
  DescriptorCopies::Copy same = std::move(older);
  older.End();
  EXPECT_FALSE(over);
  same.End();
  waiting.join();
  EXPECT_TRUE(over);
}

}  // namespace
}  // namespace cordon::sandbox
