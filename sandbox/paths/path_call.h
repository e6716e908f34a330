// PathCall: a system call on a path, told by its registers.
//
//   std::optional<PathCall> call = DecodePathCall(notification.data);
//
// What it does not do: read anything behind a pointer.

#ifndef CORDON_SANDBOX_PATHS_PATH_CALL_H_
#define CORDON_SANDBOX_PATHS_PATH_CALL_H_

#include <fcntl.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <optional>

#include "sandbox/paths/virtual_tree.h"

namespace cordon::sandbox {

enum class PathOperation {
  kOpen,
  kStat,
  kStatx,
  kAccess,
  kReadLink,
  kMakeDirectory,
  kMakeNode,
  kMakeSymlink,
  kRemove,
  kRename,
  kLink,
  kChangeMetadata,
  kTruncate,
  kStatFilesystem,
  kGetAttribute,
  kListAttributes,
  kChangeDirectory,
  kExecute,
  kGetWorkingDirectory,
};

// A path in the caller's memory.
struct PathArgument {
  int directory_fd = AT_FDCWD;
  uint64_t address = 0;
};

struct PathCall {
  PathOperation operation = PathOperation::kOpen;
  PathArgument path;
  // The new name, with kRename and kLink.
  PathArgument second;
  FinalLink final_link = FinalLink::kFollow;
  // Of the call itself: O_*, AT_*, RENAME_*; with kAccess the mode that is
  // asked for.
  uint64_t flags = 0;
  // mode_t of what is made; with kTruncate the length, with kStatx the mask.
  uint64_t value = 0;
  // Where the answer goes, in the caller's memory, and how much of it fits.
  // With kMakeSymlink where the link's target is.
  uint64_t buffer = 0;
  uint64_t buffer_size = 0;
};

// nullopt: it takes no path, or names its file by a descriptor alone.
std::optional<PathCall> DecodePathCall(const seccomp_data& data);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_PATHS_PATH_CALL_H_
