#include "sandbox/policy/seccomp/filter_dump.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/syscall_table_x86_64.h"

namespace cordon::sandbox {
namespace {

std::string ReadGolden(const std::string& name) {
  std::ifstream file("tests/unit/sandbox/policy/seccomp/golden/" + name);
  EXPECT_TRUE(file.good()) << name;
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

constexpr char kUpdate[] =
    "the policy has changed; if that was meant, write the golden anew with\n"
    "  bazel run //tests/unit/sandbox/policy/seccomp:dump_policy -- SCOPE > "
    "tests/unit/sandbox/policy/seccomp/golden/SCOPE.txt\n"
    "for SCOPE landlock and supervisor";

TEST(DumpPolicyTest, ThePolicyIsTheGoldenWhereLandlockScopesSignals) {
  EXPECT_EQ(DumpPolicy(DefaultPolicy({.signals = SignalScope::kByLandlock}),
                       SyscallName),
            ReadGolden("landlock.txt"))
      << kUpdate;
}

TEST(DumpPolicyTest, ThePolicyIsTheGoldenWhereTheSupervisorScopesSignals) {
  EXPECT_EQ(DumpPolicy(DefaultPolicy({.signals = SignalScope::kBySupervisor}),
                       SyscallName),
            ReadGolden("supervisor.txt"))
      << kUpdate;
}

TEST(DumpPolicyTest, RulesAreListedUnderTheirCall) {
  const SyscallPolicy policy =
      SyscallPolicy::Create(
          Violate(), {{1, {}, Refuse(EPERM), "why one"},
                      {2,
                       {{{Equals64(4, 16), MaskedEquals32(1, 0xf, 3)}, Allow()},
                        {{AnyBitSet32(0, 6)}, AskTargetProcess(2)}},
                       Deny(EACCES, ViolationKind::kNetwork),
                       "why two"}})
          .value();
  const auto name = [](int number) -> absl::string_view {
    return number == 1 ? "one" : "";
  };
  EXPECT_EQ(DumpPolicy(policy, name),
            "numbers without a row: violation\n"
            "   1 one                     refuse EPERM  # why one\n"
            "   2                         # why two\n"
            "                               arg4:64 == 0x10 and arg1 & 0xf == "
            "0x3 -> allow\n"
            "                               arg0 & 0x6 != 0 -> ask target "
            "process in arg2\n"
            "                               otherwise -> deny EACCES "
            "(network)\n");
}

TEST(DumpFilterTest, InstructionsHaveAbsoluteTargets) {
  const std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ, 0xc000003e, 1, 0),
      BPF_STMT(BPF_RET, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 28),
      BPF_STMT(BPF_ALU | BPF_AND, 0xf),
      BPF_STMT(BPF_JMP | BPF_JA, 0),
      BPF_STMT(BPF_RET, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_A, 0)};
  EXPECT_EQ(DumpFilter(program),
            "   0  load arch\n"
            "   1  if == 0xc000003e goto 3 else 2\n"
            "   2  return kill\n"
            "   3  load arg1.high\n"
            "   4  and 0xf\n"
            "   5  goto 6\n"
            "   6  return EPERM\n"
            "   7  code 0x16 jt 0 jf 0 k 0\n");
}

}  // namespace
}  // namespace cordon::sandbox
