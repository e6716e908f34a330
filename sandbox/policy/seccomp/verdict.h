// Verdict is what the policy says of one system call with its arguments.
//
//   Verdict verdict = policy.Evaluate(number, arguments);
//   if (verdict.kind == VerdictKind::kDeny) Answer(-verdict.error_number);
//
// It does not say how the kernel is told (filter_compiler.h does) or what a
// breach does to the run (OnViolation in sandbox/spec/violation.h does).
//
// Contract: a plain value.

#ifndef CORDON_SANDBOX_POLICY_SECCOMP_VERDICT_H_
#define CORDON_SANDBOX_POLICY_SECCOMP_VERDICT_H_

#include "sandbox/spec/violation.h"

namespace cordon::sandbox {

enum class VerdictKind {
  // The kernel executes the call.
  kAllow,
  // The call fails with an errno, unreported: programs probe it and cope.
  kRefuse,
  // The call fails with an errno and is reported; the run goes on.
  kDeny,
  // The call is never executed; it is reported and ends the run.
  kViolation,
  // The supervisor decides; see Question.
  kAsk,
};

// What the supervisor has to decide of a kAsk call. It may allow only what it
// can tell from registers (seccomp_unotify(2), "NOTES").
enum class Question {
  // Whether the process, thread or (negative, for kill) process group in
  // `Verdict::argument` belongs to the run. The register holds a pid_t:
  // only
  // its low 32 bits count.
  kTargetProcess,
  // An open with write intent: record it when it is outside the view, then let
  // Landlock decide.
  kOpenForWrite,
  // An open for reading, or an execution: the same. Only of runs that are
  // audited whole.
  kOpenForRead,
  kExecute,
  // A writable mapping of 4 GiB or more, whose length is in
  // `Verdict::argument`:
  // whether the process's RLIMIT_DATA, which counts private writable memory
  // (getrlimit(2)), is about to refuse it, so that a program
  // that fails of it is known to have failed of its memory limit. The kernel
  // decides.
  kLargeMapping,
  // A shared mapping, whose length is in `Verdict::argument`: it is remembered,
  // because no figure of a process says for sure what such memory keeps
  // (supervise/shared_mappings.h). The kernel decides.
  kSharedMapping,
  // A new process or thread: whether the run may have another one.
  kNewProcess,
  // A call that makes, names or connects a socket: the supervisor
  // performs it, within what the run was granted (supervise/socket_broker.h).
  kSocketCall,
  // fallocate(2), which takes disk without writing; `Verdict::argument` is its
  // length. Whether the run's disk limit has to be looked at first.
  kReserveSpace,
  // A timer, whose signal is behind a pointer: after it SIGXFSZ, the kernel's
  // word for a file that is too large, may be the program's own doing. That is
  // remembered, and the kernel decides.
  kFileSizeSignal,
  // A new action for SIGCHLD: the shell's handler is made to restart what it
  // interrupts, because a fork that waits for its answer can be interrupted;
  // then the kernel decides.
  kChildSignal,
  // A change of a file's mode, owner, times or length by its path: the
  // supervisor makes it, on files of the run alone.
  kMetadataChange,
  // Another call on a path, of a run with a file system of its own: whether it
  // leads there, where the supervisor performs it (paths/path_broker.h). If
  // not, the kernel decides.
  kPath,
};

struct Verdict {
  VerdictKind kind = VerdictKind::kViolation;
  // errno(3) with kRefuse and kDeny, else 0. kRefuse with 0: the call is not
  // executed and reports success.
  int error_number = 0;
  // What a report of it is filed under.
  ViolationKind violation = ViolationKind::kSyscall;
  // With kAsk.
  Question question = Question::kTargetProcess;
  // With kAsk: which argument, 0 to 5, the question is about: the pid of
  // kTargetProcess, the length of kLargeMapping, kSharedMapping and
  // kReserveSpace.
  int argument = 0;

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

constexpr Verdict Allow() { return {.kind = VerdictKind::kAllow}; }

constexpr Verdict Refuse(int error_number) {
  return {.kind = VerdictKind::kRefuse, .error_number = error_number};
}

// The call is not executed and reports success (SECCOMP_RET_ERRNO with 0).
constexpr Verdict Pretend() { return {.kind = VerdictKind::kRefuse}; }

constexpr Verdict Deny(int error_number, ViolationKind violation) {
  return {.kind = VerdictKind::kDeny,
          .error_number = error_number,
          .violation = violation};
}

constexpr Verdict Violate() { return {.kind = VerdictKind::kViolation}; }

constexpr Verdict AskTargetProcess(int argument) {
  return {.kind = VerdictKind::kAsk,
          .violation = ViolationKind::kProcess,
          .question = Question::kTargetProcess,
          .argument = argument};
}

constexpr Verdict AskLargeMapping(int length_argument) {
  return {.kind = VerdictKind::kAsk,
          .question = Question::kLargeMapping,
          .argument = length_argument};
}

constexpr Verdict AskSharedMapping(int length_argument) {
  return {.kind = VerdictKind::kAsk,
          .question = Question::kSharedMapping,
          .argument = length_argument};
}

constexpr Verdict AskNewProcess() {
  return {.kind = VerdictKind::kAsk,
          .violation = ViolationKind::kProcess,
          .question = Question::kNewProcess};
}

constexpr Verdict AskReserveSpace(int length_argument) {
  return {.kind = VerdictKind::kAsk,
          .question = Question::kReserveSpace,
          .argument = length_argument};
}

constexpr Verdict AskFileSizeSignal() {
  return {.kind = VerdictKind::kAsk, .question = Question::kFileSizeSignal};
}

constexpr Verdict AskChildSignal() {
  return {.kind = VerdictKind::kAsk, .question = Question::kChildSignal};
}

constexpr Verdict AskMetadataChange() {
  return {.kind = VerdictKind::kAsk,
          .violation = ViolationKind::kFilesystem,
          .question = Question::kMetadataChange};
}

constexpr Verdict AskPath() {
  return {.kind = VerdictKind::kAsk,
          .violation = ViolationKind::kFilesystem,
          .question = Question::kPath};
}

constexpr Verdict AskOpenForWrite() {
  return {.kind = VerdictKind::kAsk,
          .violation = ViolationKind::kFilesystem,
          .question = Question::kOpenForWrite};
}

constexpr Verdict AskSocketCall() {
  return {.kind = VerdictKind::kAsk,
          .violation = ViolationKind::kNetwork,
          .question = Question::kSocketCall};
}

constexpr Verdict AskOpenForRead() {
  return {.kind = VerdictKind::kAsk,
          .violation = ViolationKind::kFilesystem,
          .question = Question::kOpenForRead};
}

constexpr Verdict AskExecute() {
  return {.kind = VerdictKind::kAsk,
          .violation = ViolationKind::kFilesystem,
          .question = Question::kExecute};
}

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_POLICY_SECCOMP_VERDICT_H_
