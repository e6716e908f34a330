#include "sandbox/policy/seccomp/filter_evaluator.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

using Program = std::vector<sock_filter>;

constexpr uint32_t kKill = SECCOMP_RET_KILL_PROCESS;

seccomp_data Call() {
  seccomp_data data = {};
  data.nr = 59;
  data.arch = 0xc000003e;
  data.args[1] = 0x1122334455667788;
  return data;
}

// What the accumulator holds after the instructions.
uint32_t Compute(Program program) {
  program.push_back(BPF_STMT(BPF_RET | BPF_A, 0));
  EXPECT_TRUE(ValidateFilter(program).ok()) << ValidateFilter(program);
  return EvaluateFilter(program, Call());
}

uint32_t ComputeAlu(uint16_t operation, uint32_t left, uint32_t right) {
  const uint32_t constant = Compute(
      {BPF_STMT(BPF_LD | BPF_IMM, left), BPF_STMT(BPF_ALU | operation, right)});
  const uint32_t from_register = Compute(
      {BPF_STMT(BPF_LDX | BPF_IMM, right), BPF_STMT(BPF_LD | BPF_IMM, left),
       BPF_STMT(static_cast<uint16_t>(BPF_ALU | operation | BPF_X), 0)});
  EXPECT_EQ(constant, from_register);
  return constant;
}

// 1 when the jump is taken.
uint32_t ComputeJump(uint16_t operation, uint32_t left, uint32_t right) {
  return EvaluateFilter(
      Program{BPF_STMT(BPF_LD | BPF_IMM, left),
              BPF_JUMP(static_cast<uint16_t>(BPF_JMP | operation), right, 1, 0),
              BPF_STMT(BPF_RET, 0), BPF_STMT(BPF_RET, 1)},
      Call());
}

TEST(FilterEvaluatorTest, LoadsReadTheCall) {
  EXPECT_EQ(Compute({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)}), 59u);
  EXPECT_EQ(Compute({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4)}), 0xc000003e);
  EXPECT_EQ(Compute({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 24)}), 0x55667788u);
  EXPECT_EQ(Compute({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 28)}), 0x11223344u);
  EXPECT_EQ(Compute({BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0)}), 64u);
}

TEST(FilterEvaluatorTest, ArithmeticIsOn32Bits) {
  EXPECT_EQ(ComputeAlu(BPF_ADD, UINT32_MAX, 2), 1u);
  EXPECT_EQ(ComputeAlu(BPF_SUB, 1, 2), UINT32_MAX);
  EXPECT_EQ(ComputeAlu(BPF_MUL, 0x10000, 0x10001), 0x10000u);
  EXPECT_EQ(ComputeAlu(BPF_DIV, 7, 2), 3u);
  EXPECT_EQ(ComputeAlu(BPF_AND, 0xff0, 0x0ff), 0x0f0u);
  EXPECT_EQ(ComputeAlu(BPF_OR, 0xf0, 0x0f), 0xffu);
  EXPECT_EQ(ComputeAlu(BPF_XOR, 0xff, 0x0f), 0xf0u);
  EXPECT_EQ(ComputeAlu(BPF_LSH, 1, 31), 0x80000000u);
  EXPECT_EQ(ComputeAlu(BPF_RSH, 0x80000000, 31), 1u);
  EXPECT_EQ(
      Compute({BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_ALU | BPF_NEG, 0)}),
      UINT32_MAX);
}

TEST(FilterEvaluatorTest, RegistersAndMemoryKeepValues) {
  EXPECT_EQ(
      Compute({BPF_STMT(BPF_LD | BPF_IMM, 7), BPF_STMT(BPF_MISC | BPF_TAX, 0),
               BPF_STMT(BPF_STX, 3), BPF_STMT(BPF_LD | BPF_IMM, 1),
               BPF_STMT(BPF_LD | BPF_MEM, 3)}),
      7u);
  EXPECT_EQ(Compute({BPF_STMT(BPF_LDX | BPF_IMM, 9),
                     BPF_STMT(BPF_MISC | BPF_TXA, 0)}),
            9u);
}

TEST(FilterEvaluatorTest, ComparisonsAreUnsigned) {
  EXPECT_EQ(ComputeJump(BPF_JEQ, 5, 5), 1u);
  EXPECT_EQ(ComputeJump(BPF_JEQ, 5, 6), 0u);
  EXPECT_EQ(ComputeJump(BPF_JGT, UINT32_MAX, 1), 1u);
  EXPECT_EQ(ComputeJump(BPF_JGT, 5, 5), 0u);
  EXPECT_EQ(ComputeJump(BPF_JGE, 5, 5), 1u);
  EXPECT_EQ(ComputeJump(BPF_JGE, 4, 5), 0u);
  EXPECT_EQ(ComputeJump(BPF_JSET, 0x6, 0x2), 1u);
  EXPECT_EQ(ComputeJump(BPF_JSET, 0x4, 0x2), 0u);
}

TEST(FilterEvaluatorTest, AProgramThatGoesAstrayKills) {
  EXPECT_EQ(EvaluateFilter({}, Call()), kKill);
  EXPECT_EQ(EvaluateFilter(Program{BPF_STMT(BPF_LD | BPF_IMM, 7)}, Call()),
            kKill);
  EXPECT_EQ(EvaluateFilter(Program{BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX),
                                   BPF_STMT(BPF_RET, 0)},
                           Call()),
            kKill);
  EXPECT_EQ(EvaluateFilter(Program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64),
                                   BPF_STMT(BPF_RET, 0)},
                           Call()),
            kKill);
  EXPECT_EQ(EvaluateFilter(Program{BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
                                   BPF_STMT(BPF_RET, 0)},
                           Call()),
            kKill);
  EXPECT_EQ(EvaluateFilter(Program{BPF_STMT(0xffff, 0), BPF_STMT(BPF_RET, 0)},
                           Call()),
            kKill);
}

TEST(FilterEvaluatorTest, InstructionsAreCountedAlongThePath) {
  const Program program = {BPF_STMT(BPF_LD | BPF_IMM, 1),
                           BPF_JUMP(BPF_JMP | BPF_JEQ, 1, 2, 0),
                           BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_RET, 0),
                           BPF_STMT(BPF_RET, 1)};
  EXPECT_EQ(CountInstructions(program, Call()), 3);
}

bool IsValid(const Program& program) { return ValidateFilter(program).ok(); }

TEST(ValidateFilterTest, LengthIsBounded) {
  EXPECT_FALSE(IsValid({}));
  EXPECT_TRUE(IsValid(Program(4096, BPF_STMT(BPF_RET, 0))));
  EXPECT_FALSE(IsValid(Program(4097, BPF_STMT(BPF_RET, 0))));
}

TEST(ValidateFilterTest, JumpsStayInside) {
  const sock_filter end = BPF_STMT(BPF_RET, 0);
  EXPECT_TRUE(IsValid({BPF_STMT(BPF_JMP | BPF_JA, 0), end}));
  EXPECT_FALSE(IsValid({BPF_STMT(BPF_JMP | BPF_JA, 1), end}));
  EXPECT_TRUE(IsValid({BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 1, 0), end, end}));
  EXPECT_FALSE(IsValid({BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 2, 0), end, end}));
  EXPECT_FALSE(IsValid({BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 0, 2), end, end}));
}

TEST(ValidateFilterTest, TheLastInstructionReturns) {
  EXPECT_FALSE(IsValid({BPF_STMT(BPF_RET, 0), BPF_STMT(BPF_LD | BPF_IMM, 0)}));
}

TEST(ValidateFilterTest, WhatSeccompRefusesIsInvalid) {
  const sock_filter end = BPF_STMT(BPF_RET, 0);
  EXPECT_FALSE(IsValid({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), end}));
  EXPECT_FALSE(IsValid({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), end}));
  EXPECT_FALSE(IsValid({BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), end}));
  EXPECT_FALSE(IsValid({BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), end}));
  EXPECT_FALSE(IsValid({BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 2), end}));
  EXPECT_FALSE(IsValid({BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), end}));
  EXPECT_FALSE(IsValid({BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), end}));
}

TEST(ValidateFilterTest, MemoryIsWrittenBeforeItIsReadOnEveryPath) {
  const sock_filter end = BPF_STMT(BPF_RET, 0);
  EXPECT_FALSE(IsValid({BPF_STMT(BPF_LD | BPF_MEM, 0), end}));
  EXPECT_TRUE(
      IsValid({BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_LD | BPF_MEM, 0), end}));
  EXPECT_FALSE(IsValid({BPF_STMT(BPF_ST, 16), end}));
  // One branch skips the write.
  EXPECT_FALSE(
      IsValid({BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 1, 0), BPF_STMT(BPF_ST, 0),
               BPF_STMT(BPF_LD | BPF_MEM, 0), end}));
}

}  // namespace
}  // namespace cordon::sandbox
