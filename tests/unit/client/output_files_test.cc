#include "client/output_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cordon::client {
namespace {

using ::testing::HasSubstr;

namespace fs = std::filesystem;

std::string ReadFile(const fs::path& path) {
  std::stringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

v1::OutputFile File(const std::string& path, const std::string& content) {
  v1::OutputFile file;
  file.set_path(path);
  file.set_content(content);
  return file;
}

class OutputFilesTest : public testing::Test {
 protected:
  OutputFilesTest() : root_(fs::path(testing::TempDir()) / TestName()) {
    fs::remove_all(root_);
    fs::create_directories(root_ / "outside");
  }
  ~OutputFilesTest() override { fs::remove_all(root_); }

  static std::string TestName() {
    return testing::UnitTest::GetInstance()->current_test_info()->name();
  }

  const fs::path root_;
  const fs::path directory_ = root_ / "results";
  const fs::path outside_ = root_ / "outside";
};

TEST_F(OutputFilesTest, FilesAndTheirDirectoriesAreCreated) {
  const std::string binary("a\0b\xff", 4);
  ASSERT_TRUE(WriteOutputFile(directory_, File("plots/a/1.png", binary)).ok());
  EXPECT_EQ(ReadFile(directory_ / "plots/a/1.png"), binary);
  ASSERT_TRUE(WriteOutputFile(directory_, File("plots/a/2.png", "")).ok());
  EXPECT_TRUE(fs::exists(directory_ / "plots/a/2.png"));
}

TEST_F(OutputFilesTest, AFileThatExistsIsReplacedAsAWhole) {
  ASSERT_TRUE(WriteOutputFile(directory_, File("a", "a long content")).ok());
  ASSERT_TRUE(WriteOutputFile(directory_, File("a", "short")).ok());
  EXPECT_EQ(ReadFile(directory_ / "a"), "short");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1);
}

TEST_F(OutputFilesTest, PathsThatLeaveTheDirectoryAreRefused) {
  for (const std::string& path :
       {std::string("../outside/x"), std::string("/tmp/x"),
        std::string("a/../b"), std::string(".."), std::string("."),
        std::string(""), std::string("a//b"), std::string("a/"),
        std::string("a\0b", 3)}) {
    const absl::Status status = WriteOutputFile(directory_, File(path, "evil"));
    EXPECT_FALSE(status.ok()) << path;
    EXPECT_THAT(std::string(status.message()), HasSubstr("refused"));
  }
  EXPECT_TRUE(fs::is_empty(outside_));
}

TEST_F(OutputFilesTest, ALinkToADirectoryIsNotFollowed) {
  fs::create_directories(directory_);
  fs::create_directory_symlink(outside_, directory_ / "link");
  EXPECT_FALSE(WriteOutputFile(directory_, File("link/x", "evil")).ok());
  EXPECT_TRUE(fs::is_empty(outside_));
  EXPECT_TRUE(WriteOutputFile(directory_, File("real/x", "fine")).ok());
}

TEST_F(OutputFilesTest, ALinkInTheFilesPlaceIsReplacedAndItsTargetUntouched) {
  fs::create_directories(directory_);
  std::ofstream(outside_ / "target") << "precious";
  fs::create_symlink(outside_ / "target", directory_ / "x");
  EXPECT_TRUE(WriteOutputFile(directory_, File("x", "new")).ok());
  EXPECT_EQ(ReadFile(outside_ / "target"), "precious");
  EXPECT_EQ(ReadFile(directory_ / "x"), "new");
}

TEST_F(OutputFilesTest, AFifoInTheFilesPlaceDoesNotBlock) {
  fs::create_directories(directory_);
  ASSERT_EQ(mkfifo((directory_ / "x").c_str(), 0600), 0);
  EXPECT_TRUE(WriteOutputFile(directory_, File("x", "new")).ok());
  EXPECT_EQ(ReadFile(directory_ / "x"), "new");
}

TEST_F(OutputFilesTest, AHardLinkKeepsItsOtherName) {
  fs::create_directories(directory_);
  std::ofstream(outside_ / "target") << "precious";
  fs::create_hard_link(outside_ / "target", directory_ / "x");
  EXPECT_TRUE(WriteOutputFile(directory_, File("x", "new")).ok());
  EXPECT_EQ(ReadFile(outside_ / "target"), "precious");
}

TEST_F(OutputFilesTest, TheServersErrorIsTheError) {
  v1::OutputFile file;
  file.set_path("missing.txt");
  file.set_error("no such file");
  const absl::Status status = WriteOutputFile(directory_, file);
  EXPECT_EQ(status.message(), "output file missing.txt: no such file");
}

TEST_F(OutputFilesTest, ADirectoryInTheFilesPlaceIsAnErrorAndLeavesNothing) {
  fs::create_directories(directory_ / "x");
  EXPECT_FALSE(WriteOutputFile(directory_, File("x", "new")).ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1);
}

}  // namespace
}  // namespace cordon::client
