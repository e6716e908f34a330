// What the child does between clone and execve, in this order. One list is the
// order, the enum and the words.

#ifndef CORDON_SANDBOX_LAUNCH_CHILD_CHILD_STEPS_H_
#define CORDON_SANDBOX_LAUNCH_CHILD_CHILD_STEPS_H_

// X(enumerator, words)
#define CORDON_CHILD_STEPS(X)                               \
  X(kProcessors, "sched_setaffinity")                       \
  X(kResetSignals, "reset signal handlers")                 \
  X(kNewSession, "setsid")                                  \
  X(kWorkingDirectory, "fchdir to the working directory")   \
  X(kJoinCgroup, "write to the cgroup's entrance")          \
  X(kSupplementaryGroups, "setgroups")                      \
  X(kGroupIdentity, "setresgid")                            \
  X(kUserIdentity, "setresuid")                             \
  X(kDropCapabilities, "capset")                            \
  X(kParentDeathSignal, "prctl PR_SET_PDEATHSIG")           \
  X(kNoNewPrivileges, "prctl PR_SET_NO_NEW_PRIVS")          \
  X(kLandlock, "landlock_restrict_self")                    \
  X(kUnblockSignals, "rt_sigprocmask")                      \
  X(kSeccomp, "seccomp with a listener")                    \
  X(kAwaitOrder, "waiting for the program to run")          \
  X(kOwnDescriptors, "close_range with a table of its own") \
  X(kStandardStreams, "dup3 of the standard streams")       \
  X(kResourceLimits, "prlimit64")                           \
  X(kCloseDescriptors, "close_range of the server's")       \
  X(kExecute, "execve")

namespace cordon::sandbox {

enum class ChildStep {
#define CORDON_ENUMERATOR(name, words) name,
  CORDON_CHILD_STEPS(CORDON_ENUMERATOR)
#undef CORDON_ENUMERATOR
};

inline const char* Words(ChildStep step) {
  switch (step) {
#define CORDON_WORDS(name, words) \
  case ChildStep::name:           \
    return words;
    CORDON_CHILD_STEPS(CORDON_WORDS)
#undef CORDON_WORDS
  }
  return "unknown step";
}

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_LAUNCH_CHILD_CHILD_STEPS_H_
