// Prints the policy, or the filter that it becomes:
//   dump_policy landlock|supervisor [filter]

#include <cstdio>
#include <cstring>

#include "sandbox/policy/seccomp/filter_compiler.h"
#include "sandbox/policy/seccomp/filter_dump.h"
#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "sandbox/policy/seccomp/syscall_table_x86_64.h"

int main(int argc, char** argv) {
  using namespace cordon::sandbox;  // NOLINT: a program of one function
  if (argc < 2) {
    std::fputs("usage: dump_policy landlock|supervisor [filter]\n", stderr);
    return 2;
  }
  const SyscallPolicy policy =
      DefaultPolicy({.signals = std::strcmp(argv[1], "landlock") == 0
                                    ? SignalScope::kByLandlock
                                    : SignalScope::kBySupervisor});
  if (argc == 2) {
    std::fputs(DumpPolicy(policy, SyscallName).c_str(), stdout);
    return 0;
  }
  const auto filter = CompileFilter(
      policy,
      {.audit_arch = kX86_64AuditArch, .number_limit = kX86_64NumberLimit});
  std::fputs(DumpFilter(*filter).c_str(), stdout);
  return 0;
}
