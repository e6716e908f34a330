// What a program does about the ends of its children (SIGCHLD).
//
// LetChildSignalRestart keeps the end of a child from interrupting the shell's
// next fork.
//
// A call that the supervisor is asked for waits, and until the supervisor has
// taken the question every signal with a handler interrupts it: it fails with
// EINTR unless the handler has SA_RESTART (seccomp_unotify(2), "Interaction
// with SA_RESTART signal handlers"). No program expects that of fork(2). A
// shell that starts the second half of a pipeline when the first half ends is
// just that case: dash's handler has no SA_RESTART, and on a busy host nine of
// ten pipelines failed with "Cannot fork".
//
// So for the system's shell, /bin/sh, the flag is set in the program's own
// sigaction before the kernel reads it. Its handler does not interrupt a
// read(2), write(2) and the like then; sleeps and sigsuspend(2), which it waits
// with, end as ever (signal(7)).
//
// What it does not do: anything for other programs. An interpreter that defers
// its handlers, such as CPython or perl, runs them when a call is interrupted,
// and might wait for ever if none was. bash sets the flag itself.
// Other signals rarely come at just that moment, a child's end often.

#ifndef CORDON_SANDBOX_SUPERVISE_CHILD_SIGNAL_H_
#define CORDON_SANDBOX_SUPERVISE_CHILD_SIGNAL_H_

#include <linux/seccomp.h>

namespace cordon::sandbox {

// `notification`: of rt_sigaction(2) with a new action, received from
// `listener`. Whatever fails leaves the action as it is.
void LetChildSignalRestart(const seccomp_notif& notification, int listener);

// Whether the kernel will reap this program's children by itself, and nobody
// learn what they used (SIG_IGN and SA_NOCLDWAIT, sigaction(2)). The program
// may change the action before the kernel reads it: for an estimate only.
bool IgnoresChildren(const seccomp_notif& notification);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_CHILD_SIGNAL_H_
