// What the server and a template say to each other, and the server and a fork.
//
// Both sockets are of SOCK_SEQPACKET (unix(7)): one message is one struct, with
// what follows it. Descriptors travel beside it (SCM_RIGHTS).
//
//   server    -> template   ForkOrder      for each fork
//   fork      -> server     its pid        before anything else
//   template  -> server     ForkReport     the fork is armed, or is gone
//   server    -> fork       StartOrder     when the run is there
//   fork      -> server     StartReport    just before the program's first line

#ifndef CORDON_SANDBOX_WARM_FORK_PROTOCOL_H_
#define CORDON_SANDBOX_WARM_FORK_PROTOCOL_H_

#include <stdint.h>

#include "sandbox/launch/child/child_main.h"

namespace cordon::sandbox {

// Where a template finds its socket. The descriptors behind it are the files
// that its runtime needs to become one.
inline constexpr int kTemplateControl = 3;

inline constexpr unsigned kMostEntrances = 8;
inline constexpr unsigned kMostFilterInstructions = 4096;
inline constexpr unsigned kMostLimits = 16;
// Of all arguments and variables, each with its NUL.
inline constexpr unsigned kMostTextBytes = 64 * 1024;

// Behind it: the instructions of the filter. Descriptors: the fork's socket,
// its working directory, the cgroup's entrances, and the ruleset if it has one.
struct ForkOrder {
  uint32_t switches_identity;
  uint32_t uid;
  uint32_t gid;
  int32_t server_pid;
  uint32_t entrance_count;
  uint32_t has_ruleset;
  uint32_t filter_instructions;
};

// Descriptor: the listener, unless a step failed. Of a template that begins to
// serve: its own pid, and no descriptor.
struct ForkReport {
  int32_t pid;
  // A ChildStep, and errno(3) of it; 0: none failed.
  int32_t step;
  int32_t error_number;
  int32_t index;
};

// Behind it: the arguments, then the variables ("NAME=value"). Descriptors: the
// standard streams.
struct StartOrder {
  uint32_t argument_count;
  uint32_t variable_count;
  uint32_t text_bytes;
  uint32_t limit_count;
  ChildResourceLimit limits[kMostLimits];
};

struct StartReport {
  // 0: the program is not one for a fork.
  int32_t starts;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WARM_FORK_PROTOCOL_H_
