// The `cordon` command as a process: signals, pipes and exit codes. What it
// prints is tested in run_command_test and its neighbours.

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "client/descriptor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/default_signals.h"
#include "tests/unit/client/fake_service.h"

namespace cordon::client {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kBinary[] = "client/cordon";

class Process {
 public:
  explicit Process(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), kBinary);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    out_ = OwnedDescriptor(ends[0]);
    const OwnedDescriptor writing(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, writing.get(), 1);
    EXPECT_EQ(posix_spawn(&pid_, kBinary, &actions,
                          cordon::testing::DefaultSignals().get(), argv.data(),
                          environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
  }

  void Kill(int signal) { kill(pid_, signal); }
  void CloseOutput() { out_ = OwnedDescriptor(-1); }
  std::string ReadOutput() { return ReadAll(out_.get()).value(); }

  // The exit code, or minus the signal.
  int Wait() {
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  OwnedDescriptor out_{-1};
};

class CordonBinaryTest : public ::testing::Test {
 protected:
  // The service tells that the run goes on, and then waits for its end.
  void RunUntilCancelled() {
    service_.on_execute = [this](const v1::ExecuteRequest&,
                                 FakeService::Call& call) {
      started_.Notify();
      call.WaitUntilCancelled();
      cancelled_.Notify();
      return grpc::Status::CANCELLED;
    };
  }

  Process Run() {
    return Process({"run", absl::StrCat("--server=", service_.address()),
                    "--command", "--", "/bin/true"});
  }

  absl::Notification started_;
  absl::Notification cancelled_;
  FakeService service_;
};

TEST_F(CordonBinaryTest, SignalsCancelTheRunAndHaveTheShellsCodes) {
  RunUntilCancelled();
  Process process = Run();
  started_.WaitForNotification();
  process.Kill(SIGINT);
  EXPECT_EQ(process.Wait(), 130);
  cancelled_.WaitForNotification();
}

TEST_F(CordonBinaryTest, TerminationDoesTheSame) {
  RunUntilCancelled();
  Process process = Run();
  started_.WaitForNotification();
  process.Kill(SIGTERM);
  EXPECT_EQ(process.Wait(), 143);
  cancelled_.WaitForNotification();
}

TEST_F(CordonBinaryTest, AReaderThatIsStuckDoesNotKeepItAlive) {
  service_.on_execute = [this](const v1::ExecuteRequest&,
                               FakeService::Call& call) {
    // More than a pipe holds, and nobody reads.
    call.Output(v1::STDOUT, std::string(1 << 20, 'x'));
    started_.Notify();
    call.WaitUntilCancelled();
    return grpc::Status::CANCELLED;
  };
  Process process = Run();
  started_.WaitForNotification();
  process.Kill(SIGINT);
  EXPECT_EQ(process.Wait(), 130);
}

TEST_F(CordonBinaryTest, AClosedPipeIsAnExitCodeAndNotASignal) {
  service_.on_execute = [this](const v1::ExecuteRequest&,
                               FakeService::Call& call) {
    started_.WaitForNotification();
    call.Output(v1::STDOUT, "nobody reads this");
    call.WaitUntilCancelled();
    return grpc::Status::CANCELLED;
  };
  Process process = Run();
  process.CloseOutput();
  started_.Notify();
  EXPECT_EQ(process.Wait(), 141);
}

TEST_F(CordonBinaryTest, TheProgramsExitCodeIsTheCommands) {
  service_.on_execute = [](const v1::ExecuteRequest&, FakeService::Call& call) {
    v1::Result result;
    result.set_outcome(v1::EXITED);
    result.set_exit_code(42);
    call.Finish(result);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run().Wait(), 42);
}

TEST_F(CordonBinaryTest, HelpAndVersionSucceedOnStandardOutput) {
  Process help({"run", "--help"});
  EXPECT_THAT(help.ReadOutput(), HasSubstr("Exit codes:"));
  EXPECT_EQ(help.Wait(), 0);
  Process version({"--version"});
  EXPECT_THAT(version.ReadOutput(), StartsWith("cordon "));
  EXPECT_EQ(version.Wait(), 0);
}

TEST_F(CordonBinaryTest, AMistakeIsCode120) {
  Process process({"run", "--no-such-flag"});
  EXPECT_EQ(process.ReadOutput(), "");
  EXPECT_EQ(process.Wait(), 120);
}

}  // namespace
}  // namespace cordon::client
