// Door: CallsToProbe.

#include "sandbox/host/calls_to_probe.h"

namespace cordon::sandbox {
namespace {

// x86_64's uretprobe (Linux 6.11) and uprobe (6.18), which the kernel calls on
// a program's behalf: seccomp lets both past every filter, ours and the outer
// ones, and anywhere but in the kernel's own trampoline they do nothing
// (__secure_computing in kernel/seccomp.c). Nothing can mask them.
bool PassesEveryFilter(int number) { return number == 335 || number == 336; }

// Arguments for which every test of `rule` holds, if the simplest ones will do.
SyscallArguments ArgumentsFor(const Rule& rule) {
  SyscallArguments arguments = {};
  for (const ArgumentTest& test : rule.all_of) {
    uint64_t& argument = arguments[static_cast<size_t>(test.argument)];
    switch (test.operation) {
      case ArgumentOperation::kEquals:
        argument = test.value;
        break;
      case ArgumentOperation::kMaskedEquals:
        argument |= test.value;
        break;
      case ArgumentOperation::kAnyBitSet:
        argument |= test.mask & (~test.mask + 1);
        break;
    }
  }
  return arguments;
}

}  // namespace

std::vector<ProbedCall> CallsToProbe(const SyscallPolicy& policy) {
  std::vector<ProbedCall> calls;
  const auto add = [&](const SyscallRow& row,
                       const SyscallArguments& arguments) {
    // A rule before this one may decide otherwise for these arguments.
    if (policy.Evaluate(row.number, arguments).kind ==
        VerdictKind::kViolation) {
      calls.push_back({row.number, arguments});
    }
  };
  for (const SyscallRow& row : policy.rows()) {
    if (PassesEveryFilter(row.number)) continue;
    for (const Rule& rule : row.rules) {
      if (rule.verdict.kind == VerdictKind::kViolation) {
        add(row, ArgumentsFor(rule));
      }
    }
    if (row.otherwise.kind == VerdictKind::kViolation) add(row, {});
  }
  return calls;
}

}  // namespace cordon::sandbox
