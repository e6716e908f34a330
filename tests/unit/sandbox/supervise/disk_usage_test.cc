#include "sandbox/supervise/disk_usage.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/workspace/remove_tree.h"

namespace cordon::sandbox {
namespace {

class DiskUsageTest : public testing::Test {
 protected:
  DiskUsageTest() {
    char pattern[] = "/tmp/cordon-disk-XXXXXX";
    path_ = mkdtemp(pattern);
    fd_.Reset(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~DiskUsageTest() override {
    EXPECT_TRUE(RemoveTree(AT_FDCWD, path_.c_str()).ok());
  }

  DiskUsage Measure(uint64_t most_bytes = uint64_t{1} << 40,
                    uint64_t most_inodes = 1 << 30) const {
    return MeasureDisk({.directory = fd_.get(),
                        .path = path_,
                        .members = {getpid()},
                        .most_bytes = most_bytes,
                        .most_inodes = most_inodes,
                        .stop = &stop_});
  }

  void Write(const std::string& name, size_t bytes) const {
    std::ofstream(path_ + "/" + name) << std::string(bytes, 'x');
  }

  std::string path_;
  UniqueFd fd_;
  std::atomic<bool> stop_ = false;
};

TEST_F(DiskUsageTest, AnEmptyDirectoryIsOneInode) {
  EXPECT_EQ(Measure().inodes, 1u);
  EXPECT_EQ(Measure().completeness, Completeness::kComplete);
}

TEST_F(DiskUsageTest, BlocksCountNotLengths) {
  Write("full", 1 << 20);
  const uint64_t full = Measure().bytes;
  EXPECT_GE(full, 1u << 20);
  Write("hole", 0);
  ASSERT_EQ(truncate((path_ + "/hole").c_str(), off_t{1} << 40), 0);
  EXPECT_LT(Measure().bytes, full + (1 << 20));
}

TEST_F(DiskUsageTest, TwoNamesOfAFileAreOneInode) {
  Write("a", 1 << 20);
  const DiskUsage before = Measure();
  ASSERT_EQ(link((path_ + "/a").c_str(), (path_ + "/b").c_str()), 0);
  EXPECT_EQ(Measure().inodes, before.inodes);
  EXPECT_LT(Measure().bytes, before.bytes + (1 << 20));
}

TEST_F(DiskUsageTest, LinksAreNotFollowed) {
  ASSERT_EQ(symlink("/usr", (path_ + "/usr").c_str()), 0);
  EXPECT_EQ(Measure().inodes, 2u);
}

TEST_F(DiskUsageTest, ADeletedFileCountsWhileItIsOpen) {
  UniqueFd file(open((path_ + "/f").c_str(), O_CREAT | O_RDWR, 0600));
  ASSERT_EQ(unlink((path_ + "/f").c_str()), 0);
  const std::string data(1 << 20, 'x');
  ASSERT_EQ(write(file.get(), data.data(), data.size()), 1 << 20);
  EXPECT_GE(Measure().bytes, 1u << 20);
  file.Reset();
  EXPECT_LT(Measure().bytes, 1u << 20);
}

// Much deeper than there are descriptors for, and than PATH_MAX.
TEST_F(DiskUsageTest, TenThousandLevelsAreMeasured) {
  constexpr int kLevels = 10000;
  UniqueFd level(fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  for (int i = 0; i < kLevels; ++i) {
    ASSERT_EQ(mkdirat(level.get(), "d", 0700), 0);
    level.Reset(openat(level.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(level.valid());
    const UniqueFd file(
        openat(level.get(), "f", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    ASSERT_TRUE(file.valid());
  }
  const DiskUsage usage = Measure();
  EXPECT_EQ(usage.inodes, 2u * kLevels + 1);
  EXPECT_EQ(usage.completeness, Completeness::kComplete);
  // From below, which takes no time.
  for (int i = 0; i < kLevels; ++i) {
    unlinkat(level.get(), "f", 0);
    level.Reset(openat(level.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_EQ(unlinkat(level.get(), "d", AT_REMOVEDIR), 0);
  }
}

TEST_F(DiskUsageTest, ABoundEndsTheMeasurement) {
  for (int i = 0; i < 100; ++i) Write(std::to_string(i), 10);
  EXPECT_EQ(Measure(1 << 30, 10).inodes, 11u);
  EXPECT_EQ(Measure(1 << 30, 10).completeness, Completeness::kStopped);
  EXPECT_EQ(Measure(1 << 30, 101).completeness, Completeness::kComplete);
  stop_ = true;
  EXPECT_EQ(Measure().completeness, Completeness::kStopped);
}

}  // namespace
}  // namespace cordon::sandbox
