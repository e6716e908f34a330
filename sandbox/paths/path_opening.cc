// How a run's files are opened and made.

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "sandbox/base/notification_buffer.h"
#include "sandbox/paths/path_broker.h"
#include "sandbox/paths/path_request.h"

namespace cordon::sandbox {
namespace {

using Kind = BrokeredPath::Kind;

constexpr uint64_t kTemporaryFile = O_TMPFILE;

// What of an open's flags says something about the file and not its name.
constexpr uint64_t kFlagsOfTheFile =
    O_ACCMODE | O_APPEND | O_TRUNC | O_DIRECTORY | O_NOATIME | O_NONBLOCK |
    O_SYNC | O_DIRECT | O_LARGEFILE | kTemporaryFile;

// Of what is no directory. open(3) ends the process that has the bits of
// O_TMPFILE and no mode.
constexpr uint64_t kFlagsOfAPipe = kFlagsOfTheFile & ~kTemporaryFile;

// Files of a process's entry that say something of it and nothing of the host.
constexpr absl::string_view kProcessFiles[] = {
    "auxv",         "cmdline",   "comm",      "environ",      "fd",
    "fdinfo",       "io",        "limits",    "maps",         "sched",
    "smaps",        "schedstat", "numa_maps", "smaps_rollup", "oom_score",
    "stat",         "statm",     "status",    "task",         "wchan",
    "oom_score_adj"};

// O_TMPFILE has O_DIRECTORY in it.
bool MakesTemporary(uint64_t flags) {
  return (flags & kTemporaryFile) == kTemporaryFile;
}

bool Writes(uint64_t flags) {
  return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0 ||
         MakesTemporary(flags);
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

// The real path of what is to be there; empty where the kernel does not say.
std::string NameOf(const Place& place) {
  const std::string directory = PathOfDescriptor(place.directory.get());
  if (directory.empty()) return "";
  if (place.name.empty()) return directory;
  return absl::StrCat(directory == "/" ? "" : directory, "/", place.name);
}

}  // namespace

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

BrokeredPath PathBroker::Open(const Request& request) const {
  const uint64_t flags = request.call.flags;
  // As Linux since 6.4: before, it could make a file.
  constexpr uint64_t kNewDirectory = O_CREAT | O_DIRECTORY;
  if ((flags & kNewDirectory) == kNewDirectory) return Answered(EINVAL);
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
  if ((flags & O_DIRECTORY) != 0 && !S_ISDIR(status.st_mode)) {
    return Answered(ENOTDIR);
  }
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
    // Where it is the kernel does not say of a name longer than PATH_MAX.
    const bool is_own_and_deep = real.empty() && place.region == Region::kOwn;
    if (!is_own_and_deep && !MayOpen(real, flags)) {
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
           static_cast<int>(flags & kFlagsOfAPipe) | O_CLOEXEC));
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
                   static_cast<int>(flags & kFlagsOfAPipe) | O_NONBLOCK |
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

}  // namespace cordon::sandbox
