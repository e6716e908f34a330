// AskedProgram is a process that makes the calls on sockets that it is told to,
// under a filter that asks a listener about them (seccomp_unotify(2)), with
// descriptors of its own.
//
//   AskedProgram program;
//   program.shared().number = __NR_socket;  ... arguments ...
//   program.Start();
//   NotificationBuffer buffer;
//   while (program.Asks(buffer)) AnswerCall(program.listener(), ...);
//
// Contract: one thread, and no other in its process when it is made.

#ifndef CORDON_TESTS_FUZZ_ASKED_PROGRAM_H_
#define CORDON_TESTS_FUZZ_ASKED_PROGRAM_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "sandbox/base/notification_buffer.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::sandbox {

class AskedProgram {
 public:
  // Its descriptors that calls are about.
  static constexpr int kFirstFd = 16;
  static constexpr int kFds = 8;

  struct Name {
    sockaddr_storage storage;
    socklen_t length = 0;  // 0: it has none.
  };
  // At the same address in both processes.
  struct Shared {
    int64_t number;
    uint64_t arguments[6];
    // What getsockname(2) and getpeername(2) say of its descriptors, and which
    // listen.
    Name names[kFds];
    Name peers[kFds];
    int listens[kFds];
    // What a register may point to.
    char memory[1024];
    int listener;
  };

  // In a process group of its own.
  AskedProgram();
  ~AskedProgram();
  AskedProgram(const AskedProgram&) = delete;
  AskedProgram& operator=(const AskedProgram&) = delete;

  Shared& shared() { return *shared_; }
  pid_t pid() const { return pid_; }
  int listener() const { return listener_.get(); }

  // The call in `shared`. A new socket goes to the descriptor that the last
  // argument, which socket(2) has not, says.
  void Start();
  // False: it is done.
  bool Asks(NotificationBuffer& buffer);

  void TellNames();
  void CloseAll();

 private:
  void DoUnasked(int64_t number);
  [[noreturn]] void Serve(int order, int done);

  Shared* shared_ = nullptr;
  pid_t pid_ = -1;
  UniqueFd order_, done_, listener_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_TESTS_FUZZ_ASKED_PROGRAM_H_
