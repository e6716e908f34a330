// OpenCgroups finds the control groups of this process and opens the tree for
// the runs of one state directory in them.

#ifndef CORDON_SANDBOX_CGROUP_OPEN_CGROUPS_H_
#define CORDON_SANDBOX_CGROUP_OPEN_CGROUPS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "sandbox/cgroup/cgroup_tree.h"

namespace cordon::sandbox {

// The tree is named after the directory's device and inode: whoever holds the
// directory's lock has both to itself, and the next server finds what an
// earlier one left. Errors, in words for an operator: there are no groups, or
// this process may not make any. To be called before there are threads
// (CgroupTree::Open).
absl::StatusOr<std::unique_ptr<CgroupTree>> OpenCgroups(
    const std::string& state_directory);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_CGROUP_OPEN_CGROUPS_H_
