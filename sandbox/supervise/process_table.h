// ProcessTable lists the processes of a run: the members of its process group,
// whoever their parent is by now.
//
// One walk over /proc serves all runs that ask within a few milliseconds; a
// process costs one getpgid(2), not a file.
//
// Contract: thread-safe.

#ifndef CORDON_SANDBOX_SUPERVISE_PROCESS_TABLE_H_
#define CORDON_SANDBOX_SUPERVISE_PROCESS_TABLE_H_

#include <dirent.h>
#include <sys/types.h>

#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace cordon::sandbox {

class ProcessTable {
 public:
  // Process ids in group `pgid`, zombies included. Empty when /proc cannot be
  // read.
  std::vector<pid_t> Members(pid_t pgid) ABSL_LOCKS_EXCLUDED(mutex_);

  // The same, from a walk that begins now: whatever is in the group before the
  // call and does not end during it is among them.
  std::vector<pid_t> CurrentMembers(pid_t pgid) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::vector<pid_t> Find(pid_t pgid) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  struct CloseDirectory {
    void operator()(DIR* directory) const;
  };

  absl::Mutex mutex_;
  // Open from the beginning: a server without a free descriptor must not lose
  // sight of its runs.
  std::unique_ptr<DIR, CloseDirectory> proc_ ABSL_GUARDED_BY(mutex_){
      opendir("/proc")};
  absl::Time taken_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::map<pid_t, std::vector<pid_t>> groups_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_PROCESS_TABLE_H_
