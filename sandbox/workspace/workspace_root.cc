// Door: WorkspaceRoot.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/workspace/remove_tree.h"
#include "sandbox/workspace/unguessable_name.h"
#include "sandbox/workspace/workspace.h"

namespace cordon::sandbox {
namespace {

// Search permission alone: a run that has its own user must reach its directory
// and must not see the names of the others.
constexpr mode_t kRunsMode = 0711;

absl::StatusOr<UniqueFd> OpenRuns(const std::string& path) {
  if (mkdir(path.c_str(), kRunsMode) != 0 && errno != EEXIST) {
    return ErrnoToStatus(errno, absl::StrCat("mkdir ", path));
  }
  UniqueFd runs(
      open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!runs.valid()) return ErrnoToStatus(errno, absl::StrCat("open ", path));
  struct stat status;
  if (fstat(runs.get(), &status) != 0) return ErrnoToStatus(errno, "fstat");
  if (status.st_uid != geteuid()) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s belongs to user %d, the server is user %d: remove it or choose "
        "another state directory",
        path, status.st_uid, geteuid()));
  }
  if (fchmod(runs.get(), kRunsMode) != 0) {
    return ErrnoToStatus(errno, absl::StrCat("chmod ", path));
  }
  return runs;
}

absl::Status RemoveLeftovers(int runs) {
  const int own = openat(runs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return ErrnoToStatus(errno, "open runs directory");
  DIR* stream = fdopendir(own);
  if (stream == nullptr) {
    close(own);
    return ErrnoToStatus(ENOMEM, "fdopendir");
  }
  absl::Status status;
  while (const dirent* entry = readdir(stream)) {
    const absl::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    status = RemoveTree(runs, entry->d_name);
    if (!status.ok()) break;
  }
  closedir(stream);
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkspaceRoot>> WorkspaceRoot::Open(
    const std::string& state_directory) {
  if (!absl::StartsWith(state_directory, "/")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the state directory must be an absolute path: ", state_directory));
  }
  const std::string path = absl::StrCat(state_directory, "/runs");
  absl::StatusOr<UniqueFd> runs = OpenRuns(path);
  if (!runs.ok()) return runs.status();
  if (flock(runs->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoToStatus(errno, "flock");
    return absl::FailedPreconditionError(absl::StrCat(
        "another server uses the state directory ", state_directory));
  }
  absl::Status clean = RemoveLeftovers(runs->get());
  if (!clean.ok()) return clean;
  return std::unique_ptr<WorkspaceRoot>(
      new WorkspaceRoot(*std::move(runs), path));
}

absl::StatusOr<Workspace> WorkspaceRoot::Create(
    std::optional<Owner> owner) const {
  absl::StatusOr<std::string> name = UnguessableName();
  if (!name.ok()) return name.status();
  if (mkdirat(fd_.get(), name->c_str(), 0700) != 0) {
    return ErrnoToStatus(errno, "mkdir workspace");
  }
  UniqueFd fd(openat(fd_.get(), name->c_str(),
                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) {
    const int error = errno;
    (void)unlinkat(fd_.get(), name->c_str(), AT_REMOVEDIR);
    return ErrnoToStatus(error, "open workspace");
  }
  // From here on the object removes the directory on every way out.
  std::string path = absl::StrCat(path_, "/", *name);
  Workspace workspace(fd_.get(), std::move(fd), *std::move(name),
                      std::move(path), owner);
  if (workspace.Chown(workspace.fd()) != 0) {
    return ErrnoToStatus(errno, "chown workspace");
  }
  return workspace;
}

}  // namespace cordon::sandbox
