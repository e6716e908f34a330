// The calls that a policy calls a violation, with arguments that make them one:
// what ProbeNotifications should try.
//
//   ProbeNotifications(CallsToProbe(policy));

#ifndef CORDON_SANDBOX_HOST_CALLS_TO_PROBE_H_
#define CORDON_SANDBOX_HOST_CALLS_TO_PROBE_H_

#include <vector>

#include "sandbox/host/notification_probe.h"
#include "sandbox/policy/seccomp/syscall_policy.h"

namespace cordon::sandbox {

// One call for each way in which a row of `policy` is a violation, in order of
// numbers: arguments are zero but for the bits that the rule asks for. Left out
// is what the kernel shows to no filter at all. Pure.
std::vector<ProbedCall> CallsToProbe(const SyscallPolicy& policy);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_HOST_CALLS_TO_PROBE_H_
