// Compiles a SyscallPolicy into a seccomp filter program (seccomp(2),
// Documentation/userspace-api/seccomp_filter.rst).
//
//   absl::StatusOr<std::vector<sock_filter>> filter = CompileFilter(
//       DefaultPolicy({}), {.audit_arch = kX86_64AuditArch,
//                           .number_limit = kX86_64NumberLimit});
//   sock_fprog program = {filter->size(), filter->data()};
//
//   allow                  SECCOMP_RET_ALLOW
//   refuse                 SECCOMP_RET_ERRNO with its errno
//   deny, ask, violation   SECCOMP_RET_USER_NOTIF; the supervisor evaluates the
//                          same policy to learn which
//   another architecture, a number from number_limit up
//                          SECCOMP_RET_USER_NOTIF; the supervisor looks at
//                          seccomp_data::arch before it evaluates anything
//   a violation of a masked call   SECCOMP_RET_KILL_PROCESS
//
// The program is a balanced search tree over ranges of numbers: it costs about
// log2(ranges) comparisons a call, and a call that is decided without arguments
// reads nothing but its number, so that the kernel can remember the answer
// (seccomp_cache_prepare, Linux 5.11).
//
// It does not install anything, and knows no architecture.
//
// Contract: pure, safe from any thread.

#ifndef CORDON_SANDBOX_POLICY_SECCOMP_FILTER_COMPILER_H_
#define CORDON_SANDBOX_POLICY_SECCOMP_FILTER_COMPILER_H_

#include <linux/filter.h>

#include <cstdint>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "sandbox/policy/seccomp/syscall_policy.h"

namespace cordon::sandbox {

struct CompileOptions {
  // AUDIT_ARCH_* of the only architecture whose calls are judged.
  uint32_t audit_arch = 0;
  // The first number that belongs to another calling convention.
  uint32_t number_limit = 0;
  // Calls whose violations an outer filter would hide by answering an errno,
  // which outranks a notification. Killing outranks the errno.
  std::set<int> masked;
};

// RESOURCE_EXHAUSTED when the program is longer than the kernel accepts
// (BPF_MAXINSNS, 4096). INVALID_ARGUMENT when a row or a masked number is not
// below `number_limit`.
absl::StatusOr<std::vector<sock_filter>> CompileFilter(
    const SyscallPolicy& policy, const CompileOptions& options);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_POLICY_SECCOMP_FILTER_COMPILER_H_
