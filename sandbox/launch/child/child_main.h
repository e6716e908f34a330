// What runs between clone and execve.
//
// It happens in two parts. Before it knows which program it will be, the child
// restricts itself: session, uid, Landlock, seccomp. Then it waits for its
// ChildOrder, and takes the streams and limits of the program and executes it.
// The first part is most of the work, and nobody waits for it.
//
// The child shares the server's memory and descriptors (CLONE_VM, CLONE_FILES)
// until then, so it may touch nothing but its own stack and the ChildContext
// that the parent prepared: no allocation, no lock, no C library, no
// thread-local variable such as errno. Its object file has no undefined symbol
// (//tests/unit/sandbox/launch:child_symbols_test proves it).
//
// Contract: every signal is blocked when ChildMain starts.

#ifndef CORDON_SANDBOX_LAUNCH_CHILD_CHILD_MAIN_H_
#define CORDON_SANDBOX_LAUNCH_CHILD_CHILD_MAIN_H_

#include <linux/filter.h>
#include <stdint.h>

#include "sandbox/launch/child/child_steps.h"

namespace cordon::sandbox {

// struct rlimit64 of prlimit64(2) and the resource that it is for.
struct ChildResourceLimit {
  int resource;
  uint64_t soft;
  uint64_t hard;
};

enum class ChildIdentity { kKeep, kSwitch };

// What an armed child is to do.
enum class ChildOrdered : uint32_t { kWait, kExecute, kExit };

// Where the child failed. Written by the child, read by the parent after the
// child has left its memory.
struct ChildReport {
  volatile ChildStep step;
  // errno(3) of the failed step; 0 while none failed.
  volatile int error_number;
  // Which one of several: a limit, a stream, a candidate of execve.
  volatile int index;
};

// The program to become.
struct ChildOrder {
  // Of the server's table, none below 3.
  int standard_streams[3];
  const ChildResourceLimit* resource_limits;
  int resource_limit_count;
  // Paths to try in order, ended by null: the program, or argv[0] in each
  // directory of PATH.
  const char* const* candidates;
  const char* const* argv;
  const char* const* environment;
};

// Everything the child needs. Owned by the parent, which keeps it until the
// child has left its memory.
struct ChildContext {
  // A mask of sched_setaffinity(2) and its bytes: where the child may run,
  // which begins on one processor (sandbox/launch/same_processor.h). Null:
  // anywhere.
  const void* processors;
  unsigned long processors_size;
  // Signals whose disposition is not the default: bit N - 1 for signal N.
  uint64_t signals_to_reset;
  int working_directory;
  // Files of the run's cgroup that a process joins by (cgroups(7)).
  const int* cgroup_entrances;
  int cgroup_entrance_count;
  ChildIdentity identity;
  uint32_t uid;
  uint32_t gid;
  // The server, in the child's pid namespace: to see that it is still alive.
  int parent_pid;
  // -1: no Landlock on this host (--allow_degraded).
  int landlock_ruleset;
  const sock_fprog* filter;
  // Where the child enters its process group for the keeper; may be null.
  int* live_group;

  // Seccomp notifications (seccomp_unotify(2)); -1 until the filter is
  // installed. Written by the child, in the table that it shares.
  volatile int listener;
  ChildReport report;

  // A futex(2): a ChildOrdered.
  uint32_t ordered;
  const ChildOrder* order;
};

// Never returns: the program runs, or the process exits with the report filled.
// `context` is a ChildContext*; the signature is clone(2)'s.
extern "C" int CordonChildMain(void* context);

// The two parts, for a child that is a copy of its program already and executes
// none (sandbox/warm). Both end the process, with the report filled, when a
// step fails.
//
// From the signals to the filter.
extern "C" void CordonRestrictChild(void* context);
// The streams and the limits. The descriptors are the process's own by then.
extern "C" void CordonTakeStreams(void* context, const ChildOrder* order);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_LAUNCH_CHILD_CHILD_MAIN_H_
