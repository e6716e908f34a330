#include "server/state_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cordon::server {
namespace {

using ::testing::HasSubstr;

// Beneath /tmp, which every uid can pass through; the test's own directory may
// lie in somebody's home.
class StateDirectoryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = "/tmp/cordon-test-XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    parent_ = path;
    chmod(parent_.c_str(), 0711);
  }
  void TearDown() override { std::filesystem::remove_all(parent_); }

  std::string parent_;
};

mode_t ModeOf(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(stat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

TEST_F(StateDirectoryTest, ItIsMadeAndCannotBeListed) {
  const auto state = StateDirectory::Open(parent_ + "/state");
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->path(), parent_ + "/state");
  EXPECT_EQ(ModeOf(state->path()), 0711u);
}

TEST_F(StateDirectoryTest, OneServerHasItAtATime) {
  {
    const auto first = StateDirectory::Open(parent_ + "/state");
    ASSERT_TRUE(first.ok());
    const auto second = StateDirectory::Open(parent_ + "/state");
    EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use"));
  }
  EXPECT_TRUE(StateDirectory::Open(parent_ + "/state").ok());
}

TEST_F(StateDirectoryTest, AGivenDirectoryStays) {
  EXPECT_TRUE(StateDirectory::Open(parent_ + "/state").ok());
  EXPECT_TRUE(std::filesystem::exists(parent_ + "/state"));
}

TEST_F(StateDirectoryTest, ATemporaryOneGoesWithItsEmptyDirectories) {
  setenv("TMPDIR", parent_.c_str(), 1);
  std::string path;
  {
    const auto state = StateDirectory::Open("");
    ASSERT_TRUE(state.ok()) << state.status();
    path = state->path();
    EXPECT_THAT(path, testing::StartsWith(parent_));
    ASSERT_EQ(mkdir((path + "/runs").c_str(), 0711), 0);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(StateDirectoryTest, AFileIsNoDirectory) {
  EXPECT_FALSE(StateDirectory::Open("/etc/passwd").ok());
  EXPECT_FALSE(StateDirectory::Open(parent_ + "/absent/state").ok());
}

TEST_F(StateDirectoryTest, ARootServersRunsMustReachIt) {
  const std::string closed = parent_ + "/closed";
  ASSERT_EQ(mkdir(closed.c_str(), 0700), 0);
  const auto state = StateDirectory::Open(closed + "/state");
  // Any other server's runs have its own uid, which reaches what it reaches.
  EXPECT_EQ(state.ok(), geteuid() != 0);
  if (!state.ok()) {
    EXPECT_THAT(std::string(state.status().message()), HasSubstr(closed));
  }
  chmod(closed.c_str(), 0711);
  EXPECT_TRUE(StateDirectory::Open(closed + "/state2").ok());
}

}  // namespace
}  // namespace cordon::server
