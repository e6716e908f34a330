#include "sandbox/workspace/remove_tree.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"
#include "sandbox/base/unique_fd.h"
#include "tests/support/root_only.h"
#include "tests/unit/sandbox/workspace/in_child.h"
#include "tests/unit/sandbox/workspace/scratch.h"

namespace cordon::sandbox {
namespace {

class RemoveTreeTest : public ::testing::Test {
 protected:
  explicit RemoveTreeTest(const std::string& where = "/tmp")
      : scratch_(where), parent_(open(scratch_.path().c_str(), O_RDONLY)) {
    mkdir(scratch_.Path("outside").c_str(), 0777);
    WriteTextFile(scratch_.Path("outside/file"), "precious");
  }

  // Removes scratch/tree, and says whether that worked.
  bool Removes() {
    const absl::Status status = RemoveTree(parent_.get(), "tree");
    if (!status.ok()) fprintf(stderr, "%s\n", status.ToString().c_str());
    return status.ok() && !Exists(scratch_.Path("tree"));
  }

  // Makes a chain of directories of the given depth beneath scratch/tree.
  bool MakeDeep(int depth) {
    UniqueFd at(open(scratch_.path().c_str(), O_RDONLY | O_DIRECTORY));
    const char* name = "tree";
    for (int i = 0; i < depth; ++i) {
      if (mkdirat(at.get(), name, 0700) != 0) return false;
      at.Reset(openat(at.get(), name, O_RDONLY | O_DIRECTORY));
      name = "a-directory-name-of-some-length";
    }
    return at.valid();
  }

  Scratch scratch_;
  UniqueFd parent_;
};

class RemoveLargeTreeTest : public RemoveTreeTest {
 protected:
  RemoveLargeTreeTest() : RemoveTreeTest(kInMemory) {}
};

TEST_F(RemoveTreeTest, NothingThereIsFine) { EXPECT_TRUE(Removes()); }

TEST_F(RemoveTreeTest, AFileAndALinkAreRemovedThemselves) {
  WriteTextFile(scratch_.Path("tree"), "x");
  EXPECT_TRUE(Removes());
  ASSERT_EQ(symlink("outside", scratch_.Path("tree").c_str()), 0);
  EXPECT_TRUE(Removes());
  EXPECT_EQ(ReadTextFile(scratch_.Path("outside/file")), "precious");
}

TEST_F(RemoveTreeTest, LinksInTheTreeAreNotFollowed) {
  ASSERT_EQ(mkdir(scratch_.Path("tree").c_str(), 0700), 0);
  ASSERT_EQ(mkdir(scratch_.Path("tree/d").c_str(), 0700), 0);
  for (const std::string name : {"tree/dir", "tree/d/dir"}) {
    ASSERT_EQ(
        symlink(scratch_.Path("outside").c_str(), scratch_.Path(name).c_str()),
        0);
  }
  ASSERT_EQ(symlink("../..", scratch_.Path("tree/d/up").c_str()), 0);
  EXPECT_TRUE(Removes());
  EXPECT_EQ(ReadTextFile(scratch_.Path("outside/file")), "precious");
}

// A removal that recursed, or held a descriptor a level, would die here: the
// stack is small and descriptors are few.
TEST_F(RemoveLargeTreeTest, ATreeTenThousandDeepNeedsNoStackAndFewDescriptors) {
  EXPECT_EQ(RunUnprivileged([&] {
              if (!MakeDeep(10000)) return false;
              const rlimit few = {16, 16};
              const rlimit small = {256 << 10, 256 << 10};
              if (setrlimit(RLIMIT_NOFILE, &few) != 0) return false;
              if (setrlimit(RLIMIT_STACK, &small) != 0) return false;
              return Removes();
            }),
            ChildResult::kTrue);
}

TEST_F(RemoveTreeTest, DirectoriesWithoutPermissionsAreRemovedByTheirOwner) {
  EXPECT_EQ(
      RunUnprivileged([&] {
        if (!MakeDeep(4)) return false;
        const std::string second =
            scratch_.Path("tree/a-directory-name-of-some-length");
        const std::string third = second + "/a-directory-name-of-some-length";
        WriteTextFile(third + "/f", "x");
        chmod((third + "/a-directory-name-of-some-length").c_str(), 0);
        chmod(third.c_str(), 0);
        chmod(second.c_str(), 0);
        chmod(scratch_.Path("tree").c_str(), 0);
        // The control: what the permissions do to a plain reader.
        const bool closed = open(scratch_.Path("tree").c_str(), O_RDONLY) < 0;
        return closed && Removes();
      }),
      ChildResult::kTrue);
}

TEST_F(RemoveTreeTest, OddNamesAreNamesLikeOthers) {
  ASSERT_EQ(mkdir(scratch_.Path("tree").c_str(), 0700), 0);
  for (const std::string name :
       {"-rf", "\n", " ", "\xff\xfe", "*", "\\", "...", "removing-0", "a\tb"}) {
    const std::string directory = scratch_.Path("tree/" + name);
    ASSERT_EQ(mkdir(directory.c_str(), 0700), 0);
    ASSERT_EQ(mkdir((directory + "/" + name).c_str(), 0700), 0);
    WriteTextFile(directory + "/" + name + "/" + name, "x");
  }
  // Names that the removal itself would choose, taken by files.
  WriteTextFile(scratch_.Path("tree/removing-1"), "x");
  WriteTextFile(scratch_.Path("tree/removing-2"), "x");
  EXPECT_TRUE(Removes());
}

TEST_F(RemoveLargeTreeTest, FifosSocketsAndManyFilesGo) {
  ASSERT_EQ(mkdir(scratch_.Path("tree").c_str(), 0700), 0);
  ASSERT_EQ(mkdir(scratch_.Path("tree/d").c_str(), 0700), 0);
  ASSERT_EQ(mkfifo(scratch_.Path("tree/d/fifo").c_str(), 0600), 0);
  for (int i = 0; i < 5000; ++i) {
    const std::string number = std::to_string(i);
    ASSERT_EQ(mkdir(scratch_.Path("tree/d/" + number).c_str(), 0700), 0);
    WriteTextFile(scratch_.Path("tree/d/" + number + "/f"), "");
  }
  EXPECT_TRUE(Removes());
}

// More names than a run may have files: names cost nothing but their directory.
TEST_F(RemoveLargeTreeTest, AMillionNamesOfTwentyFilesGo) {
  ASSERT_EQ(mkdir(scratch_.Path("tree").c_str(), 0700), 0);
  for (int file = 0; file < 20; ++file) {
    const std::string path = scratch_.Path("tree/" + std::to_string(file));
    ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
    WriteTextFile(path + "/f", "");
    const UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY));
    for (int i = 0; i < 50'000; ++i) {
      ASSERT_EQ(linkat(directory.get(), "f", directory.get(),
                       std::to_string(i).c_str(), 0),
                0);
    }
  }
  EXPECT_TRUE(Removes());
}

TEST_F(RemoveTreeTest, AnotherUsersDirectoryIsAnErrorAndStays) {
  if (testing::OnlyRootCan("be a second user")) return;
  ASSERT_EQ(mkdir(scratch_.Path("tree").c_str(), 0700), 0);
  WriteTextFile(scratch_.Path("tree/f"), "x");
  EXPECT_EQ(RunUnprivileged([&] { return Removes(); }), ChildResult::kFalse);
  EXPECT_TRUE(Exists(scratch_.Path("tree/f")));
}

}  // namespace
}  // namespace cordon::sandbox
