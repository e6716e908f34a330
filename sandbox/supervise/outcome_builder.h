// From what was seen of a run to its Outcome: who ended it, in one sentence.
// Pure.

#ifndef CORDON_SANDBOX_SUPERVISE_OUTCOME_BUILDER_H_
#define CORDON_SANDBOX_SUPERVISE_OUTCOME_BUILDER_H_

#include <signal.h>

#include <cstdint>
#include <optional>
#include <string>

#include "sandbox/spec/limits.h"
#include "sandbox/spec/outcome.h"

namespace cordon::sandbox {

// Why the supervisor ended the run: the first cause, which nothing overwrites.
struct Cause {
  OutcomeKind kind;
  std::string message;
};

Cause CpuTimeCause(const Limits& limits, absl::Duration used);
Cause WallTimeCause(const Limits& limits);
Cause MemoryCause(const Limits& limits, uint64_t used);
// Of a run whose directory took that much; either may be what was too much.
Cause DiskCause(const Limits& limits, uint64_t bytes, uint64_t inodes);
// Of a run that kept its directories from being measured.
Cause EvadedDiskCause(const Limits& limits);
Cause HiddenFilesCause(const Limits& limits);
// Of a run that asked for another process, and whose request ends it for that.
Cause ProcessesCause(const Limits& limits);
Cause OutputCause(const Limits& limits, absl::string_view stream);
Cause ViolationCause(const Violation& violation);

struct ObservedEnd {
  std::optional<Cause> cause;
  // Of the first process, as wait4(2) gives it.
  int wait_status = 0;
  Limits limits;
  Usage usage;
  // A single request for memory above RLIMIT_DATA was refused, in bytes; 0:
  // none.
  uint64_t refused_mapping_bytes = 0;
  // Length of the longest file that the run left; 0: not measured.
  uint64_t longest_file = 0;
  // A SIGXFSZ may have come from the program: by a timer, or a limit of its
  // own.
  bool may_signal_file_size = false;
  // The filter kills for some calls instead of notifying them, because an outer
  // one would hide them: nothing else in a run can send SIGSYS.
  bool breaches_may_hide = false;
};

// How a shell exits after SIGXFSZ ended its last command (bash(1), "EXIT
// STATUS").
inline constexpr int kShellsFileSizeExit = 128 + SIGXFSZ;

// Fills kind, exit_code, signal, message and usage. `end.usage` is complete.
Outcome BuildOutcome(const ObservedEnd& end);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_OUTCOME_BUILDER_H_
