// The door is MeasureDisk.
//
// How it works: depth first, with the names of the directories that are still
// to be visited kept for each level. The upper levels keep their descriptors;
// below them the way up is "..", and it counts only if it leads to the very
// directory that the way down came from.

#include "sandbox/supervise/disk_usage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::sandbox {
namespace {

// Levels that keep their descriptor.
constexpr size_t kHeldLevels = 64;
constexpr uint64_t kBlockBytes = 512;  // st_blocks, stat(3type)

using Inode = std::pair<dev_t, ino_t>;

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

Directory OpenListing(int parent, const char* name) {
  UniqueFd fd(
      openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return nullptr;
  DIR* stream = fdopendir(fd.get());
  if (stream != nullptr) (void)fd.Release();
  return Directory(stream);
}

// Of a task's directory in /proc (proc_pid_statm(5)).
bool HasMemory(const std::string& task) {
  const UniqueFd fd(open((task + "/statm").c_str(), O_RDONLY | O_CLOEXEC));
  char first = '0';
  return fd.valid() && read(fd.get(), &first, 1) == 1 && first != '0';
}

class Measurer {
 public:
  explicit Measurer(const DiskMeasurement& what) : what_(what) {}

  DiskUsage Run() {
    Walk();
    for (const pid_t pid : what_.members) {
      if (Full()) break;
      AddHeldFiles(pid);
    }
    if (Full()) usage_.completeness = Completeness::kStopped;
    return usage_;
  }

 private:
  struct Level {
    Inode inode;
    // Of the last level, and of the upper ones.
    UniqueFd fd;
    std::vector<std::string> unvisited;
  };

  bool Full() const {
    return usage_.bytes > what_.most_bytes ||
           usage_.inodes > what_.most_inodes ||
           what_.stop->load(std::memory_order_relaxed);
  }

  void Add(const struct stat& status) {
    if (!seen_.emplace(status.st_dev, status.st_ino).second) return;
    usage_.bytes += static_cast<uint64_t>(status.st_blocks) * kBlockBytes;
    ++usage_.inodes;
    if (S_ISREG(status.st_mode)) {
      usage_.longest_file =
          std::max(usage_.longest_file, static_cast<uint64_t>(status.st_size));
    }
  }

  void Walk();
  bool Enter(int parent, const char* name);
  void AddEntries(DIR* directory, Level& level);
  bool Return();
  void AddHeldFiles(pid_t pid);
  void AddOpenFiles(const std::string& task);
  bool AddMappedFiles(const std::string& task);
  bool AddLinks(DIR* links);
  void AddLinked(int links, const char* name);
  bool IsOfTheRun(int links, const char* name, const struct stat& status) const;

  const DiskMeasurement& what_;
  DiskUsage usage_;
  dev_t device_ = 0;
  absl::flat_hash_set<Inode> seen_;
  std::vector<Level> levels_;
};

// False when it is no directory any more, or closed to this process: then what
// is in it is not counted.
bool Measurer::Enter(int parent, const char* name) {
  const Directory directory = OpenListing(parent, name);
  struct stat status;
  if (directory == nullptr || fstat(dirfd(directory.get()), &status) != 0) {
    return false;
  }
  if (levels_.empty()) device_ = status.st_dev;
  if (status.st_dev != device_) return false;
  Add(status);
  Level level;
  level.inode = {status.st_dev, status.st_ino};
  level.fd.Reset(fcntl(dirfd(directory.get()), F_DUPFD_CLOEXEC, 0));
  if (!level.fd.valid()) return false;
  AddEntries(directory.get(), level);
  if (levels_.size() > kHeldLevels) levels_.back().fd.Reset();
  levels_.push_back(std::move(level));
  return true;
}

void Measurer::AddEntries(DIR* directory, Level& level) {
  while (const dirent* entry = readdir(directory)) {
    const absl::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status;
    if (fstatat(dirfd(directory), entry->d_name, &status,
                AT_SYMLINK_NOFOLLOW) != 0) {
      continue;
    }
    Add(status);
    if (S_ISDIR(status.st_mode)) level.unvisited.emplace_back(name);
    if (Full()) return;
  }
}

// To the level above. False when it is not there any more, and was not held.
bool Measurer::Return() {
  const UniqueFd below = std::move(levels_.back().fd);
  levels_.pop_back();
  if (levels_.empty() || levels_.back().fd.valid()) return true;
  UniqueFd fd(openat(below.get(), "..",
                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status;
  if (!fd.valid() || fstat(fd.get(), &status) != 0 ||
      Inode(status.st_dev, status.st_ino) != levels_.back().inode) {
    return false;
  }
  levels_.back().fd = std::move(fd);
  return true;
}

void Measurer::Walk() {
  if (!Enter(what_.directory, ".")) return;
  while (!levels_.empty() && !Full()) {
    Level& level = levels_.back();
    if (!level.unvisited.empty()) {
      const std::string name = std::move(level.unvisited.back());
      level.unvisited.pop_back();
      const int parent = level.fd.get();
      (void)Enter(parent, name.c_str());
      continue;
    }
    if (Return()) continue;
    usage_.completeness = Completeness::kDisturbed;
    while (!levels_.empty() && !levels_.back().fd.valid()) levels_.pop_back();
  }
}

// A file that no name leads to is the run's, since it can write nowhere else on
// this filesystem; one with a name must be beneath its directory.
bool Measurer::IsOfTheRun(int links, const char* name,
                          const struct stat& status) const {
  if (!S_ISREG(status.st_mode) || status.st_dev != device_) return false;
  if (status.st_nlink == 0) return true;
  char target[PATH_MAX];
  const ssize_t size = readlinkat(links, name, target, sizeof(target));
  return size > 0 &&
         absl::StartsWith(absl::string_view(target, static_cast<size_t>(size)),
                          absl::StrCat(what_.path, "/"));
}

// `links`: a directory of /proc whose entries lead to open files. A stat opens
// nothing.
void Measurer::AddLinked(int links, const char* name) {
  struct stat status;
  if (fstatat(links, name, &status, 0) != 0) return;
  if (IsOfTheRun(links, name, status)) Add(status);
}

// Whether there are any.
bool Measurer::AddLinks(DIR* links) {
  bool any = false;
  while (const dirent* entry = readdir(links)) {
    if (entry->d_name[0] == '.') continue;
    any = true;
    AddLinked(dirfd(links), entry->d_name);
    if (Full()) break;
  }
  return any;
}

void Measurer::AddOpenFiles(const std::string& task) {
  const Directory links = OpenListing(AT_FDCWD, (task + "/fd").c_str());
  if (links != nullptr) {
    AddLinks(links.get());
  } else if (errno == EACCES || errno == EPERM) {
    // One that ends is root's from when it has no memory any more on, and so is
    // a zombie (proc_pid(5)).
    usage_.files_hidden |= HasMemory(task);
  }
}

bool Measurer::AddMappedFiles(const std::string& task) {
  const Directory links = OpenListing(AT_FDCWD, (task + "/map_files").c_str());
  return links != nullptr && AddLinks(links.get());
}

// A thread may have a table of descriptors of its own (CLONE_FILES of clone(2),
// CLOSE_RANGE_UNSHARE of close_range(2)), and the main one may have ended, with
// its table and its view of the memory that all share.
void Measurer::AddHeldFiles(pid_t pid) {
  const Directory tasks =
      OpenListing(AT_FDCWD, absl::StrCat("/proc/", pid, "/task").c_str());
  if (tasks == nullptr) {
    usage_.files_hidden |= errno == EACCES || errno == EPERM;
    return;
  }
  bool mapped = false;
  while (const dirent* entry = readdir(tasks.get())) {
    if (entry->d_name[0] == '.') continue;
    const std::string task = absl::StrCat("/proc/", entry->d_name);
    AddOpenFiles(task);
    mapped = mapped || AddMappedFiles(task);
    if (Full()) return;
  }
}

}  // namespace

DiskUsage MeasureDisk(const DiskMeasurement& measurement) {
  return Measurer(measurement).Run();
}

}  // namespace cordon::sandbox
