// Where this process's control groups are, from what the kernel says of them.
//
//   absl::StatusOr<Hierarchies> found = FindHierarchies(mountinfo, cgroups);
//
// Pure: the two texts are /proc/self/mountinfo and /proc/self/cgroup
// (proc_pid_mountinfo(5), cgroups(7)).

#ifndef CORDON_SANDBOX_CGROUP_HIERARCHIES_H_
#define CORDON_SANDBOX_CGROUP_HIERARCHIES_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cordon::sandbox {

enum class CgroupVersion { kV1, kV2 };

// Absolute paths of the directories that stand for the groups this process is
// in. In version 2 they are one and the same.
struct Hierarchies {
  CgroupVersion version = CgroupVersion::kV1;
  std::string memory;
  std::string cpu;
  std::string pids;
};

// Version 1 where the memory controller is mounted as such, else version 2.
// NOT_FOUND, in words for an operator, when a controller is in neither, or its
// group is not visible through any mount.
absl::StatusOr<Hierarchies> FindHierarchies(absl::string_view mountinfo,
                                            absl::string_view cgroups);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_CGROUP_HIERARCHIES_H_
