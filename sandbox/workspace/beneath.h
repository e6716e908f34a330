// Walking a directory that somebody else may have filled, without ever leaving
// it: one component at a time on held descriptors, following no link.
//
//   absl::StatusOr<std::vector<std::string>> parts = SplitBeneath("out/a.txt");
//   UniqueFd out = OpenDirectoryBeneath(workspace_fd, (*parts)[0]);
//
// What it does not do: build a path and hand it to the kernel, ever. With no
// "..", no link followed and one component a call there is nothing to climb
// with, and nothing that openat2(2), which some container profiles refuse,
// would add.
//
// Thread-compatible; no state.

#ifndef CORDON_SANDBOX_WORKSPACE_BENEATH_H_
#define CORDON_SANDBOX_WORKSPACE_BENEATH_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::sandbox {

// The components of a relative path. INVALID_ARGUMENT when it is empty or
// absolute, or has a component that is empty, ".", ".." or holds a NUL.
absl::StatusOr<std::vector<std::string>> SplitBeneath(absl::string_view path);

// Opens the directory `name` (one component) of `parent` to read it. A
// directory that its owner made unreadable is given mode 0700 first, where this
// process may do that. Empty, with errno set, on failure: ENOTDIR or ELOOP when
// it is something else than a directory.
UniqueFd OpenDirectoryBeneath(int parent, const char* name);

// Opens the regular file `name` of `parent` for reading, never blocks, and
// opens nothing else. A file that its owner made unreadable is given mode 0600
// first. Empty, with errno set, on failure: EINVAL when `name` is not a regular
// file.
UniqueFd OpenFileBeneath(int parent, const char* name);

// chmod(2) of the very object behind `name` (one component), never of what a
// link points to. 0, or -1 with errno.
int ChangeModeBeneath(int parent, const char* name, mode_t mode);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WORKSPACE_BENEATH_H_
