// The policy of cordon for x86_64: which system calls a run may make.
//
//   SyscallPolicy policy = DefaultPolicy({.signals =
//   SignalScope::kByLandlock});
//
// Every named system call has a row, and every row a reason. A number without a
// row is a violation. What files and ports a run may reach is Landlock's
// matter.
//
// Contract: pure, safe from any thread; cheap enough to call at start-up, not
// to call for each run.

#ifndef CORDON_SANDBOX_POLICY_SECCOMP_SYSCALL_TABLE_X86_64_H_
#define CORDON_SANDBOX_POLICY_SECCOMP_SYSCALL_TABLE_X86_64_H_

#include <linux/audit.h>

#include <cstdint>

#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/spec/file_view.h"
#include "sandbox/spec/network.h"
#include "sandbox/spec/violation.h"

namespace cordon::sandbox {

// CompileOptions::audit_arch: i386's calls (int 0x80) carry another one.
inline constexpr uint32_t kX86_64AuditArch = AUDIT_ARCH_X86_64;
// CompileOptions::number_limit: __X32_SYSCALL_BIT and everything above it.
inline constexpr uint32_t kX86_64NumberLimit = 0x40000000;

// Who keeps a run from signalling processes outside it.
enum class SignalScope {
  // Landlock (LANDLOCK_SCOPE_SIGNAL, ABI 6): the kill family is allowed.
  kByLandlock,
  // The supervisor: the kill family asks, and what could send a signal without
  // asking is refused.
  kBySupervisor,
};

// Who keeps a run from changing the mode, owner and times of files outside it,
// which Landlock does not look at.
enum class MetadataScope {
  // The kernel: a run has a uid of its own, which owns nothing else.
  kByIdentity,
  // The supervisor: runs share the uid of the server and of its files.
  kBySupervisor,
};

// Who keeps a run from cutting off files outside it (truncate(2)).
enum class TruncationScope {
  // Landlock (LANDLOCK_ACCESS_FS_TRUNCATE, ABI 3).
  kByLandlock,
  // The supervisor: the call asks, and an open that truncates what it does not
  // write is refused.
  kBySupervisor,
};

struct PolicyOptions {
  NetworkAccess network = NetworkAccess::kNone;
  AuditScope audit = AuditScope::kWrites;
  Filesystem filesystem = Filesystem::kHost;
  SignalScope signals = SignalScope::kBySupervisor;
  MetadataScope metadata = MetadataScope::kByIdentity;
  TruncationScope truncation = TruncationScope::kByLandlock;
};

SyscallPolicy DefaultPolicy(const PolicyOptions& options);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_POLICY_SECCOMP_SYSCALL_TABLE_X86_64_H_
