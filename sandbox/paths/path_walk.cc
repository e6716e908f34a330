// The door is PathWalk::Run.

#include "sandbox/paths/path_walk.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "sandbox/supervise/process_memory.h"
#include "sandbox/supervise/write_target.h"

namespace cordon::sandbox {
namespace {

constexpr int kMostLinks = 40;  // path_resolution(7)
// Of one path, links included: the walk is the supervisor's time.
constexpr size_t kMostComponents = 512;

const char* NameOf(int spot) {
  constexpr const char* kNames[] = {"/", "/dev", "/var", "/proc"};
  return kNames[spot];
}

bool IsNumber(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c >= '0' && c <= '9';
  });
}

pid_t GroupIn(absl::string_view stat) {
  constexpr size_t kGroup = 2;  // Field 5, proc_pid_stat(5).
  const std::vector<absl::string_view> fields = StatFields(stat, kGroup + 1);
  pid_t group = -1;
  return fields.size() > kGroup && absl::SimpleAtoi(fields[kGroup], &group)
             ? group
             : -1;
}

// Of a file in a process's entry.
std::string ReadSmallFile(int directory, const char* name) {
  const UniqueFd fd(openat(directory, name, O_RDONLY | O_CLOEXEC));
  char buffer[2048];
  const ssize_t size = fd.valid() ? read(fd.get(), buffer, sizeof(buffer)) : -1;
  return size > 0 ? std::string(buffer, static_cast<size_t>(size)) : "";
}

// Of a process's entry, beneath which something of it is looked at.
bool IsPartOfEntry(absl::string_view name) {
  return name == "task" || name == "fd" || name == "fdinfo" || IsNumber(name);
}

// Of the host: what the run has its own in place of. A program comes there by
// chdir(2) alone, whose path it can change when nobody looks any more.
bool IsHidden(absl::string_view real) {
  constexpr absl::string_view kHidden[] = {"/tmp", "/var/tmp", "/dev/shm"};
  return std::any_of(
      std::begin(kHidden), std::end(kHidden),
      [real](absl::string_view hidden) { return IsBeneath(real, hidden); });
}

// Its links are read with the rights of whoever reads them, and "self" is that
// one: the supervisor's answer is none for a program.
bool IsOnProcfs(const UniqueFd& directory) {
  struct statfs status;
  return fstatfs(directory.get(), &status) == 0 &&
         status.f_type == PROC_SUPER_MAGIC;
}

}  // namespace

bool PathWalk::EndsIn(bool is_last) const {
  return is_last && (final_link_ == FinalLink::kKeepAlways ||
                     (final_link_ == FinalLink::kKeep && !must_be_directory_));
}

pid_t ProcessOf(pid_t tid) {
  return static_cast<pid_t>(StatusField(ReadProcFile(tid, "status"), "Tgid")
                                .value_or(static_cast<uint64_t>(tid)));
}

PathWalk::Step PathWalk::Fail(int error_number) {
  error_number_ = error_number;
  return Step::kFailed;
}

void PathWalk::Push(absl::string_view path) {
  std::vector<absl::string_view> parts =
      absl::StrSplit(path, '/', absl::SkipEmpty());
  components_ += parts.size();
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    rest_.emplace_back(*part);
  }
}

void PathWalk::GoToSpot(Spot spot) {
  region_ = Region::kHost;
  spot_ = spot;
  at_.Reset();
}

bool PathWalk::Open() {
  if (at_.valid()) return true;
  at_.Reset(
      open(NameOf(static_cast<int>(spot_)), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return at_.valid();
}

PathWalk::Step PathWalk::GoToMount(size_t index) {
  needs_view_ = true;
  region_ = Region::kOwn;
  at_.Reset(fcntl(tree_.mounts_[index].directory.get(), F_DUPFD_CLOEXEC, 0));
  return at_.valid() ? Step::kWalked : Fail(errno);
}

bool PathWalk::IsOfRun(int levels_below_entry) const {
  UniqueFd entry(fcntl(at_.get(), F_DUPFD_CLOEXEC, 0));
  for (int i = 0; i < levels_below_entry; ++i) {
    entry.Reset(openat(entry.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  return GroupIn(ReadSmallFile(entry.get(), "stat")) == caller_.pgid;
}

// Held first, then asked whose it is: an id is used again, an entry is not.
PathWalk::Step PathWalk::GoToProcess(const std::string& name) {
  std::string process = name;
  if (name == "self") process = absl::StrCat(ProcessOf(caller_.tid));
  if (name == "thread-self") process = absl::StrCat(caller_.tid);
  UniqueFd entry(open(absl::StrCat("/proc/", process).c_str(),
                      O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!entry.valid()) return Fail(errno);
  at_ = std::move(entry);
  if (!IsOfRun(0)) return Fail(EACCES);
  // Whose it is costs as much as this many components.
  components_ += 16;
  needs_view_ = true;
  region_ = Region::kProcess;
  process_path_.clear();
  return Step::kWalked;
}

PathWalk::Step PathWalk::GoToObject(UniqueFd object) {
  if (!object.valid()) return Fail(errno);
  const std::string real = PathOfDescriptor(object.get());
  at_ = std::move(object);
  process_path_.clear();
  region_ = tree_.RegionOf(real);
  spot_ = Spot::kOther;
  if (region_ == Region::kProcess) {
    // A program can change to any process's entry.
    constexpr size_t kProcAndProcess = 2;
    process_path_ = absl::StrSplit(real, '/', absl::SkipEmpty());
    process_path_.erase(process_path_.begin(),
                        process_path_.begin() + kProcAndProcess);
    const bool may_be_seen =
        std::all_of(process_path_.begin(), process_path_.end(), IsPartOfEntry);
    if (!may_be_seen || !IsOfRun(static_cast<int>(process_path_.size()))) {
      return Fail(EACCES);
    }
    needs_view_ = true;
  }
  if (region_ == Region::kHost && IsHidden(real)) {
    needs_view_ = true;
    return Fail(ENOENT);
  }
  if (region_ == Region::kHost) {
    for (const Spot spot : {Spot::kRoot, Spot::kDev, Spot::kVar, Spot::kProc}) {
      if (real == NameOf(static_cast<int>(spot))) spot_ = spot;
    }
  }
  return Step::kWalked;
}

bool PathWalk::Begin(int directory_fd, absl::string_view path) {
  must_be_directory_ = absl::EndsWith(path, "/");
  // The real name of one of the run's directories, wherever on the host that
  // is: the kernel knows it.
  for (size_t i = 0; i < tree_.mounts_.size(); ++i) {
    const std::string& real = tree_.mounts_[i].real;
    if (!IsBeneath(path, real)) continue;
    Push(path.substr(real.size()));
    const Step step = GoToMount(i);
    needs_view_ = false;
    return step == Step::kWalked;
  }
  Push(path);
  if (absl::StartsWith(path, "/")) {
    GoToSpot(Spot::kRoot);
    return true;
  }
  const std::string origin =
      directory_fd == AT_FDCWD
          ? absl::StrCat("/proc/", caller_.tid, "/cwd")
          : absl::StrCat("/proc/", caller_.tid, "/fd/", directory_fd);
  UniqueFd fd(open(origin.c_str(), O_PATH | O_CLOEXEC));
  if (!fd.valid()) {
    Fail(EBADF);
    return false;
  }
  return GoToObject(std::move(fd)) == Step::kWalked;
}

// Whether nothing virtual can come any more: somewhere deep in the host's
// part, and no way up. (A link of the host's into /tmp is none of a run's.)
bool PathWalk::IsPlainlyHost() const {
  if (region_ != Region::kHost || needs_view_) return false;
  Spot spot = spot_;
  int depth = 0;
  for (auto name = rest_.rbegin(); name != rest_.rend(); ++name) {
    if (*name == ".") continue;
    if (*name == "..") {
      if (--depth < 0) return false;
      continue;
    }
    ++depth;
    if (spot == Spot::kOther || depth > 1) continue;
    if (spot == Spot::kRoot) {
      if (*name == "dev") {
        spot = Spot::kDev;
        depth = 0;
      } else if (*name == "var") {
        spot = Spot::kVar;
        depth = 0;
      } else if (*name == "proc") {
        spot = Spot::kProc;
        depth = 0;
      } else if (*name == "box" || *name == "tmp") {
        return false;
      }
      continue;
    }
    if (spot == Spot::kDev &&
        (*name == "shm" || *name == "fd" || absl::StartsWith(*name, "std"))) {
      return false;
    }
    if (spot == Spot::kVar && *name == "tmp") return false;
    if (spot == Spot::kProc &&
        (*name == "self" || *name == "thread-self" || IsNumber(*name))) {
      return false;
    }
  }
  return true;
}

// Where no link is on the way, the names are all there is to it. Else it is
// walked a component at a time, to the link.
PathWalk::Step PathWalk::TakePlainly() {
  const bool wants_object =
      final_link_ == FinalLink::kFollow && rest_.front() != "..";
  std::string path =
      absl::StrJoin(rest_.rbegin(), rest_.rend() - (wants_object ? 0 : 1), "/");
  if (!at_.valid()) {
    path = absl::StrCat(NameOf(static_cast<int>(spot_)), "/", path);
  }
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  if (!wants_object) how.flags |= O_DIRECTORY;
  how.resolve = RESOLVE_NO_SYMLINKS;
  UniqueFd there(static_cast<int>(
      syscall(SYS_openat2, at_.get(), path.c_str(), &how, sizeof(how))));
  if (there.valid()) {
    at_ = std::move(there);
    spot_ = Spot::kOther;
    rest_.resize(wants_object ? 0 : 1);
    return Step::kWalked;
  }
  if (errno == ENOENT || errno == ENOTDIR || errno == EACCES) {
    return Fail(errno);
  }
  // ELOOP, or a filter around the server that does not know the call.
  const std::string name = std::move(rest_.back());
  rest_.pop_back();
  return Take(name, rest_.empty());
}

PathWalk::Step PathWalk::Up() {
  if (region_ == Region::kProcess) {
    if (process_path_.empty()) {
      GoToSpot(Spot::kProc);
      return Step::kWalked;
    }
    process_path_.pop_back();
    at_.Reset(openat(at_.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    return at_.valid() ? Step::kWalked : Fail(errno);
  }
  if (region_ == Region::kHost && spot_ != Spot::kOther) {
    GoToSpot(Spot::kRoot);
    return Step::kWalked;
  }
  if (region_ == Region::kOwn) {
    struct stat status;
    if (fstat(at_.get(), &status) != 0) return Fail(errno);
    for (size_t i = 0; i < tree_.mounts_.size(); ++i) {
      const VirtualTree::Mount& mount = tree_.mounts_[i];
      if (status.st_dev != mount.device || status.st_ino != mount.inode) {
        continue;
      }
      needs_view_ = true;
      GoToSpot(i == VirtualTree::kSharedMemory ? Spot::kDev : Spot::kRoot);
      return Step::kWalked;
    }
  }
  UniqueFd above(openat(at_.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const bool was_own = region_ == Region::kOwn;
  const Step step = GoToObject(std::move(above));
  // Cannot be, by what the header says: if it is, go no further.
  if (was_own && step == Step::kWalked && region_ != Region::kOwn) {
    return Fail(EACCES);
  }
  return step;
}

PathWalk::Step PathWalk::FollowLink(const std::string& target) {
  if (++links_ > kMostLinks) return Fail(ELOOP);
  if (target.empty()) return Fail(ENOENT);
  // "link/" and "link" to "directory/" are directories both.
  if (rest_.empty() && absl::EndsWith(target, "/")) must_be_directory_ = true;
  Push(target);
  if (absl::StartsWith(target, "/")) GoToSpot(Spot::kRoot);
  return Step::kWalked;
}

// Of /proc/PID: it leads to the object itself, not to a name.
PathWalk::Step PathWalk::FollowMagicLink(const std::string& name) {
  if (++links_ > kMostLinks) return Fail(ELOOP);
  return GoToObject(
      UniqueFd(openat(at_.get(), name.c_str(), O_PATH | O_CLOEXEC)));
}

PathWalk::Step PathWalk::TakeComponent(const std::string& name, bool is_last) {
  if (!Open()) return Fail(errno);
  const bool is_foreign = region_ == Region::kHost && IsOnProcfs(at_);
  if (EndsIn(is_last)) {
    final_name_ = name;
    return Step::kFinal;
  }
  if (!is_last) {
    UniqueFd next(openat(at_.get(), name.c_str(),
                         O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (next.valid()) {
      at_ = std::move(next);
      if (region_ == Region::kHost) spot_ = Spot::kOther;
      return Step::kWalked;
    }
    if (errno != ENOTDIR) return Fail(errno);
  }
  char target[PATH_MAX];
  const ssize_t size =
      readlinkat(at_.get(), name.c_str(), target, sizeof(target));
  if (size >= 0 && is_foreign) return Fail(EACCES);
  if (size >= 0)
    return FollowLink(std::string(target, static_cast<size_t>(size)));
  if (!is_last) return Fail(errno == EINVAL ? ENOTDIR : errno);
  // Not a link, or not there: an affair of the call's.
  if (errno != EINVAL && errno != ENOENT) return Fail(errno);
  final_name_ = name;
  return Step::kFinal;
}

PathWalk::Step PathWalk::TakeInHost(const std::string& name, bool is_last) {
  switch (spot_) {
    case Spot::kRoot:
      if (name == "box") return GoToMount(VirtualTree::kHome);
      if (name == "tmp") return GoToMount(VirtualTree::kTemporary);
      if (is_last) break;
      for (const Spot spot : {Spot::kDev, Spot::kVar, Spot::kProc}) {
        if (absl::string_view(NameOf(static_cast<int>(spot))).substr(1) ==
            name) {
          GoToSpot(spot);
          return Step::kWalked;
        }
      }
      break;
    case Spot::kDev:
      if (name == "shm") return GoToMount(VirtualTree::kSharedMemory);
      // As most systems have them, and whether this one does.
      if (!EndsIn(is_last)) {
        if (name == "fd") return FollowLink("/proc/self/fd");
        if (name == "stdin") return FollowLink("/proc/self/fd/0");
        if (name == "stdout") return FollowLink("/proc/self/fd/1");
        if (name == "stderr") return FollowLink("/proc/self/fd/2");
      }
      break;
    case Spot::kVar:
      if (name == "tmp") return GoToMount(VirtualTree::kTemporary);
      break;
    case Spot::kProc:
      if (IsNumber(name)) return GoToProcess(name);
      if (!EndsIn(is_last) && (name == "self" || name == "thread-self")) {
        return GoToProcess(name);
      }
      break;
    case Spot::kOther:
      break;
  }
  return TakeComponent(name, is_last);
}

PathWalk::Step PathWalk::TakeInProcess(const std::string& name, bool is_last) {
  const bool in_entry =
      process_path_.empty() ||
      (process_path_.size() == 2 && process_path_.front() == "task");
  const bool is_magic =
      (in_entry && (name == "cwd" || name == "exe" || name == "root")) ||
      (!process_path_.empty() && process_path_.back() == "fd");
  if (is_last && final_link_ != FinalLink::kFollow &&
      final_link_ != FinalLink::kFollowToName) {
    final_name_ = name;
    return Step::kFinal;
  }
  if (is_magic) {
    if (name == "root") return FollowLink("/");
    return FollowMagicLink(name);
  }
  // Not to its network, namespaces and maps of other files.
  if (!is_last && !IsPartOfEntry(name)) return Fail(EACCES);
  UniqueFd next(
      openat(at_.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status;
  if (!next.valid() || fstat(next.get(), &status) != 0) return Fail(errno);
  // Other magic links lead to where no run has anything to do.
  if (S_ISLNK(status.st_mode)) return Fail(EACCES);
  if (is_last) {
    final_name_ = name;
    return Step::kFinal;
  }
  at_ = std::move(next);
  process_path_.push_back(name);
  return Step::kWalked;
}

PathWalk::Step PathWalk::Take(const std::string& name, bool is_last) {
  if (name.size() > NAME_MAX) return Fail(ENAMETOOLONG);
  if (name == ".") return Step::kWalked;
  if (name == "..") return Up();
  switch (region_) {
    case Region::kHost:
      return TakeInHost(name, is_last);
    case Region::kOwn:
      return TakeComponent(name, is_last);
    case Region::kProcess:
      return TakeInProcess(name, is_last);
  }
  return Fail(EACCES);
}

Place PathWalk::Run(int directory_fd, absl::string_view path) {
  Place place;
  Step step = Begin(directory_fd, path) ? Step::kWalked : Step::kFailed;
  while (step == Step::kWalked && !rest_.empty()) {
    if (components_ > kMostComponents) {
      step = Fail(ENAMETOOLONG);
      break;
    }
    if (rest_.size() > 1 && IsPlainlyHost()) {
      step = TakePlainly();
      continue;
    }
    const std::string name = std::move(rest_.back());
    rest_.pop_back();
    step = Take(name, rest_.empty());
  }
  place.region = region_;
  place.needs_view = needs_view_;
  place.must_be_directory = must_be_directory_;
  if (step == Step::kWalked && !Open()) step = Fail(errno);
  if (step == Step::kFailed) {
    place.error_number = error_number_;
    return place;
  }
  place.directory = std::move(at_);
  place.name = std::move(final_name_);
  return place;
}

}  // namespace cordon::sandbox
