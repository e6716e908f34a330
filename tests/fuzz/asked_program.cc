#include "tests/fuzz/asked_program.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace cordon::sandbox {
namespace {

using Shared = AskedProgram::Shared;

// No system calls.
constexpr int64_t kTellNames = -1;
constexpr int64_t kCloseAll = -2;

void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "asked_program: %s\n", what);
  std::abort();
}

// What is left to the program has no address: read(2), write(2), close(2).
int InstallFilter() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 7, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_bind, 6, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_listen, 5, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_connect, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_sendto, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_sendmsg, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_sendmmsg, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)};
  const sock_fprog program = {std::size(code), code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return static_cast<int>(syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
                                  SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

void Tell(Shared& shared) {
  for (int i = 0; i < AskedProgram::kFds; ++i) {
    for (AskedProgram::Name* name : {&shared.names[i], &shared.peers[i]}) {
      name->length = sizeof(name->storage);
      const int64_t call =
          name == &shared.names[i] ? __NR_getsockname : __NR_getpeername;
      if (syscall(call, AskedProgram::kFirstFd + i, &name->storage,
                  &name->length) != 0) {
        name->length = 0;
      }
    }
    shared.listens[i] = 0;
    socklen_t length = sizeof(shared.listens[i]);
    syscall(__NR_getsockopt, AskedProgram::kFirstFd + i, SOL_SOCKET,
            SO_ACCEPTCONN, &shared.listens[i], &length);
  }
}

void MakeCall(const Shared& shared) {
  const uint64_t* const a = shared.arguments;
  const int64_t result =
      syscall(shared.number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (shared.number != __NR_socket || result < 0) return;
  syscall(__NR_dup3, result, AskedProgram::kFirstFd + a[5] % AskedProgram::kFds,
          0);
  syscall(__NR_close, result);
}

}  // namespace

AskedProgram::AskedProgram() {
  void* const room = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  Check(room != MAP_FAILED, "no memory");
  shared_ = static_cast<Shared*>(room);
  int order[2], done[2];
  Check(pipe2(order, O_CLOEXEC) == 0 && pipe2(done, O_CLOEXEC) == 0,
        "no pipes");
  // One table of descriptors until the listener is in it.
  pid_ = static_cast<pid_t>(
      syscall(__NR_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
  Check(pid_ >= 0, "no process");
  if (pid_ == 0) Serve(order[0], done[1]);
  order_.Reset(order[1]);
  done_.Reset(done[0]);
  char byte;
  Check(read(done_.get(), &byte, 1) == 1 && shared_->listener >= 0,
        "no filter");
  listener_.Reset(shared_->listener);
  close(order[0]);
  close(done[1]);
}

AskedProgram::~AskedProgram() { kill(pid_, SIGKILL); }

void AskedProgram::Serve(int order, int done) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setpgid(0, 0);
  shared_->listener = InstallFilter();
  syscall(__NR_unshare, CLONE_FILES);
  dup2(order, 0);
  dup2(done, 1);
  syscall(__NR_close_range, 3, ~0U, 0);
  char byte = 0;
  while (syscall(__NR_write, 1, &byte, 1) == 1 &&
         syscall(__NR_read, 0, &byte, 1) == 1) {
    switch (shared_->number) {
      case kTellNames:
        Tell(*shared_);
        break;
      case kCloseAll:
        syscall(__NR_close_range, kFirstFd, ~0U, 0);
        break;
      default:
        MakeCall(*shared_);
    }
  }
  _exit(0);
}

void AskedProgram::Start() {
  Check(write(order_.get(), "", 1) == 1, "the program is gone");
}

bool AskedProgram::Asks(NotificationBuffer& buffer) {
  pollfd waits[] = {{listener_.get(), POLLIN, 0}, {done_.get(), POLLIN, 0}};
  Check(poll(waits, std::size(waits), -1) > 0, "no answer");
  if ((waits[0].revents & POLLIN) != 0) {
    Check(ReceiveNotification(listener_.get(), buffer), "no call");
    return true;
  }
  char byte;
  Check(read(done_.get(), &byte, 1) == 1, "the program is gone");
  return false;
}

void AskedProgram::DoUnasked(int64_t number) {
  shared_->number = number;
  Start();
  NotificationBuffer buffer;
  Check(!Asks(buffer), "it asks");
}

void AskedProgram::TellNames() { DoUnasked(kTellNames); }

void AskedProgram::CloseAll() { DoUnasked(kCloseAll); }

}  // namespace cordon::sandbox
