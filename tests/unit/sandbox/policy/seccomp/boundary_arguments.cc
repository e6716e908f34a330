#include "tests/unit/sandbox/policy/seccomp/boundary_arguments.h"

#include <linux/seccomp.h>

#include <array>
#include <cstdint>
#include <set>
#include <vector>

#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/verdict.h"

namespace cordon::sandbox {
namespace {

constexpr uint64_t kGarbage = uint64_t{0xdeadbeef} << 32;

void AddAround(uint64_t value, std::set<uint64_t>& values) {
  for (const uint64_t near : {value - 1, value, value + 1}) {
    values.insert(near);
    values.insert(near ^ kGarbage);
  }
}

std::set<uint64_t> ValuesAround(const ArgumentTest& test) {
  std::set<uint64_t> values;
  AddAround(test.value, values);
  AddAround(test.value | ~test.mask, values);
  values.insert(test.mask);
  values.insert(~test.mask);
  for (int bit = 0; bit < 64; ++bit) {
    if ((test.mask >> bit) & 1)
      values.insert(test.value ^ (uint64_t{1} << bit));
  }
  return values;
}

void Combine(const std::array<std::set<uint64_t>, 6>& values, size_t argument,
             SyscallArguments& current, std::vector<SyscallArguments>& all) {
  if (argument == current.size()) {
    all.push_back(current);
    return;
  }
  for (const uint64_t value : values[argument]) {
    current[argument] = value;
    Combine(values, argument + 1, current, all);
  }
}

}  // namespace

std::vector<SyscallArguments> BoundaryArguments(const SyscallRow* row) {
  const uint64_t ones = UINT64_MAX;
  std::vector<SyscallArguments> all = {
      {0, 0, 0, 0, 0, 0},
      {1, 1, 1, 1, 1, 1},
      {ones, ones, ones, ones, ones, ones},
      {kGarbage, kGarbage, kGarbage, kGarbage, kGarbage, kGarbage}};
  if (row == nullptr || row->rules.empty()) return all;

  std::array<std::set<uint64_t>, 6> values;
  for (const Rule& rule : row->rules) {
    for (const ArgumentTest& test : rule.all_of) {
      values[test.argument].merge(ValuesAround(test));
    }
  }
  // An argument that no test reads must not matter.
  for (std::set<uint64_t>& candidates : values) {
    if (candidates.empty())
      candidates = {0x5555};
    else
      candidates.merge(std::set<uint64_t>{0, 1, UINT32_MAX, ones, kGarbage});
  }
  SyscallArguments current = {};
  Combine(values, 0, current, all);
  return all;
}

uint32_t ActionFor(const Verdict& verdict) {
  switch (verdict.kind) {
    case VerdictKind::kAllow:
      return SECCOMP_RET_ALLOW;
    case VerdictKind::kRefuse:
      return SECCOMP_RET_ERRNO | static_cast<uint32_t>(verdict.error_number);
    case VerdictKind::kDeny:
    case VerdictKind::kViolation:
    case VerdictKind::kAsk:
      return SECCOMP_RET_USER_NOTIF;
  }
  return SECCOMP_RET_KILL_THREAD;
}

seccomp_data CallOf(uint32_t architecture, int number,
                    const SyscallArguments& arguments) {
  seccomp_data data = {};
  data.nr = number;
  data.arch = architecture;
  for (size_t i = 0; i < arguments.size(); ++i) data.args[i] = arguments[i];
  return data;
}

}  // namespace cordon::sandbox
