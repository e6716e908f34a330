// How a run's names are made, moved and taken away.

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "sandbox/paths/path_broker.h"
#include "sandbox/paths/path_request.h"
#include "sandbox/supervise/metadata_change.h"
#include "sandbox/supervise/program_memory.h"

namespace cordon::sandbox {
namespace {

BrokeredPath AnsweredBy(int result) {
  return Answered(result == 0 ? 0 : errno);
}

// What unlink(2) and rmdir(2) say of a path that ends in no name of its own, or
// in that of a mount.
int ErrorOfRemoving(absl::string_view path, uint64_t flags) {
  if ((flags & AT_REMOVEDIR) == 0) return EISDIR;
  while (absl::ConsumeSuffix(&path, "/")) {
  }
  const absl::string_view last = path.substr(path.rfind('/') + 1);
  if (last == ".") return EINVAL;
  return last == ".." ? ENOTEMPTY : EBUSY;
}

bool Exists(const Place& place) {
  struct stat status;
  return place.name.empty() ||
         fstatat(place.directory.get(), place.name.c_str(), &status,
                 AT_SYMLINK_NOFOLLOW) == 0;
}

std::string NameToMake(const Place& place) {
  return absl::StrCat(place.name, place.must_be_directory ? "/" : "");
}

}  // namespace

// What is the run's own, or what the host lets it write, within itself.
bool PathBroker::MayMove(const Place& from, const Place& to) const {
  return from.region == to.region && MayMakeIn(from) && MayMakeIn(to);
}

BrokeredPath PathBroker::Make(const Request& request) const {
  const PathCall& call = request.call;
  const Place place = Find(request, call.path, call.final_link);
  if (place.error_number != 0) return Answered(place.error_number);
  const bool removes = call.operation == PathOperation::kRemove;
  // A directory that is there, as "/", "." or "/tmp".
  if (place.name.empty()) {
    return Answered(removes ? ErrorOfRemoving(request.path, call.flags)
                            : EEXIST);
  }
  if (!MayMakeIn(place)) {
    const bool exists = Exists(place);
    if (removes) return Answered(exists ? EACCES : ENOENT);
    return Answered(exists ? EEXIST : EACCES);
  }
  const int directory = place.directory.get();
  const std::string name = NameToMake(place);
  switch (call.operation) {
    case PathOperation::kRemove:
      return AnsweredBy(
          unlinkat(directory, name.c_str(), static_cast<int>(call.flags)));
    case PathOperation::kMakeSymlink: {
      const std::optional<std::string> target =
          ReadProgramString(request.tid(), call.buffer);
      if (!target.has_value() || !request.IsStillThere()) {
        return Answered(EFAULT);
      }
      return AnsweredBy(symlinkat(target->c_str(), directory, name.c_str()));
    }
    case PathOperation::kMakeDirectory:
    case PathOperation::kMakeNode:
      break;
    default:
      return {};
  }
  const mode_t mode = WithoutUmask(request.tid(), call.value);
  const mode_t kind = static_cast<mode_t>(call.value) & S_IFMT;
  const int made = call.operation == PathOperation::kMakeDirectory
                       ? mkdirat(directory, name.c_str(), mode)
                       : mknodat(directory, name.c_str(), kind | mode, 0);
  if (made != 0) return Answered(errno);
  // As in Create. What stands at the name by now is the run's own as well.
  const UniqueFd object(
      openat(directory, place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status;
  constexpr mode_t kBits = 0777;
  if (object.valid() && fstat(object.get(), &status) == 0 &&
      !S_ISLNK(status.st_mode) && (mode & kBits & ~status.st_mode) != 0) {
    (void)chmod(LinkTo(object).c_str(), (status.st_mode | mode) & 07777);
  }
  return Answered(0);
}

BrokeredPath PathBroker::MoveOrLink(const Request& request) const {
  const PathCall& call = request.call;
  const std::optional<std::string> new_path =
      ReadProgramString(request.tid(), call.second.address);
  if (!new_path.has_value()) {
    return Answered(ErrorOfReading(request.tid(), call.second.address));
  }
  if (!request.IsStillThere()) return Answered(ESRCH);
  if (new_path->empty()) return Answered(ENOENT);
  const PathCaller caller = {request.tid(), grant_.pgid};
  const Place from = Find(request, call.path, call.final_link);
  const Place to = tree_.Find(caller, call.second.directory_fd, *new_path,
                              FinalLink::kKeepAlways);
  for (const Place* place : {&from, &to}) {
    if (place->error_number != 0) return Answered(place->error_number);
  }
  if (call.operation == PathOperation::kLink) {
    if (to.name.empty()) return Answered(EEXIST);
    if (!Exists(from)) return Answered(ENOENT);
    if (!MayMove(from, to)) return Answered(EXDEV);
    if (from.name.empty()) {
      return AnsweredBy(linkat(AT_FDCWD, LinkTo(from.directory).c_str(),
                               to.directory.get(), NameToMake(to).c_str(),
                               AT_SYMLINK_FOLLOW));
    }
    return AnsweredBy(linkat(from.directory.get(), NameToMake(from).c_str(),
                             to.directory.get(), NameToMake(to).c_str(), 0));
  }
  if (from.name.empty() || to.name.empty()) return Answered(EBUSY);
  if (!Exists(from)) return Answered(ENOENT);
  if (!MayMove(from, to)) return Answered(EXDEV);
  return AnsweredBy(static_cast<int>(
      syscall(__NR_renameat2, from.directory.get(), NameToMake(from).c_str(),
              to.directory.get(), NameToMake(to).c_str(),
              static_cast<unsigned>(call.flags))));
}

BrokeredPath PathBroker::Truncate(const Request& request) const {
  Found found = FindObject(request);
  if (found.answer.has_value()) return *std::move(found.answer);
  const UniqueFd& object = found.object;
  std::string real = PathOfDescriptor(object.get());
  if (!MayOpen(real, O_WRONLY)) {
    return RefuseOpen(std::move(real), O_WRONLY, EACCES);
  }
  return Answered(ChangeLengthOf(object.get(), request.notification,
                                 grant_.file_bytes, request.listener));
}

}  // namespace cordon::sandbox
