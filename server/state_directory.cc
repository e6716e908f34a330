#include "server/state_directory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "sandbox/base/errno_status.h"

namespace cordon::server {
namespace {

// A run's own uid has to pass through it; nobody has to list it.
constexpr mode_t kMode = 0711;

// More than a keeper takes to end the runs of a server that was killed
// (sandbox/keeper).
constexpr absl::Duration kLockPatience = absl::Seconds(3);
constexpr absl::Duration kLockPause = absl::Milliseconds(5);

bool Lock(int fd) {
  const absl::Time end = absl::Now() + kLockPatience;
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK || absl::Now() > end) return false;
    absl::SleepFor(kLockPause);
  }
  return true;
}

// A root server's runs have uids of their own, which have to pass through every
// directory above theirs to use an absolute name of it.
absl::Status CheckAncestors(const std::filesystem::path& path) {
  if (geteuid() != 0) return absl::OkStatus();
  for (auto parent = path.parent_path();; parent = parent.parent_path()) {
    struct stat status;
    if (stat(parent.c_str(), &status) != 0) {
      return sandbox::ErrnoToStatus(errno,
                                    absl::StrCat("stat ", parent.string()));
    }
    if ((status.st_mode & S_IXOTH) == 0) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the uids of runs cannot pass through ", parent.string(),
          ": chmod o+x it, or choose a state directory elsewhere"));
    }
    if (parent == parent.root_path()) return absl::OkStatus();
  }
}

// Beneath $TMPDIR, or beneath /tmp when that is not set or out of reach of
// runs.
absl::StatusOr<std::string> MakeTemporary() {
  const char* wanted = std::getenv("TMPDIR");
  std::string path = "/tmp/cordon-XXXXXX";
  if (wanted != nullptr && *wanted == '/') {
    const std::string beneath = absl::StrCat(wanted, "/cordon-XXXXXX");
    if (CheckAncestors(beneath).ok()) path = beneath;
  }
  if (mkdtemp(path.data()) == nullptr) {
    return sandbox::ErrnoToStatus(errno, absl::StrCat("mkdtemp ", path));
  }
  return path;
}

}  // namespace

absl::StatusOr<StateDirectory> StateDirectory::Open(const std::string& path) {
  std::string directory = path;
  if (path.empty()) {
    absl::StatusOr<std::string> made = MakeTemporary();
    if (!made.ok()) return made.status();
    directory = *std::move(made);
  } else if (mkdir(path.c_str(), kMode) != 0 && errno != EEXIST) {
    return sandbox::ErrnoToStatus(errno, absl::StrCat("mkdir ", path));
  }
  sandbox::UniqueFd fd(
      open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    return sandbox::ErrnoToStatus(errno, absl::StrCat("open ", directory));
  }
  struct stat status;
  if (fstat(fd.get(), &status) != 0) {
    return sandbox::ErrnoToStatus(errno, absl::StrCat("fstat ", directory));
  }
  if (status.st_uid != geteuid()) {
    return absl::FailedPreconditionError(absl::StrCat(
        directory, " belongs to uid ", status.st_uid, ", not to this server"));
  }
  if (!Lock(fd.get())) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, " is in use by another server"));
  }
  if (fchmod(fd.get(), kMode) != 0) {
    return sandbox::ErrnoToStatus(errno, absl::StrCat("fchmod ", directory));
  }
  std::error_code error;
  const auto absolute = std::filesystem::canonical(directory, error);
  if (error) {
    return sandbox::ErrnoToStatus(error.value(),
                                  absl::StrCat("realpath ", directory));
  }
  StateDirectory state(absolute.string(), std::move(fd),
                       path.empty() ? Lifetime::kTemporary : Lifetime::kKept);
  const absl::Status reachable = CheckAncestors(absolute);
  if (!reachable.ok()) return reachable;
  return state;
}

std::string StateDirectory::removed_from() const {
  if (lifetime_ == Lifetime::kKept) return "";
  return std::filesystem::path(path_).parent_path().string();
}

StateDirectory::~StateDirectory() {
  if (!lock_.valid() || lifetime_ == Lifetime::kKept) return;
  // The sandbox leaves empty directories. Not recursive: what a run left behind
  // is the sandbox's to remove, and anything else here is worth a look.
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    rmdir(entry.path().c_str());
  }
  rmdir(path_.c_str());
}

}  // namespace cordon::server
