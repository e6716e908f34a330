// RunPolicies: the system call policies that a run can have, each compiled once
// for this host.
//
//   auto policies = RunPolicies::Compile(host);
//   const RunPolicy& policy = (*policies)->For(
//       {spec.audit, spec.network.access, spec.filesystem});
//
// Contract: immutable; safe from any thread.

#ifndef CORDON_SANDBOX_RUN_POLICIES_H_
#define CORDON_SANDBOX_RUN_POLICIES_H_

#include <linux/filter.h>

#include <compare>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "sandbox/host/host_features.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/spec/file_view.h"
#include "sandbox/spec/network.h"
#include "sandbox/spec/violation.h"

namespace cordon::sandbox {

// One policy, and the program of the same meaning for the kernel.
struct RunPolicy {
  SyscallPolicy policy;
  std::vector<sock_filter> filter;
};

// What of a request its policy depends on.
struct PolicyChoice {
  AuditScope audit = AuditScope::kWrites;
  NetworkAccess network = NetworkAccess::kNone;
  Filesystem filesystem = Filesystem::kHost;

  friend auto operator<=>(const PolicyChoice&, const PolicyChoice&) = default;
};

class RunPolicies {
 public:
  // INTERNAL when a policy cannot be compiled.
  static absl::StatusOr<std::unique_ptr<const RunPolicies>> Compile(
      const HostFeatures& host);

  const RunPolicy& For(const PolicyChoice& choice) const {
    return policies_.at(choice);
  }

 private:
  RunPolicies() = default;

  std::map<PolicyChoice, RunPolicy> policies_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_RUN_POLICIES_H_
