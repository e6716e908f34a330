// The policy and its filter as text, so that a change of policy is a readable
// diff.
//
//   std::string text = DumpPolicy(DefaultPolicy({}), SyscallName);
//
//     0 read               allow  # basic I/O on open descriptors: every
//     program
//    56 clone              # threads and processes, ...
//                            arg0 & 0x7e020000 != 0 -> violation
//                            otherwise -> allow
//
// Arguments are 32 bits wide unless they are marked `arg4:64`.
//
// Contract: pure, safe from any thread. The text is for people and goldens: no
// program should parse it.

#ifndef CORDON_SANDBOX_POLICY_SECCOMP_FILTER_DUMP_H_
#define CORDON_SANDBOX_POLICY_SECCOMP_FILTER_DUMP_H_

#include <linux/filter.h>

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/verdict.h"

namespace cordon::sandbox {

// "allow", "refuse EPERM", "deny EACCES (network)", "ask target process in
// arg0".
std::string DescribeVerdict(const Verdict& verdict);

// One line a row, and one a rule. `name` gives a call's name or an empty
// string.
std::string DumpPolicy(const SyscallPolicy& policy,
                       absl::FunctionRef<absl::string_view(int)> name);

// One line an instruction, with absolute jump targets.
std::string DumpFilter(absl::Span<const sock_filter> program);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_POLICY_SECCOMP_FILTER_DUMP_H_
