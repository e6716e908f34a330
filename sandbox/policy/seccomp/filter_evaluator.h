// Runs a seccomp filter program in userspace, as the kernel would.
//
//   seccomp_data call = {.nr = 59, .arch = AUDIT_ARCH_X86_64};
//   uint32_t action = EvaluateFilter(program, call);  // SECCOMP_RET_*
//
// It does not combine stacked filters (the kernel takes the strictest action).
//
// Contract: pure, safe from any thread, and defined for any program.

#ifndef CORDON_SANDBOX_POLICY_SECCOMP_FILTER_EVALUATOR_H_
#define CORDON_SANDBOX_POLICY_SECCOMP_FILTER_EVALUATOR_H_

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace cordon::sandbox {

// Whether the kernel would accept the program: the rules of bpf_check_classic
// (net/core/filter.c) and seccomp_check_filter (kernel/seccomp.c).
// INVALID_ARGUMENT names the first bad instruction.
absl::Status ValidateFilter(absl::Span<const sock_filter> program);

// What the program returns for `data`. SECCOMP_RET_KILL_PROCESS for a program
// that leaves its own instructions, has an unknown one, or divides by zero;
// ValidateFilter tells why.
uint32_t EvaluateFilter(absl::Span<const sock_filter> program,
                        const seccomp_data& data);

// How many instructions EvaluateFilter executes for `data`.
int CountInstructions(absl::Span<const sock_filter> program,
                      const seccomp_data& data);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_POLICY_SECCOMP_FILTER_EVALUATOR_H_
