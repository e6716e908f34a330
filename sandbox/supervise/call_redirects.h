// CallRedirects makes a thread that waits for the answer to a call do that call
// on another path: execve(2) and chdir(2), which nobody can do for another
// process.
//
//   redirects.Begin(notification, "/state/runs/x/tmp/a.out", {}, keep);
//   // later, on every notification:
//   if (redirects.Continue(notification)) return;
//
// The thread is stopped on its way out of the call (PTRACE_SEIZE and
// PTRACE_INTERRUPT, ptrace(2)), the path is put in its memory, and its
// registers are set to make the call once more, with other arguments in front
// where a script's interpreter is to be executed. It is let go at the entry of
// execve, whose new arguments stay in the registers if it fails, and at the
// exit of chdir, with its registers as they were. No two threads are held at a
// time, so that none waits for another that is.
//
// Whatever else the thread stops for meanwhile, a signal or a stop of its whole
// process, comes before the call: it is let go with the first call still to be
// made, and asks again.
//
// The path is in memory that the program can change; what it can make of that
// is a call on a path of its choice, which it can make anyway.
//
// Contract: one thread, which is the tracer. It waits for the traced one:
// PTRACE_SEIZE while another thread of that process executes a program, the
// rest until the traced thread has had its turn on a processor, or `stopping`
// is set. A program can make that as long as it lives, so the calling thread
// serves one run only.

#ifndef CORDON_SANDBOX_SUPERVISE_CALL_REDIRECTS_H_
#define CORDON_SANDBOX_SUPERVISE_CALL_REDIRECTS_H_

#include <linux/seccomp.h>
#include <sys/types.h>
#include <sys/user.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "sandbox/supervise/traced_thread.h"

namespace cordon::sandbox {

class CallRedirects {
 public:
  // `stopping` outlives this.
  CallRedirects(int listener, const std::atomic<bool>& stopping)
      : listener_(listener), stopping_(stopping) {}

  // Of a call whose path is its first argument. errno(3) when it cannot be, and
  // the call has no answer yet: EPERM, the host allows no tracing; EAGAIN, too
  // many are under way.
  // `arguments`, if any, come in place of the first of execve's. `keep` gets
  // other notifications that came meanwhile.
  int Begin(const seccomp_notif& notification, const std::string& path,
            const std::vector<std::string>& arguments,
            absl::FunctionRef<void(const seccomp_notif&)> keep);

  // Whether the call is one that was redirected, on its new path; it goes on.
  bool Continue(const seccomp_notif& notification);

 private:
  // An execution whose thread was let go at the call's entry.
  struct Redirect {
    uint64_t new_argument = 0;
    // What the call was given, if it is on the stack, and where.
    std::string bytes;
    uint64_t room = 0;
  };
  class ArgumentBlock;

  void Rewrite(pid_t tid, TracedThread& thread,
               const user_regs_struct& original, const ArgumentBlock& block,
               absl::FunctionRef<void(const seccomp_notif&)> keep);
  TracedThread::Stop RunToExit(
      pid_t tid, TracedThread& thread, uint64_t new_argument,
      absl::FunctionRef<void(const seccomp_notif&)> keep) const;

  const int listener_;
  const std::atomic<bool>& stopping_;
  std::map<pid_t, Redirect> redirects_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_CALL_REDIRECTS_H_
