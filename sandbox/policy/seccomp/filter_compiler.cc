#include "sandbox/policy/seccomp/filter_compiler.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "sandbox/policy/seccomp/filter_assembler.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/verdict.h"

namespace cordon::sandbox {
namespace {

using Label = FilterAssembler::Label;

// The low half of an argument comes first.
static_assert(std::endian::native == std::endian::little);

// What an outer filter does to the violations of a call.
enum class Masking { kNone, kMasked };

// Consecutive numbers with the same fate, up to the next range's first.
struct Range {
  uint32_t first = 0;
  // The fate without looking at arguments...
  std::optional<uint32_t> action;
  // ...or the row whose rules decide.
  const SyscallRow* row = nullptr;
  Masking masking = Masking::kNone;
};

uint32_t ActionOf(const Verdict& verdict, Masking masking) {
  switch (verdict.kind) {
    case VerdictKind::kAllow:
      return SECCOMP_RET_ALLOW;
    case VerdictKind::kRefuse:
      return SECCOMP_RET_ERRNO |
             (static_cast<uint32_t>(verdict.error_number) & SECCOMP_RET_DATA);
    case VerdictKind::kViolation:
      return masking == Masking::kMasked ? SECCOMP_RET_KILL_PROCESS
                                         : SECCOMP_RET_USER_NOTIF;
    case VerdictKind::kDeny:
    case VerdictKind::kAsk:
      return SECCOMP_RET_USER_NOTIF;
  }
  return SECCOMP_RET_KILL_PROCESS;
}

// The one fate of a row, when its arguments cannot change it.
std::optional<uint32_t> UnconditionalAction(const SyscallRow& row,
                                            Masking masking) {
  const uint32_t action = ActionOf(row.otherwise, masking);
  for (const Rule& rule : row.rules) {
    if (ActionOf(rule.verdict, masking) != action) return std::nullopt;
  }
  return action;
}

Range RangeOf(const SyscallPolicy& policy, int number, Masking masking) {
  Range range;
  range.first = static_cast<uint32_t>(number);
  range.masking = masking;
  range.row = policy.Find(number);
  range.action = range.row == nullptr
                     ? ActionOf(policy.default_verdict(), masking)
                     : UnconditionalAction(*range.row, masking);
  return range;
}

// Adds a range after the others, merged into the last one if they agree.
void AppendRange(const Range& range, std::vector<Range>& ranges) {
  if (!ranges.empty() && range.action.has_value() &&
      ranges.back().action == range.action) {
    return;
  }
  ranges.push_back(range);
}

// All numbers below the limit, the rest as one range: another calling
// convention, which the supervisor ends and names.
std::vector<Range> RangesOf(const SyscallPolicy& policy,
                            const CompileOptions& options) {
  std::set<int> special = options.masked;
  for (const SyscallRow& row : policy.rows()) special.insert(row.number);

  Range gap;
  gap.action = ActionOf(policy.default_verdict(), Masking::kNone);
  std::vector<Range> ranges;
  for (const int number : special) {
    const uint32_t first = static_cast<uint32_t>(number);
    if (gap.first < first) AppendRange(gap, ranges);
    AppendRange(RangeOf(policy, number,
                        options.masked.contains(number) ? Masking::kMasked
                                                        : Masking::kNone),
                ranges);
    gap.first = first + 1;
  }
  if (gap.first < options.number_limit) AppendRange(gap, ranges);
  Range foreign;
  foreign.first = options.number_limit;
  foreign.action = SECCOMP_RET_USER_NOTIF;
  AppendRange(foreign, ranges);
  return ranges;
}

struct Word {
  uint32_t offset;
  uint32_t mask;
  uint32_t value;
};

Word LowWord(const ArgumentTest& test, uint64_t mask) {
  const uint32_t offset = static_cast<uint32_t>(
      offsetof(seccomp_data, args) + test.argument * sizeof(uint64_t));
  return {offset, static_cast<uint32_t>(mask),
          static_cast<uint32_t>(test.value)};
}

Word HighWord(const ArgumentTest& test, uint64_t mask) {
  const Word low = LowWord(test, mask);
  return {low.offset + static_cast<uint32_t>(sizeof(uint32_t)),
          static_cast<uint32_t>(mask >> 32),
          static_cast<uint32_t>(test.value >> 32)};
}

// What the accumulator holds: a word, and which bits of it.
struct Loaded {
  uint32_t offset = 0;
  uint32_t mask = 0;

  bool operator==(const Loaded&) const = default;
};
constexpr Loaded kUnknown = {};

Label LoadUnless(Loaded loaded, Loaded wanted, Label next,
                 FilterAssembler& assembler) {
  if (loaded == wanted) return next;
  if (wanted.mask != UINT32_MAX) next = assembler.And(wanted.mask, next);
  return assembler.Load(wanted.offset, next);
}

Label CompileEquals(const Word& word, Label yes, Label no, Loaded loaded,
                    FilterAssembler& assembler) {
  const Label test = assembler.Jump(BPF_JEQ, word.value, yes, no);
  return LoadUnless(loaded, {word.offset, word.mask}, test, assembler);
}

Label CompileAnyBitSet(const Word& word, Label yes, Label no, Loaded loaded,
                       FilterAssembler& assembler) {
  if (word.mask == 0) return no;
  const Label test = assembler.Jump(BPF_JSET, word.mask, yes, no);
  return LoadUnless(loaded, {word.offset, UINT32_MAX}, test, assembler);
}

Label CompileTest(const ArgumentTest& test, Label yes, Label no, Loaded loaded,
                  FilterAssembler& assembler) {
  const bool wide = test.width == ArgumentWidth::k64;
  // Of a wide test the high word is looked at first.
  const Loaded low_loaded = wide ? kUnknown : loaded;
  switch (test.operation) {
    case ArgumentOperation::kEquals:
    case ArgumentOperation::kMaskedEquals: {
      const uint64_t mask =
          test.operation == ArgumentOperation::kEquals ? UINT64_MAX : test.mask;
      const Label low =
          CompileEquals(LowWord(test, mask), yes, no, low_loaded, assembler);
      return wide ? CompileEquals(HighWord(test, mask), low, no, loaded,
                                  assembler)
                  : low;
    }
    case ArgumentOperation::kAnyBitSet: {
      const Label low = CompileAnyBitSet(LowWord(test, test.mask), yes, no,
                                         low_loaded, assembler);
      return wide ? CompileAnyBitSet(HighWord(test, test.mask), yes, low,
                                     loaded, assembler)
                  : low;
    }
  }
  return no;
}

// What the rule leaves in the accumulator when it does not apply.
Loaded LoadedAfter(const Rule& rule) {
  if (rule.all_of.size() != 1) return kUnknown;
  const ArgumentTest& test = rule.all_of.front();
  if (test.width == ArgumentWidth::k64) return kUnknown;
  const Word word = LowWord(test, test.mask);
  // Never true, hence never looked at.
  const bool never = word.mask == 0;
  if (test.operation == ArgumentOperation::kAnyBitSet && never) return kUnknown;
  const bool masked = test.operation == ArgumentOperation::kMaskedEquals;
  return {word.offset, masked ? word.mask : UINT32_MAX};
}

// The rules of one row, last to first: a rule whose test fails goes on with the
// next.
Label CompileRules(const SyscallRow& row, Masking masking,
                   FilterAssembler& assembler) {
  Label next = assembler.Return(ActionOf(row.otherwise, masking));
  for (auto rule = row.rules.rbegin(); rule != row.rules.rend(); ++rule) {
    const auto before = std::next(rule);
    const Loaded loaded =
        before == row.rules.rend() ? kUnknown : LoadedAfter(*before);
    Label target = assembler.Return(ActionOf(rule->verdict, masking));
    for (auto test = rule->all_of.rbegin(); test != rule->all_of.rend();
         ++test) {
      const bool first = std::next(test) == rule->all_of.rend();
      target = CompileTest(*test, target, next, first ? loaded : kUnknown,
                           assembler);
    }
    next = target;
  }
  return next;
}

// A balanced search tree over ranges[begin, end).
Label CompileTree(const std::vector<Range>& ranges, size_t begin, size_t end,
                  FilterAssembler& assembler) {
  if (end - begin == 1) {
    const Range& range = ranges[begin];
    return range.action.has_value()
               ? assembler.Return(*range.action)
               : CompileRules(*range.row, range.masking, assembler);
  }
  const size_t middle = begin + (end - begin) / 2;
  const Label upper = CompileTree(ranges, middle, end, assembler);
  const Label lower = CompileTree(ranges, begin, middle, assembler);
  return assembler.Jump(BPF_JGE, ranges[middle].first, upper, lower);
}

absl::Status CheckNumbers(const SyscallPolicy& policy,
                          const CompileOptions& options) {
  const auto check = [&](int number) {
    return number >= 0 && static_cast<uint32_t>(number) < options.number_limit
               ? absl::OkStatus()
               : absl::InvalidArgumentError(
                     absl::StrCat("system call number ", number));
  };
  for (const SyscallRow& row : policy.rows()) {
    if (absl::Status status = check(row.number); !status.ok()) return status;
  }
  for (const int number : options.masked) {
    if (absl::Status status = check(number); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<sock_filter>> CompileFilter(
    const SyscallPolicy& policy, const CompileOptions& options) {
  if (absl::Status status = CheckNumbers(policy, options); !status.ok()) {
    return status;
  }
  const std::vector<Range> ranges = RangesOf(policy, options);
  FilterAssembler assembler;
  const Label tree = CompileTree(ranges, 0, ranges.size(), assembler);
  const Label number = assembler.Load(offsetof(seccomp_data, nr), tree);
  const Label foreign = assembler.Return(SECCOMP_RET_USER_NOTIF);
  const Label arch =
      assembler.Jump(BPF_JEQ, options.audit_arch, number, foreign);
  assembler.Load(offsetof(seccomp_data, arch), arch);
  if (assembler.size() > BPF_MAXINSNS) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the filter has ", assembler.size(),
                     " instructions, the kernel's limit is ", BPF_MAXINSNS));
  }
  return std::move(assembler).Finish();
}

}  // namespace cordon::sandbox
