#include "sandbox/workspace/workspace.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "gtest/gtest.h"
#include "tests/support/root_only.h"
#include "tests/unit/sandbox/workspace/in_child.h"
#include "tests/unit/sandbox/workspace/scratch.h"

namespace cordon::sandbox {
namespace {

class WorkspaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto root = WorkspaceRoot::Open(scratch_.path());
    ASSERT_TRUE(root.ok()) << root.status();
    root_ = *std::move(root);
  }

  Workspace Create(std::optional<Owner> owner = std::nullopt) {
    auto workspace = root_->Create(owner);
    EXPECT_TRUE(workspace.ok()) << workspace.status();
    return *std::move(workspace);
  }

  Scratch scratch_;
  std::unique_ptr<WorkspaceRoot> root_;
};

mode_t ModeOf(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(lstat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

TEST_F(WorkspaceTest, NamesAre128RandomBits) {
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) {
    Workspace workspace = Create();
    const std::string name =
        std::filesystem::path(workspace.path()).filename().string();
    EXPECT_EQ(name.size(), 32u);
    names.insert(name);
  }
  EXPECT_EQ(names.size(), 100u);
}

TEST_F(WorkspaceTest, OnlyItsOwnerMayEnterAndNobodyElseMayListTheRoot) {
  Workspace workspace = Create();
  EXPECT_EQ(ModeOf(workspace.path()), 0700u);
  EXPECT_EQ(ModeOf(root_->path()), 0711u);
}

TEST_F(WorkspaceTest, FillWritesFilesAndTheirParents) {
  Workspace workspace = Create();
  ASSERT_TRUE(
      workspace
          .Fill({{"a.txt", "one", FileMode::kRegular},
                 {"bin/tools/run", "#!/bin/sh\n", FileMode::kExecutable},
                 {"bin/b", std::string("\0x", 2), FileMode::kRegular}})
          .ok());
  EXPECT_EQ(ReadTextFile(workspace.path() + "/a.txt"), "one");
  EXPECT_EQ(ReadTextFile(workspace.path() + "/bin/b"), std::string("\0x", 2));
  EXPECT_EQ(ModeOf(workspace.path() + "/bin/tools/run") & 0700, 0700u);
  EXPECT_EQ(ModeOf(workspace.path() + "/a.txt") & 0700, 0600u);
}

TEST_F(WorkspaceTest, FillRefusesAPathThatLeadsOutside) {
  const std::string outside = scratch_.Path("outside");
  for (const std::string path :
       {"../outside", "a/../../outside", "/tmp/outside", "", ".", "a//b", "a/",
        "./a"}) {
    Workspace workspace = Create();
    const absl::Status status =
        workspace.Fill({{path, "x", FileMode::kRegular}});
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << path << ": " << status;
    EXPECT_FALSE(Exists(outside)) << path;
  }
}

TEST_F(WorkspaceTest, FillDoesNotFollowALinkOutOfTheDirectory) {
  Workspace workspace = Create();
  ASSERT_EQ(
      symlink(scratch_.path().c_str(), (workspace.path() + "/link").c_str()),
      0);
  EXPECT_TRUE(absl::IsInvalidArgument(
      workspace.Fill({{"link/outside", "x", FileMode::kRegular}})));
  EXPECT_FALSE(Exists(scratch_.Path("outside")));

  // The same name as a directory of the workspace's own.
  ASSERT_EQ(unlink((workspace.path() + "/link").c_str()), 0);
  EXPECT_TRUE(workspace.Fill({{"link/outside", "x", FileMode::kRegular}}).ok());
}

TEST_F(WorkspaceTest, FillRefusesWhatExistsAndWhatIsTooLong) {
  Workspace workspace = Create();
  EXPECT_TRUE(workspace.Fill({{"a", "", FileMode::kRegular}}).ok());
  EXPECT_TRUE(
      absl::IsInvalidArgument(workspace.Fill({{"a", "", FileMode::kRegular}})));
  EXPECT_TRUE(absl::IsInvalidArgument(
      workspace.Fill({{"a/b", "", FileMode::kRegular}})));
  EXPECT_TRUE(absl::IsInvalidArgument(
      workspace.Fill({{std::string(300, 'n'), "", FileMode::kRegular}})));
}

TEST_F(WorkspaceTest, EnsureDirectoryMakesItOnce) {
  Workspace workspace = Create();
  for (int i = 0; i < 2; ++i) {
    auto directory = workspace.EnsureDirectory("src/deep");
    ASSERT_TRUE(directory.ok()) << directory.status();
    struct stat held, named;
    ASSERT_EQ(fstat(directory->get(), &held), 0);
    ASSERT_EQ(stat((workspace.path() + "/src/deep").c_str(), &named), 0);
    EXPECT_EQ(held.st_ino, named.st_ino);
  }
  auto itself = workspace.EnsureDirectory("");
  ASSERT_TRUE(itself.ok());
  EXPECT_TRUE(
      absl::IsInvalidArgument(workspace.EnsureDirectory("../x").status()));
}

TEST_F(WorkspaceTest, EverythingBelongsToTheRunsOwner) {
  if (testing::OnlyRootCan("own files by another uid")) return;
  Workspace workspace = Create(Owner{kNobodysUid, kNobodysUid + 1});
  ASSERT_TRUE(workspace.Fill({{"d/f", "x", FileMode::kRegular}}).ok());
  ASSERT_TRUE(workspace.EnsureDirectory("cwd").ok());
  for (const std::string path : {"", "/d", "/d/f", "/cwd"}) {
    struct stat status;
    ASSERT_EQ(lstat((workspace.path() + path).c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, kNobodysUid) << path;
    EXPECT_EQ(status.st_gid, kNobodysUid + 1) << path;
  }
  // The owner can use it, and another cannot.
  const std::string path = workspace.path();
  EXPECT_EQ(RunUnprivileged([&] {
              WriteTextFile(path + "/new", "n");
              return ReadTextFile(path + "/d/f") == "x" &&
                     Exists(path + "/new");
            }),
            ChildResult::kTrue);
  Workspace others = Create(Owner{kNobodysUid + 5, kNobodysUid + 5});
  const std::string other_path = others.path();
  EXPECT_EQ(RunUnprivileged([&] {
              return access((other_path + "/x").c_str(), F_OK) == 0 ||
                     errno != EACCES;
            }),
            ChildResult::kFalse);
}

TEST_F(WorkspaceTest, TheDirectoryIsGoneAfterRemoveAndAfterDestruction) {
  std::string removed, destroyed;
  {
    Workspace workspace = Create();
    removed = workspace.path();
    ASSERT_TRUE(workspace.Fill({{"a/b/c", "x", FileMode::kRegular}}).ok());
    EXPECT_TRUE(Exists(removed));
    EXPECT_TRUE(workspace.Remove().ok());
    EXPECT_FALSE(Exists(removed));
    EXPECT_TRUE(workspace.Remove().ok());

    Workspace other = Create();
    destroyed = other.path();
    Workspace moved = std::move(other);
    EXPECT_TRUE(Exists(destroyed));
  }
  EXPECT_FALSE(Exists(destroyed));
}

TEST_F(WorkspaceTest, ASecondServerIsRefusedUntilTheFirstIsGone) {
  EXPECT_TRUE(absl::IsFailedPrecondition(
      WorkspaceRoot::Open(scratch_.path()).status()));
  root_.reset();
  EXPECT_TRUE(WorkspaceRoot::Open(scratch_.path()).ok());
}

TEST_F(WorkspaceTest, LeftoversOfAnEarlierServerAreRemoved) {
  root_.reset();
  std::filesystem::create_directories(scratch_.Path("runs/old/deep"));
  WriteTextFile(scratch_.Path("runs/old/deep/file"), "x");
  WriteTextFile(scratch_.Path("keep"), "x");
  auto again = WorkspaceRoot::Open(scratch_.path());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(Exists(scratch_.Path("runs/old")));
  EXPECT_TRUE(Exists(scratch_.Path("keep")));
}

TEST_F(WorkspaceTest, AStateDirectoryThatIsMissingOrRelativeIsAnError) {
  EXPECT_FALSE(WorkspaceRoot::Open(scratch_.Path("nowhere")).ok());
  EXPECT_TRUE(
      absl::IsInvalidArgument(WorkspaceRoot::Open("relative").status()));
}

TEST_F(WorkspaceTest, NothingLeaksOverManyRuns) {
  const auto open_descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  const auto before = open_descriptors();
  for (int i = 0; i < 500; ++i) {
    Workspace workspace = Create();
    ASSERT_TRUE(workspace.Fill({{"d/f", "x", FileMode::kRegular}}).ok());
    ASSERT_EQ(workspace.Collect({"d/*"}, 100).size(), 1u);
    ASSERT_TRUE(workspace.Remove().ok());
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_TRUE(std::filesystem::is_empty(root_->path()));
}

}  // namespace
}  // namespace cordon::sandbox
