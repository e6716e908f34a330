#include "sandbox/supervise/disk_meter.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "sandbox/base/monotonic_clock.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/supervise/event_loop.h"

namespace cordon::sandbox {
namespace {

// What a processor cannot write in a millisecond, and can in twenty.
constexpr uint64_t kLimit = uint64_t{64} << 20;

// Of the run when it is measured.
constexpr absl::Duration kProcessorTime = absl::Milliseconds(20);

class DiskMeterTest : public testing::Test {
 protected:
  ~DiskMeterTest() override { rmdir(path_.c_str()); }
  DiskMeterTest()
      : path_(absl::StrCat(testing::TempDir(), "/disk_meter_test-", getpid())) {
    mkdir(path_.c_str(), 0700);
    Limits limits;
    limits.disk_bytes = kLimit;
    meter_ = std::make_unique<DiskMeter>(
        limits, UniqueFd(open(path_.c_str(), O_RDONLY | O_DIRECTORY)), path_,
        &queue_);
  }

  // One measurement from its start to its end.
  void Measure(bool hurried) {
    std::latch done{1};
    loop_.Post([&] {
      meter_->Start(kProcessorTime, {}, &loop_, [&] { done.count_down(); });
      if (hurried) meter_->Hurry();
    });
    done.wait();
  }

  const std::string path_;
  DiskQueue queue_{std::vector<DiskWorker>(1)};
  EventLoop loop_;
  std::unique_ptr<DiskMeter> meter_;
};

TEST_F(DiskMeterTest, ACompleteLookAnswersForWhatCameBeforeIt) {
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const absl::Time begin = MonotonicNow();
  EXPECT_TRUE(meter_->DueAtEnd(begin));
  Measure(/*hurried=*/false);
  EXPECT_FALSE(meter_->DueAtEnd(begin));
  EXPECT_FALSE(meter_->Due(kProcessorTime, absl::InfiniteFuture()));
  EXPECT_GT(meter_->usage().inodes, 0u);
}

// The program's end comes while a look is on its way, and cuts it short.
TEST_F(DiskMeterTest, AHurriedLookAnswersForNothing) {
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const absl::Time begin = MonotonicNow();
  Measure(/*hurried=*/true);
  EXPECT_TRUE(meter_->DueAtEnd(begin));
  EXPECT_TRUE(meter_->Due(kProcessorTime, absl::InfiniteFuture()));
  EXPECT_EQ(meter_->usage().inodes, 0u);
}

}  // namespace
}  // namespace cordon::sandbox
