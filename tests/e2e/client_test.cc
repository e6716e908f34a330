// The real `cordon` command against the real server.

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "tests/support/child_process.h"
#include "tests/support/process_view.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

// Documented by `cordon run --help`.
constexpr int kTimedOut = 119;
constexpr int kBadRequest = 120;
constexpr int kUnavailable = 121;
constexpr int kLimit = 122;
constexpr int kBreach = 123;
constexpr int kNotStarted = 124;

class ClientTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new ServerProcess({}); }
  static void TearDownTestSuite() { delete server_; }

  ClientTest() {
    const char* base = getenv("TEST_TMPDIR");
    directory_ =
        std::filesystem::path(base == nullptr ? "/tmp" : base) /
        ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(directory_);
  }

  std::vector<std::string> Argv(std::vector<std::string> arguments) {
    std::vector<std::string> argv = {"client/cordon", "run",
                                     "--server=" + server_->address()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return argv;
  }

  CommandOutput Run(std::vector<std::string> arguments,
                    const std::string& stdin_data = "") {
    return RunCommand(Argv(std::move(arguments)), stdin_data);
  }

  // Exactly one line, for a person.
  static void ExpectOneSentence(const CommandOutput& output) {
    EXPECT_THAT(output.stderr_data, ::testing::StartsWith("cordon: "));
    EXPECT_EQ(
        std::count(output.stderr_data.begin(), output.stderr_data.end(), '\n'),
        1)
        << output.stderr_data;
  }

  std::string Write(const std::string& name, const std::string& content) {
    const std::filesystem::path path = directory_ / name;
    std::ofstream(path) << content;
    return path;
  }

  static std::string Read(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path directory_;
  static ServerProcess* server_;
};

ServerProcess* ClientTest::server_ = nullptr;

TEST_F(ClientTest, OutputIsTheProgramsAndNothingElse) {
  const std::string file = Write("hello.py",
                                 "import sys\nprint('out')\nprint('err', "
                                 "file=sys.stderr)\n");
  const CommandOutput output = Run({file});
  EXPECT_EQ(output.exit_code, 0);
  EXPECT_EQ(output.stdout_data, "out\n");
  EXPECT_EQ(output.stderr_data, "err\n");
}

TEST_F(ClientTest, TheExitCodeIsTheProgramsOwn) {
  for (const int code : {0, 1, 7, 255}) {
    const CommandOutput output =
        Run({"--language=bash"}, "exit " + std::to_string(code));
    EXPECT_EQ(output.exit_code, code);
    EXPECT_EQ(output.stderr_data, "");
  }
}

TEST_F(ClientTest, ASignalIs128AndItsNumber) {
  const CommandOutput output = Run({"--language=bash"}, "kill -SEGV $$");
  EXPECT_EQ(output.exit_code, 128 + SIGSEGV);
  ExpectOneSentence(output);
  EXPECT_THAT(output.stderr_data, HasSubstr("SEGV"));
}

TEST_F(ClientTest, ALimitIsExplainedInOneLine) {
  const CommandOutput cpu =
      Run({"--language=bash", "--cpu=300ms"}, "while :; do :; done");
  EXPECT_EQ(cpu.exit_code, kLimit);
  ExpectOneSentence(cpu);
  EXPECT_THAT(cpu.stderr_data, HasSubstr("300ms"));
  const CommandOutput wall =
      Run({"--language=bash", "--wall=0.5"}, "echo partial; sleep 1000");
  EXPECT_EQ(wall.exit_code, kLimit);
  EXPECT_EQ(wall.stdout_data, "partial\n");
  const CommandOutput memory = Run({"--language=python", "--memory=64M"},
                                   "x = bytearray(b'x' * (1 << 30))");
  EXPECT_EQ(memory.exit_code, kLimit) << memory.stderr_data;
}

TEST_F(ClientTest, ABreachIsExplainedInOneLine) {
  const CommandOutput output =
      Run({"--language=python"},
          "import ctypes; ctypes.CDLL(None).syscall(101, 16, 77, 88, 99)");
  EXPECT_EQ(output.exit_code, kBreach);
  ExpectOneSentence(output);
  EXPECT_THAT(output.stderr_data, HasSubstr("ptrace"));
}

TEST_F(ClientTest, ADeniedBreachIsMentionedAndTheProgramsCodeStands) {
  const CommandOutput output =
      Run({"--language=bash"}, "echo x 2> /dev/null > /etc/passwd; exit 4");
  EXPECT_EQ(output.exit_code, 4);
  EXPECT_THAT(output.stderr_data, HasSubstr("denied: openat of /etc/passwd"));
  const CommandOutput quiet = Run({"--language=bash", "--quiet"},
                                  "(echo x > /etc/passwd) 2> /dev/null");
  EXPECT_EQ(quiet.stderr_data, "");
}

TEST_F(ClientTest, ABadRequestNamesItsFields) {
  const CommandOutput output =
      Run({"--language=cobol", "--cpu=10000h", "--cwd=/absolute"}, "x");
  EXPECT_EQ(output.exit_code, kBadRequest);
  EXPECT_THAT(output.stderr_data, HasSubstr("cobol"));
  EXPECT_THAT(output.stderr_data, HasSubstr("limits.cpu_time"));
  EXPECT_THAT(output.stderr_data, HasSubstr("working_directory"));
  EXPECT_EQ(Run({"--no-such-flag"}).exit_code, kBadRequest);
  EXPECT_EQ(Run({"/no/such/file.py"}).exit_code, kBadRequest);
  const CommandOutput network = Run({"--language=bash", "--network=full"}, "x");
  EXPECT_EQ(network.exit_code, kBadRequest);
  EXPECT_THAT(network.stderr_data, HasSubstr("--max_network"));
}

TEST_F(ClientTest, AServerThatIsNotThereIsSaidSo) {
  const CommandOutput output = RunCommand(
      {"client/cordon", "run", "--server=127.0.0.1:1", "--language=bash"},
      "true");
  EXPECT_EQ(output.exit_code, kUnavailable);
  EXPECT_THAT(output.stderr_data, HasSubstr("127.0.0.1:1"));
}

TEST_F(ClientTest, ACompileErrorShowsTheCompilersWords) {
  const CommandOutput output =
      Run({Write("bad.cc", "int main() { return nonsense; }\n")});
  EXPECT_EQ(output.exit_code, kNotStarted);
  EXPECT_THAT(output.stderr_data, HasSubstr("nonsense"));
  EXPECT_EQ(output.stdout_data, "");
  EXPECT_EQ(Run({Write("good.cc", "int main() { return 9; }\n")}).exit_code, 9);
}

TEST_F(ClientTest, AProgramThatIsNotThereIsNotStarted) {
  const CommandOutput output = Run({"--command", "--", "no-such-program"});
  EXPECT_EQ(output.exit_code, kNotStarted);
  ExpectOneSentence(output);
}

TEST_F(ClientTest, ArgumentsInputAndEnvironmentReachTheProgram) {
  const std::string code =
      Write("all.sh", "echo \"$1|$2|$NAME\"; cat; basename $PWD");
  const std::string input = Write("in.txt", "from a file\n");
  const CommandOutput output =
      Run({"--stdin=" + input, "--env=NAME=a=b", "--cwd=sub", code, "--",
           "--flag", "two words"});
  EXPECT_EQ(output.stdout_data, "--flag|two words|a=b\nfrom a file\nsub\n");
  const CommandOutput forwarded = Run({"--stdin=-", code}, "my own input\n");
  EXPECT_THAT(forwarded.stdout_data, HasSubstr("my own input\n"));
}

TEST_F(ClientTest, FilesGoInAndComeBack) {
  const std::string data = Write("data.csv", "1,2\n");
  const std::string code = Write("work.py",
                                 "import os\nos.makedirs('out')\n"
                                 "for n in 'ab': open(f'out/{n}.txt', "
                                 "'w').write(open('in/d.csv').read())\n");
  const CommandOutput output =
      Run({"--file=in/d.csv=" + data, "--output=out/*.txt",
           "--output-dir=" + (directory_ / "back").string(), code});
  EXPECT_EQ(output.exit_code, 0) << output.stderr_data;
  EXPECT_EQ(Read(directory_ / "back/out/a.txt"), "1,2\n");
  EXPECT_EQ(Read(directory_ / "back/out/b.txt"), "1,2\n");
  const CommandOutput missing = Run({"--language=bash", "--output=absent",
                                     "--output-dir=" + directory_.string()},
                                    "true");
  EXPECT_NE(missing.exit_code, 0);
  EXPECT_THAT(missing.stderr_data, HasSubstr("absent"));
}

TEST_F(ClientTest, JsonIsOneEventALineAndEndsWithTheResult) {
  const CommandOutput output =
      Run({"--json", "--language=bash"}, "echo out; echo err >&2; exit 3");
  EXPECT_EQ(output.exit_code, 3);
  std::vector<v1::ExecuteResponse> events;
  std::istringstream lines(output.stdout_data);
  for (std::string line; std::getline(lines, line);) {
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(
                    line, &events.emplace_back())
                    .ok())
        << line;
  }
  ASSERT_GE(events.size(), 4u);
  EXPECT_TRUE(events.front().has_started());
  ASSERT_TRUE(events.back().has_result());
  EXPECT_EQ(events.back().result().exit_code(), 3);
}

TEST_F(ClientTest, OutputIsStreamedAndCtrlCCancelsTheRun) {
  ChildProcess client(Argv(
      {"--command", "--", "/bin/bash", "-c", "printf partial; sleep 1000"}));
  ASSERT_TRUE(client.ReadUntil("partial"));
  client.Signal(SIGINT);
  EXPECT_EQ(client.WaitForExit(), 128 + SIGINT);
  EXPECT_TRUE(Eventually([] { return ChildrenOf(server_->pid()).empty(); }));
}

TEST_F(ClientTest, ATimeoutCancelsTheRun) {
  const CommandOutput output =
      Run({"--timeout=1s", "--language=bash"}, "sleep 1000");
  EXPECT_EQ(output.exit_code, kTimedOut);
  ExpectOneSentence(output);
  EXPECT_TRUE(Eventually([] { return ChildrenOf(server_->pid()).empty(); }));
}

TEST_F(ClientTest, MuchOutputArrivesWhole) {
  const CommandOutput output = Run({"--language=bash", "--output-limit=64M"},
                                   "head -c 20000000 /dev/zero");
  EXPECT_EQ(output.stdout_data.size(), 20000000u);
}

TEST_F(ClientTest, InfoSaysWhatTheServerCanDo) {
  const CommandOutput output = RunCommand(
      {"client/cordon", "info", "--server=" + server_->address()}, "");
  EXPECT_EQ(output.exit_code, 0);
  for (const char* word : {"python", "bash", "c++", "Python 3", "filesystem"}) {
    EXPECT_THAT(output.stdout_data, HasSubstr(word));
  }
  const CommandOutput json = RunCommand(
      {"client/cordon", "info", "--json", "--server=" + server_->address()},
      "");
  v1::ServerInfo info;
  EXPECT_TRUE(
      google::protobuf::util::JsonStringToMessage(json.stdout_data, &info)
          .ok());
  EXPECT_EQ(info.languages_size(), 4);
}

}  // namespace
}  // namespace cordon::testing
