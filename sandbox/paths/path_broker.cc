// The doors are Perform, TryAgain and FindSocket.

#include "sandbox/paths/path_broker.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/stat.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "sandbox/base/notification_buffer.h"
#include "sandbox/paths/path_walk.h"
#include "sandbox/supervise/metadata_change.h"
#include "sandbox/supervise/process_memory.h"
#include "sandbox/supervise/program_memory.h"

namespace cordon::sandbox {
namespace {

using Kind = BrokeredPath::Kind;

constexpr uint64_t kTemporaryFile = O_TMPFILE;

// What of an open's flags says something about the file and not its name.
constexpr uint64_t kFlagsOfTheFile =
    O_ACCMODE | O_APPEND | O_TRUNC | O_DIRECTORY | O_NOATIME | O_NONBLOCK |
    O_SYNC | O_DIRECT | O_LARGEFILE | kTemporaryFile;

// Of calls that look at an object.
constexpr uint64_t kKnownObjectFlags =
    AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE;

// Files of a process's entry that say something of it and nothing of the host.
constexpr absl::string_view kProcessFiles[] = {
    "auxv",         "cmdline",   "comm",      "environ",      "fd",
    "fdinfo",       "io",        "limits",    "maps",         "sched",
    "smaps",        "schedstat", "numa_maps", "smaps_rollup", "oom_score",
    "stat",         "statm",     "status",    "task",         "wchan",
    "oom_score_adj"};

BrokeredPath Answered(int error_number, int64_t value = 0) {
  return {.kind = Kind::kAnswered,
          .error_number = error_number,
          .value = error_number == 0 ? value : 0};
}

BrokeredPath AnsweredBy(int result) {
  return Answered(result == 0 ? 0 : errno);
}

// O_TMPFILE has O_DIRECTORY in it.
bool MakesTemporary(uint64_t flags) {
  return (flags & kTemporaryFile) == kTemporaryFile;
}

bool Writes(uint64_t flags) {
  return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0 ||
         MakesTemporary(flags);
}

// procfs's link leads to exactly the object that the descriptor holds.
std::string LinkTo(const UniqueFd& fd) {
  return absl::StrCat("/proc/self/fd/", fd.get());
}

// The permission bits of what `tid` makes (umask(2)).
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

BrokeredPath HandOver(int listener, uint64_t call, const UniqueFd& fd,
                      uint64_t flags) {
  return AnswerWithDescriptor(listener, call, fd.get(),
                              (flags & O_CLOEXEC) != 0) >= 0
             ? BrokeredPath{.kind = Kind::kHanded}
             : Answered(errno);
}

// Whether a writer has come to a FIFO since its reading end was opened. Takes
// nothing out of it: no writer is an end of file, and a writer without data is
// EAGAIN (tee(2)).
bool HasMetWriter(const UniqueFd& reader) {
  pollfd ready = {.fd = reader.get(), .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, 0) == 1 && ready.revents != 0) return true;
  int scratch[2];
  if (pipe2(scratch, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  const UniqueFd scratch_reader(scratch[0]), scratch_writer(scratch[1]);
  const ssize_t size = tee(reader.get(), scratch[1], 1, SPLICE_F_NONBLOCK);
  return size > 0 || (size < 0 && errno == EAGAIN);
}

// access(2) of the object, with the rights in force.
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

// As the kernel strips a script's first line.
absl::string_view WithoutBlanks(absl::string_view text) {
  constexpr absl::string_view kBlanks = " \t";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == absl::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// What a script is executed by, and the one argument that it may give; empty:
// it is none, or not one that this may read (execve(2), "Interpreter scripts").
std::vector<std::string> InterpreterOf(const UniqueFd& object) {
  constexpr size_t kLongestLine = 256;  // BINPRM_BUF_SIZE, linux/binfmts.h
  const UniqueFd file(open(LinkTo(object).c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[kLongestLine];
  const ssize_t size =
      file.valid() ? pread(file.get(), buffer, sizeof(buffer), 0) : -1;
  if (size < 0) return {};
  absl::string_view line(buffer, static_cast<size_t>(size));
  if (!absl::ConsumePrefix(&line, "#!")) return {};
  // A NUL ends it for the kernel as well.
  line = line.substr(0, line.find('\0'));
  line = WithoutBlanks(line.substr(0, line.find('\n')));
  const size_t end = line.find_first_of(" \t");
  std::vector<std::string> words;
  if (!line.empty()) words.emplace_back(line.substr(0, end));
  if (end != absl::string_view::npos) {
    words.emplace_back(WithoutBlanks(line.substr(end)));
  }
  return words;
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

// errno(3) of a path that is not one, or too long.
int ErrorOfReading(pid_t tid, uint64_t address) {
  char longest[PATH_MAX];
  return ReadProgramBytes(tid, address, longest, sizeof(longest)) ? ENAMETOOLONG
                                                                  : EFAULT;
}

// The real path of what is to be there.
std::string NameOf(const Place& place) {
  const std::string directory = PathOfDescriptor(place.directory.get());
  if (place.name.empty()) return directory;
  return absl::StrCat(directory == "/" ? "" : directory, "/", place.name);
}

bool IsLeftToKernel(PathOperation operation) {
  return operation == PathOperation::kChangeDirectory ||
         operation == PathOperation::kExecute;
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

std::string NameToMake(const Place& place) {
  return absl::StrCat(place.name, place.must_be_directory ? "/" : "");
}

}  // namespace

struct PathBroker::Request {
  const seccomp_notif& notification;
  const PathCall call;
  const std::string path;
  const int listener;
  RunRights& rights;

  pid_t tid() const { return static_cast<pid_t>(notification.pid); }
  // Writes to the caller's memory, if it is still the caller's.
  BrokeredPath Give(const void* data, size_t size, int64_t value) const {
    const auto still_there = [this] {
      return IsAwaited(listener, notification.id);
    };
    const bool given = size == 0 || WriteProgramBytes(tid(), call.buffer, data,
                                                      size, still_there);
    return Answered(given ? 0 : EFAULT, value);
  }
};

Place PathBroker::Find(const Request& request, const PathArgument& argument,
                       FinalLink final_link) const {
  return tree_.Find({request.tid(), grant_.pgid}, argument.directory_fd,
                    request.path, final_link,
                    IsLeftToKernel(request.call.operation)
                        ? OwnProcess::kLeftToKernel
                        : OwnProcess::kVisible);
}

// What a call is about, with what is to be known of it.
struct PathBroker::Found {
  Place place;
  UniqueFd object;
  struct stat status = {};
  // There is no such object, or it is left to the kernel.
  std::optional<BrokeredPath> answer;
};

PathBroker::Found PathBroker::FindObject(const Request& request) const {
  Found found;
  found.place = Find(request, request.call.path, request.call.final_link);
  if (!found.place.needs_view && IsLeftToKernel(request.call.operation)) {
    found.answer = BrokeredPath();
  } else if (found.place.error_number != 0) {
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
    const bool is_left =
        IsLeftToKernel(call->operation) && (!read.has_value() || read->empty());
    if (is_left) return {};
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

// ------------------------------------------------------------------- opening

// Of what is the host's, at `real` or missing there.
BrokeredPath PathBroker::RefuseOpen(std::string real, uint64_t flags,
                                    int error_number) const {
  const bool is_expected =
      Writes(flags) || (flags & O_CREAT) != 0
          ? IsExpectedWrite(grant_.writable, real)
          : grant_.audit != AuditScope::kAll || (flags & O_PATH) != 0 ||
                error_number != EACCES ||
                IsExpectedRead(grant_.writable, grant_.readable, real);
  BrokeredPath refused = Answered(error_number);
  if (!is_expected && absl::StartsWith(real, "/")) {
    refused.path = std::move(real);
  }
  return refused;
}

// What Landlock would say, had the program come there itself. A path that the
// kernel makes of a held object is not the program's to choose.
bool PathBroker::MayOpen(const std::string& real, uint64_t flags) const {
  if (tree_.RegionOf(real) == Region::kOwn) return true;
  const auto beneath = [&real](const std::vector<std::string>& paths) {
    return std::any_of(
        paths.begin(), paths.end(),
        [&real](const std::string& path) { return IsBeneath(real, path); });
  };
  if (beneath(grant_.writable.paths)) return true;
  return !Writes(flags) && (beneath(grant_.readable.executable) ||
                            beneath(grant_.readable.paths));
}

bool PathBroker::MayMakeIn(const Place& place) const {
  return place.region == Region::kOwn ||
         (place.region == Region::kHost &&
          MayOpen(PathOfDescriptor(place.directory.get()), O_WRONLY));
}

// What is the run's own, or what the host lets it write, within itself.
bool PathBroker::MayMove(const Place& from, const Place& to) const {
  return from.region == to.region && MayMakeIn(from) && MayMakeIn(to);
}

BrokeredPath PathBroker::Open(const Request& request) const {
  const uint64_t flags = request.call.flags;
  // Its name may be taken by somebody else between looking and making.
  constexpr int kAttempts = 16;
  for (int i = 0; i < kAttempts; ++i) {
    const Place place =
        Find(request, request.call.path, request.call.final_link);
    if (place.error_number != 0) {
      if (place.region != Region::kHost) return Answered(place.error_number);
      return RefuseOpen(
          ResolveForReport(request.tid(), request.call.path.directory_fd,
                           request.path),
          flags & ~uint64_t{O_PATH}, place.error_number);
    }
    UniqueFd object = OpenPlace(place);
    if (object.valid()) {
      if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) &&
          !MakesTemporary(flags)) {
        return Answered(EEXIST);
      }
      return OpenObject(request, place, std::move(object));
    }
    if (errno != ENOENT || (flags & O_CREAT) == 0) {
      return place.region == Region::kHost
                 ? RefuseOpen(NameOf(place), flags, errno)
                 : Answered(errno);
    }
    BrokeredPath created = Create(request, place);
    const bool again = created.kind == Kind::kAnswered &&
                       created.error_number == EEXIST && (flags & O_EXCL) == 0;
    if (!again) return created;
  }
  return Answered(ELOOP);
}

BrokeredPath PathBroker::Create(const Request& request,
                                const Place& place) const {
  if (!MayMakeIn(place)) {
    return place.region == Region::kHost
               ? RefuseOpen(NameOf(place), request.call.flags, EACCES)
               : Answered(EACCES);
  }
  if (place.must_be_directory) return Answered(EISDIR);
  const mode_t mode = WithoutUmask(request.tid(), request.call.value);
  const uint64_t flags = request.call.flags & kFlagsOfTheFile & ~O_DIRECTORY;
  const UniqueFd file(openat(place.directory.get(), place.name.c_str(),
                             static_cast<int>(flags) | O_CREAT | O_EXCL |
                                 O_NOFOLLOW | O_NOCTTY | O_CLOEXEC,
                             mode));
  if (!file.valid()) return Answered(errno);
  // The server's own umask may have taken bits that the run's leaves.
  struct stat status;
  if (fstat(file.get(), &status) == 0 && (status.st_mode & 07777) != mode) {
    (void)fchmod(file.get(), mode);
  }
  return HandOver(request.listener, request.notification.id, file,
                  request.call.flags);
}

BrokeredPath PathBroker::OpenObject(const Request& request, const Place& place,
                                    UniqueFd object) const {
  const uint64_t flags = request.call.flags;
  struct stat status;
  if (fstat(object.get(), &status) != 0) return Answered(errno);
  // A descriptor of a path alone cannot be handed over (seccomp_unotify(2)):
  // one for reading takes its place, where there can be one.
  if ((flags & O_PATH) != 0 && !S_ISDIR(status.st_mode) &&
      !S_ISREG(status.st_mode)) {
    return Answered(EOPNOTSUPP);
  }
  if (S_ISLNK(status.st_mode)) return Answered(ELOOP);
  if (place.region == Region::kProcess) {
    // Looked at once more: the walk knows names, this is about the last one.
    const bool known =
        place.name.empty()
            ? S_ISDIR(status.st_mode)
            : std::find(std::begin(kProcessFiles), std::end(kProcessFiles),
                        place.name) != std::end(kProcessFiles) ||
                  std::all_of(place.name.begin(), place.name.end(),
                              [](char c) { return c >= '0' && c <= '9'; });
    if (!known || Writes(flags) || (flags & O_CREAT) != 0) {
      return Answered(EACCES);
    }
  } else {
    std::string real = PathOfDescriptor(object.get());
    if (absl::StartsWith(real, "pipe:[")) return OpenPipe(request, object);
    if (!MayOpen(real, flags)) {
      return RefuseOpen(std::move(real), flags, EACCES);
    }
  }
  if (S_ISDIR(status.st_mode) && (flags & O_CREAT) != 0 &&
      !MakesTemporary(flags)) {
    return Answered(EISDIR);
  }
  if (S_ISFIFO(status.st_mode)) {
    return TryAgain(request.notification.id,
                    {.fifo = std::move(object), .reader = {}, .flags = flags},
                    request.listener);
  }
  const bool makes = MakesTemporary(flags);
  const mode_t mode =
      makes ? WithoutUmask(request.tid(), request.call.value) : 0;
  // With O_TMPFILE it says that the file gets no name later.
  const uint64_t kept = kFlagsOfTheFile | (makes ? O_EXCL : 0);
  const UniqueFd file(
      open(LinkTo(object).c_str(),
           static_cast<int>(flags & kept) | O_NOCTTY | O_CLOEXEC, mode));
  if (!file.valid()) return Answered(errno);
  // The server's own umask may have taken bits that the run's leaves.
  if (makes) (void)fchmod(file.get(), mode);
  return HandOver(request.listener, request.notification.id, file, flags);
}

// One that the run has open already, as /dev/stdout. Those that the server has
// made are the server's user's.
BrokeredPath PathBroker::OpenPipe(const Request& request,
                                  const UniqueFd& pipe) const {
  const uint64_t flags = request.call.flags;
  request.rights.GiveBack();
  const UniqueFd file(
      open(LinkTo(pipe).c_str(),
           static_cast<int>(flags & kFlagsOfTheFile) | O_CLOEXEC));
  const int error = errno;
  request.rights.Take();
  if (!file.valid()) return Answered(error);
  return HandOver(request.listener, request.notification.id, file, flags);
}

BrokeredPath PathBroker::TryAgain(uint64_t call, FifoOpen fifo,
                                  int listener) const {
  const uint64_t flags = fifo.flags;
  UniqueFd end = std::move(fifo.reader);
  const bool was_open = end.valid();
  if (!was_open) {
    end.Reset(open(LinkTo(fifo.fifo).c_str(),
                   static_cast<int>(flags & kFlagsOfTheFile) | O_NONBLOCK |
                       O_NOCTTY | O_CLOEXEC));
  }
  const auto wait = [&] {
    BrokeredPath waits = {.kind = Kind::kWaits};
    waits.fifo = {std::move(fifo.fifo), std::move(end), flags};
    return waits;
  };
  const bool blocks = (flags & O_NONBLOCK) == 0;
  if (!end.valid()) {
    return errno == ENXIO && blocks ? wait() : Answered(errno);
  }
  if (blocks) {
    if ((flags & O_ACCMODE) == O_RDONLY && !HasMetWriter(end)) return wait();
    const int now = fcntl(end.get(), F_GETFL);
    if (fcntl(end.get(), F_SETFL, now & ~O_NONBLOCK) != 0) {
      return Answered(errno);
    }
  }
  return HandOver(listener, call, end, flags);
}

// ------------------------------------------------------------------- looking

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
    return Answered(ChangeMetadataOf(object.get(), request.notification));
  }
  MetadataChange refused =
      RefuseChange(object.get(), request.notification.data.nr);
  BrokeredPath answer = Answered(refused.error_number);
  answer.path = std::move(refused.forbidden_path);
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
  if (call.operation == PathOperation::kStat) {
    struct stat status;
    if (stat(link.c_str(), &status) != 0) return Answered(EBADF);
    return request.Give(&status, sizeof(status), 0);
  }
  struct statx status = {};
  if (statx(AT_FDCWD, link.c_str(),
            static_cast<int>(call.flags & AT_STATX_SYNC_TYPE),
            static_cast<unsigned>(call.value), &status) != 0) {
    return Answered(errno == EINVAL ? EINVAL : EBADF);
  }
  return request.Give(&status, sizeof(status), 0);
}

BrokeredPath PathBroker::ReadLink(const Request& request) const {
  const Place place = Find(request, request.call.path, FinalLink::kKeep);
  if (place.error_number != 0) return Answered(place.error_number);
  if (place.name.empty() || place.must_be_directory) return Answered(EINVAL);
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

// ------------------------------------------------------------------ changing

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
      if (!target.has_value()) return Answered(EFAULT);
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
  if (new_path->empty()) return Answered(ENOENT);
  const PathCaller caller = {request.tid(), grant_.pgid};
  const Place from = Find(request, call.path, call.final_link);
  const Place to = tree_.Find(caller, call.second.directory_fd, *new_path,
                              FinalLink::kKeepAlways, OwnProcess::kVisible);
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

// ----------------------------------------------------- left to the kernel

BrokeredPath PathBroker::ChangeDirectory(const Request& request) const {
  Found found = FindObject(request);
  if (found.answer.has_value()) return *std::move(found.answer);
  if (!S_ISDIR(found.status.st_mode)) return Answered(ENOTDIR);
  if (const int error = CheckAccess(found.object, X_OK); error != 0) {
    return Answered(error);
  }
  return {.kind = Kind::kElsewhere,
          .path = PathOfDescriptor(found.object.get())};
}

// The kernel would look for a script's interpreter where the host has it, and
// tell it a name of the script that the run does not know (execve(2)).
BrokeredPath PathBroker::Execute(const Request& request) const {
  const Place place = Find(request, request.call.path, FinalLink::kFollow);
  if (!place.needs_view &&
      (place.region != Region::kOwn || place.error_number != 0)) {
    return {};
  }
  if (place.error_number != 0) return Answered(place.error_number);
  const UniqueFd object = OpenPlace(place);
  struct stat status;
  if (!object.valid() || fstat(object.get(), &status) != 0) {
    return Answered(errno);
  }
  if (!S_ISREG(status.st_mode)) return Answered(EACCES);
  if (const int error = CheckAccess(object, X_OK); error != 0) {
    return Answered(error);
  }
  BrokeredPath elsewhere = {.kind = Kind::kElsewhere,
                            .path = PathOfDescriptor(object.get())};
  // Landlock's answer, which would tell nobody.
  if (!IsExpectedExecution(grant_.writable, grant_.readable, elsewhere.path)) {
    elsewhere.kind = Kind::kAnswered;
    elsewhere.error_number = EACCES;
    if (grant_.audit != AuditScope::kAll) elsewhere.path.clear();
    return elsewhere;
  }
  std::vector<std::string> interpreter = InterpreterOf(object);
  if (interpreter.empty()) {
    return place.needs_view ? std::move(elsewhere) : BrokeredPath();
  }
  const Place found =
      tree_.Find({request.tid(), grant_.pgid}, AT_FDCWD, interpreter.front(),
                 FinalLink::kFollow, OwnProcess::kLeftToKernel);
  if (!place.needs_view && !found.needs_view) return {};
  elsewhere.path = interpreter.front();
  if (found.needs_view) {
    const UniqueFd program = OpenPlace(found);
    if (found.error_number != 0 || !program.valid()) return Answered(ENOENT);
    elsewhere.path = PathOfDescriptor(program.get());
  }
  elsewhere.arguments = std::move(interpreter);
  elsewhere.arguments.push_back(request.path);
  return elsewhere;
}

std::optional<Place> PathBroker::FindSocket(pid_t tid,
                                            absl::string_view path) const {
  if (path.empty()) return std::nullopt;
  Place place = tree_.Find({tid, grant_.pgid}, AT_FDCWD, path, FinalLink::kKeep,
                           OwnProcess::kLeftToKernel);
  if (!place.needs_view) return std::nullopt;
  return place;
}

}  // namespace cordon::sandbox
