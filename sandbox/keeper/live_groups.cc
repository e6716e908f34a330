#include "sandbox/keeper/live_groups.h"

#include <sys/mman.h>

#include <cerrno>

#include "sandbox/base/errno_status.h"

namespace cordon::sandbox {

absl::StatusOr<std::unique_ptr<LiveGroups>> LiveGroups::Create(
    size_t capacity) {
  static_assert(sizeof(LiveGroupSlot) == sizeof(pid_t));
  // Zero, which is what the kernel fills it with, is a free slot.
  void* memory =
      mmap(nullptr, capacity * sizeof(LiveGroupSlot), PROT_READ | PROT_WRITE,
           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return ErrnoToStatus(errno, "mmap the table of live groups");
  }
  return std::unique_ptr<LiveGroups>(
      new LiveGroups(static_cast<LiveGroupSlot*>(memory), capacity));
}

LiveGroups::~LiveGroups() { munmap(slots_, capacity_ * sizeof(LiveGroupSlot)); }

LiveGroup LiveGroups::Reserve() {
  if (places_.fetch_add(1) >= capacity_) {
    places_.fetch_sub(1);
    return LiveGroup();
  }
  for (;;) {
    LiveGroupSlot& slot =
        slots_[next_.fetch_add(1, std::memory_order_relaxed) % capacity_];
    pid_t expected = kFreeSlot;
    if (slot.compare_exchange_strong(expected, kReservedSlot)) {
      return LiveGroup(&slot, &places_);
    }
  }
}

}  // namespace cordon::sandbox
