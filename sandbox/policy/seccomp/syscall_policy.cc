#include "sandbox/policy/seccomp/syscall_policy.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "sandbox/policy/seccomp/verdict.h"

namespace cordon::sandbox {
namespace {

constexpr int kMaxErrno = 4095;

absl::Status CheckVerdict(const Verdict& verdict) {
  const int smallest = verdict.kind == VerdictKind::kDeny ? 1 : 0;
  if (verdict.error_number < smallest || verdict.error_number > kMaxErrno) {
    return absl::InvalidArgumentError(
        absl::StrCat("errno ", verdict.error_number));
  }
  if (verdict.argument < 0 || verdict.argument > 5) {
    return absl::InvalidArgumentError(
        absl::StrCat("verdict argument ", verdict.argument));
  }
  return absl::OkStatus();
}

absl::Status CheckTest(const ArgumentTest& test) {
  if (test.argument < 0 || test.argument > 5) {
    return absl::InvalidArgumentError(absl::StrCat("argument ", test.argument));
  }
  if (test.width == ArgumentWidth::k32 &&
      (test.mask > UINT32_MAX || test.value > UINT32_MAX)) {
    return absl::InvalidArgumentError("a test of 32 bits has a wider operand");
  }
  return absl::OkStatus();
}

absl::Status CheckRow(const SyscallRow& row) {
  if (row.number < 0) return absl::InvalidArgumentError("negative number");
  for (const Rule& rule : row.rules) {
    if (absl::Status status = CheckVerdict(rule.verdict); !status.ok()) {
      return status;
    }
    for (const ArgumentTest& test : rule.all_of) {
      if (absl::Status status = CheckTest(test); !status.ok()) return status;
    }
  }
  return CheckVerdict(row.otherwise);
}

bool ByNumber(const SyscallRow& a, const SyscallRow& b) {
  return a.number < b.number;
}

}  // namespace

bool ArgumentTest::Holds(const SyscallArguments& arguments) const {
  uint64_t actual = arguments[argument];
  if (width == ArgumentWidth::k32) actual &= UINT32_MAX;
  switch (operation) {
    case ArgumentOperation::kEquals:
      return actual == value;
    case ArgumentOperation::kMaskedEquals:
      return (actual & mask) == value;
    case ArgumentOperation::kAnyBitSet:
      return (actual & mask) != 0;
  }
  return false;
}

SyscallPolicy::SyscallPolicy(Verdict default_verdict,
                             std::vector<SyscallRow> rows)
    : default_verdict_(default_verdict), rows_(std::move(rows)) {}

absl::StatusOr<SyscallPolicy> SyscallPolicy::Create(
    Verdict default_verdict, std::vector<SyscallRow> rows) {
  if (absl::Status status = CheckVerdict(default_verdict); !status.ok()) {
    return status;
  }
  std::sort(rows.begin(), rows.end(), ByNumber);
  for (size_t i = 0; i < rows.size(); ++i) {
    absl::Status status = CheckRow(rows[i]);
    if (status.ok() && i > 0 && rows[i - 1].number == rows[i].number) {
      status = absl::InvalidArgumentError("two rows");
    }
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("system call ", rows[i].number, ": ", status.message()));
    }
  }
  return SyscallPolicy(default_verdict, std::move(rows));
}

const SyscallRow* SyscallPolicy::Find(int number) const {
  const auto found = std::lower_bound(
      rows_.begin(), rows_.end(), number,
      [](const SyscallRow& row, int wanted) { return row.number < wanted; });
  if (found == rows_.end() || found->number != number) return nullptr;
  return &*found;
}

Verdict SyscallPolicy::Evaluate(int number,
                                const SyscallArguments& arguments) const {
  const SyscallRow* row = Find(number);
  if (row == nullptr) return default_verdict_;
  for (const Rule& rule : row->rules) {
    const bool holds = std::all_of(
        rule.all_of.begin(), rule.all_of.end(),
        [&](const ArgumentTest& test) { return test.Holds(arguments); });
    if (holds) return rule.verdict;
  }
  return row->otherwise;
}

}  // namespace cordon::sandbox
