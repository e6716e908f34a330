// CallRedirects makes a thread that waits for the answer to a call do that call
// on another path: execve(2) and chdir(2), which nobody can do for another
// process.
//
//   redirects.Begin(notification, "/state/runs/x/tmp/a.out", listener);
//   // later, on every notification:
//   if (redirects.Continue(notification, listener)) return;
//   // and until `waiting()` is false:
//   redirects.Step();
//
// The thread is stopped on its way out of the call (ptrace(2), PTRACE_SEIZE and
// PTRACE_INTERRUPT), the path is put below its stack's red zone, and its
// registers are set to make the call once more, with other arguments in front
// where a script's interpreter is to be executed. It is let go at once where
// the call replaces the program, and after the call, with its registers as they
// were, where it does not.
//
// The path is in memory that the program can change; what it can make of that
// is a call on a path of its choice, which it can make anyway.
//
// Known hole, so that no request is given this yet: PTRACE_SEIZE waits while
// another thread of the process executes a program, and that may wait for a
// thread that is held here. A hostile program can stop the loop so.
//
// Contract: one thread, which is the tracer. Apart from that it blocks for no
// longer than a context switch usually takes.

#ifndef CORDON_SANDBOX_SUPERVISE_CALL_REDIRECTS_H_
#define CORDON_SANDBOX_SUPERVISE_CALL_REDIRECTS_H_

#include <linux/seccomp.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"

namespace cordon::sandbox {

class CallRedirects {
 public:
  // Of a call whose path is its first argument. errno(3) when it cannot be, and
  // the call has no answer yet: EPERM, the host allows no tracing; EAGAIN, too
  // many are under way.
  // `arguments`, if any, come in place of the first of execve's.
  int Begin(const seccomp_notif& notification, std::string path,
            std::vector<std::string> arguments, int listener);

  // Whether the call is one that was redirected, on its new path; it goes on.
  bool Continue(const seccomp_notif& notification, int listener);

  // Looks at those that have not come to their next stop, and reaps those that
  // died on the way.
  void Step();
  // Whether Step has to be called again, soon.
  bool waiting() const;

 private:
  enum class State {
    // On its way to the first stop.
    kStopping,
    // To make the call again.
    kCalling,
    // On its way to the second stop, after the call.
    kReturning,
  };
  struct Redirect {
    State state = State::kStopping;
    bool held = true;
    int number = 0;
    // Behind the system call instruction.
    uint64_t instruction = 0;
    uint64_t old_argument = 0;
    uint64_t new_argument = 0;
    // The second argument, of execve.
    uint64_t old_argv = 0;
    uint64_t new_argv = 0;
    // The stack pointer at the call.
    uint64_t stack = 0;
    std::string path;
    std::vector<std::string> arguments;
  };

  // Each returns whether the redirect is of use still.
  bool OnStop(pid_t tid, Redirect& redirect, int status);
  bool Rewrite(pid_t tid, Redirect& redirect);
  static bool Put(pid_t tid, Redirect& redirect,
                  absl::FunctionRef<bool()> still_there);
  bool Restore(pid_t tid, const Redirect& redirect);
  bool StepOne(pid_t tid, Redirect& redirect);

  std::map<pid_t, Redirect> redirects_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_CALL_REDIRECTS_H_
