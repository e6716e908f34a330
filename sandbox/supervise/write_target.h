// Where an open with write intent would lead, and whether the run may write
// there.
//
// For reports, and for ending a run when the request asks for that: Landlock is
// what keeps the file safe, so that a race here costs a report, never a file.

#ifndef CORDON_SANDBOX_SUPERVISE_WRITE_TARGET_H_
#define CORDON_SANDBOX_SUPERVISE_WRITE_TARGET_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cordon::sandbox {

// The directories and files that a run may write to: absolute, without symbolic
// links.
struct WritableView {
  std::string workspace;
  std::vector<std::string> paths;
};

// Beside those, what a run may read, and what it may read and execute. Empty in
// a run whose reads are not looked at.
struct ReadableView {
  std::vector<std::string> executable;
  std::vector<std::string> paths;
};

// The path that `path` means to thread `tid`, relative to its descriptor
// `directory_fd` or, with AT_FDCWD, to its working directory (openat(2)):
// absolute and without symbolic links as far as it exists. Empty when /proc
// does not tell.
std::string ResolveForReport(pid_t tid, int directory_fd,
                             absl::string_view path);

// The same, as the program wrote it: absolute, with whatever links it has.
std::string MakeAbsolute(pid_t tid, int directory_fd, absl::string_view path);

// As ResolveForReport, of a file that exists; else empty.
std::string ResolveExisting(pid_t tid, int directory_fd,
                            absl::string_view path);

// Where an open descriptor of this process leads; empty when /proc does not
// tell.
std::string PathOfDescriptor(int fd);

// Whether `path` is `directory` or beneath it. Both absolute.
bool IsBeneath(absl::string_view path, absl::string_view directory);

// Whether `resolved`, which exists, is beneath either view, or a place that
// ordinary programs try: the same for a program that is executed.
bool IsExpectedRead(const WritableView& writable, const ReadableView& readable,
                    absl::string_view resolved);
bool IsExpectedExecution(const WritableView& writable,
                         const ReadableView& readable,
                         absl::string_view resolved);

// Whether `resolved` is beneath the view, or a place that ordinary programs try
// without being at fault (/dev/tty, /proc/self).
bool IsExpectedWrite(const WritableView& view, absl::string_view resolved);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_WRITE_TARGET_H_
