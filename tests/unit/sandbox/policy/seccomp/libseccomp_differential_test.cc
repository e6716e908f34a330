// libseccomp compiles the same policy with its own compiler; both filters must
// agree on every number and around every value.
//
// libseccomp's rules have no order, so a row is given to a filter whose default
// is the row's `otherwise`, and rows whose rules overlap are left out by name.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sandbox/policy/seccomp/filter_compiler.h"
#include "sandbox/policy/seccomp/filter_evaluator.h"
#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/syscall_table_x86_64.h"
#include "tests/unit/sandbox/policy/seccomp/boundary_arguments.h"

namespace cordon::sandbox {
namespace {

using Comparisons = std::vector<scmp_arg_cmp>;

// One filter of libseccomp's, with its default action.
class Oracle {
 public:
  explicit Oracle(uint32_t default_action)
      : context_(seccomp_init(default_action)), default_(default_action) {
    EXPECT_EQ(
        seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_NOTIFY),
        0);
  }
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;
  ~Oracle() { seccomp_release(context_); }

  void Add(int number, uint32_t action, const Comparisons& comparisons) {
    if (action == default_) return;
    EXPECT_EQ(seccomp_rule_add_array(context_, action, number,
                                     comparisons.size(), comparisons.data()),
              0)
        << SyscallName(number);
  }

  std::vector<sock_filter> Export() const {
    const int fd = memfd_create("filter", MFD_CLOEXEC);
    EXPECT_EQ(seccomp_export_bpf(context_, fd), 0);
    std::vector<sock_filter> program(lseek(fd, 0, SEEK_END) /
                                     sizeof(sock_filter));
    const size_t bytes = program.size() * sizeof(sock_filter);
    EXPECT_EQ(pread(fd, program.data(), bytes, 0), static_cast<ssize_t>(bytes));
    close(fd);
    return program;
  }

 private:
  const scmp_filter_ctx context_;
  const uint32_t default_;
};

// The SCMP_ACT_* that becomes what our filter returns.
uint32_t LibseccompAction(const Verdict& verdict) {
  switch (verdict.kind) {
    case VerdictKind::kAllow:
      return SCMP_ACT_ALLOW;
    case VerdictKind::kRefuse:
      return SCMP_ACT_ERRNO(verdict.error_number);
    case VerdictKind::kDeny:
    case VerdictKind::kViolation:
    case VerdictKind::kAsk:
      return SCMP_ACT_NOTIFY;
  }
  return SCMP_ACT_KILL_PROCESS;
}

// nullopt for "any of several bits", which libseccomp cannot say in general.
std::optional<scmp_arg_cmp> Translate(const ArgumentTest& test) {
  const unsigned int argument = static_cast<unsigned int>(test.argument);
  const uint64_t all =
      test.width == ArgumentWidth::k32 ? UINT32_MAX : UINT64_MAX;
  switch (test.operation) {
    case ArgumentOperation::kEquals:
      return scmp_arg_cmp{argument, SCMP_CMP_MASKED_EQ, all, test.value};
    case ArgumentOperation::kMaskedEquals:
      return scmp_arg_cmp{argument, SCMP_CMP_MASKED_EQ, test.mask, test.value};
    case ArgumentOperation::kAnyBitSet:
      if (std::has_single_bit(test.mask)) {
        return scmp_arg_cmp{argument, SCMP_CMP_MASKED_EQ, test.mask, test.mask};
      }
      // Any of the highest bits of all 64: a comparison.
      if (std::has_single_bit(~test.mask + 1)) {
        return scmp_arg_cmp{argument, SCMP_CMP_GE, ~test.mask + 1, 0};
      }
      return std::nullopt;
  }
  return std::nullopt;
}

// "Any of these bits: A, otherwise B" is "none of these bits: B, otherwise A".
bool IsOneBitTest(const SyscallRow& row) {
  return row.rules.size() == 1 && row.rules[0].all_of.size() == 1 &&
         row.rules[0].all_of[0].operation == ArgumentOperation::kAnyBitSet;
}

class LibseccompDifferentialTest
    : public testing::TestWithParam<PolicyOptions> {
 protected:
  Oracle& OracleWithDefault(uint32_t action) {
    std::unique_ptr<Oracle>& oracle = oracles_[action];
    if (oracle == nullptr) oracle = std::make_unique<Oracle>(action);
    return *oracle;
  }

  // A later rule of theirs holds where an earlier one does, or a rule is about
  // any of several bits and not alone.
  static std::set<std::string> Overlapping() {
    std::set<std::string> calls = {"clone",           "fcntl",
                                   "ioprio_set",      "kill",
                                   "rt_sigqueueinfo", "rt_tgsigqueueinfo",
                                   "sendto",          "setpriority",
                                   "tgkill",          "tkill"};
    if (GetParam().audit == AuditScope::kAll) calls.insert({"open", "openat"});
    return calls;
  }

  // The default action of the oracle that knows the row; nullopt when the row
  // cannot be told to libseccomp.
  std::optional<uint32_t> Teach(const SyscallRow& row) {
    if (row.rules.empty()) {
      OracleWithDefault(SCMP_ACT_NOTIFY)
          .Add(row.number, LibseccompAction(row.otherwise), {});
      return SCMP_ACT_NOTIFY;
    }
    if (IsOneBitTest(row)) {
      const Rule& rule = row.rules[0];
      const ArgumentTest& test = rule.all_of[0];
      const uint32_t base = LibseccompAction(rule.verdict);
      OracleWithDefault(base).Add(row.number, LibseccompAction(row.otherwise),
                                  {{static_cast<unsigned int>(test.argument),
                                    SCMP_CMP_MASKED_EQ, test.mask, 0}});
      return base;
    }
    return TeachDisjointRules(row);
  }

  std::map<uint32_t, std::unique_ptr<Oracle>> oracles_;

 private:
  std::optional<uint32_t> TeachDisjointRules(const SyscallRow& row) {
    if (Overlapping().contains(std::string(SyscallName(row.number))))
      return std::nullopt;
    const uint32_t base = LibseccompAction(row.otherwise);
    for (const Rule& rule : row.rules) {
      Comparisons comparisons;
      for (const ArgumentTest& test : rule.all_of) {
        const std::optional<scmp_arg_cmp> comparison = Translate(test);
        EXPECT_TRUE(comparison.has_value()) << SyscallName(row.number);
        comparisons.push_back(*comparison);
      }
      OracleWithDefault(base).Add(row.number, LibseccompAction(rule.verdict),
                                  comparisons);
    }
    return base;
  }
};

TEST_P(LibseccompDifferentialTest, BothCompilersAgree) {
  const SyscallPolicy policy = DefaultPolicy(GetParam());
  const auto ours = CompileFilter(policy, {.audit_arch = kX86_64AuditArch,
                                           .number_limit = kX86_64NumberLimit});
  ASSERT_TRUE(ours.ok()) << ours.status();

  std::map<int, uint32_t> base_of;
  std::set<std::string> left_out;
  for (const SyscallRow& row : policy.rows()) {
    if (const std::optional<uint32_t> base = Teach(row); base.has_value()) {
      base_of[row.number] = *base;
    } else {
      left_out.insert(std::string(SyscallName(row.number)));
    }
  }
  EXPECT_EQ(left_out, Overlapping());
  std::map<uint32_t, std::vector<sock_filter>> theirs;
  for (const auto& [base, oracle] : oracles_) {
    theirs[base] = oracle->Export();
    ASSERT_TRUE(ValidateFilter(theirs[base]).ok());
  }

  int compared = 0;
  const auto compare = [&](int number, uint32_t base,
                           const SyscallArguments& arguments) {
    const seccomp_data call = CallOf(kX86_64AuditArch, number, arguments);
    ++compared;
    ASSERT_EQ(EvaluateFilter(*ours, call), EvaluateFilter(theirs[base], call))
        << SyscallName(number) << " " << number << " with " << std::hex
        << arguments[0] << " " << arguments[1] << " " << arguments[2];
  };
  for (int number = 0; number < 1024; ++number) {
    const SyscallRow* row = policy.Find(number);
    if (row != nullptr && base_of.count(number) == 0) continue;
    const uint32_t base = row == nullptr ? SCMP_ACT_NOTIFY : base_of[number];
    for (const SyscallArguments& arguments : BoundaryArguments(row)) {
      ASSERT_NO_FATAL_FAILURE(compare(number, base, arguments));
    }
    ASSERT_NO_FATAL_FAILURE(compare(number | 0x40000000, base, {}));
  }
  EXPECT_GT(compared, 10000);
}

INSTANTIATE_TEST_SUITE_P(
    , LibseccompDifferentialTest,
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
