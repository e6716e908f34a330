// TracedThread: a thread of a run that is held at its system calls (ptrace(2)).
//
//   TracedThread thread(tid);
//   if (!thread.Seize()) ...        // EPERM: the host allows no tracing.
//   // end the call that it waits in, then
//   thread.Await();                 // kTrap: on its way out of the call
//   thread.Set(registers);
//   thread.RunToCall();             // kCall: at the entry of its next call
//   thread.RunToCall();             // kCall: at that call's exit
//   thread.Release();
//
// Contract: every method on the thread that seized it, which is the tracer. The
// methods that wait do so until the traced thread had its turn on a processor,
// or died.

#ifndef CORDON_SANDBOX_SUPERVISE_TRACED_THREAD_H_
#define CORDON_SANDBOX_SUPERVISE_TRACED_THREAD_H_

#include <sys/types.h>
#include <sys/user.h>

#include <cstdint>
#include <optional>

namespace cordon::sandbox {

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
    // It died, and was reaped if nobody else can do that.
    kGone,
  };

  explicit TracedThread(pid_t tid) : tid_(tid) {}

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
  // To where it was stopped, with the signal that it was stopped for.
  void Release() const;

  // Makes the thread, stopped with `registers` behind a system call
  // instruction, make the call that is in them. nullopt: it stopped for
  // something else before the call, or died.
  std::optional<int64_t> Call(user_regs_struct registers);

 private:
  Stop Classify(int status);
  Stop ReapIfNobodyElseCan();

  const pid_t tid_;
  // To be delivered.
  int signal_ = 0;
};

// Before the call that `registers` are behind, so that it is made once more, or
// another one as its number says.
user_regs_struct BeforeCall(user_regs_struct registers, uint64_t number);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_TRACED_THREAD_H_
