#include "tests/kernel/attack.h"

#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"

namespace cordon::testing {
namespace {

using sandbox::OutcomeKind;

constexpr char kPrelude[] = R"(
import ctypes, errno, fcntl, mmap, os, resource, signal, socket, struct, sys
import threading, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(number, *arguments):
  widened = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
  result = libc.syscall(ctypes.c_long(number), *widened)
  if result < 0: raise OSError(ctypes.get_errno(), '')
  return result
def act():
)";

constexpr char kCoda[] = R"(
try:
  result = act()
  print('done' if result is None else result, flush=True)
except OSError as error:
  print(errno.errorcode.get(error.errno, error.errno), flush=True)
)";

std::string Trimmed(std::string text) {
  return std::string(absl::StripTrailingAsciiWhitespace(text));
}

}  // namespace

std::string Program(const std::string& act) {
  std::string body;
  for (absl::string_view line : absl::StrSplit(act, '\n')) {
    absl::StrAppend(&body, "  ", line, "\n");
  }
  return absl::StrCat(kPrelude, body, kCoda);
}

bool HostFiltersCalls() { return prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER; }

std::string Confined(const std::string& act) {
  const auto run = SharedSandbox().Run(PythonSpec(Program(act)));
  EXPECT_EQ(run->outcome().usage.warm, PythonStartsWarm());
  if (run->outcome().kind == OutcomeKind::kSyscallViolation) return "killed";
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited)
      << run->outcome().message;
  EXPECT_EQ(run->stderr_data(), "");
  return Trimmed(run->stdout_data());
}

std::string Free(const std::string& act) {
  char path[] = "/tmp/cordon-act-XXXXXX";
  const sandbox::UniqueFd file(mkstemp(path));
  std::ofstream(path) << Program(act);
  // exec, so that this process is the parent, as it is of a run.
  FILE* output =
      popen(absl::StrCat("exec /usr/bin/python3 ", path).c_str(), "r");
  std::string text;
  char buffer[4096];
  while (const size_t size = fread(buffer, 1, sizeof(buffer), output)) {
    text.append(buffer, size);
  }
  pclose(output);
  unlink(path);
  return Trimmed(std::move(text));
}

Bystander::Bystander() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) abort();
  socket_.Reset(ends[0]);
  const sandbox::UniqueFd own(ends[1]);
  pid_ = fork();
  if (pid_ < 0) abort();
  if (pid_ != 0) {
    setpgid(pid_, pid_);
    return;
  }
  close(ends[0]);
  char byte;
  while (read(ends[1], &byte, 1) == 1 && write(ends[1], &byte, 1) == 1) {
  }
  _exit(0);
}

Bystander::~Bystander() {
  if (reaped_) return;
  kill(pid_, SIGKILL);
  WaitForEnd();
}

bool Bystander::Answers() {
  char byte = 'x';
  return send(socket_.get(), &byte, 1, MSG_NOSIGNAL) == 1 &&
         read(socket_.get(), &byte, 1) == 1;
}

int Bystander::WaitForEnd() {
  int status = 0;
  waitpid(pid_, &status, 0);
  reaped_ = true;
  return status;
}

OtherRun::OtherRun() : observer_(std::make_shared<RecordingObserver>()) {
  run_ = SharedSandbox().sandbox().Start(
      PythonSpec("import os, time\n"
                 "open('secret', 'w').write('secret')\n"
                 "print(os.getpid(), os.getcwd(), 'ready', flush=True)\n"
                 "time.sleep(1000)"),
      observer_);
  if (!observer_->WaitForOutput(sandbox::OutputStream::kStdout, "ready")) {
    abort();
  }
  const std::vector<std::string> words =
      absl::StrSplit(observer_->stdout_data(), ' ');
  if (!absl::SimpleAtoi(words[0], &pid_)) abort();
  directory_ = words[1];
}

OtherRun::~OtherRun() {
  run_->Cancel();
  observer_->WaitForEnd();
}

bool OtherRun::Runs() const {
  siginfo_t info = {};
  // Killed and not yet dead would still be there, but not as a sleeper.
  std::ifstream stat(absl::StrCat("/proc/", pid_, "/stat"));
  std::string line;
  std::getline(stat, line);
  return waitid(P_PID, static_cast<id_t>(pid_), &info,
                WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0 && absl::StrContains(line, ") S ");
}

}  // namespace cordon::testing
