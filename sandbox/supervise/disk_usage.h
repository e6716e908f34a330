// MeasureDisk adds up what a run's directory takes of its disk while the run
// may still change it.
//
//   std::atomic<bool> stop = false;
//   DiskUsage usage = MeasureDisk(
//       {.directory = fd, .path = path, .members = members,
//        .most_bytes = limit, .most_inodes = 100000, .stop = &stop});
//
// Blocks count, not lengths: a hole takes nothing. An inode with several names
// counts once. What is deleted but open in one of `members`, or mapped, is
// found through /proc as far as this process may look: descriptors where it may
// trace the process, mappings without a descriptor only with
// CAP_CHECKPOINT_RESTORE. A descriptor that is on its way through a socket is
// not found.
//
// It follows no link, keeps a bounded number of descriptors open however deep
// the tree is, and stops when a bound is passed.
//
// Contract: thread-safe; may take long, hence not for an event loop.

#ifndef CORDON_SANDBOX_SUPERVISE_DISK_USAGE_H_
#define CORDON_SANDBOX_SUPERVISE_DISK_USAGE_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace cordon::sandbox {

enum class Completeness {
  kComplete,
  // A bound was passed, or `stop` was set: there may be more.
  kStopped,
  // Directories were moved about meanwhile, and some were missed.
  kDisturbed,
};

struct DiskUsage {
  uint64_t bytes = 0;
  uint64_t inodes = 0;
  // Length, not blocks, of the longest regular file.
  uint64_t longest_file = 0;
  Completeness completeness = Completeness::kComplete;
  // This process may not see what a member has open. That the member executes a
  // file that it may not read is one reason (PR_SET_DUMPABLE, prctl(2)).
  bool files_hidden = false;
};

struct DiskMeasurement {
  // The run's directory, readable, and its absolute path. Borrowed.
  int directory = -1;
  std::string path;
  // Processes whose descriptors are looked at.
  std::vector<pid_t> members;
  // Bounds, of which more need not be known.
  uint64_t most_bytes = 0;
  uint64_t most_inodes = 0;
  // Ends the measurement early.
  const std::atomic<bool>* stop = nullptr;
};

DiskUsage MeasureDisk(const DiskMeasurement& measurement);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_DISK_USAGE_H_
