// The system calls whose verdict does not depend on their arguments, in named
// sets. The part of the policy that is a list; syscall_table_x86_64.cc holds
// the part that is rules, and puts both together.
//
// Contract: pure, safe from any thread.

#ifndef CORDON_SANDBOX_POLICY_SECCOMP_SYSCALL_SETS_X86_64_H_
#define CORDON_SANDBOX_POLICY_SECCOMP_SYSCALL_SETS_X86_64_H_

#include <vector>

#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "sandbox/policy/seccomp/verdict.h"

namespace cordon::sandbox {

// Calls with one verdict for one reason.
struct SyscallSet {
  const char* reason;
  Verdict verdict;
  std::vector<Sys> calls;
};

// What ordinary programs do, on their own processes, memory and files.
std::vector<SyscallSet> AllowedSets();
// What ordinary programs try and cope without.
std::vector<SyscallSet> RefusedSets();
// What no ordinary program does: attack surface, or state that outlives a run.
std::vector<SyscallSet> ViolationSets();

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_POLICY_SECCOMP_SYSCALL_SETS_X86_64_H_
