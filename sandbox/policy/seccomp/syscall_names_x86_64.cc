#include "sandbox/policy/seccomp/syscall_names_x86_64.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "absl/strings/string_view.h"

namespace cordon::sandbox {
namespace {

struct NamedNumber {
  int number;
  absl::string_view name;
};

constexpr NamedNumber kSyscalls[] = {
#define CORDON_ENTRY(number, name) {number, #name},
    CORDON_X86_64_SYSCALLS(CORDON_ENTRY)
#undef CORDON_ENTRY
};

constexpr bool SortedByNumber() {
  for (size_t i = 1; i < std::size(kSyscalls); ++i) {
    if (kSyscalls[i - 1].number >= kSyscalls[i].number) return false;
  }
  return true;
}
static_assert(SortedByNumber());

}  // namespace

absl::string_view SyscallName(int number) {
  const auto* found =
      std::lower_bound(std::begin(kSyscalls), std::end(kSyscalls), number,
                       [](const NamedNumber& entry, int wanted) {
                         return entry.number < wanted;
                       });
  if (found == std::end(kSyscalls) || found->number != number) return {};
  return found->name;
}

std::optional<int> SyscallNumber(absl::string_view name) {
  for (const NamedNumber& entry : kSyscalls) {
    if (entry.name == name) return entry.number;
  }
  return std::nullopt;
}

}  // namespace cordon::sandbox
