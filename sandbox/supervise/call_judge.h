// Judges one notified system call: what the program gets for an answer, and
// what is reported. The policy says what the question is; this answers it.

#ifndef CORDON_SANDBOX_SUPERVISE_CALL_JUDGE_H_
#define CORDON_SANDBOX_SUPERVISE_CALL_JUDGE_H_

#include <linux/seccomp.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/spec/violation.h"
#include "sandbox/supervise/write_target.h"
#include "sandbox/workspace/owner.h"

namespace cordon::sandbox {

enum class CallAnswer {
  // The supervisor's counters decide: whether the run may have another process;
  // whether it may reserve disk. `violation` is what to report if not.
  kNewProcess,
  kReserveSpace,
  // The supervisor performs it on the run's socket; `violation` is what to
  // report if it must not.
  kSocketCall,
  // The kernel executes the call under the restrictions that it enforces
  // itself.
  kContinue,
  // The call is not executed: it fails with JudgedCall::error_number, or has
  // succeeded when that is 0.
  kFail,
  // The run is killed; the call is never answered.
  kKillRun,
};

struct JudgedCall {
  CallAnswer answer = CallAnswer::kKillRun;
  int error_number = 0;
  // What to report, if anything. `offset` and, with kNewProcess, what was done
  // are not filled.
  std::optional<Violation> violation;
  // With kReserveSpace, in bytes.
  uint64_t reserved_bytes = 0;
  // After this call SIGXFSZ may be the program's own.
  bool may_signal_file_size = false;
  // What the program's children use may be lost with them.
  bool ignores_children = false;
  // A mapping that RLIMIT_DATA is about to refuse, in bytes; 0: none.
  uint64_t refused_mapping_bytes = 0;
  // A shared mapping that the program asks for, in bytes; 0: none.
  uint64_t shared_mapping_bytes = 0;
};

// What a judgement depends on besides the call. Borrowed.
// How much is found out about a path that a report may name.
enum class PathReading {
  // Where it leads to.
  kResolved,
  // What the program wrote: cheap, whatever the program made of its links.
  kAsGiven,
};

struct JudgeContext {
  const SyscallPolicy* policy = nullptr;
  const OnViolation* on_violation = nullptr;
  const WritableView* writable = nullptr;
  const ReadableView* readable = nullptr;
  // The run's process group.
  pid_t pgid = -1;
  // RLIMIT_DATA of the run's processes.
  uint64_t data_limit_bytes = 0;
  PathReading paths = PathReading::kResolved;
  // RLIMIT_FSIZE of the run's processes, in bytes.
  uint64_t file_bytes = 0;
  // Whose the run's files are, where that is not the server's user.
  std::optional<Owner> owner;
  // Where the notification came from.
  int listener = -1;
  // Whether this run's actions for signals are still looked at, and changed.
  bool writes_actions = false;
};

SyscallArguments ArgumentsOf(const seccomp_notif& notification);

// `notification` as SECCOMP_IOCTL_NOTIF_RECV gives it (seccomp_unotify(2)).
// Reads the program's memory for what it reports, so the caller must check
// afterwards that the notification is still valid
// (SECCOMP_IOCTL_NOTIF_ID_VALID).
JudgedCall JudgeCall(const seccomp_notif& notification,
                     const JudgeContext& context);

// A call that the supervisor has refused, with `error_number`, because it led
// to `path`, outside of what the run may reach.
JudgedCall JudgeRefused(const seccomp_notif& notification, std::string path,
                        int error_number, const OnViolation& on_violation);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_CALL_JUDGE_H_
