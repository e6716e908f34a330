// What a run tried and was not allowed to do.

#ifndef CORDON_SANDBOX_SPEC_VIOLATION_H_
#define CORDON_SANDBOX_SPEC_VIOLATION_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace cordon::sandbox {

enum class ViolationKind { kSyscall, kFilesystem, kNetwork, kProcess };

// What a breach does to the run. Either way the call is never executed.
enum class ViolationAction {
  // The run is killed.
  kTerminate,
  // The call fails with an errno and the run goes on.
  kDeny,
};

// What the request asks for, by kind.
// What of a run's breaches of its view of files is noticed.
enum class AuditScope {
  // Opens with write intent.
  kWrites,
  // Opens for reading and executions as well, which then cost a notification
  // each.
  kAll,
};

struct OnViolation {
  ViolationAction syscall = ViolationAction::kTerminate;
  ViolationAction filesystem = ViolationAction::kDeny;
  ViolationAction network = ViolationAction::kDeny;
  ViolationAction process = ViolationAction::kDeny;

  ViolationAction For(ViolationKind kind) const {
    switch (kind) {
      case ViolationKind::kSyscall:
        return syscall;
      case ViolationKind::kFilesystem:
        return filesystem;
      case ViolationKind::kNetwork:
        return network;
      case ViolationKind::kProcess:
        return process;
    }
    return ViolationAction::kTerminate;
  }
};

struct Violation {
  ViolationKind kind = ViolationKind::kSyscall;
  // Empty, with number -1, when an outer seccomp filter hid which call it was;
  // `candidates` then names those it may have been.
  std::string syscall;
  int syscall_number = -1;
  std::array<uint64_t, 6> arguments = {};
  std::vector<std::string> candidates;
  // Decoded from the program's memory where that was readable: for a person to
  // read, never what a decision rests on.
  std::string path;
  std::string address;
  int process_id = 0;
  // Since the start of the program.
  absl::Duration offset;
  ViolationAction action = ViolationAction::kTerminate;
  // What the program saw, with kDeny.
  int error_number = 0;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SPEC_VIOLATION_H_
