#include "tests/support/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/match.h"
#include "tests/support/default_signals.h"

namespace cordon::testing {
namespace {

using sandbox::UniqueFd;

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

// Files in memory: no pipe to fill up, so nothing to deadlock on.
UniqueFd MemoryFile(const std::string& content) {
  UniqueFd file(memfd_create("stdio", MFD_CLOEXEC));
  if (!file.valid()) Die("memfd_create");
  if (pwrite(file.get(), content.data(), content.size(), 0) !=
      static_cast<ssize_t>(content.size())) {
    Die("pwrite");
  }
  return file;
}

std::string Contents(const UniqueFd& file) {
  std::string content;
  char chunk[65536];
  ssize_t bytes;
  while ((bytes = pread(file.get(), chunk, sizeof(chunk),
                        static_cast<off_t>(content.size()))) > 0) {
    content.append(chunk, bytes);
  }
  return content;
}

pid_t Spawn(const std::vector<std::string>& arguments, int stdin_fd,
            int stdout_fd, int stderr_fd) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, stdin_fd, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, stdout_fd, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, stderr_fd, STDERR_FILENO);
  pid_t pid = -1;
  errno = posix_spawn(&pid, argv[0], &actions, DefaultSignals().get(),
                      argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (errno != 0) Die(argv[0]);
  return pid;
}

int Wait(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

CommandOutput RunCommand(const std::vector<std::string>& argv,
                         const std::string& stdin_data) {
  const UniqueFd in = MemoryFile(stdin_data);
  const UniqueFd out = MemoryFile("");
  const UniqueFd err = MemoryFile("");
  const pid_t pid = Spawn(argv, in.get(), out.get(), err.get());
  CommandOutput output;
  output.exit_code = Wait(pid);
  output.stdout_data = Contents(out);
  output.stderr_data = Contents(err);
  return output;
}

ChildProcess::ChildProcess(const std::vector<std::string>& argv) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) Die("pipe2");
  stdout_.Reset(ends[0]);
  const UniqueFd write_end(ends[1]);
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  pid_ = Spawn(argv, null.get(), write_end.get(), null.get());
}

ChildProcess::~ChildProcess() {
  if (exited_) return;
  Signal(SIGKILL);
  WaitForExit();
}

bool ChildProcess::ReadUntil(const std::string& text) {
  char chunk[4096];
  while (!absl::StrContains(read_, text)) {
    const ssize_t bytes = read(stdout_.get(), chunk, sizeof(chunk));
    if (bytes <= 0) return false;
    read_.append(chunk, bytes);
  }
  return true;
}

void ChildProcess::Signal(int signal) const { kill(pid_, signal); }

int ChildProcess::WaitForExit() {
  exited_ = true;
  return Wait(pid_);
}

}  // namespace cordon::testing
