// FilterAssembler writes a classic BPF program from its end to its beginning.
//
//   FilterAssembler assembler;
//   FilterAssembler::Label no = assembler.Return(SECCOMP_RET_ALLOW);
//   FilterAssembler::Label yes = assembler.Return(SECCOMP_RET_KILL_PROCESS);
//   no = assembler.Jump(BPF_JEQ, /*operand=*/59, yes, no);
//   assembler.Load(/*offset=*/0, no);
//   std::vector<sock_filter> program = std::move(assembler).Finish();
//
// BPF jumps go forward only, so when an instruction is written its targets
// exist and their distance is known: a conditional jump that is too far (its
// offsets are 8 bits) gets an unconditional one (32 bits) as a stepping stone.
//
// It does not check lengths or meaning: ValidateFilter (filter_evaluator.h)
// does.
//
// What is written twice is written once: an instruction with the same targets
// that is near enough is used again, so rows that ask the same share their
// code. The kernel translates a filter for each process: a shorter one is a
// faster launch.
//
// Contract: for one thread; the labels belong to the assembler that made them.

#ifndef CORDON_SANDBOX_POLICY_SECCOMP_FILTER_ASSEMBLER_H_
#define CORDON_SANDBOX_POLICY_SECCOMP_FILTER_ASSEMBLER_H_

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

namespace cordon::sandbox {

class FilterAssembler {
 public:
  // An instruction, by how many there are from it to the end of the program.
  using Label = size_t;

  // `return value`.
  Label Return(uint32_t value);
  // `accumulator = 32 bits of seccomp_data at offset`, then `next`.
  Label Load(uint32_t offset, Label next);
  // `accumulator &= mask`, then `next`.
  Label And(uint32_t mask, Label next);
  // `accumulator OPERATION operand ? yes : no`; OPERATION is BPF_JEQ, BPF_JGE,
  // BPF_JGT or BPF_JSET.
  Label Jump(uint16_t operation, uint32_t operand, Label yes, Label no);

  size_t size() const { return reversed_.size(); }
  // The program, which starts with the instruction that was written last.
  std::vector<sock_filter> Finish() &&;

 private:
  // An instruction and where it leads: code, operand, yes, no.
  using Meaning = std::tuple<uint16_t, uint32_t, Label, Label>;

  Label Append(sock_filter instruction);
  std::optional<Label> FindNear(const Meaning& meaning) const;
  Label Straight(uint16_t code, uint32_t operand, Label next);
  // An unconditional jump to `target`.
  Label Goto(Label target);
  // `target`, or a jump to it if it is not the latest instruction: where
  // execution falls through to.
  Label FallThrough(Label target);
  // What a jump written next must skip to reach `target`.
  size_t Distance(Label target) const { return reversed_.size() - target; }

  std::vector<sock_filter> reversed_;
  // The latest one of each.
  std::map<Meaning, Label> written_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_POLICY_SECCOMP_FILTER_ASSEMBLER_H_
