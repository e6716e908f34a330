// The door is Fork; what the thread does begins at Supervise.

#include "sandbox/warm/warm_templates.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sandbox/base/monotonic_clock.h"
#include "sandbox/warm/python/python_template.h"

namespace cordon::sandbox {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Minutes(5);
// One that has served for so long did start well.
constexpr absl::Duration kStaysGood = absl::Seconds(10);
// A template that dies while nobody wants it is found then.
constexpr absl::Duration kLook = absl::Seconds(1);

bool HasEnded(const WarmTemplate& process) {
  pollfd watched = {process.pidfd(), POLLIN, 0};
  return poll(&watched, 1, 0) > 0;
}

// proc_pid_statm(5): resident pages less those of files.
uint64_t OwnMemory(pid_t pid) {
  constexpr uint64_t kPage = 4096;
  std::ifstream statm(absl::StrCat("/proc/", pid, "/statm"));
  uint64_t total = 0, resident = 0, shared = 0;
  statm >> total >> resident >> shared;
  return (resident - std::min(shared, resident)) * kPage;
}

}  // namespace

WarmTemplates::WarmTemplates(std::vector<WarmProfile> profiles,
                             LiveGroups* groups)
    : groups_(groups), stop_(eventfd(0, EFD_CLOEXEC)) {
  absl::MutexLock lock(&mutex_);
  for (WarmProfile& profile : profiles) {
    Slot slot;
    slot.due = MonotonicNow();
    slot.pause = kFirstPause;
    slot.state = absl::UnavailableError("its template has not started yet");
    const std::string name = profile.name;
    slot.profile = std::move(profile);
    slots_.emplace(name, std::move(slot));
  }
  if (slots_.empty()) return;
  thread_ = std::thread([this] { Supervise(); });
  mutex_.AwaitWithTimeout(absl::Condition(&begun_), kAwaited);
}

WarmTemplates::~WarmTemplates() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  eventfd_write(stop_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<WarmFork> WarmTemplates::Fork(const std::string& profile,
                                             const ArmPlan& plan) {
  std::shared_ptr<WarmTemplate> current;
  absl::Duration patience;
  {
    absl::MutexLock lock(&mutex_);
    const auto slot = slots_.find(profile);
    if (slot == slots_.end()) return absl::NotFoundError(profile);
    current = slot->second.current;
    patience = slot->second.profile.fork_patience;
    if (current == nullptr) return slot->second.state;
  }
  absl::StatusOr<WarmFork> fork = current->Fork(plan, groups_, patience);
  if (absl::IsUnavailable(fork.status()) || current->forks() >= kMostForks) {
    absl::MutexLock lock(&mutex_);
    changed_ = true;
  }
  return fork;
}

absl::Status WarmTemplates::StateOf(const std::string& profile) {
  absl::MutexLock lock(&mutex_);
  const auto slot = slots_.find(profile);
  return slot == slots_.end() ? absl::NotFoundError("there is none of it here")
                              : slot->second.state;
}

bool WarmTemplates::NeedsOne(Slot& slot, absl::Time now) {
  if (slot.current != nullptr &&
      (HasEnded(*slot.current) || slot.current->IsStalled() ||
       slot.current->lost_forks() >= kMostLostForks)) {
    slot.current = nullptr;
    slot.state = absl::UnavailableError("its template has ended");
    if (now - slot.started > kStaysGood) slot.pause = kFirstPause;
    slot.due = now + slot.pause;
    slot.pause = std::min(slot.pause * 2, kLongestPause);
  }
  if (slot.current == nullptr) return now >= slot.due;
  return slot.current->forks() >= kMostForks || now - slot.started > kOldest;
}

WarmTemplates::Slot* WarmTemplates::NextToStart() {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = MonotonicNow();
  for (auto& [name, slot] : slots_) {
    if (!stopping_ && NeedsOne(slot, now)) return &slot;
  }
  changed_ = false;
  begun_ = true;
  return nullptr;
}

// The old one serves until the new one does. Only this thread changes a slot's
// profile or what is there.
void WarmTemplates::Start(Slot& slot) {
  absl::StatusOr<std::shared_ptr<WarmTemplate>> started =
      WarmTemplate::Start(PythonTemplate(slot.profile), groups_, stop_.get());
  if (started.ok() && OwnMemory((*started)->pid()) > kMostMemoryBytes) {
    started = absl::UnavailableError(absl::StrCat(
        "its template takes more than ", kMostMemoryBytes, " bytes of memory"));
  }
  absl::MutexLock lock(&mutex_);
  const absl::Time now = MonotonicNow();
  slot.state = started.status();
  slot.started = now;
  if (started.ok()) {
    slot.current = *std::move(started);
    return;
  }
  slot.current = nullptr;
  slot.due = now + slot.pause;
  slot.pause = std::min(slot.pause * 2, kLongestPause);
}

// False: it is time to stop.
bool WarmTemplates::AwaitChange() {
  absl::MutexLock lock(&mutex_);
  const auto settled = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || changed_;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&settled), kLook);
  return !stopping_;
}

void WarmTemplates::Supervise() {
  do {
    while (Slot* const slot = NextToStart()) Start(*slot);
  } while (AwaitChange());
  absl::MutexLock lock(&mutex_);
  slots_.clear();
}

}  // namespace cordon::sandbox
