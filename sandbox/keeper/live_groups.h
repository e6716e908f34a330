// LiveGroups: the process groups that this process is running, in memory that
// the keeper sees too.
//
//   auto groups = LiveGroups::Create(64);
//   LiveGroup group = (*groups)->Reserve();  // before clone(2)
//   group.Enter(pid);                        // before the program executes
//   group.Leave();                           // when no process of it is left
//
// It kills nobody: keeper.h does, when this process is gone.
//
// Who enters a group: whoever knows its id before its program can make another
// process. A child that shares its parent's memory does it itself, through
// `address()`, right after setsid(2): the parent may be dead before it knows.
//
// Contract: thread-safe, lock-free. The table outlives its LiveGroups. A
// LiveGroup belongs to one thread at a time; destroying it is leaving.

#ifndef CORDON_SANDBOX_KEEPER_LIVE_GROUPS_H_
#define CORDON_SANDBOX_KEEPER_LIVE_GROUPS_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"

namespace cordon::sandbox {

// A slot is free, reserved for a group to come, or holds a group's id.
using LiveGroupSlot = std::atomic<pid_t>;
static_assert(LiveGroupSlot::is_always_lock_free,
              "the keeper reads what another process writes");
inline constexpr pid_t kFreeSlot = 0;
inline constexpr pid_t kReservedSlot = -1;

// The place of one group in the table; empty by default.
class LiveGroup {
 public:
  LiveGroup() = default;
  // `places` counts the table's places that are taken, this one among them.
  LiveGroup(LiveGroupSlot* slot, std::atomic<size_t>* places)
      : slot_(slot), places_(places) {}
  LiveGroup(LiveGroup&& other) noexcept
      : slot_(std::exchange(other.slot_, nullptr)), places_(other.places_) {}
  LiveGroup& operator=(LiveGroup&& other) noexcept {
    if (this != &other) {
      Leave();
      slot_ = std::exchange(other.slot_, nullptr);
      places_ = other.places_;
    }
    return *this;
  }
  LiveGroup(const LiveGroup&) = delete;
  LiveGroup& operator=(const LiveGroup&) = delete;
  ~LiveGroup() { Leave(); }

  bool valid() const { return slot_ != nullptr; }

  // Where a child stores its id, atomically; null when empty.
  pid_t* address() const { return reinterpret_cast<pid_t*>(slot_); }

  // The group is there already: one that is not is nobody's to the keeper.
  void Enter(pid_t pgid) {
    if (slot_ != nullptr) slot_->store(pgid);
  }

  // Nothing of the group may be left: from now on nobody kills it.
  void Leave() {
    if (slot_ == nullptr) return;
    std::exchange(slot_, nullptr)->store(kFreeSlot);
    places_->fetch_sub(1);
  }

 private:
  LiveGroupSlot* slot_ = nullptr;
  std::atomic<size_t>* places_ = nullptr;
};

class LiveGroups {
 public:
  // A table of `capacity` slots, shared with whatever process is forked from
  // now on (mmap(2), MAP_SHARED). INTERNAL with step and errno.
  static absl::StatusOr<std::unique_ptr<LiveGroups>> Create(size_t capacity);
  ~LiveGroups();
  LiveGroups(const LiveGroups&) = delete;
  LiveGroups& operator=(const LiveGroups&) = delete;

  // An empty LiveGroup when every slot is taken.
  LiveGroup Reserve();

  LiveGroupSlot* slots() const { return slots_; }
  size_t capacity() const { return capacity_; }

 private:
  LiveGroups(LiveGroupSlot* slots, size_t capacity)
      : slots_(slots), capacity_(capacity) {}

  LiveGroupSlot* const slots_;
  const size_t capacity_;
  // Taken, or about to be. Who has one of `capacity_` finds a free slot,
  // however those of others come and go meanwhile.
  std::atomic<size_t> places_ = 0;
  // Where to look first.
  std::atomic<size_t> next_ = 0;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_KEEPER_LIVE_GROUPS_H_
