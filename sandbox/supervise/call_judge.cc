// The doors are JudgeCall and JudgeRefused.

#include "sandbox/supervise/call_judge.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "sandbox/supervise/child_signal.h"
#include "sandbox/supervise/metadata_change.h"
#include "sandbox/supervise/program_memory.h"

namespace cordon::sandbox {
namespace {

// Of x32, whose calls have the architecture of x86_64 (asm/unistd.h).
constexpr int kX32Bit = 0x40000000;

std::string NameOf(const seccomp_data& call) {
  if (call.arch != AUDIT_ARCH_X86_64) {
    return absl::StrCat(call.arch == AUDIT_ARCH_I386 ? "i386" : "foreign",
                        "_syscall_", call.nr);
  }
  const bool is_x32 = (call.nr & kX32Bit) != 0;
  const int number = call.nr & ~kX32Bit;
  const absl::string_view name = SyscallName(number);
  return absl::StrCat(is_x32 ? "x32_" : "",
                      name.empty() ? absl::StrCat("syscall_", number) : name);
}

Violation MakeViolation(const seccomp_notif& notification, ViolationKind kind) {
  Violation violation;
  violation.kind = kind;
  violation.syscall_number = notification.data.nr;
  violation.syscall = NameOf(notification.data);
  violation.arguments = ArgumentsOf(notification);
  violation.process_id = static_cast<int>(notification.pid);
  return violation;
}

// A breach of `kind`: what the request wants done about it. `denied` is what
// the program gets when the run goes on.
JudgedCall Breach(Violation violation, const OnViolation& on_violation,
                  CallAnswer denied, int error_number) {
  JudgedCall judged;
  violation.action = on_violation.For(violation.kind);
  if (violation.action == ViolationAction::kDeny) {
    judged.answer = denied;
    judged.error_number = error_number;
    violation.error_number = error_number;
  }
  judged.violation = std::move(violation);
  return judged;
}

std::string AddressOf(const seccomp_notif& notification) {
  if (notification.data.nr != __NR_socket &&
      notification.data.nr != __NR_socketpair) {
    return "";
  }
  const int family = static_cast<int>(notification.data.args[0]);
  switch (family) {
    case 1:
      return "AF_UNIX";
    case 2:
      return "AF_INET";
    case 10:
      return "AF_INET6";
    case 16:
      return "AF_NETLINK";
    case 17:
      return "AF_PACKET";
    case 38:
      return "AF_ALG";
    case 40:
      return "AF_VSOCK";
    default:
      return absl::StrCat("address family ", family);
  }
}

// The register holds a pid_t: the kernel looks at its low half only. A negative
// one names a process group (kill(2)).
JudgedCall JudgeTargetProcess(const seccomp_notif& notification,
                              const Verdict& verdict,
                              const JudgeContext& context) {
  const auto target =
      static_cast<pid_t>(notification.data.args[verdict.argument]);
  const bool in_run =
      target < 0 ? target == -context.pgid : getpgid(target) == context.pgid;
  if (in_run) return {.answer = CallAnswer::kContinue};
  // Nobody there: the kernel's own answer, and no breach.
  if (target > 0 && getpgid(target) < 0) {
    return {.answer = CallAnswer::kFail, .error_number = ESRCH};
  }
  return Breach(MakeViolation(notification, ViolationKind::kProcess),
                *context.on_violation, CallAnswer::kFail, EPERM);
}

// The kernel refuses the mapping itself; this remembers it.
JudgedCall JudgeLargeMapping(const seccomp_notif& notification,
                             const Verdict& verdict,
                             const JudgeContext& context) {
  JudgedCall judged = {.answer = CallAnswer::kContinue};
  const uint64_t length = notification.data.args[verdict.argument];
  if (length >= context.data_limit_bytes) judged.refused_mapping_bytes = length;
  return judged;
}

struct OpenedPath {
  int directory_fd;
  uint64_t path_address;
};

OpenedPath OpenedPathOf(const seccomp_notif& notification) {
  const auto& data = notification.data;
  if (data.nr == __NR_openat) {
    return {static_cast<int>(data.args[0]), data.args[1]};
  }
  return {AT_FDCWD, data.args[0]};  // open, creat
}

// Landlock refuses what is outside the view, whatever is decided here.
JudgedCall JudgeOpenForWrite(const seccomp_notif& notification,
                             const JudgeContext& context) {
  const auto tid = static_cast<pid_t>(notification.pid);
  const OpenedPath opened = OpenedPathOf(notification);
  const std::optional<std::string> path =
      ReadProgramString(tid, opened.path_address);
  if (!path.has_value() || path->empty()) {
    return {.answer = CallAnswer::kContinue};
  }
  std::string resolved = context.paths == PathReading::kResolved
                             ? ResolveForReport(tid, opened.directory_fd, *path)
                             : MakeAbsolute(tid, opened.directory_fd, *path);
  if (resolved.empty() || IsExpectedWrite(*context.writable, resolved)) {
    return {.answer = CallAnswer::kContinue};
  }
  Violation violation = MakeViolation(notification, ViolationKind::kFilesystem);
  violation.path = std::move(resolved);
  return Breach(std::move(violation), *context.on_violation,
                CallAnswer::kContinue, EACCES);
}

// What is not there is refused to every program that looks for it, and no
// breach.
JudgedCall JudgeRead(const seccomp_notif& notification,
                     const OpenedPath& opened,
                     decltype(IsExpectedRead)& is_expected,
                     const JudgeContext& context) {
  const auto tid = static_cast<pid_t>(notification.pid);
  const std::optional<std::string> path =
      ReadProgramString(tid, opened.path_address);
  if (!path.has_value() || path->empty()) {
    return {.answer = CallAnswer::kContinue};
  }
  // What is not resolved any more may be anything, or not there.
  if (context.paths != PathReading::kResolved) {
    return {.answer = CallAnswer::kContinue};
  }
  std::string resolved = ResolveExisting(tid, opened.directory_fd, *path);
  if (resolved.empty() ||
      is_expected(*context.writable, *context.readable, resolved)) {
    return {.answer = CallAnswer::kContinue};
  }
  Violation violation = MakeViolation(notification, ViolationKind::kFilesystem);
  violation.path = std::move(resolved);
  return Breach(std::move(violation), *context.on_violation,
                CallAnswer::kContinue, EACCES);
}

// Outside is what the kernel would have allowed, or it would not be a breach.
JudgedCall JudgeMetadataChange(const seccomp_notif& notification,
                               const JudgeContext& context) {
  MetadataChange change =
      ChangeMetadata(notification, {.writable = *context.writable,
                                    .owner = context.owner,
                                    .file_bytes = context.file_bytes,
                                    .listener = context.listener});
  if (change.forbidden_path.empty()) {
    return {.answer = CallAnswer::kFail, .error_number = change.error_number};
  }
  Violation violation = MakeViolation(notification, ViolationKind::kFilesystem);
  violation.path = std::move(change.forbidden_path);
  return Breach(std::move(violation), *context.on_violation, CallAnswer::kFail,
                change.error_number);
}

}  // namespace

SyscallArguments ArgumentsOf(const seccomp_notif& notification) {
  SyscallArguments arguments;
  std::copy_n(notification.data.args, arguments.size(), arguments.begin());
  return arguments;
}

JudgedCall JudgeRefused(const seccomp_notif& notification, std::string path,
                        int error_number, const OnViolation& on_violation) {
  Violation violation = MakeViolation(notification, ViolationKind::kFilesystem);
  violation.path = std::move(path);
  return Breach(std::move(violation), on_violation, CallAnswer::kFail,
                error_number);
}

JudgedCall JudgeCall(const seccomp_notif& notification,
                     const JudgeContext& context) {
  // The numbers of another architecture mean other calls (seccomp(2)).
  if (notification.data.arch != AUDIT_ARCH_X86_64) {
    return Breach(MakeViolation(notification, ViolationKind::kSyscall),
                  *context.on_violation, CallAnswer::kFail, EPERM);
  }
  const Verdict verdict =
      context.policy->Evaluate(notification.data.nr, ArgumentsOf(notification));
  switch (verdict.kind) {
    // The filter notifies neither of these: answer as it would have.
    case VerdictKind::kAllow:
      return {.answer = CallAnswer::kContinue};
    case VerdictKind::kRefuse:
      return {.answer = CallAnswer::kFail,
              .error_number = verdict.error_number};
    case VerdictKind::kDeny: {
      Violation violation = MakeViolation(notification, verdict.violation);
      violation.address = AddressOf(notification);
      return Breach(std::move(violation), *context.on_violation,
                    CallAnswer::kFail, verdict.error_number);
    }
    case VerdictKind::kViolation:
      return Breach(MakeViolation(notification, verdict.violation),
                    *context.on_violation, CallAnswer::kFail, EPERM);
    case VerdictKind::kAsk:
      break;
  }
  switch (verdict.question) {
    case Question::kTargetProcess:
      return JudgeTargetProcess(notification, verdict, context);
    case Question::kLargeMapping:
      return JudgeLargeMapping(notification, verdict, context);
    case Question::kSharedMapping:
      return {.answer = CallAnswer::kContinue,
              .shared_mapping_bytes = notification.data.args[verdict.argument]};
    case Question::kOpenForWrite:
      return JudgeOpenForWrite(notification, context);
    case Question::kOpenForRead:
      return JudgeRead(notification, OpenedPathOf(notification), IsExpectedRead,
                       context);
    case Question::kExecute:
      return JudgeRead(notification, {AT_FDCWD, notification.data.args[0]},
                       IsExpectedExecution, context);
    case Question::kNewProcess:
      return {.answer = CallAnswer::kNewProcess,
              .violation = MakeViolation(notification, verdict.violation)};
    case Question::kSocketCall:
      return {.answer = CallAnswer::kSocketCall,
              .violation = MakeViolation(notification, verdict.violation)};
    case Question::kReserveSpace:
      return {.answer = CallAnswer::kReserveSpace,
              .reserved_bytes = notification.data.args[verdict.argument]};
    case Question::kFileSizeSignal:
      return {.answer = CallAnswer::kContinue, .may_signal_file_size = true};
    case Question::kChildSignal:
      // What it sets is not looked at any more: it may be anything.
      if (!context.writes_actions) {
        return {.answer = CallAnswer::kContinue, .ignores_children = true};
      }
      LetChildSignalRestart(notification, context.listener);
      return {.answer = CallAnswer::kContinue,
              .ignores_children = IgnoresChildren(notification)};
    case Question::kMetadataChange:
      return JudgeMetadataChange(notification, context);
    case Question::kPath:
      return {.answer = CallAnswer::kContinue};
  }
  return {};
}

}  // namespace cordon::sandbox
