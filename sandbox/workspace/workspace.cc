// Door: Workspace.

#include "sandbox/workspace/workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/workspace/beneath.h"
#include "sandbox/workspace/collect.h"
#include "sandbox/workspace/remove_tree.h"

namespace cordon::sandbox {
namespace {

// The request is at fault for these, the service for all others.
absl::Status PathError(int error_number, absl::string_view path,
                       const char* step) {
  switch (error_number) {
    case EEXIST:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EINVAL:
    case EILSEQ:
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", absl::CHexEscape(path), "\" cannot be created in the run's ",
          "directory: ", strerror(error_number)));
    default:
      return ErrnoToStatus(error_number, step);
  }
}

absl::Status WriteAll(int fd, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t written = write(fd, data.data(), data.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return ErrnoToStatus(errno, "write input file");
    }
    data.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

Workspace& Workspace::operator=(Workspace&& other) noexcept {
  if (this == &other) return *this;
  (void)Remove();
  parent_ = std::exchange(other.parent_, -1);
  fd_ = std::move(other.fd_);
  name_ = std::move(other.name_);
  path_ = std::move(other.path_);
  owner_ = other.owner_;
  parts_ = std::move(other.parts_);
  home_ = std::move(other.home_);
  return *this;
}

Workspace::~Workspace() { (void)Remove(); }

int Workspace::Chown(int fd) const {
  return owner_.has_value() ? fchown(fd, owner_->uid, owner_->gid) : 0;
}

absl::Status Workspace::Divide(const std::vector<PartName>& names) {
  std::vector<UniqueFd> parts;
  for (const PartName& part : names) {
    if (mkdirat(fd_.get(), part.name, 0700) != 0) {
      return ErrnoToStatus(errno, "mkdir in workspace");
    }
    UniqueFd fd(openat(fd_.get(), part.name,
                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return ErrnoToStatus(errno, "open in workspace");
    if (Chown(fd.get()) != 0 || fchmod(fd.get(), part.mode) != 0) {
      return ErrnoToStatus(errno, "chown in workspace");
    }
    parts.push_back(std::move(fd));
  }
  parts_ = std::move(parts);
  home_ = absl::StrCat(path_, "/", names.front().name);
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> Workspace::EnsureParents(
    const std::vector<std::string>& parts, absl::string_view path) {
  UniqueFd directory(fcntl(home_fd(), F_DUPFD_CLOEXEC, 0));
  if (!directory.valid()) return ErrnoToStatus(errno, "dup workspace");
  for (const std::string& part : parts) {
    const bool made = mkdirat(directory.get(), part.c_str(), 0755) == 0;
    if (!made && errno != EEXIST) {
      return PathError(errno, path, "mkdir in workspace");
    }
    UniqueFd next(openat(directory.get(), part.c_str(),
                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next.valid()) return PathError(errno, path, "open in workspace");
    if (made && Chown(next.get()) != 0) {
      return ErrnoToStatus(errno, "chown in workspace");
    }
    directory = std::move(next);
  }
  return directory;
}

absl::Status Workspace::WriteFile(const InputFile& file) {
  absl::StatusOr<std::vector<std::string>> parts = SplitBeneath(file.path);
  if (!parts.ok()) return parts.status();
  const std::string name = std::move(parts->back());
  parts->pop_back();

  UniqueFd directory;
  if (!parts->empty()) {
    absl::StatusOr<UniqueFd> parent = EnsureParents(*parts, file.path);
    if (!parent.ok()) return parent.status();
    directory = *std::move(parent);
  }
  const mode_t mode = file.mode == FileMode::kExecutable ? 0755 : 0644;
  const UniqueFd fd(
      openat(directory.valid() ? directory.get() : home_fd(), name.c_str(),
             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd.valid()) return PathError(errno, file.path, "create input file");
  absl::Status written = WriteAll(fd.get(), file.content);
  if (!written.ok()) return written;
  if (Chown(fd.get()) != 0) return ErrnoToStatus(errno, "chown in workspace");
  return absl::OkStatus();
}

absl::Status Workspace::Fill(const std::vector<InputFile>& files) {
  for (const InputFile& file : files) {
    absl::Status written = WriteFile(file);
    if (!written.ok()) return written;
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> Workspace::EnsureDirectory(
    absl::string_view relative) {
  std::vector<std::string> parts;
  if (!relative.empty()) {
    absl::StatusOr<std::vector<std::string>> split = SplitBeneath(relative);
    if (!split.ok()) return split.status();
    parts = *std::move(split);
  }
  return EnsureParents(parts, relative);
}

std::vector<CollectedFile> Workspace::Collect(
    const std::vector<std::string>& patterns, uint64_t max_bytes) const {
  if (!fd_.valid()) return {};
  // A program may take its own directory's permissions away.
  (void)fchmod(fd_.get(), 0700);
  if (!parts_.empty()) (void)fchmod(home_fd(), 0700);
  return CollectFiles(home_fd(), patterns, max_bytes);
}

absl::Status Workspace::Remove() {
  if (!fd_.valid()) return absl::OkStatus();
  fd_.Reset();
  parts_.clear();
  return RemoveTree(std::exchange(parent_, -1), name_.c_str());
}

}  // namespace cordon::sandbox
