// Door: CollectFiles.

#include "sandbox/workspace/collect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/workspace/beneath.h"
#include "sandbox/workspace/printable_path.h"

namespace cordon::sandbox {
namespace {

bool IsGlob(absl::string_view component) {
  return component.find_first_of("*?[\\") != absl::string_view::npos;
}

std::string DescribeType(mode_t mode) {
  if (S_ISDIR(mode)) return "is a directory";
  if (S_ISLNK(mode)) return "is a symbolic link";
  if (S_ISFIFO(mode)) return "is a FIFO";
  if (S_ISSOCK(mode)) return "is a socket";
  return "is a device";
}

std::string DescribeError(int error_number) {
  return error_number == ENOENT ? "no such file" : strerror(error_number);
}

class Collector {
 public:
  Collector(int root, uint64_t max_bytes)
      : root_(root), max_bytes_(max_bytes), bytes_left_(max_bytes) {}

  void Add(const std::string& pattern) {
    absl::StatusOr<std::vector<std::string>> parts = SplitBeneath(pattern);
    if (!parts.ok()) {
      Report(pattern, std::string(parts.status().message()));
      return;
    }
    const bool glob = std::any_of(parts->begin(), parts->end(), IsGlob);
    const size_t before = matches_;
    Expand(*parts, glob);
    if (glob && matches_ == before) Report(pattern, "no file matches");
  }

  std::vector<CollectedFile> Take() { return std::move(files_); }

 private:
  // A directory on the way, still to be matched against parts[depth...].
  struct Pending {
    std::string path;
    size_t depth = 0;
  };

  // Depth first in order of names. Only paths are remembered, so the number of
  // descriptors does not depend on what the program made.
  void Expand(const std::vector<std::string>& parts, bool glob) {
    std::vector<Pending> pending = {{"", 0}};
    while (!pending.empty() && !full_) {
      const Pending at = std::move(pending.back());
      pending.pop_back();
      const UniqueFd directory = OpenPath(at.path);
      if (!directory.valid()) {
        if (!glob) Report(Join(parts), DescribeError(errno));
        continue;
      }
      const std::string& part = parts[at.depth];
      std::vector<std::string> names;
      if (IsGlob(part)) {
        names = MatchingNames(directory.get(), part);
      } else {
        names = {part};
      }
      const bool last = at.depth + 1 == parts.size();
      if (last) {
        for (const std::string& name : names) {
          Read(directory.get(), name, at.path + name, glob);
        }
        continue;
      }
      // The first name must come off the stack first.
      for (auto name = names.rbegin(); name != names.rend(); ++name) {
        pending.push_back({at.path + *name + "/", at.depth + 1});
      }
    }
  }

  // `path` is "" or ends in '/'.
  UniqueFd OpenPath(const std::string& path) const {
    UniqueFd directory(fcntl(root_, F_DUPFD_CLOEXEC, 0));
    size_t begin = 0;
    while (directory.valid() && begin < path.size()) {
      const size_t end = path.find('/', begin);
      const std::string name = path.substr(begin, end - begin);
      UniqueFd next = OpenDirectoryBeneath(directory.get(), name.c_str());
      const int error = errno;
      directory = std::move(next);
      errno = error;
      begin = end + 1;
    }
    return directory;
  }

  std::vector<std::string> MatchingNames(int directory,
                                         const std::string& pattern) {
    std::vector<std::string> names;
    const int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* stream = own < 0 ? nullptr : fdopendir(own);
    if (stream == nullptr) {
      if (own >= 0) close(own);
      return names;
    }
    while (const dirent* entry = readdir(stream)) {
      const absl::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (++visited_ > kMaxVisitedEntries) {
        Stop(pattern, absl::StrCat("more than ", kMaxVisitedEntries,
                                   " directory entries to match"));
        break;
      }
      if (fnmatch(pattern.c_str(), entry->d_name, FNM_PERIOD) == 0) {
        names.emplace_back(name);
      }
    }
    closedir(stream);
    std::sort(names.begin(), names.end());
    return names;
  }

  void Read(int directory, const std::string& name, const std::string& path,
            bool glob) {
    if (full_) return;
    struct stat status;
    if (fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      // A name that a glob found one moment ago, or that is simply not there.
      if (!glob) Report(path, DescribeError(errno));
      return;
    }
    // "out/*" means the files in there: a directory among them is no error.
    if (glob && S_ISDIR(status.st_mode)) return;
    ++matches_;
    if (!seen_.insert(path).second) return;
    if (!S_ISREG(status.st_mode)) {
      Report(path, absl::StrCat("not a regular file: it ",
                                DescribeType(status.st_mode)));
      return;
    }
    ReadRegular(directory, name, path);
  }

  void ReadRegular(int directory, const std::string& name,
                   const std::string& path) {
    const UniqueFd file = OpenFileBeneath(directory, name.c_str());
    if (!file.valid()) {
      Report(path, strerror(errno));
      return;
    }
    struct stat status;
    if (fstat(file.get(), &status) != 0) {
      Report(path, strerror(errno));
      return;
    }
    const uint64_t size = static_cast<uint64_t>(status.st_size);
    if (size > bytes_left_) {
      ReportTooLarge(path, absl::StrCat("the file has ", size, " bytes"));
      return;
    }
    CollectedFile collected;
    collected.path = PrintablePath(path);
    // One byte more than the size, to see that the file did not grow.
    collected.content.resize(size + 1);
    size_t filled = 0;
    while (filled < collected.content.size()) {
      const ssize_t count = read(file.get(), collected.content.data() + filled,
                                 collected.content.size() - filled);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        Report(path, strerror(errno));
        return;
      }
      if (count == 0) break;
      filled += static_cast<size_t>(count);
    }
    if (filled > size) {
      Report(path, "the file grew while it was read");
      return;
    }
    collected.content.resize(filled);
    bytes_left_ -= filled;
    Push(std::move(collected));
  }

  void ReportTooLarge(const std::string& path, const std::string& what) {
    Report(path,
           absl::StrCat("too large: ", what, ", and ", bytes_left_, " of the ",
                        max_bytes_, " bytes that one run may return are left"));
  }

  void Report(const std::string& path, std::string error) {
    CollectedFile file;
    file.path = PrintablePath(path);
    file.error = std::move(error);
    Push(std::move(file));
  }

  void Push(CollectedFile file) {
    if (full_) return;
    if (files_.size() + 1 >= static_cast<size_t>(kMaxCollectedFiles)) {
      full_ = true;
      file.content.clear();
      file.error = absl::StrCat("more than ", kMaxCollectedFiles - 1,
                                " files: this one and the rest are left out");
    }
    files_.push_back(std::move(file));
  }

  void Stop(const std::string& path, std::string error) {
    Report(path, std::move(error));
    full_ = true;
  }

  static std::string Join(const std::vector<std::string>& parts) {
    std::string path;
    for (const std::string& part : parts) {
      absl::StrAppend(&path, path.empty() ? "" : "/", part);
    }
    return path;
  }

  const int root_;
  const uint64_t max_bytes_;
  uint64_t bytes_left_;
  int visited_ = 0;
  size_t matches_ = 0;
  // No more entries, of whatever kind.
  bool full_ = false;
  std::set<std::string> seen_;
  std::vector<CollectedFile> files_;
};

}  // namespace

std::vector<CollectedFile> CollectFiles(
    int directory, const std::vector<std::string>& patterns,
    uint64_t max_bytes) {
  Collector collector(directory, max_bytes);
  for (const std::string& pattern : patterns) collector.Add(pattern);
  return collector.Take();
}

}  // namespace cordon::sandbox
