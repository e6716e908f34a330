// ChangeMetadata makes a change of a file's mode, owner, times or length for a
// program: chmod(2), chown(2), utimensat(2) and their relatives, and
// truncate(2), by path or by descriptor.
//
// Landlock does not look at these calls; at truncate(2), not before ABI 3. When
// runs share the server's uid, the kernel would let a run close the server's
// own directories, or another run's. The path is in memory that the program can
// change, so to look at it and let the call go on would be no check: the change
// is made here, on a handle, with the run's rights.

#ifndef CORDON_SANDBOX_SUPERVISE_METADATA_CHANGE_H_
#define CORDON_SANDBOX_SUPERVISE_METADATA_CHANGE_H_

#include <linux/seccomp.h>

#include <cstdint>
#include <optional>
#include <string>

#include "sandbox/supervise/write_target.h"
#include "sandbox/workspace/owner.h"

namespace cordon::sandbox {

struct MetadataChange {
  // What the program gets; 0: the change is made.
  int error_number = 0;
  // A file outside that the change would have succeeded on; empty otherwise.
  std::string forbidden_path;
};

// What a run may change, and with whose rights. Borrowed.
struct ChangeGrant {
  const WritableView& writable;
  const std::optional<Owner>& owner;
  // RLIMIT_FSIZE of the run's processes, in bytes (getrlimit(2)).
  uint64_t file_bytes = 0;
  // Where the notification came from.
  int listener = -1;
};

MetadataChange ChangeMetadata(const seccomp_notif& notification,
                              const ChangeGrant& grant);

// Of a file (O_PATH, open(2)) that the run may not change.
MetadataChange RefuseChange(int fd, int number);

// The same change of a file that was found otherwise (O_PATH, open(2)), and
// with whatever rights the thread has: what the program gets.
int ChangeMetadataOf(int fd, const seccomp_notif& notification, int listener);

// The same of a change of length, no further than the caller's own limit and
// `file_bytes`: past it SIGXFSZ is sent, as the kernel does.
int ChangeLengthOf(int fd, const seccomp_notif& notification,
                   uint64_t file_bytes, int listener);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_METADATA_CHANGE_H_
