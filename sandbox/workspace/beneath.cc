// Door: SplitBeneath, OpenDirectoryBeneath, OpenFileBeneath.

#include "sandbox/workspace/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cordon::sandbox {

absl::StatusOr<std::vector<std::string>> SplitBeneath(absl::string_view path) {
  std::vector<std::string> parts = absl::StrSplit(path, '/');
  for (const std::string& part : parts) {
    if (part.empty() || part == "." || part == ".." ||
        part.find('\0') != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", absl::CHexEscape(path),
          "\" is not a path inside the run's directory: it must be relative, "
          "without empty, \".\" or \"..\" components"));
    }
  }
  return parts;
}

int ChangeModeBeneath(int parent, const char* name, mode_t mode) {
  // fchmodat(2) follows links and fchmod(2) refuses O_PATH, but the link that
  // procfs makes of a descriptor leads to exactly that object.
  const UniqueFd object(openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!object.valid()) return -1;
  struct stat status;
  if (fstat(object.get(), &status) != 0) return -1;
  if (S_ISLNK(status.st_mode)) {
    errno = ELOOP;
    return -1;
  }
  return chmod(absl::StrCat("/proc/self/fd/", object.get()).c_str(), mode);
}

UniqueFd OpenDirectoryBeneath(int parent, const char* name) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd directory(openat(parent, name, kFlags));
  if (!directory.valid() && errno == EACCES) {
    (void)ChangeModeBeneath(parent, name, 0700);
    directory.Reset(openat(parent, name, kFlags));
  }
  if (!directory.valid()) return directory;
  struct stat status;
  // Readable is not enough: to look up or to remove an entry takes x and w.
  if (fstat(directory.get(), &status) == 0 && (status.st_mode & 0700) != 0700) {
    (void)fchmod(directory.get(), 0700);
  }
  return directory;
}

UniqueFd OpenFileBeneath(int parent, const char* name) {
  struct stat status;
  if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
    return UniqueFd();
  // Opening a FIFO or a device may act on it, so look first; the look after the
  // open is the one that counts.
  if (!S_ISREG(status.st_mode)) {
    errno = EINVAL;
    return UniqueFd();
  }
  constexpr int kFlags =
      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  UniqueFd file(openat(parent, name, kFlags));
  if (!file.valid() && errno == EACCES) {
    // Not ours to change: the answer stays EACCES.
    (void)ChangeModeBeneath(parent, name, 0600);
    file.Reset(openat(parent, name, kFlags));
  }
  if (!file.valid()) return file;
  if (fstat(file.get(), &status) != 0) return UniqueFd();
  if (!S_ISREG(status.st_mode)) {
    file.Reset();
    errno = EINVAL;
  }
  return file;
}

}  // namespace cordon::sandbox
