// The doors are Perform and FindSocket; here are the calls that look.

#include "sandbox/paths/path_broker.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "sandbox/paths/path_request.h"
#include "sandbox/paths/path_walk.h"
#include "sandbox/supervise/metadata_change.h"
#include "sandbox/supervise/process_memory.h"
#include "sandbox/supervise/program_memory.h"

namespace cordon::sandbox {
namespace {

// Of calls that look at an object.
constexpr uint64_t kKnownObjectFlags =
    AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE;

// What is read of a link on procfs that names the reader; empty: it is none.
std::string OwnLinkOf(const Place& place, pid_t tid) {
  if (place.region != Region::kHost ||
      PathOfDescriptor(place.directory.get()) != "/proc") {
    return "";
  }
  const std::string pid = absl::StrCat(ProcessOf(tid));
  if (place.name == "self") return pid;
  return place.name == "thread-self" ? absl::StrCat(pid, "/task/", tid) : "";
}

// Whether the call is about what a descriptor is open on (stat(2),
// AT_EMPTY_PATH).
bool NamesDescriptor(const PathCall& call, absl::string_view path) {
  const bool takes_one = call.operation == PathOperation::kStat ||
                         call.operation == PathOperation::kStatx ||
                         call.operation == PathOperation::kChangeMetadata;
  return takes_one && path.empty() && (call.flags & AT_EMPTY_PATH) != 0 &&
         call.path.directory_fd != AT_FDCWD;
}

}  // namespace

mode_t WithoutUmask(pid_t tid, uint64_t mode) {
  const std::string status = ReadProcFile(tid, "status");
  constexpr absl::string_view kKey = "\nUmask:\t";
  const size_t at = status.find(kKey.data());
  mode_t mask = 022;
  if (at != std::string::npos) {
    mask = 0;
    for (const char digit : status.substr(at + kKey.size(), 4)) {
      mask = mask * 8 + static_cast<mode_t>(digit - '0');
    }
  }
  return static_cast<mode_t>(mode) & 07777 & ~mask;
}

int CheckAccess(const UniqueFd& object, uint64_t mode) {
#ifndef __NR_faccessat2
#define __NR_faccessat2 439
#endif
  constexpr int kByEffectiveIds = AT_EACCESS | AT_EMPTY_PATH;
  if (syscall(__NR_faccessat2, object.get(), "", static_cast<int>(mode),
              kByEffectiveIds) == 0) {
    return 0;
  }
  if (errno != ENOSYS && errno != EPERM) return errno;
  // Linux before 5.8, or an outer filter older than that.
  return faccessat(AT_FDCWD, LinkTo(object).c_str(), static_cast<int>(mode),
                   AT_EACCESS) == 0
             ? 0
             : errno;
}

int ErrorOfReading(pid_t tid, uint64_t address) {
  char longest[PATH_MAX];
  return ReadProgramBytes(tid, address, longest, sizeof(longest)) ? ENAMETOOLONG
                                                                  : EFAULT;
}

Place PathBroker::Find(const Request& request, const PathArgument& argument,
                       FinalLink final_link) const {
  return tree_.Find({request.tid(), grant_.pgid}, argument.directory_fd,
                    request.path, final_link);
}

PathBroker::Found PathBroker::FindObject(const Request& request) const {
  Found found;
  found.place = Find(request, request.call.path, request.call.final_link);
  if (found.place.error_number != 0) {
    found.answer = Answered(found.place.error_number);
  } else {
    found.object = OpenPlace(found.place);
    if (!found.object.valid() ||
        fstat(found.object.get(), &found.status) != 0) {
      found.answer = Answered(errno);
    }
  }
  return found;
}

BrokeredPath PathBroker::Perform(const seccomp_notif& notification,
                                 int listener, RunRights& rights) const {
  const std::optional<PathCall> call = DecodePathCall(notification.data);
  if (!call.has_value()) return {};
  const auto tid = static_cast<pid_t>(notification.pid);
  std::string path;
  if (call->operation != PathOperation::kGetWorkingDirectory) {
    std::optional<std::string> read =
        ReadProgramString(tid, call->path.address);
    if (!read.has_value() && !NamesDescriptor(*call, "")) {
      return Answered(ErrorOfReading(tid, call->path.address));
    }
    path = std::move(read).value_or("");
    const bool is_here = path.empty() && (call->flags & AT_EMPTY_PATH) != 0 &&
                         call->operation != PathOperation::kAccess &&
                         call->operation != PathOperation::kOpen &&
                         call->path.directory_fd == AT_FDCWD;
    if (is_here) path = ".";
  }
  const Request request = {notification, *call, std::move(path), listener,
                           rights};
  if (!request.IsStillThere()) return Answered(ESRCH);
  if (!rights.valid()) return Answered(EACCES);
  if (NamesDescriptor(*call, request.path)) return OnDescriptor(request);
  if (request.path.empty() &&
      call->operation != PathOperation::kGetWorkingDirectory) {
    return Answered(ENOENT);
  }
  switch (call->operation) {
    case PathOperation::kOpen:
      return Open(request);
    case PathOperation::kReadLink:
      return ReadLink(request);
    case PathOperation::kMakeDirectory:
    case PathOperation::kMakeNode:
    case PathOperation::kMakeSymlink:
    case PathOperation::kRemove:
      return Make(request);
    case PathOperation::kRename:
    case PathOperation::kLink:
      return MoveOrLink(request);
    case PathOperation::kTruncate:
      return Truncate(request);
    case PathOperation::kChangeDirectory:
      return ChangeDirectory(request);
    case PathOperation::kExecute:
      return Execute(request);
    case PathOperation::kGetWorkingDirectory:
      return GetWorkingDirectory(request);
    case PathOperation::kStat:
    case PathOperation::kStatx:
    case PathOperation::kAccess:
    case PathOperation::kChangeMetadata:
    case PathOperation::kStatFilesystem:
    case PathOperation::kGetAttribute:
    case PathOperation::kListAttributes:
      return OnObject(request);
  }
  return {};
}

BrokeredPath PathBroker::OnObject(const Request& request) const {
  const PathCall& call = request.call;
  Found found = FindObject(request);
  if (found.answer.has_value()) return *std::move(found.answer);
  if (call.operation != PathOperation::kAccess &&
      (call.flags & ~kKnownObjectFlags) != 0) {
    return Answered(EINVAL);
  }
  const UniqueFd& object = found.object;
  switch (call.operation) {
    case PathOperation::kStat:
      return request.Give(&found.status, sizeof(found.status), 0);
    case PathOperation::kStatx: {
      struct statx status = {};
      if (statx(
              object.get(), "",
              AT_EMPTY_PATH | static_cast<int>(call.flags & AT_STATX_SYNC_TYPE),
              static_cast<unsigned>(call.value), &status) != 0) {
        return Answered(errno);
      }
      return request.Give(&status, sizeof(status), 0);
    }
    case PathOperation::kStatFilesystem: {
      struct statfs status = {};
      if (fstatfs(object.get(), &status) != 0) return Answered(errno);
      return request.Give(&status, sizeof(status), 0);
    }
    case PathOperation::kAccess:
      return Answered(CheckAccess(object, call.flags));
    // A run's files have none (setxattr(2) is refused).
    case PathOperation::kGetAttribute:
      return Answered(EOPNOTSUPP);
    case PathOperation::kListAttributes:
      return Answered(0);
    case PathOperation::kChangeMetadata:
      return Change(request, object, found.place.region);
    default:
      return {};
  }
}

BrokeredPath PathBroker::Change(const Request& request, const UniqueFd& object,
                                Region region) const {
  if (region == Region::kOwn) {
    return Answered(
        ChangeMetadataOf(object.get(), request.notification, request.listener));
  }
  MetadataChange refused =
      RefuseChange(object.get(), request.notification.data.nr);
  BrokeredPath answer = Answered(refused.error_number);
  // Not a pipe, and not an entry of the run's own processes.
  if (region == Region::kHost &&
      absl::StartsWith(refused.forbidden_path, "/")) {
    answer.path = std::move(refused.forbidden_path);
  }
  return answer;
}

// fstat(3) and its like: what a descriptor is open on, the program may look at.
BrokeredPath PathBroker::OnDescriptor(const Request& request) const {
  const PathCall& call = request.call;
  if ((call.flags & ~kKnownObjectFlags) != 0) return Answered(EINVAL);
  const std::string link =
      absl::StrCat("/proc/", request.tid(), "/fd/", call.path.directory_fd);
  if (call.operation == PathOperation::kChangeMetadata) {
    const UniqueFd object(open(link.c_str(), O_PATH | O_CLOEXEC));
    if (!object.valid()) return Answered(EBADF);
    return Change(request, object,
                  tree_.RegionOf(PathOfDescriptor(object.get())));
  }
  // The links of a program that its own user may not read are root's
  // (proc_pid_fd(5)).
  const auto look = [&request](absl::FunctionRef<int()> at) {
    int result = at();
    if (result != 0 && errno == EACCES) {
      request.rights.GiveBack();
      result = at();
      request.rights.Take();
    }
    return result == 0;
  };
  if (call.operation == PathOperation::kStat) {
    struct stat status;
    if (!look([&] { return stat(link.c_str(), &status); })) {
      return Answered(EBADF);
    }
    return request.Give(&status, sizeof(status), 0);
  }
  struct statx status = {};
  if (!look([&] {
        return statx(AT_FDCWD, link.c_str(),
                     static_cast<int>(call.flags & AT_STATX_SYNC_TYPE),
                     static_cast<unsigned>(call.value), &status);
      })) {
    return Answered(errno == EINVAL ? EINVAL : EBADF);
  }
  return request.Give(&status, sizeof(status), 0);
}

BrokeredPath PathBroker::ReadLink(const Request& request) const {
  const Place place = Find(request, request.call.path, FinalLink::kKeep);
  if (place.error_number != 0) return Answered(place.error_number);
  if (place.name.empty() || place.must_be_directory) {
    return Answered(OpenPlace(place).valid() ? EINVAL : errno);
  }
  char target[PATH_MAX];
  const ssize_t size = readlinkat(place.directory.get(), place.name.c_str(),
                                  target, sizeof(target));
  if (size < 0) return Answered(errno);
  std::string text = OwnLinkOf(place, request.tid());
  if (text.empty()) text.assign(target, static_cast<size_t>(size));
  if (place.region == Region::kProcess) text = tree_.Shown(text);
  const auto room = static_cast<int>(request.call.buffer_size);
  if (room <= 0) return Answered(EINVAL);
  text.resize(std::min(text.size(), static_cast<size_t>(room)));
  return request.Give(text.data(), text.size(),
                      static_cast<int64_t>(text.size()));
}

// As getcwd(2) of the system: the length with the NUL.
BrokeredPath PathBroker::GetWorkingDirectory(const Request& request) const {
  char target[PATH_MAX];
  const ssize_t size =
      readlink(absl::StrCat("/proc/", request.tid(), "/cwd").c_str(), target,
               sizeof(target));
  if (size <= 0) return {};
  const std::string real(target, static_cast<size_t>(size));
  const std::string shown = tree_.Shown(real);
  // Outside, or deleted: the kernel's own answer.
  if (shown == real || absl::EndsWith(real, " (deleted)")) return {};
  if (request.call.buffer_size < shown.size() + 1) return Answered(ERANGE);
  return request.Give(shown.c_str(), shown.size() + 1,
                      static_cast<int64_t>(shown.size() + 1));
}

std::optional<Place> PathBroker::FindSocket(pid_t tid,
                                            absl::string_view path) const {
  if (path.empty()) return std::nullopt;
  Place place =
      tree_.Find({tid, grant_.pgid}, AT_FDCWD, path, FinalLink::kKeep);
  if (!place.needs_view) return std::nullopt;
  return place;
}

}  // namespace cordon::sandbox
