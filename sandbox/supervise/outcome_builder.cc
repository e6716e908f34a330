// The door is BuildOutcome.

#include "sandbox/supervise/outcome_builder.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "absl/strings/str_cat.h"

namespace cordon::sandbox {
namespace {

std::string Bytes(uint64_t bytes) {
  constexpr uint64_t kMebibyte = uint64_t{1} << 20;
  if (bytes >= kMebibyte && bytes % kMebibyte == 0) {
    return absl::StrCat(bytes / kMebibyte, " MiB");
  }
  return absl::StrCat(bytes, " bytes");
}

OutcomeKind KindOf(ViolationKind kind) {
  switch (kind) {
    case ViolationKind::kFilesystem:
      return OutcomeKind::kFilesystemViolation;
    case ViolationKind::kNetwork:
      return OutcomeKind::kNetworkViolation;
    case ViolationKind::kSyscall:
    case ViolationKind::kProcess:
      return OutcomeKind::kSyscallViolation;
  }
  return OutcomeKind::kSyscallViolation;
}

// A cause that only the end shows: the program's signal or its total.
std::optional<Cause> CauseFromEnd(const ObservedEnd& end) {
  const absl::Duration cpu = end.usage.cpu_user + end.usage.cpu_system;
  if (cpu >= end.limits.cpu_time) return CpuTimeCause(end.limits, cpu);
  const bool signaled = WIFSIGNALED(end.wait_status);
  const bool wrote_too_much = signaled &&
                              WTERMSIG(end.wait_status) == SIGXFSZ &&
                              !end.may_signal_file_size;
  // The signal ended a child; what it wrote reaches to the limit.
  const bool child_wrote_too_much =
      !signaled && WEXITSTATUS(end.wait_status) == kShellsFileSizeExit &&
      end.longest_file >= end.limits.file_bytes;
  if (wrote_too_much || child_wrote_too_much) {
    return Cause{
        OutcomeKind::kDiskLimit,
        absl::StrCat("The program wrote a file larger than its limit of ",
                     Bytes(end.limits.file_bytes), ".")};
  }
  if (signaled && WTERMSIG(end.wait_status) == SIGSYS &&
      end.breaches_may_hide) {
    return Cause{
        OutcomeKind::kSyscallViolation,
        "The program made a system call that it is not allowed to make; "
        "an outer seccomp filter hides which one."};
  }
  if (end.refused_mapping_bytes != 0 &&
      (signaled || WEXITSTATUS(end.wait_status) != 0)) {
    return Cause{
        OutcomeKind::kMemoryLimit,
        absl::StrCat("The program asked for ", Bytes(end.refused_mapping_bytes),
                     " at once, was refused, and failed; its limit is ",
                     Bytes(end.limits.memory_bytes), ".")};
  }
  return std::nullopt;
}

std::string EndMessage(int wait_status) {
  if (WIFEXITED(wait_status)) {
    return absl::StrCat("The program exited with code ",
                        WEXITSTATUS(wait_status), ".");
  }
  const int signal = WTERMSIG(wait_status);
  return absl::StrCat("The program was ended by signal ", signal, " (",
                      strsignal(signal), ").");
}

}  // namespace

Cause CpuTimeCause(const Limits& limits, absl::Duration used) {
  return {OutcomeKind::kCpuTimeLimit,
          absl::StrCat(
              "The run used ",
              absl::FormatDuration(absl::Trunc(used, absl::Milliseconds(1))),
              " of processor time; its limit is ",
              absl::FormatDuration(limits.cpu_time), ".")};
}

Cause WallTimeCause(const Limits& limits) {
  return {OutcomeKind::kWallTimeLimit,
          absl::StrCat("The run did not end within its wall time limit of ",
                       absl::FormatDuration(limits.wall_time), ".")};
}

Cause MemoryCause(const Limits& limits, uint64_t used) {
  return {
      OutcomeKind::kMemoryLimit,
      absl::StrCat("The run used ", Bytes(used), " of memory; its limit is ",
                   Bytes(limits.memory_bytes), ".")};
}

Cause DiskCause(const Limits& limits, uint64_t bytes, uint64_t inodes) {
  if (bytes > limits.disk_bytes) {
    return {
        OutcomeKind::kDiskLimit,
        absl::StrCat("The run's directory takes at least ", Bytes(bytes),
                     " of disk; its limit is ", Bytes(limits.disk_bytes), ".")};
  }
  return {OutcomeKind::kDiskLimit,
          absl::StrCat("The run's directory holds at least ", inodes,
                       " files and directories; its limit is ",
                       limits.disk_inodes, ".")};
}

Cause EvadedDiskCause(const Limits& limits) {
  return {OutcomeKind::kDiskLimit,
          absl::StrCat("The run kept moving its directories, so that its disk "
                       "limit of ",
                       Bytes(limits.disk_bytes), " could not be enforced.")};
}

Cause HiddenFilesCause(const Limits& limits) {
  return {OutcomeKind::kDiskLimit,
          absl::StrCat("A process of the run executes a file that it may not "
                       "read, which hides what it has open, so that the run's "
                       "disk limit of ",
                       Bytes(limits.disk_bytes), " could not be enforced.")};
}

Cause ProcessesCause(const Limits& limits) {
  return {OutcomeKind::kSyscallViolation,
          absl::StrCat("The run asked for more than its limit of ",
                       limits.processes, " processes and threads.")};
}

Cause OutputCause(const Limits& limits, absl::string_view stream) {
  return {OutcomeKind::kOutputLimit,
          absl::StrCat("The program wrote more to ", stream,
                       " than its limit of ", Bytes(limits.output_bytes), ".")};
}

Cause ViolationCause(const Violation& violation) {
  std::string message = absl::StrCat("The program called ", violation.syscall);
  if (!violation.path.empty()) {
    absl::StrAppend(&message, " on ", violation.path);
  }
  if (!violation.address.empty()) {
    absl::StrAppend(&message, " (", violation.address, ")");
  }
  absl::StrAppend(&message, ", which its policy does not allow.");
  return {KindOf(violation.kind), std::move(message)};
}

Outcome BuildOutcome(const ObservedEnd& end) {
  Outcome outcome;
  outcome.usage = end.usage;
  if (WIFSIGNALED(end.wait_status)) outcome.signal = WTERMSIG(end.wait_status);
  const std::optional<Cause> cause =
      end.cause.has_value() ? end.cause : CauseFromEnd(end);
  if (cause.has_value()) {
    outcome.kind = cause->kind;
    outcome.message = cause->message;
    return outcome;
  }
  outcome.kind = WIFSIGNALED(end.wait_status) ? OutcomeKind::kSignaled
                                              : OutcomeKind::kExited;
  if (WIFEXITED(end.wait_status))
    outcome.exit_code = WEXITSTATUS(end.wait_status);
  outcome.message = EndMessage(end.wait_status);
  return outcome;
}

}  // namespace cordon::sandbox
