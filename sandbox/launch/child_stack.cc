#include "sandbox/launch/child_stack.h"

#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include "sandbox/base/errno_status.h"

namespace cordon::sandbox {
namespace {

constexpr size_t kStackBytes = 64 * 1024;
constexpr size_t kGuardBytes = 4096;

}  // namespace

absl::StatusOr<ChildStack> ChildStack::Map() {
  void* base = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (base == MAP_FAILED) return ErrnoToStatus(errno, "mmap a child's stack");
  ChildStack stack(base);
  if (mprotect(base, kGuardBytes, PROT_NONE) != 0) {
    return ErrnoToStatus(errno, "mprotect a child's stack guard");
  }
  return stack;
}

ChildStack::ChildStack(ChildStack&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)) {}

ChildStack& ChildStack::operator=(ChildStack&& other) noexcept {
  std::swap(base_, other.base_);
  return *this;
}

ChildStack::~ChildStack() {
  if (base_ != nullptr) munmap(base_, kGuardBytes + kStackBytes);
}

void* ChildStack::top() const {
  return static_cast<char*>(base_) + kGuardBytes + kStackBytes;
}

absl::StatusOr<ChildStack> StackPool::Take() {
  {
    absl::MutexLock lock(&mutex_);
    if (!free_.empty()) {
      ChildStack stack = std::move(free_.back());
      free_.pop_back();
      return stack;
    }
  }
  return ChildStack::Map();
}

void StackPool::GiveBack(ChildStack stack) {
  absl::MutexLock lock(&mutex_);
  free_.push_back(std::move(stack));
}

}  // namespace cordon::sandbox
