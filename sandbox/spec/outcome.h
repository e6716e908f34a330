// Outcome says how a run ended: the last thing that the sandbox says of it. A
// failure of the service is never an Outcome; it is an absl::Status.

#ifndef CORDON_SANDBOX_SPEC_OUTCOME_H_
#define CORDON_SANDBOX_SPEC_OUTCOME_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "sandbox/spec/enforcement.h"
#include "sandbox/spec/violation.h"

namespace cordon::sandbox {

// The first cause wins.
enum class OutcomeKind {
  kExited,
  kSignaled,
  kStartFailed,
  kCompileFailed,
  kCpuTimeLimit,
  kWallTimeLimit,
  kMemoryLimit,
  kOutputLimit,
  kDiskLimit,
  kSyscallViolation,
  kFilesystemViolation,
  kNetworkViolation,
};

// Whether a compile step's result was kept from an earlier one.
enum class CompileCacheUse { kNone, kMiss, kHit };

struct Usage {
  absl::Duration wall_time;
  absl::Duration cpu_user;
  absl::Duration cpu_system;
  uint64_t peak_memory_bytes = 0;
  uint32_t peak_processes = 0;
  // Written by the program, delivered or not.
  uint64_t stdout_bytes = 0;
  uint64_t stderr_bytes = 0;
  // It was a template's fork, and not executed.
  bool warm = false;
  // With kHit nothing else is here: nothing was used.
  CompileCacheUse compile_cache = CompileCacheUse::kNone;
};

struct CollectedFile {
  std::string path;
  std::string content;
  // Why there is no content; empty when there is.
  std::string error;
};

struct Outcome {
  OutcomeKind kind = OutcomeKind::kExited;
  // With kExited.
  int exit_code = 0;
  // The signal that ended the program, or 0.
  int signal = 0;
  // One plain sentence for a person.
  std::string message;
  Usage usage;
  // Whether bytes that the program wrote were not delivered.
  bool stdout_truncated = false;
  bool stderr_truncated = false;
  std::vector<Violation> violations;
  uint64_t violations_dropped = 0;
  std::vector<CollectedFile> files;
  Enforcement enforcement;

  // The compile step, where there was one, with what it printed.
  struct Compilation;
  std::shared_ptr<const Compilation> compilation;
};

struct Outcome::Compilation {
  Outcome outcome;
  std::string stdout_data;
  std::string stderr_data;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SPEC_OUTCOME_H_
