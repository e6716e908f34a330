// ChangeMetadata makes a change of a file's mode, owner or times for a program:
// chmod(2), chown(2), utimensat(2) and their relatives, by path.
//
// Landlock does not look at these calls. When runs share the server's uid, the
// kernel would let a run close the server's own directories, or another run's.
// The path is in memory that the program can change, so to look at it and let
// the call go on would be no check: the change is made here, on a handle.
//
// Contract: the server's rights on the file must be the program's, hence only
// for runs that share its uid.

#ifndef CORDON_SANDBOX_SUPERVISE_METADATA_CHANGE_H_
#define CORDON_SANDBOX_SUPERVISE_METADATA_CHANGE_H_

#include <linux/seccomp.h>

#include <string>

#include "absl/strings/string_view.h"

namespace cordon::sandbox {

struct MetadataChange {
  // What the program gets; 0: the change is made.
  int error_number = 0;
  // A file outside that the change would have succeeded on; empty otherwise.
  std::string forbidden_path;
};

// `workspace`: the run's directory, absolute and without symbolic links.
MetadataChange ChangeMetadata(const seccomp_notif& notification,
                              absl::string_view workspace);

// The same change of a file that was found otherwise (O_PATH, open(2)), and
// with whatever rights the thread has: what the program gets.
int ChangeMetadataOf(int fd, const seccomp_notif& notification);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_METADATA_CHANGE_H_
