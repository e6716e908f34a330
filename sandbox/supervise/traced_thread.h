// TracedThread: a thread of a run that is held at its system calls (ptrace(2)).
//
//   TracedThread thread(tid, stopping);
//   if (!thread.Seize()) ...        // EPERM: the host allows no tracing.
//   // end the call that it waits in, then
//   thread.Await();                 // kTrap: on its way out of the call
//   thread.Set(registers);
//   thread.RunToCall();             // kCall: at the entry of its next call
//   thread.RunToCall();             // kCall: at that call's exit
//   thread.Release();
//
// It is looked at again and again, and never slept for: a thread whose id
// another one of its process takes over when that executes a program wakes
// nobody (ptrace(2), "execve(2) under ptrace").
//
// Contract: every method on the thread that seized it, which is the tracer. The
// methods that wait do so until the traced thread had its turn on a processor,
// died, or `stopping` is set.

#ifndef CORDON_SANDBOX_SUPERVISE_TRACED_THREAD_H_
#define CORDON_SANDBOX_SUPERVISE_TRACED_THREAD_H_

#include <sys/types.h>
#include <sys/user.h>

#include <atomic>
#include <cstdint>
#include <optional>

namespace cordon::sandbox {

// Between two looks at something that is a context switch away as a rule: a
// turn of the processor for others at first, then longer and longer sleeps.
class Patience {
 public:
  void Pause();

 private:
  int pauses_ = 0;
};

class TracedThread {
 public:
  enum class Stop {
    // Still on its way.
    kNone,
    // What Seize asked for.
    kTrap,
    // At a system call's entry or exit.
    kCall,
    // A signal is about to be delivered, or its process stops (SIGSTOP).
    kOther,
    // It died, and was reaped if nobody else can do that; or `stopping` was
    // set.
    kGone,
  };

  TracedThread(pid_t tid, const std::atomic<bool>& stopping)
      : tid_(tid), stopping_(stopping) {}

  // Asks it to stop as soon as it leaves the call that it is in. Waits while
  // another thread of its process executes a program. False with errno.
  bool Seize();

  // Its next stop.
  Stop Await();
  // kNone: not yet.
  Stop Look();

  // At a stop. False: it died.
  bool Get(user_regs_struct& registers) const;
  bool Set(const user_regs_struct& registers) const;
  // To the entry of its next call, or to the exit of the one that it is at.
  Stop RunToCall();
  // Without waiting for it.
  void Run() const;
  // To where it was stopped, with the signal that it was stopped for. One that
  // was killed meanwhile is waited for: while it is traced, its process waits
  // for this.
  void Release();

  // Makes the thread, stopped with `registers` behind a system call
  // instruction, make the call that is in them. nullopt: it stopped for
  // something else before the call, or died.
  std::optional<int64_t> Call(user_regs_struct registers);

 private:
  Stop Classify(int status);
  void ReapIfNobodyElseCan() const;

  const pid_t tid_;
  const std::atomic<bool>& stopping_;
  // To be delivered.
  int signal_ = 0;
};

// Before the call that `registers` are behind, so that it is made once more, or
// another one as its number says.
user_regs_struct BeforeCall(user_regs_struct registers, uint64_t number);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_TRACED_THREAD_H_
