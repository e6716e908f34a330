#include "sandbox/policy/seccomp/filter_assembler.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "sandbox/policy/seccomp/filter_evaluator.h"

namespace cordon::sandbox {
namespace {

using Label = FilterAssembler::Label;

constexpr uint32_t kYes = 1;
constexpr uint32_t kNo = 2;

// Instructions that nothing reaches.
void Pad(int count, FilterAssembler& assembler) {
  for (int i = 0; i < count; ++i) {
    assembler.Load(0, static_cast<Label>(assembler.size()));
  }
}

// What `number == 5 ? yes : no` returns for 5 and for 6.
std::pair<uint32_t, uint32_t> Answers(FilterAssembler assembler, Label yes,
                                      Label no) {
  assembler.Load(0, assembler.Jump(BPF_JEQ, 5, yes, no));
  const std::vector<sock_filter> program = std::move(assembler).Finish();
  EXPECT_TRUE(ValidateFilter(program).ok()) << ValidateFilter(program);
  seccomp_data call = {};
  call.nr = 5;
  const uint32_t holds = EvaluateFilter(program, call);
  call.nr = 6;
  return {holds, EvaluateFilter(program, call)};
}

// Around the 255 that a conditional jump can skip, for each target and both.
TEST(FilterAssemblerTest, JumpsOfAnyDistanceReachTheirTargets) {
  const std::pair<uint32_t, uint32_t> expected = {kYes, kNo};
  for (const int between : {0, 1, 2, 3, 100, 300}) {
    for (int after = 245; after < 265; ++after) {
      FilterAssembler yes_last;
      const Label far_yes = yes_last.Return(kYes);
      Pad(between, yes_last);
      const Label near_no = yes_last.Return(kNo);
      Pad(after, yes_last);
      EXPECT_EQ(Answers(yes_last, far_yes, near_no), expected)
          << between << " " << after;

      FilterAssembler no_last;
      const Label far_no = no_last.Return(kNo);
      Pad(between, no_last);
      const Label near_yes = no_last.Return(kYes);
      Pad(after, no_last);
      EXPECT_EQ(Answers(no_last, near_yes, far_no), expected)
          << between << " " << after;
    }
  }
}

TEST(FilterAssemblerTest, EqualReturnsAreSharedWhileTheyAreNear) {
  FilterAssembler assembler;
  const Label first = assembler.Return(kYes);
  EXPECT_EQ(assembler.Return(kYes), first);
  EXPECT_NE(assembler.Return(kNo), first);
  Pad(200, assembler);
  EXPECT_NE(assembler.Return(kYes), first);
}

TEST(FilterAssemblerTest, AJumpWithOneTargetIsNoInstruction) {
  FilterAssembler assembler;
  const Label only = assembler.Return(kYes);
  EXPECT_EQ(assembler.Jump(BPF_JEQ, 5, only, only), only);
  EXPECT_EQ(assembler.size(), 1u);
}

TEST(FilterAssemblerTest, AStepWhoseNextIsElsewhereJumpsThere) {
  FilterAssembler assembler;
  const Label yes = assembler.Return(kYes);
  const Label no = assembler.Return(kNo);
  Label jump = assembler.Jump(BPF_JEQ, 1, yes, no);
  Pad(3, assembler);
  assembler.Load(0, assembler.And(0x3, jump));
  const std::vector<sock_filter> program = std::move(assembler).Finish();
  ASSERT_TRUE(ValidateFilter(program).ok());
  seccomp_data call = {};
  call.nr = 5;
  EXPECT_EQ(EvaluateFilter(program, call), kYes);
  call.nr = 6;
  EXPECT_EQ(EvaluateFilter(program, call), kNo);
}

}  // namespace
}  // namespace cordon::sandbox
