// The compiled filter says what the policy says: every number, and around every
// value that a rule compares with.

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sandbox/policy/seccomp/filter_compiler.h"
#include "sandbox/policy/seccomp/filter_dump.h"
#include "sandbox/policy/seccomp/filter_evaluator.h"
#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/syscall_table_x86_64.h"
#include "tests/unit/sandbox/policy/seccomp/boundary_arguments.h"

namespace cordon::sandbox {
namespace {

constexpr int kNumbers = 1024;

class FilterTruthTableTest : public testing::TestWithParam<PolicyOptions> {
 protected:
  FilterTruthTableTest() : policy_(DefaultPolicy(GetParam())) {}

  std::vector<sock_filter> Compile(const std::set<int>& masked) const {
    auto filter = CompileFilter(policy_, {.audit_arch = kX86_64AuditArch,
                                          .number_limit = kX86_64NumberLimit,
                                          .masked = masked});
    EXPECT_TRUE(filter.ok()) << filter.status();
    EXPECT_TRUE(ValidateFilter(*filter).ok()) << ValidateFilter(*filter);
    return *filter;
  }

  const SyscallPolicy policy_;
};

TEST_P(FilterTruthTableTest, FilterAgreesWithPolicyOnEveryNumber) {
  const std::vector<sock_filter> filter = Compile({});
  for (int number = 0; number < kNumbers; ++number) {
    for (const SyscallArguments& arguments :
         BoundaryArguments(policy_.Find(number))) {
      const Verdict verdict = policy_.Evaluate(number, arguments);
      ASSERT_EQ(
          EvaluateFilter(filter, CallOf(kX86_64AuditArch, number, arguments)),
          ActionFor(verdict))
          << SyscallName(number) << " " << number << " is "
          << DescribeVerdict(verdict) << " with " << std::hex << arguments[0]
          << " " << arguments[1] << " " << arguments[2];
    }
  }
}

TEST_P(FilterTruthTableTest, OnlyViolationsOfMaskedCallsKill) {
  std::set<int> masked;
  for (int number = 0; number < kNumbers; ++number) masked.insert(number);
  const std::vector<sock_filter> filter = Compile(masked);
  for (int number = 0; number < kNumbers; ++number) {
    for (const SyscallArguments& arguments :
         BoundaryArguments(policy_.Find(number))) {
      const Verdict verdict = policy_.Evaluate(number, arguments);
      const uint32_t expected = verdict.kind == VerdictKind::kViolation
                                    ? SECCOMP_RET_KILL_PROCESS
                                    : ActionFor(verdict);
      ASSERT_EQ(
          EvaluateFilter(filter, CallOf(kX86_64AuditArch, number, arguments)),
          expected)
          << SyscallName(number) << " " << number;
    }
  }
}

TEST_P(FilterTruthTableTest, NoCallOfAnotherArchitectureIsExecuted) {
  const std::vector<sock_filter> filter = Compile({});
  for (const uint32_t architecture :
       {uint32_t{AUDIT_ARCH_I386}, uint32_t{AUDIT_ARCH_AARCH64}, uint32_t{0},
        UINT32_MAX, kX86_64AuditArch ^ 1}) {
    for (int number = 0; number < kNumbers; ++number) {
      ASSERT_EQ(EvaluateFilter(filter, CallOf(architecture, number, {})),
                SECCOMP_RET_USER_NOTIF)
          << architecture << " " << number;
    }
  }
}

TEST_P(FilterTruthTableTest, NoX32NumberIsExecuted) {
  const std::vector<sock_filter> filter = Compile({});
  for (int number = 0; number < kNumbers; ++number) {
    ASSERT_EQ(EvaluateFilter(filter,
                             CallOf(kX86_64AuditArch, number | 0x40000000, {})),
              SECCOMP_RET_USER_NOTIF)
        << number;
  }
  for (const int number : {-1, INT32_MIN, INT32_MAX}) {
    ASSERT_EQ(EvaluateFilter(filter, CallOf(kX86_64AuditArch, number, {})),
              SECCOMP_RET_USER_NOTIF);
  }
  // The control: the same number without the bit.
  ASSERT_EQ(EvaluateFilter(filter, CallOf(kX86_64AuditArch, 0, {})),
            SECCOMP_RET_ALLOW);
}

// log2 of about 150 ranges, the architecture, the number and the return.
TEST_P(FilterTruthTableTest, UnconditionalCallsCostATreeSearch) {
  const std::vector<sock_filter> filter = Compile({});
  for (int number = 0; number < kNumbers; ++number) {
    const SyscallRow* row = policy_.Find(number);
    if (row != nullptr && !row->rules.empty()) continue;
    EXPECT_LE(CountInstructions(filter, CallOf(kX86_64AuditArch, number, {})),
              14)
        << number;
  }
}

INSTANTIATE_TEST_SUITE_P(
    , FilterTruthTableTest,
    testing::Values(PolicyOptions{.signals = SignalScope::kByLandlock},
                    PolicyOptions{.signals = SignalScope::kBySupervisor},
                    PolicyOptions{.audit = AuditScope::kAll},
                    PolicyOptions{.filesystem = Filesystem::kVirtual}),
    [](const auto& info) -> std::string {
      if (info.param.audit == AuditScope::kAll) {
        return "Audited";
      }
      if (info.param.filesystem == Filesystem::kVirtual) {
        return "Virtual";
      }
      return info.param.signals == SignalScope::kByLandlock
                 ? "SignalsScopedByLandlock"
                 : "SignalsScopedBySupervisor";
    });

}  // namespace
}  // namespace cordon::sandbox
