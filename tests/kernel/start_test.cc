// Whether a program starts, and whose fault it is when it does not.

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sandbox/base/unique_fd.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::Outcome;
using sandbox::OutcomeKind;
using ::testing::HasSubstr;

TEST(Start, AMissingProgramIsNamed) {
  const Outcome outcome =
      SharedSandbox().Run(CommandSpec({"no-such-program"}))->outcome();
  EXPECT_EQ(outcome.kind, OutcomeKind::kStartFailed);
  EXPECT_THAT(outcome.message, HasSubstr("not found"));
}

TEST(Start, AFileWithoutExecutePermissionIsNotExecutable) {
  ExecutionSpec spec = CommandSpec({"./script"});
  spec.files = {
      {"script", "#!/bin/sh\necho ran\n", sandbox::FileMode::kRegular}};
  Outcome outcome = SharedSandbox().Run(spec)->outcome();
  EXPECT_EQ(outcome.kind, OutcomeKind::kStartFailed);
  EXPECT_THAT(outcome.message, HasSubstr("not executable"));
  spec.files[0].mode = sandbox::FileMode::kExecutable;
  EXPECT_EQ(SharedSandbox().Run(spec)->stdout_data(), "ran\n");
}

TEST(Start, AMissingInterpreterIsNotAMissingProgram) {
  ExecutionSpec spec = CommandSpec({"./script"});
  spec.files = {
      {"script", "#!/no/such/interpreter\n", sandbox::FileMode::kExecutable}};
  const Outcome outcome = SharedSandbox().Run(spec)->outcome();
  EXPECT_EQ(outcome.kind, OutcomeKind::kStartFailed);
  EXPECT_THAT(outcome.message, HasSubstr("interpreter"));
}

TEST(Start, AProgramThatExits127IsNotAStartFailure) {
  const Outcome outcome = SharedSandbox().Run(BashSpec("exit 127"))->outcome();
  EXPECT_EQ(outcome.kind, OutcomeKind::kExited);
  EXPECT_EQ(outcome.exit_code, 127);
}

// A copy of /bin/true that every run may execute, if its view has directory().
class SharedProgram {
 public:
  SharedProgram() {
    char directory[] = "/tmp/cordon-start-XXXXXX";
    if (mkdtemp(directory) == nullptr) return;
    directory_ = directory;
    path_ = directory_ + "/program";
    chmod(directory, 0755);
    std::filesystem::copy_file("/bin/true", path_);
    chmod(path_.c_str(), 0755);
  }
  ~SharedProgram() { std::filesystem::remove_all(directory_); }

  const std::string& directory() const { return directory_; }
  const std::string& path() const { return path_; }

 private:
  std::string directory_;
  std::string path_;
};

// A process that has a file open for writing for a while.
class Writer {
 public:
  Writer(const std::string& path, absl::Duration time) {
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) return;
    const sandbox::UniqueFd reader(ready[0]);
    sandbox::UniqueFd writer(ready[1]);
    pid_ = fork();
    if (pid_ == 0) {
      if (open(path.c_str(), O_WRONLY) < 0) _exit(1);
      if (write(writer.get(), "", 1) != 1) _exit(1);
      usleep(static_cast<useconds_t>(absl::ToInt64Microseconds(time)));
      _exit(0);
    }
    writer.Reset();
    char byte;
    has_it_ = read(reader.get(), &byte, 1) == 1;
  }
  ~Writer() { waitpid(pid_, nullptr, 0); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  bool has_it() const { return has_it_; }

 private:
  pid_t pid_ = -1;
  bool has_it_ = false;
};

int SpawnError(const std::string& path) {
  std::string name = path;
  char* argv[] = {name.data(), nullptr};
  pid_t pid;
  const int error =
      posix_spawn(&pid, path.c_str(), nullptr, nullptr, argv, environ);
  if (error == 0) waitpid(pid, nullptr, 0);
  return error;
}

ExecutionSpec SpecOf(const SharedProgram& program) {
  ExecutionSpec spec = CommandSpec({program.path()});
  spec.view.read_execute.push_back(program.directory());
  return spec;
}

// The kernel executes no file that somebody writes (execve(2), ETXTBSY). A
// child on its way to its own program may hold one of another run's for a
// moment, as this writer does for longer.
TEST(Start, WaitsForAProgramThatIsStillWritten) {
  const SharedProgram program;
  ASSERT_EQ(SharedSandbox().Run(SpecOf(program))->outcome().kind,
            OutcomeKind::kExited);
  const Writer writer(program.path(), absl::Milliseconds(300));
  ASSERT_TRUE(writer.has_it());
  EXPECT_EQ(SpawnError(program.path()), ETXTBSY);
  const Outcome outcome = SharedSandbox().Run(SpecOf(program))->outcome();
  EXPECT_EQ(outcome.kind, OutcomeKind::kExited);
  EXPECT_EQ(outcome.exit_code, 0);
}

// Nobody's program failed: the server could not start it.
TEST(Start, AProgramThatStaysBusyIsAFailureOfTheService) {
  const SharedProgram program;
  const Writer writer(program.path(), absl::Seconds(6));
  ASSERT_TRUE(writer.has_it());
  const absl::StatusOr<Outcome> result =
      SharedSandbox().Run(SpecOf(program))->result();
  EXPECT_THAT(result.status().message(), HasSubstr("Text file busy"));
}

}  // namespace
}  // namespace cordon::testing
