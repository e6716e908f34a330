#include "sandbox/supervise/run_members.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace cordon::sandbox {
namespace {

// User and system time of all its threads, those that have ended included.
// Without clock_getcpuclockid(3), which asks the kernel whether it exists: the
// number is made in the same way.
std::optional<absl::Duration> ClockOf(pid_t pid) {
  constexpr unsigned kScheduler = 2;
  timespec now;
  const auto clock =
      static_cast<clockid_t>((~static_cast<unsigned>(pid) << 3) | kScheduler);
  if (clock_gettime(clock, &now) != 0) return std::nullopt;
  return absl::DurationFromTimespec(now);
}

}  // namespace

std::vector<pid_t> RunMembers::Get() {
  const uint64_t allowed = counter_->allowed();
  if (known_at_ != allowed) {
    // Asked before the walk: what is past its clone now is what it will see.
    if (!counter_->AllAreMade()) return table_->Members(pgid_);
    std::vector<pid_t> seen = table_->CurrentMembers(pgid_);
    // A walk that does not find the first, who stays to the run's end, has
    // failed, for want of a descriptor, say: it is not the last one then.
    known_at_.reset();
    if (std::find(seen.begin(), seen.end(), pgid_) != seen.end()) {
      known_ = std::move(seen);
      known_at_ = allowed;
    }
  }
  // From here on they can only become fewer, and an id another's.
  known_.erase(
      std::remove_if(known_.begin(), known_.end(),
                     [this](pid_t pid) { return getpgid(pid) != pgid_; }),
      known_.end());
  return known_;
}

void RunMembers::NoteRest() {
  clocks_.clear();
  if (known_at_ != counter_->allowed()) return;
  for (const pid_t pid : known_) {
    const std::optional<absl::Duration> clock = ClockOf(pid);
    if (!clock.has_value()) return clocks_.clear();
    clocks_.push_back(*clock);
  }
}

std::optional<absl::Duration> RunMembers::UsedSinceRest() const {
  if (known_at_ != counter_->allowed() || clocks_.empty() ||
      clocks_.size() != known_.size()) {
    return std::nullopt;
  }
  absl::Duration used;
  for (size_t i = 0; i < known_.size(); ++i) {
    const std::optional<absl::Duration> clock = ClockOf(known_[i]);
    // Less: another process has the id by now.
    if (!clock.has_value() || *clock < clocks_[i]) return std::nullopt;
    used += *clock - clocks_[i];
  }
  return used;
}

// By its id, which takes the same however many children there are; by their
// group the kernel would look at each (waitid(2)).
bool RunMembers::OneHasEnded(const std::vector<pid_t>& members) const {
  return std::any_of(members.begin(), members.end(), [this](pid_t pid) {
    siginfo_t info = {};
    return pid != pgid_ &&
           waitid(P_PID, static_cast<id_t>(pid), &info,
                  WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
           info.si_pid == pid;
  });
}

}  // namespace cordon::sandbox
