// Inputs that tell a filter from its policy: for every test of a row, the
// values around it, so that an off-by-one, a forgotten mask or a forgotten half
// of a register shows.

#ifndef CORDON_TESTS_UNIT_SANDBOX_POLICY_SECCOMP_BOUNDARY_ARGUMENTS_H_
#define CORDON_TESTS_UNIT_SANDBOX_POLICY_SECCOMP_BOUNDARY_ARGUMENTS_H_

#include <linux/seccomp.h>

#include <cstdint>
#include <set>
#include <vector>

#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/verdict.h"

namespace cordon::sandbox {

// Every combination of boundary values of the arguments that the row tests; for
// a null row or one without rules, a few arbitrary ones.
std::vector<SyscallArguments> BoundaryArguments(const SyscallRow* row);

// What a filter has to return for a verdict on a call that no outer filter
// masks.
uint32_t ActionFor(const Verdict& verdict);

seccomp_data CallOf(uint32_t architecture, int number,
                    const SyscallArguments& arguments);

}  // namespace cordon::sandbox

#endif  // CORDON_TESTS_UNIT_SANDBOX_POLICY_SECCOMP_BOUNDARY_ARGUMENTS_H_
