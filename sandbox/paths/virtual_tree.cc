// The doors are VirtualTree::Open and Find; the walk is in path_walk.cc.

#include "sandbox/paths/virtual_tree.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/paths/path_walk.h"
#include "sandbox/supervise/write_target.h"

namespace cordon::sandbox {

absl::StatusOr<VirtualTree> VirtualTree::Open(
    const std::vector<UniqueFd>& parts, const std::string& run_path) {
  if (parts.size() != kParts) {
    return absl::InternalError("a run's directories are missing");
  }
  VirtualTree tree;
  for (size_t i = 0; i < kParts; ++i) {
    Mount& mount = tree.mounts_[i];
    struct stat status;
    mount.directory.Reset(fcntl(parts[i].get(), F_DUPFD_CLOEXEC, 0));
    if (!mount.directory.valid() ||
        fstat(mount.directory.get(), &status) != 0) {
      return ErrnoToStatus(errno, "dup a run's directory");
    }
    mount.real = absl::StrCat(run_path, "/", kAll[i].name);
    mount.shown = kAll[i].shown;
    mount.device = status.st_dev;
    mount.inode = status.st_ino;
  }
  return tree;
}

std::string VirtualTree::Shown(absl::string_view real) const {
  for (const Mount& mount : mounts_) {
    if (IsBeneath(real, mount.real)) {
      return absl::StrCat(mount.shown, real.substr(mount.real.size()));
    }
  }
  return std::string(real);
}

std::string VirtualTree::Real(absl::string_view shown) const {
  for (const Mount& mount : mounts_) {
    if (IsBeneath(shown, mount.shown)) {
      return absl::StrCat(mount.real, shown.substr(mount.shown.size()));
    }
  }
  return std::string(shown);
}

Region VirtualTree::RegionOf(absl::string_view real) const {
  const bool own = std::any_of(
      mounts_.begin(), mounts_.end(),
      [real](const Mount& mount) { return IsBeneath(real, mount.real); });
  if (own) return Region::kOwn;
  constexpr absl::string_view kProc = "/proc/";
  return real.substr(0, kProc.size()) == kProc && real.size() > kProc.size() &&
                 real[kProc.size()] >= '0' && real[kProc.size()] <= '9'
             ? Region::kProcess
             : Region::kHost;
}

Place VirtualTree::Find(const PathCaller& caller, int directory_fd,
                        absl::string_view path, FinalLink final_link) const {
  return PathWalk(*this, caller, final_link).Run(directory_fd, path);
}

UniqueFd OpenPlace(const Place& place) {
  if (place.name.empty()) {
    UniqueFd same(fcntl(place.directory.get(), F_DUPFD_CLOEXEC, 0));
    struct stat status;
    if (same.valid() && place.must_be_directory &&
        (fstat(same.get(), &status) != 0 || !S_ISDIR(status.st_mode))) {
      same.Reset();
      errno = ENOTDIR;
    }
    return same;
  }
  const int directory = place.must_be_directory ? O_DIRECTORY : 0;
  return UniqueFd(openat(place.directory.get(), place.name.c_str(),
                         O_PATH | O_NOFOLLOW | O_CLOEXEC | directory));
}

}  // namespace cordon::sandbox
