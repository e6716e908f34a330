#include "sandbox/policy/seccomp/filter_evaluator.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace cordon::sandbox {
namespace {

bool IsJump(const sock_filter& instruction) {
  return BPF_CLASS(instruction.code) == BPF_JMP;
}

bool IsConditional(const sock_filter& instruction) {
  return IsJump(instruction) && BPF_OP(instruction.code) != BPF_JA;
}

// The codes that seccomp accepts.
bool IsKnownCode(uint16_t code) {
  switch (code) {
    case BPF_LD | BPF_W | BPF_ABS:
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA:
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
    case BPF_ALU | BPF_NEG:
    case BPF_JMP | BPF_JA:
      return true;
  }
  const uint16_t operation = code & ~BPF_X;
  switch (operation) {
    case BPF_ALU | BPF_ADD:
    case BPF_ALU | BPF_SUB:
    case BPF_ALU | BPF_MUL:
    case BPF_ALU | BPF_DIV:
    case BPF_ALU | BPF_AND:
    case BPF_ALU | BPF_OR:
    case BPF_ALU | BPF_XOR:
    case BPF_ALU | BPF_LSH:
    case BPF_ALU | BPF_RSH:
    case BPF_JMP | BPF_JEQ:
    case BPF_JMP | BPF_JGE:
    case BPF_JMP | BPF_JGT:
    case BPF_JMP | BPF_JSET:
      return true;
  }
  return false;
}

bool ReadsMemory(uint16_t code) {
  return code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM);
}

bool WritesMemory(uint16_t code) { return code == BPF_ST || code == BPF_STX; }

// Whether the operand is one that the instruction can have.
bool IsValidOperand(const sock_filter& instruction) {
  const uint32_t k = instruction.k;
  switch (instruction.code) {
    case BPF_LD | BPF_W | BPF_ABS:
      return k < sizeof(seccomp_data) && k % sizeof(uint32_t) == 0;
    case BPF_ALU | BPF_DIV | BPF_K:
      return k != 0;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
      return k < 32;
    default:
      break;
  }
  if (ReadsMemory(instruction.code) || WritesMemory(instruction.code)) {
    return k < BPF_MEMWORDS;
  }
  return true;
}

bool JumpsStayInside(const sock_filter& instruction, size_t remaining) {
  if (!IsJump(instruction)) return true;
  if (!IsConditional(instruction)) return instruction.k < remaining;
  return instruction.jt < remaining && instruction.jf < remaining;
}

// Whether every word of scratch memory is written before it is read, on every
// path (check_load_and_stores). Jumps are known to stay inside.
bool MemoryIsWrittenFirst(absl::Span<const sock_filter> program) {
  std::vector<uint16_t> valid_at(program.size(), UINT16_MAX);
  uint16_t valid = 0;
  for (size_t at = 0; at < program.size(); ++at) {
    const sock_filter& instruction = program[at];
    valid &= valid_at[at];
    if (WritesMemory(instruction.code)) valid |= 1u << instruction.k;
    if (ReadsMemory(instruction.code) && !(valid & (1u << instruction.k))) {
      return false;
    }
    if (IsConditional(instruction)) {
      valid_at[at + 1 + instruction.jt] &= valid;
      valid_at[at + 1 + instruction.jf] &= valid;
      valid = UINT16_MAX;
    } else if (IsJump(instruction)) {
      valid_at[at + 1 + instruction.k] &= valid;
      valid = UINT16_MAX;
    }
  }
  return true;
}

// The processor of classic BPF.
class Machine {
 public:
  explicit Machine(const seccomp_data& data) : data_(data) {}

  // Executes one instruction that is neither a jump nor a return.
  bool Execute(const sock_filter& instruction);
  // The condition of a jump; nullopt for an unknown one.
  std::optional<bool> Condition(const sock_filter& instruction) const;
  uint32_t accumulator() const { return a_; }

 private:
  bool Compute(const sock_filter& instruction);
  uint32_t Operand(const sock_filter& instruction) const {
    return BPF_SRC(instruction.code) == BPF_X ? x_ : instruction.k;
  }
  uint32_t Field(uint32_t offset) const {
    uint32_t word;
    std::memcpy(&word, reinterpret_cast<const char*>(&data_) + offset,
                sizeof(word));
    return word;
  }

  const seccomp_data& data_;
  uint32_t a_ = 0;
  uint32_t x_ = 0;
  uint32_t memory_[BPF_MEMWORDS] = {};
};

bool Machine::Compute(const sock_filter& instruction) {
  const uint32_t operand = Operand(instruction);
  switch (BPF_OP(instruction.code)) {
    case BPF_ADD:
      a_ += operand;
      return true;
    case BPF_SUB:
      a_ -= operand;
      return true;
    case BPF_MUL:
      a_ *= operand;
      return true;
    case BPF_DIV:
      if (operand == 0) return false;
      a_ /= operand;
      return true;
    case BPF_AND:
      a_ &= operand;
      return true;
    case BPF_OR:
      a_ |= operand;
      return true;
    case BPF_XOR:
      a_ ^= operand;
      return true;
    // The kernel shifts by the low five bits of a register.
    case BPF_LSH:
      a_ <<= operand & 31;
      return true;
    case BPF_RSH:
      a_ >>= operand & 31;
      return true;
    case BPF_NEG:
      a_ = 0u - a_;
      return true;
  }
  return false;
}

bool Machine::Execute(const sock_filter& instruction) {
  if (!IsKnownCode(instruction.code) || !IsValidOperand(instruction)) {
    return false;
  }
  switch (instruction.code) {
    case BPF_LD | BPF_W | BPF_ABS:
      a_ = Field(instruction.k);
      return true;
    case BPF_LD | BPF_W | BPF_LEN:
      a_ = sizeof(seccomp_data);
      return true;
    case BPF_LDX | BPF_W | BPF_LEN:
      x_ = sizeof(seccomp_data);
      return true;
    case BPF_LD | BPF_IMM:
      a_ = instruction.k;
      return true;
    case BPF_LDX | BPF_IMM:
      x_ = instruction.k;
      return true;
    case BPF_LD | BPF_MEM:
      a_ = memory_[instruction.k];
      return true;
    case BPF_LDX | BPF_MEM:
      x_ = memory_[instruction.k];
      return true;
    case BPF_ST:
      memory_[instruction.k] = a_;
      return true;
    case BPF_STX:
      memory_[instruction.k] = x_;
      return true;
    case BPF_MISC | BPF_TAX:
      x_ = a_;
      return true;
    case BPF_MISC | BPF_TXA:
      a_ = x_;
      return true;
  }
  return Compute(instruction);
}

std::optional<bool> Machine::Condition(const sock_filter& instruction) const {
  if (!IsKnownCode(instruction.code)) return std::nullopt;
  const uint32_t operand = Operand(instruction);
  switch (BPF_OP(instruction.code)) {
    case BPF_JEQ:
      return a_ == operand;
    case BPF_JGE:
      return a_ >= operand;
    case BPF_JGT:
      return a_ > operand;
    case BPF_JSET:
      return (a_ & operand) != 0;
  }
  return std::nullopt;
}

struct Execution {
  uint32_t action = SECCOMP_RET_KILL_PROCESS;
  int instructions = 0;
};

Execution Run(absl::Span<const sock_filter> program, const seccomp_data& data) {
  Machine machine(data);
  Execution execution;
  // Jumps go forward only, so this ends.
  for (uint64_t at = 0; at < program.size(); ++at) {
    const sock_filter& instruction = program[at];
    ++execution.instructions;
    if (instruction.code == (BPF_RET | BPF_K)) {
      execution.action = instruction.k;
      return execution;
    }
    if (instruction.code == (BPF_RET | BPF_A)) {
      execution.action = machine.accumulator();
      return execution;
    }
    if (IsConditional(instruction)) {
      const std::optional<bool> holds = machine.Condition(instruction);
      if (!holds.has_value()) return execution;
      at += *holds ? instruction.jt : instruction.jf;
    } else if (IsJump(instruction)) {
      at += instruction.k;
    } else if (!machine.Execute(instruction)) {
      return execution;
    }
  }
  return execution;
}

}  // namespace

absl::Status ValidateFilter(absl::Span<const sock_filter> program) {
  if (program.empty() || program.size() > BPF_MAXINSNS) {
    return absl::InvalidArgumentError(
        absl::StrCat("length ", program.size(), ", not 1 to ", BPF_MAXINSNS));
  }
  for (size_t at = 0; at < program.size(); ++at) {
    const sock_filter& instruction = program[at];
    if (!IsKnownCode(instruction.code) || !IsValidOperand(instruction) ||
        !JumpsStayInside(instruction, program.size() - at - 1)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "instruction ", at, ": code ", instruction.code, " jt ",
          instruction.jt, " jf ", instruction.jf, " k ", instruction.k));
    }
  }
  if (BPF_CLASS(program.back().code) != BPF_RET) {
    return absl::InvalidArgumentError("the last instruction is no return");
  }
  if (!MemoryIsWrittenFirst(program)) {
    return absl::InvalidArgumentError("scratch memory is read unwritten");
  }
  return absl::OkStatus();
}

uint32_t EvaluateFilter(absl::Span<const sock_filter> program,
                        const seccomp_data& data) {
  return Run(program, data).action;
}

int CountInstructions(absl::Span<const sock_filter> program,
                      const seccomp_data& data) {
  return Run(program, data).instructions;
}

}  // namespace cordon::sandbox
