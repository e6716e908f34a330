#include "sandbox/policy/seccomp/filter_assembler.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace cordon::sandbox {
namespace {

constexpr size_t kMaxShortJump = 255;

}  // namespace

FilterAssembler::Label FilterAssembler::Append(sock_filter instruction) {
  reversed_.push_back(instruction);
  return reversed_.size();
}

FilterAssembler::Label FilterAssembler::Goto(Label target) {
  return Append(
      {BPF_JMP | BPF_JA, 0, 0, static_cast<uint32_t>(Distance(target))});
}

FilterAssembler::Label FilterAssembler::FallThrough(Label target) {
  return Distance(target) == 0 ? target : Goto(target);
}

std::optional<FilterAssembler::Label> FilterAssembler::FindNear(
    const Meaning& meaning) const {
  const auto known = written_.find(meaning);
  // Half the reach: whoever jumps here has some code of its own to write first.
  if (known == written_.end() || Distance(known->second) > kMaxShortJump / 2) {
    return std::nullopt;
  }
  return known->second;
}

FilterAssembler::Label FilterAssembler::Return(uint32_t value) {
  const Meaning meaning = {BPF_RET | BPF_K, value, 0, 0};
  if (const auto near = FindNear(meaning); near.has_value()) return *near;
  return written_[meaning] = Append({BPF_RET | BPF_K, 0, 0, value});
}

FilterAssembler::Label FilterAssembler::Load(uint32_t offset, Label next) {
  return Straight(BPF_LD | BPF_W | BPF_ABS, offset, next);
}

FilterAssembler::Label FilterAssembler::And(uint32_t mask, Label next) {
  return Straight(BPF_ALU | BPF_AND | BPF_K, mask, next);
}

FilterAssembler::Label FilterAssembler::Straight(uint16_t code,
                                                 uint32_t operand, Label next) {
  const Meaning meaning = {code, operand, next, next};
  if (const auto near = FindNear(meaning); near.has_value()) return *near;
  FallThrough(next);
  return written_[meaning] = Append({code, 0, 0, operand});
}

FilterAssembler::Label FilterAssembler::Jump(uint16_t operation,
                                             uint32_t operand, Label yes,
                                             Label no) {
  if (yes == no) return yes;
  const uint16_t code = static_cast<uint16_t>(BPF_JMP | operation | BPF_K);
  const Meaning meaning = {code, operand, yes, no};
  if (const auto near = FindNear(meaning); near.has_value()) return *near;
  // One less for `no`: a stepping stone for `yes` may come between.
  if (Distance(no) > kMaxShortJump - 1) no = Goto(no);
  if (Distance(yes) > kMaxShortJump) yes = Goto(yes);
  return written_[meaning] =
             Append({code, static_cast<uint8_t>(Distance(yes)),
                     static_cast<uint8_t>(Distance(no)), operand});
}

std::vector<sock_filter> FilterAssembler::Finish() && {
  std::reverse(reversed_.begin(), reversed_.end());
  return std::move(reversed_);
}

}  // namespace cordon::sandbox
