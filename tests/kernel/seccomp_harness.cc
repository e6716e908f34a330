#include "tests/kernel/seccomp_harness.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "sandbox/policy/seccomp/filter_compiler.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/syscall_table_x86_64.h"

namespace cordon::sandbox {
namespace {

constexpr int kPatienceMilliseconds = 60000;

// What the child tells, on a page that it shares with the test.
struct Report {
  volatile bool returned;
  volatile long result;
};

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

// -1 on failure.
int Install(const Filter& filter, unsigned int flags) {
  const sock_fprog program = {static_cast<unsigned short>(filter.size()),
                              const_cast<sock_filter*>(filter.data())};
  return static_cast<int>(
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

struct DescriptorMessage {
  DescriptorMessage() {
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
  }
  char byte = 0;
  iovec piece = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header = {};
};

void SendDescriptor(int socket, int descriptor) {
  DescriptorMessage message;
  cmsghdr* control = CMSG_FIRSTHDR(&message.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(control), &descriptor, sizeof(descriptor));
  if (sendmsg(socket, &message.header, 0) != 1) Die("sendmsg");
}

int ReceiveDescriptor(int socket) {
  DescriptorMessage message;
  if (recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC) != 1) Die("recvmsg");
  int descriptor;
  std::memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message.header)),
              sizeof(descriptor));
  return descriptor;
}

[[noreturn]] void ChildMain(const Filter& filter, const Filter& outer,
                            int socket, Report& report,
                            absl::FunctionRef<long()> body) {
  // A group of its own: a signal to the group must not reach the test.
  if (setpgid(0, 0) != 0) Die("setpgid");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) Die("no_new_privs");
  if (!outer.empty() && Install(outer, 0) != 0) Die("outer filter");
  const int listener = Install(filter, SECCOMP_FILTER_FLAG_NEW_LISTENER);
  if (listener < 0) Die("filter");
  SendDescriptor(socket, listener);
  close(listener);
  close(socket);
  report.result = body();
  report.returned = true;
  _exit(0);
}

// One notification. False when nobody is left to send any.
bool Serve(int listener, absl::FunctionRef<Answer(const seccomp_data&)> answer,
           std::vector<seccomp_data>& notified) {
  seccomp_notif notification = {};
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) != 0) {
    // The caller was killed before it was heard.
    return errno == ENOENT || errno == EINTR;
  }
  notified.push_back(notification.data);
  const Answer chosen = answer(notification.data);
  seccomp_notif_resp response = {};
  response.id = notification.id;
  if (chosen.error_number == 0) {
    response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  } else {
    response.error = -chosen.error_number;
  }
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
  return true;
}

void ServeAll(pid_t child, int listener,
              absl::FunctionRef<Answer(const seccomp_data&)> answer,
              std::vector<seccomp_data>& notified) {
  while (true) {
    pollfd waiting = {listener, POLLIN, 0};
    const int ready = poll(&waiting, 1, kPatienceMilliseconds);
    if (ready == 0) {
      std::fprintf(stderr, "the child hangs: killed\n");
      kill(-child, SIGKILL);
      kill(child, SIGKILL);
      return;
    }
    if ((waiting.revents & POLLIN) != 0) {
      if (!Serve(listener, answer, notified)) return;
    } else if ((waiting.revents & (POLLHUP | POLLERR)) != 0) {
      // No process has the filter any more.
      return;
    }
  }
}

}  // namespace

FilteredRun RunFiltered(const Filter& filter, const Filter& outer,
                        absl::FunctionRef<long()> body,
                        absl::FunctionRef<Answer(const seccomp_data&)> answer) {
  void* page = mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) Die("mmap");
  Report& report = *static_cast<Report*>(page);
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    Die("socketpair");
  }
  const pid_t child = fork();
  if (child < 0) Die("fork");
  if (child == 0) {
    close(sockets[0]);
    ChildMain(filter, outer, sockets[1], report, body);
  }
  close(sockets[1]);
  const int listener = ReceiveDescriptor(sockets[0]);
  close(sockets[0]);

  FilteredRun run;
  ServeAll(child, listener, answer, run.notified);
  if (waitpid(child, &run.wait_status, 0) != child) Die("waitpid");
  close(listener);
  run.returned = report.returned;
  run.result = report.result;
  munmap(page, sizeof(Report));
  return run;
}

long RawSyscall(int number, const SyscallArguments& arguments) {
  const long result = syscall(number, arguments[0], arguments[1], arguments[2],
                              arguments[3], arguments[4], arguments[5]);
  return result == -1 ? -errno : result;
}

SyscallArguments ArgumentsOf(const seccomp_data& call) {
  SyscallArguments arguments;
  std::memcpy(arguments.data(), call.args, sizeof(call.args));
  return arguments;
}

ProgramRun RunProgram(const Filter& filter, const std::string& directory,
                      const std::vector<std::string>& argv,
                      absl::FunctionRef<Answer(const seccomp_data&)> answer) {
  const int output = open(directory.c_str(), O_TMPFILE | O_RDWR, 0600);
  if (output < 0) Die("O_TMPFILE");
  std::vector<char*> arguments;
  for (const std::string& argument : argv) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  const auto execute = [&]() -> long {
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    if (chdir(directory.c_str()) != 0) return -errno;
    execvp(arguments[0], arguments.data());
    return -errno;
  };
  ProgramRun program;
  program.run = RunFiltered(filter, {}, execute, answer);
  program.output.resize(lseek(output, 0, SEEK_END));
  if (pread(output, program.output.data(), program.output.size(), 0) < 0) {
    Die("pread");
  }
  close(output);
  return program;
}

ProgramRun RunProgram(const SyscallPolicy& policy, const std::string& directory,
                      const std::vector<std::string>& argv) {
  const auto filter = CompileFilter(
      policy,
      {.audit_arch = kX86_64AuditArch, .number_limit = kX86_64NumberLimit});
  if (!filter.ok()) Die("CompileFilter");
  std::vector<seccomp_data> breaches;
  const auto decide = [&](const seccomp_data& call) {
    const Verdict verdict = policy.Evaluate(call.nr, ArgumentsOf(call));
    if (verdict.kind == VerdictKind::kAsk) return Answer::Continue();
    breaches.push_back(call);
    return Answer::Fail(
        verdict.kind == VerdictKind::kDeny ? verdict.error_number : EPERM);
  };
  ProgramRun program = RunProgram(*filter, directory, argv, decide);
  program.run.notified = breaches;
  return program;
}

}  // namespace cordon::sandbox
