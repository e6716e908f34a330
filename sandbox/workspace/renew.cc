// Door: Workspace::Renew.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/workspace/unguessable_name.h"
#include "sandbox/workspace/workspace.h"

namespace cordon::sandbox {
namespace {

// More than a source file and a program: then a new directory is as cheap.
constexpr int kMostFiles = 16;

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

}  // namespace

absl::Status Workspace::CheckUnchanged() const {
  struct stat status;
  if (fstat(fd_.get(), &status) != 0) return ErrnoToStatus(errno, "fstat");
  const uid_t uid = owner_.has_value() ? owner_->uid : geteuid();
  if ((status.st_mode & 07777) != 0700 || status.st_uid != uid) {
    return absl::FailedPreconditionError("its mode or owner was changed");
  }
  // An access control list is an attribute too (acl(5)). Not every filesystem
  // has attributes.
  const ssize_t attributes = flistxattr(fd_.get(), nullptr, 0);
  if (attributes > 0 || (attributes < 0 && errno != ENOTSUP)) {
    return absl::FailedPreconditionError("it has attributes");
  }
  return absl::OkStatus();
}

// Unlinking removes a name and follows nothing, whatever the name stands for.
absl::Status Workspace::UnlinkFiles() const {
  const int own = openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return ErrnoToStatus(errno, "open workspace");
  const std::unique_ptr<DIR, CloseDirectory> stream(fdopendir(own));
  if (stream == nullptr) {
    close(own);
    return ErrnoToStatus(ENOMEM, "fdopendir");
  }
  int files = 0;
  errno = 0;
  while (const dirent* entry = readdir(stream.get())) {
    const absl::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (++files > kMostFiles || unlinkat(fd_.get(), entry->d_name, 0) != 0) {
      return absl::FailedPreconditionError("there is much in it");
    }
  }
  return errno == 0 ? absl::OkStatus() : ErrnoToStatus(errno, "readdir");
}

absl::Status Workspace::Renew() {
  if (absl::Status status = CheckUnchanged(); !status.ok()) return status;
  if (absl::Status status = UnlinkFiles(); !status.ok()) return status;
  absl::StatusOr<std::string> name = UnguessableName();
  if (!name.ok()) return name.status();
  if (renameat(parent_, name_.c_str(), parent_, name->c_str()) != 0) {
    return ErrnoToStatus(errno, "rename workspace");
  }
  path_.replace(path_.size() - name_.size(), name_.size(), *name);
  name_ = *std::move(name);
  return absl::OkStatus();
}

}  // namespace cordon::sandbox
