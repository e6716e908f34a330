// Whether a program starts, and whose fault it is when it does not.

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
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

// Where there are two, its child begins on one (same_processor.h).
TEST(Start, TheProgramMayRunOnEveryProcessorThatTheServerMay) {
  cpu_set_t own;
  ASSERT_EQ(sched_getaffinity(0, sizeof(own), &own), 0);
  const std::string count = absl::StrCat(CPU_COUNT(&own), "\n");
  // More than the first stock, so that some were armed as a directory came
  // back.
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(SharedSandbox().Run(CommandSpec({"nproc"}))->stdout_data(),
              count);
  }
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

// A process that has a file open for writing, until Close.
class Writer {
 public:
  explicit Writer(const std::string& path) {
    int ready[2];
    int release[2];
    if (pipe2(ready, O_CLOEXEC) != 0 || pipe2(release, O_CLOEXEC) != 0) return;
    const sandbox::UniqueFd ready_reader(ready[0]);
    sandbox::UniqueFd ready_writer(ready[1]);
    const sandbox::UniqueFd release_reader(release[0]);
    release_.Reset(release[1]);
    pid_ = fork();
    char byte;
    if (pid_ == 0) {
      if (open(path.c_str(), O_WRONLY) < 0) _exit(1);
      if (write(ready[1], "", 1) != 1) _exit(1);
      _exit(read(release[0], &byte, 1) == 1 ? 0 : 1);
    }
    ready_writer.Reset();
    has_it_ = read(ready_reader.get(), &byte, 1) == 1;
  }
  ~Writer() { Close(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  bool has_it() const { return has_it_; }
  void Close() {
    if (pid_ <= 0) return;
    // Not by end of file: a child that waits to execute has a copy of this end.
    EXPECT_EQ(write(release_.get(), "", 1), 1);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  bool has_it_ = false;
  sandbox::UniqueFd release_;
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
  Writer writer(program.path());
  ASSERT_TRUE(writer.has_it());
  EXPECT_EQ(SpawnError(program.path()), ETXTBSY);
  const auto observer = std::make_shared<RecordingObserver>();
  const auto run = SharedSandbox().sandbox().Start(SpecOf(program), observer);
  // Time for it to find the program busy, of the two seconds that it tries.
  usleep(100'000);
  EXPECT_FALSE(observer->started());
  writer.Close();
  observer->WaitForEnd();
  EXPECT_EQ(observer->outcome().kind, OutcomeKind::kExited);
  EXPECT_EQ(observer->outcome().exit_code, 0);
}

// Nobody's program failed: the server could not start it.
TEST(Start, AProgramThatStaysBusyIsAFailureOfTheService) {
  const SharedProgram program;
  const Writer writer(program.path());
  ASSERT_TRUE(writer.has_it());
  const absl::StatusOr<Outcome> result =
      SharedSandbox().Run(SpecOf(program))->result();
  EXPECT_THAT(result.status().message(), HasSubstr("Text file busy"));
}

}  // namespace
}  // namespace cordon::testing
