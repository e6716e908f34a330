#include "sandbox/run_policies.h"

#include <utility>

#include "sandbox/policy/landlock/abi_table.h"
#include "sandbox/policy/seccomp/filter_compiler.h"
#include "sandbox/policy/seccomp/syscall_table_x86_64.h"

namespace cordon::sandbox {
namespace {

// LANDLOCK_SCOPE_SIGNAL (landlock(7)).

PolicyOptions OptionsFor(const HostFeatures& host, const PolicyChoice& choice) {
  return {.network = choice.network,
          .audit = choice.audit,
          .filesystem = choice.filesystem,
          .signals = host.landlock_abi >= kLandlockAbiScopes
                         ? SignalScope::kByLandlock
                         : SignalScope::kBySupervisor,
          .metadata = host.can_switch_identity ? MetadataScope::kByIdentity
                                               : MetadataScope::kBySupervisor,
          .truncation = host.landlock_abi >= kLandlockAbiTruncate
                            ? TruncationScope::kByLandlock
                            : TruncationScope::kBySupervisor};
}

absl::StatusOr<RunPolicy> CompileOne(const HostFeatures& host,
                                     const PolicyChoice& choice) {
  SyscallPolicy policy = DefaultPolicy(OptionsFor(host, choice));
  CompileOptions options;
  options.audit_arch = kX86_64AuditArch;
  options.number_limit = kX86_64NumberLimit;
  options.masked = host.masked_syscalls;
  absl::StatusOr<std::vector<sock_filter>> filter =
      CompileFilter(policy, options);
  if (!filter.ok()) return filter.status();
  return RunPolicy{std::move(policy), *std::move(filter)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<const RunPolicies>> RunPolicies::Compile(
    const HostFeatures& host) {
  std::unique_ptr<RunPolicies> policies(new RunPolicies);
  for (const AuditScope audit : {AuditScope::kWrites, AuditScope::kAll}) {
    for (const NetworkAccess network :
         {NetworkAccess::kNone, NetworkAccess::kLoopback,
          NetworkAccess::kAllowList, NetworkAccess::kFull}) {
      for (const Filesystem filesystem :
           {Filesystem::kHost, Filesystem::kVirtual}) {
        const PolicyChoice choice = {audit, network, filesystem};
        absl::StatusOr<RunPolicy> policy = CompileOne(host, choice);
        if (!policy.ok()) return policy.status();
        policies->policies_.emplace(choice, *std::move(policy));
      }
    }
  }
  return policies;
}

}  // namespace cordon::sandbox
