#include "sandbox/policy/seccomp/filter_compiler.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cerrno>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "sandbox/policy/seccomp/filter_evaluator.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "tests/unit/sandbox/policy/seccomp/boundary_arguments.h"

namespace cordon::sandbox {
namespace {

// An architecture and a limit of no machine: the compiler knows none.
constexpr uint32_t kArch = 0x1234;
constexpr uint32_t kLimit = 100000;

SyscallPolicy MakePolicy(Verdict default_verdict,
                         std::vector<SyscallRow> rows) {
  return SyscallPolicy::Create(default_verdict, std::move(rows)).value();
}

std::vector<sock_filter> Compile(const SyscallPolicy& policy,
                                 std::set<int> masked = {}) {
  auto filter = CompileFilter(policy, {kArch, kLimit, std::move(masked)});
  EXPECT_TRUE(filter.ok()) << filter.status();
  EXPECT_TRUE(ValidateFilter(*filter).ok()) << ValidateFilter(*filter);
  return *filter;
}

void ExpectAgreement(const SyscallPolicy& policy,
                     const std::vector<sock_filter>& filter, int first,
                     int last) {
  for (int number = first; number <= last; ++number) {
    for (const SyscallArguments& arguments :
         BoundaryArguments(policy.Find(number))) {
      ASSERT_EQ(EvaluateFilter(filter, CallOf(kArch, number, arguments)),
                ActionFor(policy.Evaluate(number, arguments)))
          << number;
    }
  }
}

TEST(FilterCompilerTest, AnEmptyPolicyIsItsDefault) {
  const auto filter = Compile(MakePolicy(Refuse(ENOSYS), {}));
  EXPECT_EQ(EvaluateFilter(filter, CallOf(kArch, 5, {})),
            SECCOMP_RET_ERRNO | ENOSYS);
  EXPECT_EQ(EvaluateFilter(filter, CallOf(kArch, kLimit, {})),
            SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(EvaluateFilter(filter, CallOf(kArch + 1, 5, {})),
            SECCOMP_RET_USER_NOTIF);
}

TEST(FilterCompilerTest, NeighboursWithOneVerdictCostOneComparison) {
  std::vector<SyscallRow> rows;
  for (int number = 10; number < 1000; ++number) {
    rows.push_back({number, {}, Allow(), ""});
  }
  const SyscallPolicy policy = MakePolicy(Violate(), rows);
  const auto filter = Compile(policy);
  // Two loads, the architecture, two boundaries, two returns: what is foreign
  // is notified as violations are.
  EXPECT_EQ(filter.size(), 7u);
  ExpectAgreement(policy, filter, 0, 1010);
}

TEST(FilterCompilerTest, AGapOfOneNumberKeepsTheDefault) {
  const SyscallPolicy policy =
      MakePolicy(Violate(), {{10, {}, Allow(), ""}, {12, {}, Allow(), ""}});
  ExpectAgreement(policy, Compile(policy), 8, 14);
}

// A rule of many tests, and a row below another one, of every size around 255
// instructions.
TEST(FilterCompilerTest, JumpsOfEveryLengthReachTheirTargets) {
  for (int size = 50; size < 140; ++size) {
    for (const ArgumentTest& odd :
         {Equals32(1, 7), MaskedEquals32(1, 0xff, 7)}) {
      SyscallRow row;
      row.number = 10;
      row.otherwise = Refuse(EPERM);
      row.rules = {{{odd}, Allow()}};
      for (int i = 0; i < size; ++i) {
        row.rules[0].all_of.push_back(Equals32(0, 7));
      }
      const SyscallPolicy policy =
          MakePolicy(Violate(), {{9, {{{odd}, Violate()}}, Allow(), ""},
                                 row,
                                 {11, {{{odd}, Allow()}}, Refuse(EACCES), ""}});
      ExpectAgreement(policy, Compile(policy), 8, 12);
    }
  }
}

TEST(FilterCompilerTest, ATreeOfAThousandRangesIsTenDeep) {
  std::vector<SyscallRow> rows;
  for (int number = 0; number < 1000; ++number) {
    rows.push_back({number, {}, number % 2 ? Allow() : Refuse(EPERM), ""});
  }
  const SyscallPolicy policy = MakePolicy(Violate(), rows);
  const auto filter = Compile(policy);
  ExpectAgreement(policy, filter, 0, 1010);
  for (int number = 0; number < 1000; ++number) {
    // Ten comparisons, each at most with a stepping stone, the head, the
    // return.
    EXPECT_LE(CountInstructions(filter, CallOf(kArch, number, {})), 20);
  }
}

TEST(FilterCompilerTest, WhatIsLoadedIsNotLoadedAgain) {
  const auto size = [](const std::vector<Rule>& rules) {
    return Compile(MakePolicy(Violate(), {{50, rules, Refuse(EPERM), ""}}))
        .size();
  };
  const Rule one = {{Equals32(0, 1)}, Allow()};
  const Rule masked = {{MaskedEquals32(0, 0xf, 1)}, Allow()};
  EXPECT_EQ(size({one, {{Equals32(0, 2)}, Allow()}}), size({one}) + 1);
  EXPECT_EQ(size({one, {{Equals32(1, 2)}, Allow()}}), size({one}) + 2);
  EXPECT_EQ(size({masked, {{MaskedEquals32(0, 0xf, 2)}, Allow()}}),
            size({masked}) + 1);
  EXPECT_EQ(size({masked, {{MaskedEquals32(0, 0xff, 2)}, Allow()}}),
            size({masked}) + 3);
  EXPECT_EQ(size({masked, {{Equals32(0, 2)}, Allow()}}), size({masked}) + 2);
}

TEST(FilterCompilerTest, WhatIsNeverLookedAtIsNotLoadedEither) {
  const SyscallPolicy policy = MakePolicy(
      Violate(),
      {{50,
        {{{AnyBitSet32(0, 0)}, Refuse(EINVAL)}, {{Equals32(0, 50)}, Allow()}},
        Refuse(EPERM),
        ""}});
  // 50 is also the number, which the accumulator holds before.
  ExpectAgreement(policy, Compile(policy), 40, 60);
}

TEST(FilterCompilerTest, RowsThatAskTheSameShareTheirCode) {
  const std::vector<Rule> rules = {{{Equals32(0, 1)}, Allow()},
                                   {{Equals32(1, 2)}, Refuse(EINVAL)}};
  const SyscallRow first = {50, rules, Refuse(EPERM), ""};
  const SyscallRow second = {60, rules, Refuse(EPERM), ""};
  // Three comparisons of the number lead to it.
  EXPECT_LE(Compile(MakePolicy(Violate(), {first, second})).size(),
            Compile(MakePolicy(Violate(), {first})).size() + 3);
}

// Jumps past 255 instructions, in the tree and inside a row.
TEST(FilterCompilerTest, FarJumpsReachTheirTargets) {
  SyscallRow long_row;
  long_row.number = 50;
  long_row.otherwise = Refuse(EACCES);
  for (uint32_t value = 0; value < 400; ++value) {
    const int argument = static_cast<int>(value % 2);
    long_row.rules.push_back(
        {{Equals32(argument, value)}, value % 2 ? Allow() : Violate()});
  }
  SyscallRow many_tests;
  many_tests.number = 51;
  many_tests.otherwise = Refuse(EPERM);
  many_tests.rules.push_back({{}, Allow()});
  for (int i = 0; i < 200; ++i) {
    many_tests.rules[0].all_of.push_back(Equals64(i % 6, 7));
  }
  const SyscallPolicy policy = MakePolicy(
      Violate(), {{49, {}, Allow(), ""}, long_row, {53, {}, Allow(), ""}});
  const auto filter = Compile(policy);
  EXPECT_GT(filter.size(), 800u);
  ExpectAgreement(policy, filter, 40, 60);

  const SyscallPolicy deep = MakePolicy(Violate(), {many_tests});
  const auto deep_filter = Compile(deep);
  EXPECT_GT(deep_filter.size(), 700u);
  for (int wrong = -1; wrong < 6; ++wrong) {
    SyscallArguments arguments = {7, 7, 7, 7, 7, 7};
    if (wrong >= 0) arguments[wrong] |= uint64_t{1} << 40;
    EXPECT_EQ(EvaluateFilter(deep_filter, CallOf(kArch, 51, arguments)),
              wrong < 0 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM);
  }
}

TEST(FilterCompilerTest, AProgramThatTheKernelWouldRefuseIsAnError) {
  SyscallRow row;
  row.number = 1;
  for (uint32_t value = 0; value < 3000; ++value) {
    row.rules.push_back(
        {{Equals32(static_cast<int>(value % 2), value)}, Allow()});
  }
  const auto filter =
      CompileFilter(MakePolicy(Violate(), {row}), {kArch, kLimit, {}});
  EXPECT_EQ(filter.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(FilterCompilerTest, NumbersFromTheLimitUpAreInvalid) {
  const SyscallPolicy below =
      MakePolicy(Violate(), {{kLimit - 1, {}, Allow(), ""}});
  EXPECT_EQ(EvaluateFilter(Compile(below), CallOf(kArch, kLimit - 1, {})),
            SECCOMP_RET_ALLOW);
  EXPECT_EQ(CompileFilter(below, {kArch, kLimit, {kLimit}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CompileFilter(below, {kArch, kLimit, {-1}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CompileFilter(MakePolicy(Violate(), {{kLimit, {}, Allow(), ""}}),
                          {kArch, kLimit, {}})
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(FilterCompilerTest, MaskingChangesViolationsOnly) {
  const SyscallPolicy policy =
      MakePolicy(Violate(), {{10, {{{Equals32(0, 1)}, Violate()}}, Allow(), ""},
                             {11, {}, AskTargetProcess(0), ""},
                             {12, {}, Violate(), ""}});
  const auto filter = Compile(policy, {10, 11, 12, 20});
  const auto action = [&](int number, uint64_t argument) {
    return EvaluateFilter(filter, CallOf(kArch, number, {argument}));
  };
  EXPECT_EQ(action(10, 1), SECCOMP_RET_KILL_PROCESS);
  EXPECT_EQ(action(10, 2), SECCOMP_RET_ALLOW);
  EXPECT_EQ(action(11, 0), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(action(12, 0), SECCOMP_RET_KILL_PROCESS);
  EXPECT_EQ(action(20, 0), SECCOMP_RET_KILL_PROCESS);
  EXPECT_EQ(action(13, 0), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(action(21, 0), SECCOMP_RET_USER_NOTIF);
}

TEST(FilterCompilerTest, EveryOperationOfBothWidthsIsCompiled) {
  const uint64_t wide = 0x1234567800000040;
  for (const ArgumentOperation operation :
       {ArgumentOperation::kEquals, ArgumentOperation::kMaskedEquals,
        ArgumentOperation::kAnyBitSet}) {
    for (const uint64_t mask :
         {uint64_t{0}, uint64_t{0xf0}, wide, uint64_t{1} << 63, UINT64_MAX}) {
      for (const uint64_t value : {uint64_t{0}, uint64_t{0x40}, wide}) {
        for (const ArgumentWidth width :
             {ArgumentWidth::k32, ArgumentWidth::k64}) {
          const uint64_t bits =
              width == ArgumentWidth::k32 ? UINT32_MAX : UINT64_MAX;
          const SyscallPolicy policy = MakePolicy(
              Violate(),
              {{3,
                {{{{2, width, operation, mask & bits, value & bits}}, Allow()}},
                Refuse(EPERM),
                ""}});
          ExpectAgreement(policy, Compile(policy), 2, 4);
        }
      }
    }
  }
}

}  // namespace
}  // namespace cordon::sandbox
