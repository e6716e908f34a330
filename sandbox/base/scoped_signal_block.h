// ScopedSignalBlock: no signal reaches this thread while it lives.
//
//   {
//     const ScopedSignalBlock no_signals;
//     pid = clone(...);  // The child inherits the mask.
//   }
//
// For a child that shares code or memory with this process: no handler of the
// process's runs in it. What it does not do: block SIGKILL and SIGSTOP, or
// anything in other threads (pthread_sigmask(3)).

#ifndef CORDON_SANDBOX_BASE_SCOPED_SIGNAL_BLOCK_H_
#define CORDON_SANDBOX_BASE_SCOPED_SIGNAL_BLOCK_H_

#include <signal.h>

namespace cordon::sandbox {

class ScopedSignalBlock {
 public:
  ScopedSignalBlock() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old_);
  }
  ~ScopedSignalBlock() { pthread_sigmask(SIG_SETMASK, &old_, nullptr); }
  ScopedSignalBlock(const ScopedSignalBlock&) = delete;
  ScopedSignalBlock& operator=(const ScopedSignalBlock&) = delete;

 private:
  sigset_t old_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_BASE_SCOPED_SIGNAL_BLOCK_H_
