// What the parts of PathBroker share: path_opening.cc, path_changing.cc and
// path_redirecting.cc.

#ifndef CORDON_SANDBOX_PATHS_PATH_REQUEST_H_
#define CORDON_SANDBOX_PATHS_PATH_REQUEST_H_

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "sandbox/base/notification_buffer.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/paths/path_broker.h"
#include "sandbox/paths/path_call.h"
#include "sandbox/paths/run_rights.h"
#include "sandbox/paths/virtual_tree.h"
#include "sandbox/supervise/program_memory.h"

namespace cordon::sandbox {

inline BrokeredPath Answered(int error_number, int64_t value = 0) {
  return {.kind = BrokeredPath::Kind::kAnswered,
          .error_number = error_number,
          .value = error_number == 0 ? value : 0};
}

// procfs's link leads to exactly the object that the descriptor holds.
inline std::string LinkTo(const UniqueFd& fd) {
  return absl::StrCat("/proc/self/fd/", fd.get());
}

// The permission bits of what `tid` makes (umask(2)).
mode_t WithoutUmask(pid_t tid, uint64_t mode);

// access(2) of the object, with the rights in force.
int CheckAccess(const UniqueFd& object, uint64_t mode);

// errno(3) of a path that is not one, or too long.
int ErrorOfReading(pid_t tid, uint64_t address);

struct PathBroker::Request {
  const seccomp_notif& notification;
  const PathCall call;
  const std::string path;
  const int listener;
  RunRights& rights;

  pid_t tid() const { return static_cast<pid_t>(notification.pid); }
  // Whether what was read before was the caller's: an id is used again when its
  // thread is gone. (-1: nobody is, nor gives answers.)
  bool IsStillThere() const {
    return listener < 0 || IsAwaited(listener, notification.id);
  }
  // Writes to the caller's memory, if it is still the caller's.
  BrokeredPath Give(const void* data, size_t size, int64_t value) const {
    const auto still_there = [this] { return IsStillThere(); };
    const bool given = size == 0 || WriteProgramBytes(tid(), call.buffer, data,
                                                      size, still_there);
    return Answered(given ? 0 : EFAULT, value);
  }
};

// What a call is about, with what is to be known of it.
struct PathBroker::Found {
  Place place;
  UniqueFd object;
  struct stat status = {};
  // There is no such object, or it is left to the kernel.
  std::optional<BrokeredPath> answer;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_PATHS_PATH_REQUEST_H_
