// The directory that run directories are created in.
//
//   absl::StatusOr<StateDirectory> state =
//   StateDirectory::Open("/var/lib/cordon"); options.state_directory =
//   state->path();
//
// It is this process's alone: a lock (flock(2)) on the directory says so.
// Nobody else may list it, because a run's directory is found by its name only.

#ifndef CORDON_SERVER_STATE_DIRECTORY_H_
#define CORDON_SERVER_STATE_DIRECTORY_H_

#include <string>

#include "absl/status/statusor.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::server {

class StateDirectory final {
 public:
  // Creates `path` when it is missing; its parent must exist. Empty: a new
  // directory beneath $TMPDIR or /tmp, which is removed in the end. Waits a
  // little for another server that is just ending, or whose keeper is.
  // FAILED_PRECONDITION when it belongs to somebody else, is in use by another
  // server, or is out of reach of the uids that a root server gives its runs;
  // INTERNAL for any other error.
  static absl::StatusOr<StateDirectory> Open(const std::string& path);

  StateDirectory(StateDirectory&&) = default;
  StateDirectory& operator=(StateDirectory&&) = delete;
  ~StateDirectory();

  // Absolute.
  const std::string& path() const { return path_; }
  // The directory, and the lock on it: it is free again when every copy of this
  // descriptor is closed (flock(2)).
  int fd() const { return lock_.get(); }
  // The directory that this one is removed from in the end; empty when it
  // stays.
  std::string removed_from() const;

 private:
  enum class Lifetime { kKept, kTemporary };

  StateDirectory(std::string path, sandbox::UniqueFd lock, Lifetime lifetime)
      : path_(std::move(path)), lock_(std::move(lock)), lifetime_(lifetime) {}

  std::string path_;
  sandbox::UniqueFd lock_;
  Lifetime lifetime_;
};

}  // namespace cordon::server

#endif  // CORDON_SERVER_STATE_DIRECTORY_H_
