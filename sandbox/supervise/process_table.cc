#include "sandbox/supervise/process_table.h"

#include <unistd.h>

#include "absl/strings/numbers.h"
#include "sandbox/base/monotonic_clock.h"

namespace cordon::sandbox {
namespace {

// Shorter than the shortest pause between two samples of one run.
constexpr absl::Duration kFreshFor = absl::Milliseconds(1);

}  // namespace

void ProcessTable::CloseDirectory::operator()(DIR* directory) const {
  closedir(directory);
}

std::vector<pid_t> ProcessTable::Members(pid_t pgid) {
  absl::MutexLock lock(&mutex_);
  if (MonotonicNow() - taken_ > kFreshFor) Refresh();
  return Find(pgid);
}

std::vector<pid_t> ProcessTable::CurrentMembers(pid_t pgid) {
  absl::MutexLock lock(&mutex_);
  Refresh();
  return Find(pgid);
}

std::vector<pid_t> ProcessTable::Find(pid_t pgid) const {
  const auto found = groups_.find(pgid);
  return found == groups_.end() ? std::vector<pid_t>() : found->second;
}

void ProcessTable::Refresh() {
  groups_.clear();
  taken_ = absl::InfinitePast();
  if (proc_ == nullptr) proc_.reset(opendir("/proc"));
  if (proc_ == nullptr) return;
  rewinddir(proc_.get());
  while (const dirent* entry = readdir(proc_.get())) {
    pid_t pid;
    if (!absl::SimpleAtoi(entry->d_name, &pid)) continue;
    const pid_t pgid = getpgid(pid);
    if (pgid > 0) groups_[pgid].push_back(pid);
  }
  taken_ = MonotonicNow();
}

}  // namespace cordon::sandbox
