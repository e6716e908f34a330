// Any bytes -> a policy -> a filter: the compiler either refuses the policy or
// makes a program that the kernel would take and that says what the policy
// says.
//
// With --config=fuzz this is a libFuzzer target; otherwise fuzz_main.cc feeds
// it a fixed number of pseudo-random inputs.

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "sandbox/policy/seccomp/filter_compiler.h"
#include "sandbox/policy/seccomp/filter_dump.h"
#include "sandbox/policy/seccomp/filter_evaluator.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/verdict.h"

namespace cordon::sandbox {
namespace {

constexpr uint32_t kArch = 0xc000003e;
constexpr uint32_t kLimit = 1024;

// Reads a policy out of bytes; zeros after the end.
class Reader {
 public:
  explicit Reader(absl::Span<const uint8_t> bytes) : bytes_(bytes) {}

  bool AtEnd() const { return bytes_.empty(); }
  uint64_t Integer(int width) {
    uint64_t value = 0;
    for (int i = 0; i < width && !bytes_.empty(); ++i) {
      value = value << 8 | bytes_.front();
      bytes_.remove_prefix(1);
    }
    return value;
  }
  uint64_t Below(uint64_t limit) { return Integer(2) % limit; }

 private:
  absl::Span<const uint8_t> bytes_;
};

Verdict ReadVerdict(Reader& reader) {
  Verdict verdict;
  verdict.kind = static_cast<VerdictKind>(reader.Below(5));
  // A few past MAX_ERRNO: Create has to notice.
  verdict.error_number = 1 + static_cast<int>(reader.Below(4100));
  verdict.argument = static_cast<int>(reader.Below(6));
  return verdict;
}

ArgumentTest ReadTest(Reader& reader) {
  ArgumentTest test;
  test.argument = static_cast<int>(reader.Below(6));
  test.width = reader.Below(2) == 0 ? ArgumentWidth::k32 : ArgumentWidth::k64;
  test.operation = static_cast<ArgumentOperation>(reader.Below(3));
  const int bytes = test.width == ArgumentWidth::k32 ? 4 : 8;
  test.mask = reader.Integer(bytes);
  test.value = reader.Integer(bytes);
  if (reader.Below(2) == 0) test.value &= test.mask;
  return test;
}

Rule ReadRule(Reader& reader) {
  Rule rule;
  rule.verdict = ReadVerdict(reader);
  for (uint64_t count = reader.Below(4); count > 0; --count) {
    rule.all_of.push_back(ReadTest(reader));
  }
  return rule;
}

// One rule of many tests, or many rules of one: past the reach of a short jump
// for few bytes of input.
void AddLongRules(Reader& reader, SyscallRow& row) {
  Rule rule = ReadRule(reader);
  const ArgumentTest test = ReadTest(reader);
  const bool many_tests = reader.Below(2) == 0;
  const Verdict other = ReadVerdict(reader);
  for (uint64_t i = reader.Below(300); i > 0; --i) {
    ArgumentTest variant = test;
    variant.argument = static_cast<int>((test.argument + i) % 6);
    rule.all_of.push_back(variant);
    if (many_tests) continue;
    rule.all_of.back().value ^= i;
    row.rules.push_back(rule);
    rule.all_of.pop_back();
    if (i % 2 == 0) row.rules.back().verdict = other;
  }
  if (many_tests) row.rules.push_back(rule);
}

SyscallRow ReadRow(Reader& reader) {
  SyscallRow row;
  row.number = static_cast<int>(reader.Below(kLimit + 1));
  row.otherwise = ReadVerdict(reader);
  const uint64_t shape = reader.Below(16);
  for (uint64_t count = shape % 4; count > 0; --count) {
    row.rules.push_back(ReadRule(reader));
  }
  if (shape >= 14) AddLongRules(reader, row);
  return row;
}

uint32_t ExpectedAction(const Verdict& verdict, bool masked) {
  switch (verdict.kind) {
    case VerdictKind::kAllow:
      return SECCOMP_RET_ALLOW;
    case VerdictKind::kRefuse:
      return SECCOMP_RET_ERRNO | static_cast<uint32_t>(verdict.error_number);
    case VerdictKind::kViolation:
      return masked ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_USER_NOTIF;
    case VerdictKind::kDeny:
    case VerdictKind::kAsk:
      return SECCOMP_RET_USER_NOTIF;
  }
  return 0;
}

void Check(const SyscallPolicy& policy, const std::set<int>& masked,
           const std::vector<sock_filter>& filter, int number,
           const SyscallArguments& arguments) {
  seccomp_data call = {};
  call.nr = number;
  call.arch = kArch;
  for (size_t i = 0; i < arguments.size(); ++i) call.args[i] = arguments[i];
  const uint32_t expected = ExpectedAction(policy.Evaluate(number, arguments),
                                           masked.count(number) > 0);
  if (EvaluateFilter(filter, call) == expected) return;
  std::fprintf(stderr, "call %d: %#x, not %#x\n%s", number,
               EvaluateFilter(filter, call), expected,
               DumpFilter(filter).c_str());
  std::abort();
}

// Arguments that make the tests of `rule` hold, or nearly.
SyscallArguments Provoke(const Rule& rule, uint64_t noise) {
  SyscallArguments arguments;
  arguments.fill(noise);
  for (const ArgumentTest& test : rule.all_of) {
    uint64_t& argument = arguments[test.argument];
    const uint64_t high =
        test.width == ArgumentWidth::k32 ? noise << 32 : uint64_t{0};
    switch (test.operation) {
      case ArgumentOperation::kEquals:
        argument = test.value | high;
        break;
      case ArgumentOperation::kMaskedEquals:
        argument = test.value | (noise & ~test.mask);
        break;
      case ArgumentOperation::kAnyBitSet:
        argument = test.mask & (~test.mask + 1);
        break;
    }
  }
  return arguments;
}

void CheckAll(const SyscallPolicy& policy, const std::set<int>& masked,
              const std::vector<sock_filter>& filter) {
  for (int number = 0; number < static_cast<int>(kLimit); ++number) {
    Check(policy, masked, filter, number, {});
  }
  constexpr uint64_t kNoise[] = {0, 1, 0x8000000080000000, UINT64_MAX,
                                 0x123456789abcdef0};
  for (const SyscallRow& row : policy.rows()) {
    for (const uint64_t noise : kNoise) {
      SyscallArguments same;
      same.fill(noise);
      Check(policy, masked, filter, row.number, same);
      for (const Rule& rule : row.rules) {
        SyscallArguments arguments = Provoke(rule, noise);
        Check(policy, masked, filter, row.number, arguments);
        for (const ArgumentTest& test : rule.all_of) {
          for (const uint64_t flip : {uint64_t{1}, uint64_t{1} << 32}) {
            arguments[test.argument] ^= flip;
            Check(policy, masked, filter, row.number, arguments);
            arguments[test.argument] ^= flip;
          }
        }
      }
    }
  }
}

void CompileAndCheck(absl::Span<const uint8_t> bytes) {
  Reader reader(bytes);
  const Verdict default_verdict = ReadVerdict(reader);
  std::set<int> masked;
  for (uint64_t count = reader.Below(8); count > 0; --count) {
    masked.insert(static_cast<int>(reader.Below(kLimit)));
  }
  const bool allow_twice = reader.Below(16) == 15;
  std::vector<SyscallRow> rows;
  std::set<int> numbers;
  while (!reader.AtEnd()) {
    SyscallRow row = ReadRow(reader);
    if (numbers.insert(row.number).second || allow_twice) {
      rows.push_back(std::move(row));
    }
  }
  const auto policy = SyscallPolicy::Create(default_verdict, std::move(rows));
  if (!policy.ok()) return;
  const auto filter = CompileFilter(*policy, {kArch, kLimit, masked});
  if (!filter.ok()) return;
  if (!ValidateFilter(*filter).ok()) {
    std::fprintf(stderr, "the kernel would refuse\n%s",
                 DumpFilter(*filter).c_str());
    std::abort();
  }
  CheckAll(*policy, masked, *filter);
}

}  // namespace
}  // namespace cordon::sandbox

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cordon::sandbox::CompileAndCheck({data, size});
  return 0;
}
