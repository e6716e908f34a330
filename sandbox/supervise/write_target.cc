#include "sandbox/supervise/write_target.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::sandbox {
namespace {

std::string ReadLink(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t size = readlink(path.c_str(), target, sizeof(target));
  return size > 0 ? std::string(target, static_cast<size_t>(size)) : "";
}

// The path of what `path` leads to; empty when it does not exist. O_PATH opens
// nothing: a FIFO or a device does not block or act.
std::string Canonical(const std::string& path) {
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  // What /proc/PID/cwd and its like lead to is told with the server's rights,
  // not the program's (openat2(2)).
  how.resolve = RESOLVE_NO_MAGICLINKS;
  const UniqueFd fd(static_cast<int>(
      syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof(how))));
  if (!fd.valid()) return "";
  return PathOfDescriptor(fd.get());
}

// What ordinary programs look at, and do without.
constexpr absl::string_view kProbed[] = {
    "/dev/tty",                      // bash, getpass
    "/etc/gitconfig",                // git
    "/proc/cgroups",                 // JVM
    "/proc/sys/kernel/ngroups_max",  // id(1)
    "/sys/devices/system/node",      // OpenBLAS
    "/sys/kernel/mm/hugepages",      // JVM
};

// Where a path beneath a run's own /proc/PID leads to, of which its files are
// its own affair (empty), but not what its links lead to. Other paths lead to
// where they do. A process of the run is as good as "self".
std::string LeaveOwnProcess(std::string path, pid_t tid) {
  constexpr int kMostLinks = 8;
  for (int i = 0; i < kMostLinks; ++i) {
    path = std::filesystem::path(path).lexically_normal();
    absl::string_view rest = path;
    if (!absl::ConsumePrefix(&rest, "/proc/")) return path;
    const absl::string_view process = rest.substr(0, rest.find('/'));
    rest.remove_prefix(process.size());
    pid_t pid = 0;
    if (process == "self" || process == "thread-self") {
      pid = tid;
    } else if (!absl::SimpleAtoi(process, &pid) ||
               getpgid(pid) != getpgid(tid)) {
      return path;
    }
    std::vector<absl::string_view> parts =
        absl::StrSplit(rest, '/', absl::SkipEmpty());
    if (parts.size() > 2 && parts[0] == "task") {
      parts.erase(parts.begin(), parts.begin() + 2);
    }
    size_t links = 0;
    if (!parts.empty() &&
        (parts[0] == "root" || parts[0] == "cwd" || parts[0] == "exe")) {
      links = 1;
    } else if (parts.size() > 1 &&
               (parts[0] == "fd" || parts[0] == "map_files")) {
      links = 2;
    }
    if (links == 0) return "";
    const auto behind = parts.begin() + static_cast<ptrdiff_t>(links);
    // The parts are of `path` still.
    std::string target = ReadLink(absl::StrCat(
        "/proc/", pid, "/", absl::StrJoin(parts.begin(), behind, "/")));
    for (auto part = behind; part != parts.end(); ++part) {
      absl::StrAppend(&target, "/", *part);
    }
    path = std::move(target);
  }
  return path;
}

bool IsBeneathAny(absl::string_view path,
                  const std::vector<std::string>& directories) {
  return std::any_of(directories.begin(), directories.end(),
                     [path](const std::string& directory) {
                       return IsBeneath(path, directory);
                     });
}

}  // namespace

std::string PathOfDescriptor(int fd) {
  return ReadLink(absl::StrCat("/proc/self/fd/", fd));
}

bool IsBeneath(absl::string_view path, absl::string_view directory) {
  return path == directory || (absl::StartsWith(path, directory) &&
                               path.substr(directory.size()).front() == '/');
}

std::string MakeAbsolute(pid_t tid, int directory_fd, absl::string_view path) {
  if (absl::StartsWith(path, "/")) return std::string(path);
  const std::string base =
      ReadLink(directory_fd == AT_FDCWD
                   ? absl::StrCat("/proc/", tid, "/cwd")
                   : absl::StrCat("/proc/", tid, "/fd/", directory_fd));
  return base.empty() ? "" : absl::StrCat(base, "/", path);
}

std::string ResolveForReport(pid_t tid, int directory_fd,
                             absl::string_view path) {
  std::string absolute = MakeAbsolute(tid, directory_fd, path);
  if (absolute.empty()) return "";
  // /proc/self would be the server's.
  if (absl::StartsWith(absolute, "/proc/")) return absolute;
  if (std::string canonical = Canonical(absolute); !canonical.empty()) {
    return absl::StartsWith(canonical, "/proc/") ? absolute : canonical;
  }
  const size_t slash = absolute.find_last_of('/');
  const std::string parent = Canonical(absolute.substr(0, slash + 1));
  if (parent.empty()) return absolute;
  return absl::StrCat(parent == "/" ? "" : parent, absolute.substr(slash));
}

std::string ResolveExisting(pid_t tid, int directory_fd,
                            absl::string_view path) {
  const std::string absolute =
      LeaveOwnProcess(MakeAbsolute(tid, directory_fd, path), tid);
  if (absolute.empty()) return "";
  // "self" on the way (/proc/mounts) is this process here.
  std::string canonical = Canonical(absolute);
  const std::string own = absl::StrCat("/proc/", getpid());
  return IsBeneath(canonical, own) ? "" : canonical;
}

bool IsExpectedRead(const WritableView& writable, const ReadableView& readable,
                    absl::string_view resolved) {
  return IsBeneath(resolved, writable.workspace) ||
         IsBeneathAny(resolved, writable.paths) ||
         IsBeneathAny(resolved, readable.executable) ||
         IsBeneathAny(resolved, readable.paths) ||
         std::find(std::begin(kProbed), std::end(kProbed), resolved) !=
             std::end(kProbed);
}

bool IsExpectedExecution(const WritableView& writable,
                         const ReadableView& readable,
                         absl::string_view resolved) {
  return IsBeneath(resolved, writable.workspace) ||
         IsBeneathAny(resolved, readable.executable);
}

bool IsExpectedWrite(const WritableView& view, absl::string_view resolved) {
  if (IsBeneath(resolved, view.workspace) ||
      IsBeneathAny(resolved, view.paths)) {
    return true;
  }
  // bash and getpass try the terminal; the JVM tunes itself through /proc/self.
  return resolved == "/dev/tty" || absl::StartsWith(resolved, "/proc/self/") ||
         absl::StartsWith(resolved, "/proc/thread-self/");
}

}  // namespace cordon::sandbox
