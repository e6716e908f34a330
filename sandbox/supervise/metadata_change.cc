// The doors are ChangeMetadata and ChangeMetadataOf.

#include "sandbox/supervise/metadata_change.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

#include <cerrno>
#include <cstdint>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/supervise/program_memory.h"
#include "sandbox/supervise/write_target.h"

// Linux 6.6; Debian 12's headers are older.
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

namespace cordon::sandbox {
namespace {

// The file that a call names.
struct Target {
  int directory_fd = AT_FDCWD;
  uint64_t path_address = 0;
  // AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH.
  int flags = 0;
};

Target TargetOf(const seccomp_data& call) {
  const auto fd = static_cast<int>(call.args[0]);
  switch (call.nr) {
    case __NR_lchown:
      return {AT_FDCWD, call.args[0], AT_SYMLINK_NOFOLLOW};
    case __NR_fchmodat:
    case __NR_futimesat:
      return {fd, call.args[1], 0};
    case __NR_fchmodat2:
    case __NR_utimensat:
      return {fd, call.args[1], static_cast<int>(call.args[3])};
    case __NR_fchownat:
      return {fd, call.args[1], static_cast<int>(call.args[4])};
    default:  // chmod, chown, utime, utimes
      return {AT_FDCWD, call.args[0], 0};
  }
}

// A handle on the target (O_PATH, open(2)), which opens and moves nothing;
// errno is set when there is none.
UniqueFd OpenTarget(pid_t tid, const Target& target, const std::string& path) {
  UniqueFd base;
  if (!absl::StartsWith(path, "/")) {
    const std::string origin =
        target.directory_fd == AT_FDCWD
            ? absl::StrCat("/proc/", tid, "/cwd")
            : absl::StrCat("/proc/", tid, "/fd/", target.directory_fd);
    base.Reset(open(origin.c_str(), O_PATH | O_CLOEXEC));
    if (!base.valid()) {
      errno = EBADF;
      return base;
    }
  }
  if (path.empty()) {
    if ((target.flags & AT_EMPTY_PATH) != 0) return base;
    errno = ENOENT;
    return UniqueFd();
  }
  const int no_follow =
      (target.flags & AT_SYMLINK_NOFOLLOW) != 0 ? O_NOFOLLOW : 0;
  return UniqueFd(
      openat(base.get(), path.c_str(), O_PATH | O_CLOEXEC | no_follow));
}

int ErrnoOf(int result) { return result == 0 ? 0 : errno; }

int ChangeMode(int fd, mode_t mode) {
  struct stat status;
  if (fstat(fd, &status) != 0) return errno;
  if (S_ISLNK(status.st_mode)) return EOPNOTSUPP;
  // fchmod(2) refuses O_PATH; procfs's link leads to exactly this object.
  return ErrnoOf(
      chmod(absl::StrCat("/proc/self/fd/", fd).c_str(), mode & 07777));
}

int ChangeOwner(int fd, uint64_t uid, uint64_t gid) {
  return ErrnoOf(fchownat(fd, "", static_cast<uid_t>(uid),
                          static_cast<gid_t>(gid), AT_EMPTY_PATH));
}

// The program's own copy is read once, and this one is used.
int ReadTimes(pid_t tid, int number, uint64_t address, timespec (&times)[2]) {
  if (number == __NR_utimensat) {
    return ReadProgramBytes(tid, address, times, sizeof(times)) ? 0 : EFAULT;
  }
  if (number == __NR_utime) {
    utimbuf seconds;
    if (!ReadProgramBytes(tid, address, &seconds, sizeof(seconds))) {
      return EFAULT;
    }
    times[0] = {seconds.actime, 0};
    times[1] = {seconds.modtime, 0};
    return 0;
  }
  timeval values[2];
  if (!ReadProgramBytes(tid, address, values, sizeof(values))) return EFAULT;
  constexpr long kMicrosecondsPerSecond = 1'000'000;
  for (int i = 0; i < 2; ++i) {
    if (values[i].tv_usec < 0 || values[i].tv_usec >= kMicrosecondsPerSecond) {
      return EINVAL;
    }
    times[i] = {values[i].tv_sec, values[i].tv_usec * 1000};
  }
  return 0;
}

int ChangeTimes(int fd, const seccomp_notif& notification) {
  const seccomp_data& call = notification.data;
  const bool has_directory =
      call.nr == __NR_utimensat || call.nr == __NR_futimesat;
  const uint64_t address = call.args[has_directory ? 2 : 1];
  timespec times[2];
  if (address != 0) {
    const int error = ReadTimes(static_cast<pid_t>(notification.pid), call.nr,
                                address, times);
    if (error != 0) return error;
  }
  return ErrnoOf(
      utimensat(fd, "", address == 0 ? nullptr : times, AT_EMPTY_PATH));
}

// The kernel would have refused a file of another user itself.
bool IsOwn(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && status.st_uid == geteuid();
}

}  // namespace

int ChangeMetadataOf(int fd, const seccomp_notif& notification) {
  const auto& args = notification.data.args;
  switch (notification.data.nr) {
    case __NR_chmod:
      return ChangeMode(fd, static_cast<mode_t>(args[1]));
    case __NR_fchmodat:
    case __NR_fchmodat2:
      return ChangeMode(fd, static_cast<mode_t>(args[2]));
    case __NR_chown:
    case __NR_lchown:
      return ChangeOwner(fd, args[1], args[2]);
    case __NR_fchownat:
      return ChangeOwner(fd, args[2], args[3]);
    default:
      return ChangeTimes(fd, notification);
  }
}

MetadataChange ChangeMetadata(const seccomp_notif& notification,
                              absl::string_view workspace) {
  const Target target = TargetOf(notification.data);
  if ((target.flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) {
    return {.error_number = EINVAL};
  }
  const auto tid = static_cast<pid_t>(notification.pid);
  const std::optional<std::string> path =
      ReadProgramString(tid, target.path_address);
  if (!path.has_value()) return {.error_number = EFAULT};
  const UniqueFd fd = OpenTarget(tid, target, *path);
  if (!fd.valid()) return {.error_number = errno};
  // What is beneath stays beneath: Landlock lets a run move files nowhere else.
  std::string where = PathOfDescriptor(fd.get());
  if (!IsBeneath(where, workspace)) {
    if (!IsOwn(fd.get())) where.clear();
    return {.error_number = EPERM, .forbidden_path = std::move(where)};
  }
  return {.error_number = ChangeMetadataOf(fd.get(), notification)};
}

}  // namespace cordon::sandbox
