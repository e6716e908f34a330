// Files that go in, files that come out, and traps among the latter.

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

class FilesTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new ServerProcess({}); }
  static void TearDownTestSuite() { delete server_; }

  // The one output file of a script that makes it, after a check that the same
  // request returns a regular file.
  v1::OutputFile Trap(const std::string& script, const std::string& name) {
    v1::ExecuteRequest request = BashRequest("echo fine > fine; " + script);
    request.add_output_files("fine");
    request.add_output_files(name);
    const v1::Result result = client_.Run(request);
    EXPECT_EQ(result.outcome(), v1::EXITED) << result.message();
    EXPECT_EQ(result.stderr(), "");
    if (result.files_size() != 2) {
      ADD_FAILURE() << result.files_size() << " files";
      return v1::OutputFile();
    }
    EXPECT_EQ(result.files(0).content(), "fine\n");
    EXPECT_EQ(result.files(0).error(), "");
    EXPECT_EQ(result.files(1).path(), name);
    EXPECT_EQ(result.files(1).content(), "");
    return result.files(1);
  }

  TestClient client_{server_->address()};
  static ServerProcess* server_;
};

ServerProcess* FilesTest::server_ = nullptr;

void AddFile(v1::ExecuteRequest& request, const std::string& path,
             const std::string& content) {
  v1::File* file = request.add_files();
  file->set_path(path);
  file->set_content(content);
}

std::map<std::string, std::string> ContentsOf(const v1::Result& result) {
  std::map<std::string, std::string> contents;
  for (const v1::OutputFile& file : result.files()) {
    EXPECT_EQ(file.error(), "") << file.path();
    contents[file.path()] = file.content();
  }
  return contents;
}

TEST_F(FilesTest, FilesAppearWithTheirDirectoriesAndBytes) {
  v1::ExecuteRequest request = BashRequest(
      "cat a/b/c; md5sum < binary; find . -type f | sort | tr '\\n' ' '");
  AddFile(request, "a/b/c", "deep\n");
  std::string binary;
  for (int i = 0; i < 256; ++i) binary.push_back(static_cast<char>(i));
  AddFile(request, "binary", binary);
  AddFile(request, "a/empty", "");
  const v1::Result result = client_.Run(request);
  EXPECT_EQ(result.stdout(),
            "deep\ne2c865db4162bed963bfaa9ef6ac18f0  -\n"
            "./a/b/c ./a/empty ./binary ");
}

TEST_F(FilesTest, OnlyAFileThatIsSaidToBeExecutableIs) {
  v1::ExecuteRequest request =
      BashRequest("./yes; ./no 2> /dev/null || echo refused");
  AddFile(request, "yes", "#!/bin/bash\necho ran\n");
  AddFile(request, "no", "#!/bin/bash\necho ran too\n");
  request.mutable_files(0)->set_executable(true);
  EXPECT_EQ(client_.Run(request).stdout(), "ran\nrefused\n");
}

TEST_F(FilesTest, AProgramMayChangeAndRemoveItsFiles) {
  v1::ExecuteRequest request =
      BashRequest("echo more >> a; rm b; mkdir -p d/e; mv a d/e/; cat d/e/a");
  AddFile(request, "a", "first\n");
  AddFile(request, "b", "");
  EXPECT_EQ(client_.Run(request).stdout(), "first\nmore\n");
}

TEST_F(FilesTest, TheWorkingDirectoryIsMadeAndIsBeneathTheRunsOwn) {
  v1::ExecuteRequest request = BashRequest(
      "echo x > made; basename $PWD; ls ..; [ $HOME = "
      "$(cd ../.. && pwd) ] && echo home");
  request.set_working_directory("deep/down");
  request.add_output_files("deep/down/made");
  const v1::Result result = client_.Run(request);
  EXPECT_EQ(result.stdout(), "down\ndown\nhome\n");
  EXPECT_EQ(ContentsOf(result)["deep/down/made"], "x\n");
}

TEST_F(FilesTest, ASourceRunsInItsWorkingDirectory) {
  for (const auto& [language, code] : std::map<std::string, std::string>{
           {"python", "import os; print(os.path.basename(os.getcwd()))"},
           {"bash", "basename $PWD"},
           {"c",
            "#include <stdlib.h>\nint main(void) { return system(\"basename "
            "$(pwd)\"); }"}}) {
    v1::ExecuteRequest request = SourceRequest(language, code);
    request.set_working_directory("a/b");
    const v1::Result result = client_.Run(request);
    EXPECT_EQ(result.stdout(), "b\n") << language << ": " << result.message();
  }
}

TEST_F(FilesTest, TheEnvironmentIsTheRequestsAndAFewOfTheServers) {
  setenv("SERVERS_OWN_SECRET", "x", 1);
  v1::ExecuteRequest request = BashRequest(
      "echo \"$A|$EMPTY|$LANG\"; env | cut -d= -f1 | sort | tr '\\n' ' '");
  (*request.mutable_environment())["A"] = "with = and \n newline";
  (*request.mutable_environment())["EMPTY"] = "";
  (*request.mutable_environment())["LANG"] = "xx";
  const v1::Result result = client_.Run(request);
  EXPECT_THAT(result.stdout(), HasSubstr("with = and \n newline||xx\n"));
  for (const char* name :
       {"A ", "EMPTY ", "HOME ", "LANG ", "PATH ", "TMPDIR "}) {
    EXPECT_THAT(result.stdout(), HasSubstr(name));
  }
  EXPECT_THAT(result.stdout(), ::testing::Not(HasSubstr("TEST_TMPDIR")));
}

TEST_F(FilesTest, PatternsReturnWhatMatchesAndNothingElse) {
  v1::ExecuteRequest request = BashRequest(
      "mkdir out sub; for f in a.txt b.txt c.png .hidden; do echo $f > out/$f; "
      "done; echo x > sub/d.txt; echo y > e.txt");
  request.add_output_files("out/*.txt");
  request.add_output_files("*/[d]?txt");
  request.add_output_files("*.txt");
  EXPECT_THAT(
      ContentsOf(client_.Run(request)),
      ::testing::UnorderedElementsAre(::testing::Pair("out/a.txt", "a.txt\n"),
                                      ::testing::Pair("out/b.txt", "b.txt\n"),
                                      ::testing::Pair("sub/d.txt", "x\n"),
                                      ::testing::Pair("e.txt", "y\n")));
}

TEST_F(FilesTest, FilesComeBackWhateverTheOutcomeIs) {
  v1::ExecuteRequest request = BashRequest("echo kept > a; sleep 1000");
  request.add_output_files("a");
  SetDuration(request.mutable_limits()->mutable_wall_time(),
              absl::Milliseconds(500));
  const v1::Result result = client_.Run(request);
  EXPECT_EQ(result.outcome(), v1::WALL_TIME_LIMIT);
  EXPECT_EQ(ContentsOf(result)["a"], "kept\n");
}

TEST_F(FilesTest, TwoRunsDoNotSeeEachOthersFiles) {
  EXPECT_EQ(client_.Run(BashRequest("echo x > left; ls")).stdout(), "left\n");
  EXPECT_EQ(client_
                .Run(BashRequest("ls; ls .. 2> /dev/null; ls ../.. "
                                 "2> /dev/null"))
                .stdout(),
            "");
}

// ------------------------------------------------------------------- traps

TEST_F(FilesTest, ALinkToAHostFileIsNotFollowed) {
  EXPECT_THAT(Trap("ln -s /etc/passwd trap", "trap").error(),
              HasSubstr("symbolic link"));
}

TEST_F(FilesTest, ALinkToAFileOfTheRunIsNotFollowedEither) {
  EXPECT_THAT(Trap("ln -s fine trap", "trap").error(),
              HasSubstr("symbolic link"));
}

TEST_F(FilesTest, ALinkOnTheWayIsNotFollowed) {
  EXPECT_NE(Trap("ln -s /etc trap", "trap/passwd").error(), "");
  EXPECT_NE(Trap("ln -s .. up", "up/fine").error(), "");
}

TEST_F(FilesTest, AFifoDoesNotHoldTheAnswerBack) {
  EXPECT_THAT(Trap("mkfifo trap", "trap").error(), HasSubstr("FIFO"));
}

TEST_F(FilesTest, ASocketIsNoFile) {
  EXPECT_THAT(Trap("python3 -c 'import socket; socket.socket(socket.AF_UNIX)."
                   "bind(\"trap\")' 2> /dev/null || mkfifo trap",
                   "trap")
                  .error(),
              HasSubstr("not a regular file"));
}

TEST_F(FilesTest, ASparseTerabyteIsRefusedByItsSize) {
  v1::ExecuteRequest request =
      BashRequest("echo fine > fine; truncate -s 1000M trap");
  request.mutable_limits()->set_file_bytes(uint64_t{1} << 30);
  request.add_output_files("fine");
  request.add_output_files("trap");
  const v1::Result result = client_.Run(request);
  ASSERT_EQ(result.files_size(), 2) << result.message();
  EXPECT_EQ(result.files(0).content(), "fine\n");
  EXPECT_THAT(result.files(1).error(), HasSubstr("too large"));
  EXPECT_EQ(result.files(1).content(), "");
}

TEST_F(FilesTest, ADirectoryIsNoFile) {
  EXPECT_THAT(Trap("mkdir trap", "trap").error(), HasSubstr("directory"));
}

TEST_F(FilesTest, AFileThatIsGoneIsMissing) {
  EXPECT_THAT(Trap("echo x > trap; rm trap", "trap").error(),
              HasSubstr("no such file"));
  EXPECT_THAT(Trap("true", "no*match").error(), HasSubstr("no file matches"));
}

TEST_F(FilesTest, AnUnreadableFileDoesNotStopTheOthers) {
  v1::ExecuteRequest request = BashRequest(
      "echo a > a; echo b > b; chmod 000 a; mkdir d; echo c > d/c; chmod 000 "
      "d");
  request.add_output_files("a");
  request.add_output_files("b");
  request.add_output_files("d/c");
  const v1::Result result = client_.Run(request);
  ASSERT_EQ(result.files_size(), 3);
  // The run's owner could have read it: either the bytes or an error will do.
  EXPECT_TRUE(result.files(0).content() == "a\n" ||
              !result.files(0).error().empty());
  EXPECT_EQ(result.files(1).content(), "b\n");
}

TEST_F(FilesTest, ARunDirectoryWithoutPermissionsIsStillRemoved) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client_
                  .Run(BashRequest("mkdir -p a/b/c; echo x > a/b/c/d; "
                                   "chmod 000 a/b/c a/b a . "))
                  .outcome(),
              v1::EXITED);
  }
  EXPECT_EQ(client_.Run(BashRequest("echo still > a; cat a")).stdout(),
            "still\n");
}

TEST_F(FilesTest, ATreeOfThousandsOfLevelsDoesNotHurtTheServer) {
  v1::ExecuteRequest request = PythonRequest(
      "import os\n"
      "for i in range(3000):\n"
      "  os.mkdir('d'); os.chdir('d')\n"
      "open('bottom', 'w').close()");
  request.add_output_files("d/d/d");
  EXPECT_EQ(client_.Run(request).outcome(), v1::EXITED);
  EXPECT_EQ(client_.Run(BashRequest("ls")).stdout(), "");
}

TEST_F(FilesTest, FilesPastTheServersTotalAreRefusedOneByOne) {
  ServerProcess server({"--max_collected_bytes=1M"});
  TestClient client(server.address());
  v1::ExecuteRequest request = BashRequest(
      "head -c 800000 /dev/zero > a; head -c 800000 /dev/zero > b; "
      "echo small > c");
  for (const char* name : {"a", "b", "c"}) request.add_output_files(name);
  const v1::Result result = client.Run(request);
  ASSERT_EQ(result.files_size(), 3);
  EXPECT_EQ(result.files(0).content().size(), 800000u);
  EXPECT_THAT(result.files(1).error(), HasSubstr("too large"));
  EXPECT_EQ(result.files(2).content(), "small\n");
}

}  // namespace
}  // namespace cordon::testing
