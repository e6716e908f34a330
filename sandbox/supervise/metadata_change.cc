// The doors are ChangeMetadata, ChangeMetadataOf and ChangeLengthOf.

#include "sandbox/supervise/metadata_change.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "sandbox/base/notification_buffer.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/paths/run_rights.h"
#include "sandbox/supervise/process_memory.h"
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
  // It is what `directory_fd` is open to.
  bool is_descriptor = false;
};

// futimens(3)
bool HasNoPath(const seccomp_data& call) {
  return call.args[1] == 0 && static_cast<int>(call.args[0]) != AT_FDCWD;
}

Target TargetOf(const seccomp_data& call) {
  const auto fd = static_cast<int>(call.args[0]);
  switch (call.nr) {
    case __NR_fchmod:
    case __NR_fchown:
      return {.directory_fd = fd, .is_descriptor = true};
    case __NR_lchown:
      return {AT_FDCWD, call.args[0], AT_SYMLINK_NOFOLLOW};
    case __NR_fchmodat:
      return {fd, call.args[1], 0};
    case __NR_futimesat:
      return {fd, call.args[1], 0, HasNoPath(call)};
    case __NR_utimensat:
      return {fd, call.args[1], static_cast<int>(call.args[3]),
              HasNoPath(call)};
    case __NR_fchmodat2:
      return {fd, call.args[1], static_cast<int>(call.args[3])};
    case __NR_fchownat:
      return {fd, call.args[1], static_cast<int>(call.args[4])};
    default:  // chmod, chown, utime, utimes, truncate
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
  open_how how = {};
  how.flags = static_cast<uint64_t>(O_PATH | O_CLOEXEC | no_follow);
  // In /proc those of this process would be found, and others' (openat2(2)).
  how.resolve = RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(
      syscall(SYS_openat2, base.get(), path.c_str(), &how, sizeof(how))));
}

// The program's descriptor of which `path` is the name: fchmodat(3) itself says
// it so.
std::optional<int> DescriptorNamed(absl::string_view path) {
  int fd;
  for (const absl::string_view directory :
       {"/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/"}) {
    absl::string_view number = path;
    if (absl::ConsumePrefix(&number, directory) &&
        absl::SimpleAtoi(number, &fd) && fd >= 0) {
      return fd;
    }
  }
  if (path == "/dev/stdin") return 0;
  if (path == "/dev/stdout") return 1;
  if (path == "/dev/stderr") return 2;
  return std::nullopt;
}

std::string LinkTo(pid_t tid, int fd) {
  return absl::StrCat("/proc/", tid, "/fd/", fd);
}

// A handle on what a descriptor of the program is open to. EBADF: nothing, or
// no more than a handle itself, with which nothing is changed.
UniqueFd OpenDescriptor(pid_t tid, int fd) {
  const std::string link = LinkTo(tid, fd);
  struct stat status;
  UniqueFd handle;
  // The link's own mode says what it is open for (proc_pid_fd(5)).
  if (lstat(link.c_str(), &status) == 0 &&
      (status.st_mode & (S_IRUSR | S_IWUSR)) != 0) {
    handle.Reset(open(link.c_str(), O_PATH | O_CLOEXEC));
  }
  if (!handle.valid()) errno = EBADF;
  return handle;
}

// Pipes and sockets: a run has its own and no other's (proc_pid_fd(5)).
bool IsNowhere(int fd) {
  const std::string path = PathOfDescriptor(fd);
  return absl::StartsWith(path, "pipe:[") || absl::StartsWith(path, "socket:[");
}

std::string LinkTo(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

int ErrnoOf(int result) { return result == 0 ? 0 : errno; }

int ChangeMode(int fd, mode_t mode) {
  struct stat status;
  if (fstat(fd, &status) != 0) return errno;
  if (S_ISLNK(status.st_mode)) return EOPNOTSUPP;
  // fchmod(2) refuses O_PATH; procfs's link leads to exactly this object.
  return ErrnoOf(chmod(LinkTo(fd).c_str(), mode & 07777));
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

int ChangeTimes(int fd, const seccomp_notif& notification, int listener) {
  const seccomp_data& call = notification.data;
  const bool has_directory =
      call.nr == __NR_utimensat || call.nr == __NR_futimesat;
  const uint64_t address = call.args[has_directory ? 2 : 1];
  timespec times[2];
  if (address != 0) {
    const int error = ReadTimes(static_cast<pid_t>(notification.pid), call.nr,
                                address, times);
    if (error != 0) return error;
    // They may have been another process's if the caller died.
    if (listener >= 0 && !IsAwaited(listener, notification.id)) return ESRCH;
  }
  return ErrnoOf(
      utimensat(fd, "", address == 0 ? nullptr : times, AT_EMPTY_PATH));
}

// Whether the kernel would have let the call change it.
bool WouldHaveBeenChanged(int fd, int number) {
  struct stat status;
  if (fstat(fd, &status) != 0) return false;
  // Of a thread that has the run's rights (run_rights.h).
  const auto uid = static_cast<uid_t>(setfsuid(static_cast<uid_t>(-1)));
  if (number != __NR_truncate) return status.st_uid == uid;
  return S_ISREG(status.st_mode) &&
         faccessat(AT_FDCWD, LinkTo(fd).c_str(), W_OK, AT_EACCESS) == 0;
}

// What is beneath stays beneath: Landlock lets a run move files nowhere else.
bool MayChange(const WritableView& writable, absl::string_view path,
               int number) {
  if (IsBeneath(path, writable.workspace)) return true;
  return number == __NR_truncate &&
         std::any_of(writable.paths.begin(), writable.paths.end(),
                     [path](const std::string& directory) {
                       return IsBeneath(path, directory);
                     });
}

}  // namespace

MetadataChange RefuseChange(int fd, int number) {
  return {.error_number = number == __NR_truncate ? EACCES : EPERM,
          .forbidden_path = WouldHaveBeenChanged(fd, number)
                                ? PathOfDescriptor(fd)
                                : std::string()};
}

int ChangeMetadataOf(int fd, const seccomp_notif& notification, int listener) {
  const auto& args = notification.data.args;
  switch (notification.data.nr) {
    case __NR_chmod:
    case __NR_fchmod:
      return ChangeMode(fd, static_cast<mode_t>(args[1]));
    case __NR_fchmodat:
    case __NR_fchmodat2:
      return ChangeMode(fd, static_cast<mode_t>(args[2]));
    case __NR_chown:
    case __NR_fchown:
    case __NR_lchown:
      return ChangeOwner(fd, args[1], args[2]);
    case __NR_fchownat:
      return ChangeOwner(fd, args[2], args[3]);
    default:
      return ChangeTimes(fd, notification, listener);
  }
}

int ChangeLengthOf(int fd, const seccomp_notif& notification,
                   uint64_t file_bytes, int listener) {
  struct stat status;
  if (fstat(fd, &status) != 0) return errno;
  if (S_ISDIR(status.st_mode)) return EISDIR;
  if (!S_ISREG(status.st_mode)) return EINVAL;
  const auto tid = static_cast<pid_t>(notification.pid);
  const auto length = static_cast<off_t>(notification.data.args[1]);
  const uint64_t limit =
      std::min(file_bytes, ReadFileSizeLimit(tid).value_or(file_bytes));
  if (length > status.st_size && static_cast<uint64_t>(length) > limit) {
    // setrlimit(2), RLIMIT_FSIZE
    if (IsAwaited(listener, notification.id)) {
      syscall(__NR_tkill, tid, SIGXFSZ);
    }
    return EFBIG;
  }
  const UniqueFd file(open(LinkTo(fd).c_str(), O_WRONLY | O_CLOEXEC));
  return file.valid() ? ErrnoOf(ftruncate(file.get(), length)) : errno;
}

MetadataChange ChangeMetadata(const seccomp_notif& notification,
                              const ChangeGrant& grant) {
  const RunRights rights(grant.owner);
  if (!rights.valid()) return {.error_number = EACCES};
  const int number = notification.data.nr;
  Target target = TargetOf(notification.data);
  if ((target.flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) {
    return {.error_number = EINVAL};
  }
  const auto tid = static_cast<pid_t>(notification.pid);
  UniqueFd fd;
  if (target.is_descriptor) {
    fd = OpenDescriptor(tid, target.directory_fd);
  } else {
    const std::optional<std::string> path =
        ReadProgramString(tid, target.path_address);
    if (!path.has_value()) return {.error_number = EFAULT};
    const std::optional<int> named = DescriptorNamed(*path);
    target.is_descriptor =
        named.has_value() && (target.flags & AT_SYMLINK_NOFOLLOW) == 0;
    fd = target.is_descriptor
             ? UniqueFd(open(LinkTo(tid, *named).c_str(), O_PATH | O_CLOEXEC))
             : OpenTarget(tid, target, *path);
  }
  if (!fd.valid()) return {.error_number = errno};
  if (!MayChange(grant.writable, PathOfDescriptor(fd.get()), number) &&
      !(target.is_descriptor && IsNowhere(fd.get()))) {
    return RefuseChange(fd.get(), number);
  }
  if (number == __NR_truncate) {
    return {.error_number = ChangeLengthOf(fd.get(), notification,
                                           grant.file_bytes, grant.listener)};
  }
  return {.error_number =
              ChangeMetadataOf(fd.get(), notification, grant.listener)};
}

}  // namespace cordon::sandbox
