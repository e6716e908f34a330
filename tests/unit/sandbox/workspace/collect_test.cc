#include "sandbox/workspace/collect.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/workspace/printable_path.h"
#include "tests/support/root_only.h"
#include "tests/unit/sandbox/workspace/in_child.h"
#include "tests/unit/sandbox/workspace/scratch.h"

namespace cordon::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CollectTest : public ::testing::Test {
 protected:
  CollectTest() {
    mkdir(scratch_.Path("run").c_str(), 0777);
    chmod(scratch_.Path("run").c_str(), 0777);
    run_.Reset(open(scratch_.Path("run").c_str(), O_RDONLY | O_DIRECTORY));
    WriteTextFile(scratch_.Path("secret"), "secret");
  }

  std::string Path(const std::string& name) const {
    return scratch_.Path("run/" + name);
  }
  std::vector<CollectedFile> Collect(const std::vector<std::string>& patterns,
                                     uint64_t max_bytes = 1000) const {
    return CollectFiles(run_.get(), patterns, max_bytes);
  }
  // Expects that `pattern` gives exactly one entry, with this error.
  void ExpectError(const std::string& pattern, const std::string& error) const {
    const std::vector<CollectedFile> files = Collect({pattern});
    ASSERT_EQ(files.size(), 1u) << pattern;
    EXPECT_THAT(files[0].error, HasSubstr(error)) << pattern;
    EXPECT_THAT(files[0].content, IsEmpty()) << pattern;
  }
  void ExpectContent(const std::string& pattern,
                     const std::string& content) const {
    const std::vector<CollectedFile> files = Collect({pattern});
    ASSERT_EQ(files.size(), 1u) << pattern;
    EXPECT_EQ(files[0].error, "") << pattern;
    EXPECT_EQ(files[0].content, content) << pattern;
  }

  Scratch scratch_;
  UniqueFd run_;
};

std::vector<std::string> Paths(const std::vector<CollectedFile>& files) {
  std::vector<std::string> paths;
  for (const CollectedFile& file : files) paths.push_back(file.path);
  return paths;
}

TEST_F(CollectTest, APlainPathGivesItsContent) {
  mkdir(Path("d").c_str(), 0700);
  WriteTextFile(Path("d/f"), std::string("a\0b", 3));
  ExpectContent("d/f", std::string("a\0b", 3));
}

TEST_F(CollectTest, AnEmptyFileIsAFile) {
  WriteTextFile(Path("empty"), "");
  ExpectContent("empty", "");
}

TEST_F(CollectTest, GlobsMatchWithinAComponentInOrderOfNames) {
  mkdir(Path("b").c_str(), 0700);
  mkdir(Path("a").c_str(), 0700);
  for (const std::string name : {"b/2.csv", "b/1.csv", "a/9.csv", "a/x.txt",
                                 "top.csv", "a/.hidden.csv"}) {
    WriteTextFile(Path(name), name);
  }
  EXPECT_THAT(Paths(Collect({"*/*.csv"})),
              ElementsAre("a/9.csv", "b/1.csv", "b/2.csv"));
  EXPECT_THAT(Paths(Collect({"*.csv"})), ElementsAre("top.csv"));
  EXPECT_THAT(Paths(Collect({"b/[!1].csv", "?/1.csv"})),
              ElementsAre("b/2.csv", "b/1.csv"));
  EXPECT_THAT(Paths(Collect({"a/.*"})), ElementsAre("a/.hidden.csv"));
}

TEST_F(CollectTest, AFileThatTwoPatternsNameIsCollectedOnce) {
  WriteTextFile(Path("f"), "x");
  EXPECT_THAT(Paths(Collect({"f", "*", "f"})), ElementsAre("f"));
}

TEST_F(CollectTest, WhatIsNotThereIsAnError) {
  ExpectError("missing", "no such file");
  ExpectError("no/such/dir", "no such file");
  ExpectError("*.none", "no file matches");
}

TEST_F(CollectTest, APathThatLeadsOutsideIsAnError) {
  for (const std::string path :
       {"../secret", "/etc/passwd", "d/../../secret", "", ".", "a//b"}) {
    ExpectError(path, "not a path inside");
  }
  WriteTextFile(Path("..secret"), "own");
  ExpectContent("..secret", "own");
}

TEST_F(CollectTest, ASymbolicLinkIsAnErrorWhereverItIs) {
  ASSERT_EQ(symlink("../secret", Path("out").c_str()), 0);
  ASSERT_EQ(symlink("..", Path("up").c_str()), 0);
  ExpectError("out", "is a symbolic link");
  ExpectError("o*", "is a symbolic link");
  ExpectError("up/secret", "Not a directory");
  EXPECT_THAT(Paths(Collect({"*/secret"})), ElementsAre("*/secret"));
  ExpectError("*/secret", "no file matches");

  // The same names without links.
  unlink(Path("out").c_str());
  unlink(Path("up").c_str());
  mkdir(Path("up").c_str(), 0700);
  WriteTextFile(Path("out"), "own");
  WriteTextFile(Path("up/secret"), "own");
  ExpectContent("out", "own");
  ExpectContent("up/secret", "own");
  ExpectContent("*/secret", "own");
}

// Opening a FIFO to read it waits for a writer: a naive collector hangs here.
TEST_F(CollectTest, AFifoIsAnErrorAtOnce) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  ExpectError("fifo", "is a FIFO");
  ExpectError("f*", "is a FIFO");
}

TEST_F(CollectTest, ADirectoryASocketAndADeviceAreErrors) {
  mkdir(Path("d").c_str(), 0700);
  ExpectError("d", "is a directory");
  ExpectError("*", "no file matches");
  UniqueFd listener(socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address = {AF_UNIX, {}};
  Path("s").copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address),
                 sizeof(address)),
            0);
  ExpectError("s", "is a socket");
  // The one device that anybody may make (overlayfs's whiteout).
  ASSERT_EQ(mknod(Path("device").c_str(), S_IFCHR | 0600, makedev(0, 0)), 0);
  ExpectError("device", "is a device");
}

TEST_F(CollectTest, ASparseTerabyteIsAnErrorAndTheOthersAreCollected) {
  WriteTextFile(Path("a"), "small");
  WriteTextFile(Path("b"), "");
  ASSERT_EQ(truncate(Path("b").c_str(), int64_t{1} << 40), 0);
  WriteTextFile(Path("c"), "small too");
  const std::vector<CollectedFile> files = Collect({"*"});
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0].content, "small");
  EXPECT_THAT(files[1].error,
              HasSubstr("too large: the file has 1099511627776"));
  EXPECT_THAT(files[1].content, IsEmpty());
  EXPECT_EQ(files[2].content, "small too");
}

TEST_F(CollectTest, TheLimitIsForAllFilesTogether) {
  WriteTextFile(Path("a"), std::string(600, 'a'));
  WriteTextFile(Path("b"), std::string(600, 'b'));
  WriteTextFile(Path("c"), std::string(400, 'c'));
  const std::vector<CollectedFile> files = Collect({"a", "b", "c"}, 1000);
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0].content.size(), 600u);
  EXPECT_THAT(files[1].error, HasSubstr("400 of the 1000 bytes"));
  EXPECT_EQ(files[2].content.size(), 400u);
}

TEST_F(CollectTest, AFileWithoutPermissionsIsReadByItsOwner) {
  EXPECT_EQ(RunUnprivileged([&] {
              mkdir(Path("d").c_str(), 0700);
              WriteTextFile(Path("d/f"), "hidden");
              chmod(Path("d/f").c_str(), 0);
              const bool closed = open(Path("d/f").c_str(), O_RDONLY) < 0;
              chmod(Path("d").c_str(), 0);
              ExpectContent("d/f", "hidden");
              return closed;
            }),
            ChildResult::kTrue);
}

TEST_F(CollectTest, AnotherUsersFileIsAnError) {
  if (testing::OnlyRootCan("be a second user")) return;
  WriteTextFile(Path("roots"), "x");
  chmod(Path("roots").c_str(), 0600);
  EXPECT_EQ(RunUnprivileged([&] {
              ExpectError("roots", "Permission denied");
              return true;
            }),
            ChildResult::kTrue);
  ExpectContent("roots", "x");
}

TEST_F(CollectTest, OddNamesAreShownAsText) {
  WriteTextFile(Path("caf\xe9"), "latin");
  WriteTextFile(Path("line\nbreak"), "nl");
  const std::vector<CollectedFile> files = Collect({"*"});
  EXPECT_THAT(Paths(files), ElementsAre("caf\\xe9", "line\nbreak"));
  EXPECT_EQ(files[0].content, "latin");
}

TEST_F(CollectTest, TooManyFilesAreReportedNotReturned) {
  for (int i = 0; i < kMaxCollectedFiles + 10; ++i) {
    WriteTextFile(Path("f" + std::to_string(i)), "");
  }
  const std::vector<CollectedFile> files = Collect({"*"});
  ASSERT_EQ(files.size(), static_cast<size_t>(kMaxCollectedFiles));
  EXPECT_EQ(files.front().error, "");
  EXPECT_THAT(files.back().error, HasSubstr("left out"));
}

TEST(PrintablePathTest, ValidUtf8IsKeptAndTheRestEscaped) {
  EXPECT_EQ(PrintablePath(""), "");
  EXPECT_EQ(PrintablePath("a b"), "a b");
  EXPECT_EQ(PrintablePath("\u00e9\u20ac\U0001F600"), "\u00e9\u20ac\U0001F600");
  for (const std::string bad :
       {"\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "a\xff"}) {
    EXPECT_THAT(PrintablePath(bad), HasSubstr("\\x"));
  }
}

}  // namespace
}  // namespace cordon::sandbox
