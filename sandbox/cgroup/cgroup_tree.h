// CgroupTree: the control groups of a server's runs, beneath its own.
// RunCgroup: the one of a run, and of the runs that have its directory later.
//
//   absl::StatusOr<std::unique_ptr<CgroupTree>> tree =
//       CgroupTree::Open(*hierarchies, "cordon-fe01-23");
//   absl::StatusOr<RunCgroup> group = (*tree)->Create();
//   // A process writes "0" to each of group->entrances() and is in it.
//   absl::Status status = group->SetLimits({.memory_bytes = 1 << 28});
//   absl::StatusOr<absl::Duration> cpu = group->CpuTime();
//
// What it adds to a supervisor that looks at /proc: processor time that misses
// nobody, not even a child that its parent never waited for, and a memory limit
// that the kernel holds between two looks. Groups are never needed; an ordinary
// container has none that it may write to.
//
// Contract: a tree is thread-safe and outlives its groups. A group belongs to
// one thread at a time.

#ifndef CORDON_SANDBOX_CGROUP_CGROUP_TREE_H_
#define CORDON_SANDBOX_CGROUP_CGROUP_TREE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/cgroup/hierarchies.h"

namespace cordon::sandbox {

struct CgroupLimits {
  // Of all that the group is charged for: page cache and the kernel's own
  // structures too, so this is more than a run's limit. UINT64_MAX: none.
  uint64_t memory_bytes = UINT64_MAX;
  // Processes and threads. 0: none.
  uint32_t processes = 0;
};

class RunCgroup {
 public:
  RunCgroup(RunCgroup&&) noexcept = default;
  RunCgroup& operator=(RunCgroup&& other) noexcept;
  // Removes the group, which must be empty by then.
  ~RunCgroup();

  // Descriptors of the files that a process joins by: it writes "0". Borrowed;
  // close-on-exec.
  std::vector<int> entrances() const;

  absl::Status SetLimits(const CgroupLimits& limits);

  // User and system time of all processes that the group has or had. INTERNAL
  // with step and errno, as all that read.
  absl::StatusOr<absl::Duration> CpuTime() const;
  // Resident now: anonymous pages and shared memory, files on a tmpfs included.
  absl::StatusOr<uint64_t> MemoryBytes() const;
  // Processes that the kernel killed because the group was at its memory limit.
  absl::StatusOr<uint64_t> OomKills() const;

  // For another run, or another step of one: without limits, and time and kills
  // count from here on.
  absl::Status StartOver();

 private:
  friend class CgroupTree;
  // One hierarchy's directory of the group.
  struct Directory {
    // Of the tree, where the group's directory is `name_`.
    int parent = -1;
    UniqueFd fd;
    UniqueFd entrance;
  };

  RunCgroup(CgroupVersion version, std::string name)
      : version_(version), name_(std::move(name)) {}
  void Remove();
  absl::Status OpenFiles();
  const char* CpuFile() const;
  const char* OomFile() const;
  int memory() const { return directories_[0].fd.get(); }
  int cpu() const;
  absl::StatusOr<absl::Duration> TotalCpuTime() const;
  absl::StatusOr<uint64_t> TotalOomKills() const;
  int pids() const;

  CgroupVersion version_;
  std::string name_;
  // Memory, cpu, pids; in version 2 one for all.
  std::vector<Directory> directories_;
  // Read at the end of every run.
  UniqueFd cpu_file_, oom_file_;
  CgroupLimits limits_;
  absl::Duration cpu_before_;
  uint64_t oom_kills_before_ = 0;
};

class CgroupTree {
 public:
  // Makes the groups called `name` beneath the process's own, and locks them
  // (flock(2)) for as long as the tree is open. Those beside it whose names
  // begin like `name` up to its first '-', and that nobody locks, were left by
  // a process that died: what still runs there is killed, and they are removed.
  // In version 2 this moves the process into a group beneath its own, because a
  // group has either processes or controlled children (cgroups(7), "no internal
  // processes"). Errors: the step and errno, for an operator.
  static absl::StatusOr<std::unique_ptr<CgroupTree>> Open(
      const Hierarchies& hierarchies, absl::string_view name);
  ~CgroupTree();
  CgroupTree(const CgroupTree&) = delete;
  CgroupTree& operator=(const CgroupTree&) = delete;

  // INTERNAL with step and errno.
  absl::StatusOr<RunCgroup> Create();

  CgroupVersion version() const { return version_; }
  // Its directories: one, or in version 1 one for each controller.
  const std::vector<std::string>& paths() const { return paths_; }

 private:
  CgroupTree(CgroupVersion version) : version_(version) {}
  absl::Status Add(const std::string& directory);

  const CgroupVersion version_;
  std::vector<std::string> paths_;
  std::vector<UniqueFd> directories_;
  std::atomic<uint64_t> next_ = 0;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_CGROUP_CGROUP_TREE_H_
