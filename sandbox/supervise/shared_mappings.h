// SharedMappings bounds what a run may keep in shared anonymous memory that no
// figure of its processes shows: pages of such a mapping stay when a process
// drops them from its page table (MADV_DONTNEED, madvise(2); munmap(2) of a
// part), until the last process has unmapped all of it.
//
//   mappings.Note(length);                     // at each mmap(MAP_SHARED)
//   if (mappings.HeldBytes(members) > ...)     // at a look
//
// Which mappings are gone the kernel does not say, nor what is in those that
// are left. But it shows how many there are, each with an inode of its own
// (proc_pid_maps(5)): they keep at most what the largest of that many requests
// asked for. Nor is there more than the whole host has, or than the run's
// processes, and the supervisor in their memory, had page faults.
//
// Contract: one thread at a time. Memory is bounded, whatever a run asks for.

#ifndef CORDON_SANDBOX_SUPERVISE_SHARED_MAPPINGS_H_
#define CORDON_SANDBOX_SUPERVISE_SHARED_MAPPINGS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/string_view.h"

namespace cordon::sandbox {

class SharedMappings {
 public:
  // The run asks for a mapping of this length; it may get it or not.
  void Note(uint64_t bytes);

  // Of all that it asked for.
  uint64_t total_bytes() const { return total_bytes_; }

  // At most this much is in mappings that `members` have now.
  uint64_t HeldBytes(const std::vector<pid_t>& members) const;

 private:
  uint64_t LargestBytes(size_t count) const;

  // How often each length was asked for.
  std::map<uint64_t, size_t> requests_;
  uint64_t total_bytes_ = 0;
};

// The inodes of shared anonymous mappings in a maps file (proc_pid_maps(5)).
// One that the program has named (PR_SET_VMA, prctl(2)) counts as well, and so
// does a file that is named like one: that errs to more.
void AddSharedInodes(absl::string_view maps, std::set<uint64_t>& inodes);

// What page faults of these processes, and of the children that they have
// waited for, can have brought into memory (proc_pid_stat(5)). UINT64_MAX where
// the host gives shared memory more than a page for a fault.
uint64_t FaultedBytes(const std::vector<pid_t>& members);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_SHARED_MAPPINGS_H_
