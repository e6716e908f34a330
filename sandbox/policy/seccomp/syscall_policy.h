// SyscallPolicy is the policy as data: for each system call, an ordered list of
// rules over its arguments. Evaluate is its meaning; a compiled filter
// (filter_compiler.h) must agree with it on every input.
//
//   SyscallRow row;
//   row.number = 16;  // ioctl
//   row.rules = {{{Equals32(1, TIOCSTI)}, Violate()}};
//   row.otherwise = Allow();
//   row.reason = "terminal queries";
//   absl::StatusOr<SyscallPolicy> policy =
//       SyscallPolicy::Create(Violate(), {row});
//   Verdict verdict = policy->Evaluate(16, {0, TIOCSTI});
//
// It knows no architecture, no system call's name and nothing behind a pointer:
// arguments are registers.
//
// Contract: immutable and copyable; Evaluate is pure and safe from any thread.

#ifndef CORDON_SANDBOX_POLICY_SECCOMP_SYSCALL_POLICY_H_
#define CORDON_SANDBOX_POLICY_SECCOMP_SYSCALL_POLICY_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sandbox/policy/seccomp/verdict.h"

namespace cordon::sandbox {

using SyscallArguments = std::array<uint64_t, 6>;

// How much of the register the kernel reads: 32 for int parameters, whose high
// half may hold anything, 64 for pointers and longs.
enum class ArgumentWidth { k32, k64 };

enum class ArgumentOperation {
  // argument == value
  kEquals,
  // (argument & mask) == value
  kMaskedEquals,
  // (argument & mask) != 0
  kAnyBitSet,
};

struct ArgumentTest {
  // 0 to 5.
  int argument = 0;
  ArgumentWidth width = ArgumentWidth::k32;
  ArgumentOperation operation = ArgumentOperation::kEquals;
  uint64_t mask = 0;
  uint64_t value = 0;

  bool Holds(const SyscallArguments& arguments) const;
  friend bool operator==(const ArgumentTest&, const ArgumentTest&) = default;
};

constexpr ArgumentTest Equals32(int argument, uint32_t value) {
  return {argument, ArgumentWidth::k32, ArgumentOperation::kEquals, 0, value};
}
constexpr ArgumentTest Equals64(int argument, uint64_t value) {
  return {argument, ArgumentWidth::k64, ArgumentOperation::kEquals, 0, value};
}
constexpr ArgumentTest MaskedEquals32(int argument, uint32_t mask,
                                      uint32_t value) {
  return {argument, ArgumentWidth::k32, ArgumentOperation::kMaskedEquals, mask,
          value};
}
constexpr ArgumentTest AnyBitSet64(int argument, uint64_t mask) {
  return {argument, ArgumentWidth::k64, ArgumentOperation::kAnyBitSet, mask, 0};
}
constexpr ArgumentTest AnyBitSet32(int argument, uint32_t mask) {
  return {argument, ArgumentWidth::k32, ArgumentOperation::kAnyBitSet, mask, 0};
}

struct Rule {
  // Empty: always holds.
  std::vector<ArgumentTest> all_of;
  Verdict verdict;
};

struct SyscallRow {
  int number = 0;
  // The first rule that holds decides.
  std::vector<Rule> rules;
  // When none does.
  Verdict otherwise;
  // Who needs the call, or what it would open. A string literal.
  const char* reason = "";
};

class SyscallPolicy {
 public:
  // `rows` in any order. INVALID_ARGUMENT when two rows have the same number, a
  // number is negative, an argument is not 0 to 5, a test of 32 bits has a
  // wider mask or value, or an errno is outside 1 to 4095 (MAX_ERRNO; a larger
  // one does not reach the program as an error; 0 only with kRefuse).
  static absl::StatusOr<SyscallPolicy> Create(Verdict default_verdict,
                                              std::vector<SyscallRow> rows);

  Verdict Evaluate(int number, const SyscallArguments& arguments) const;

  // For numbers without a row.
  const Verdict& default_verdict() const { return default_verdict_; }
  // By number.
  const std::vector<SyscallRow>& rows() const { return rows_; }
  // Null when the number has no row.
  const SyscallRow* Find(int number) const;

 private:
  SyscallPolicy(Verdict default_verdict, std::vector<SyscallRow> rows);

  Verdict default_verdict_;
  std::vector<SyscallRow> rows_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_POLICY_SECCOMP_SYSCALL_POLICY_H_
