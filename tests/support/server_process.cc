#include "tests/support/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/default_signals.h"
#include "tests/support/degraded_host.h"

namespace cordon::testing {
namespace {

// Below the runfiles directory, where `bazel run` and `bazel test` start.
constexpr char kBinary[] = "server/cordond";

[[noreturn]] void Die(const std::string& what, const std::string& log = "") {
  std::fprintf(stderr, "cannot start the server: %s\n", what.c_str());
  if (!log.empty()) std::cerr << std::ifstream(log).rdbuf();
  std::abort();
}

// In a test the server's log would drown what the test itself says. Empty: the
// log goes to this process's own standard error.
std::string NewLogFile() {
  static int count = 0;
  const char* directory = getenv("TEST_TMPDIR");
  if (directory == nullptr) return "";
  return absl::StrCat(directory, "/cordond-", getpid(), "-", count++, ".log");
}

std::string MakeStateDirectory() {
  char pattern[] = "/tmp/cordon-test-XXXXXX";
  if (mkdtemp(pattern) == nullptr) Die("mkdtemp");
  // Runs with a uid of their own must be able to pass through.
  chmod(pattern, 0711);
  return pattern;
}

std::string ReadLine(int fd, const std::string& log) {
  std::string line;
  char byte;
  while (read(fd, &byte, 1) == 1) {
    if (byte == '\n') return line;
    line.push_back(byte);
  }
  Die("it ended before it was ready", log);
}

}  // namespace

ServerProcess::ServerProcess(const std::vector<std::string>& flags)
    : arguments_({kBinary, "--listen=127.0.0.1:0"}),
      state_directory_(MakeStateDirectory()) {
  arguments_.push_back(absl::StrCat("--state_dir=", state_directory_));
  if (HostIsDegraded()) arguments_.push_back("--allow_degraded");
  arguments_.insert(arguments_.end(), flags.begin(), flags.end());
  Start();
}

void ServerProcess::Restart() { Start(); }

void ServerProcess::Start() {
  std::vector<char*> argv;
  for (std::string& argument : arguments_) argv.push_back(argument.data());
  argv.push_back(nullptr);

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) Die("pipe2");
  stdout_.Reset(ends[0]);
  sandbox::UniqueFd write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  const std::string log = NewLogFile();
  if (!log.empty()) {
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
  }
  const int error = posix_spawn(&pid_, kBinary, &actions,
                                DefaultSignals().get(), argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) Die(absl::StrCat("posix_spawn: errno ", error));
  exited_ = false;
  write_end.Reset();  // So that the server's end is end of file.
  const std::string line = ReadLine(stdout_.get(), log);
  const std::vector<std::string> words = absl::StrSplit(line, ' ');
  address_ = words.back();
}

ServerProcess::~ServerProcess() {
  if (!exited_) {
    Signal(SIGKILL);
    WaitForExit();
  }
  std::filesystem::remove_all(state_directory_);
}

void ServerProcess::Signal(int signal) const { kill(pid_, signal); }

int ServerProcess::WaitForExit() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  exited_ = true;
  return status;
}

}  // namespace cordon::testing
