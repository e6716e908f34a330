#include "sandbox/cgroup/cgroup_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "sandbox/base/errno_status.h"

namespace cordon::sandbox {
namespace {

// A killed process may be busy in the kernel for a moment.
constexpr absl::Duration kLongestDeath = absl::Seconds(5);
constexpr absl::Duration kDeathPause = absl::Milliseconds(2);

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

absl::Status WriteAt(int directory, const char* file, absl::string_view text) {
  const UniqueFd fd(openat(directory, file, O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoToStatus(errno, absl::StrCat("open ", file));
  if (write(fd.get(), text.data(), text.size()) < 0) {
    return ErrnoToStatus(errno, absl::StrCat("write ", file));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenAt(int directory, const char* file, int mode) {
  UniqueFd fd(openat(directory, file, mode | O_CLOEXEC));
  if (!fd.valid()) return ErrnoToStatus(errno, absl::StrCat("open ", file));
  return fd;
}

// What the file says now, however often it was read.
absl::StatusOr<std::string> ReadAgain(const UniqueFd& fd, const char* file) {
  std::string text;
  char buffer[4096];
  ssize_t size;
  while ((size = pread(fd.get(), buffer, sizeof(buffer),
                       static_cast<off_t>(text.size()))) > 0) {
    text.append(buffer, static_cast<size_t>(size));
  }
  if (size < 0) return ErrnoToStatus(errno, absl::StrCat("read ", file));
  return text;
}

absl::StatusOr<std::string> ReadAt(int directory, const char* file) {
  const absl::StatusOr<UniqueFd> fd = OpenAt(directory, file, O_RDONLY);
  if (!fd.ok()) return fd.status();
  return ReadAgain(*fd, file);
}

// The number behind "KEY " at the start of a line, as all of these files have
// it.
uint64_t Field(absl::string_view text, absl::string_view key) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    uint64_t value;
    if (parts.first == key && absl::SimpleAtoi(parts.second, &value)) {
      return value;
    }
  }
  return 0;
}

absl::StatusOr<UniqueFd> MakeDirectory(int parent, const char* name) {
  if (mkdirat(parent, name, 0755) != 0 && errno != EEXIST) {
    return ErrnoToStatus(errno, "mkdir of a cgroup");
  }
  UniqueFd fd(openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoToStatus(errno, "open of a cgroup");
  return fd;
}

int ErrnoOf(const absl::Status& status) {
  const std::optional<StepFailure> failure = FailureOf(status);
  return failure.has_value() ? failure->error_number : 0;
}

// How many processes there were.
int KillMembers(int directory) {
  const absl::StatusOr<std::string> members = ReadAt(directory, "cgroup.procs");
  if (!members.ok()) return 0;
  int killed = 0;
  for (const absl::string_view line : absl::StrSplit(*members, '\n')) {
    pid_t pid;
    if (!absl::SimpleAtoi(line, &pid) || pid <= 0 || pid == getpid()) continue;
    kill(pid, SIGKILL);
    ++killed;
  }
  return killed;
}

// The groups of an earlier process, none of which has groups of its own.
void RemoveChildren(int directory) {
  const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseDirectory> entries(fdopendir(copy));
  if (entries == nullptr) return;
  const absl::Time end = absl::Now() + kLongestDeath;
  while (const dirent* entry = readdir(entries.get())) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    const UniqueFd child(
        openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    while (child.valid() && KillMembers(child.get()) > 0 && absl::Now() < end) {
      absl::SleepFor(kDeathPause);
    }
    unlinkat(directory, entry->d_name, AT_REMOVEDIR);
  }
}

// Trees of processes that are gone: a lock ends with its process.
void RemoveAbandoned(const std::string& directory, absl::string_view prefix) {
  const std::unique_ptr<DIR, CloseDirectory> entries(
      opendir(directory.c_str()));
  if (entries == nullptr) return;
  while (const dirent* entry = readdir(entries.get())) {
    if (entry->d_type != DT_DIR || !absl::StartsWith(entry->d_name, prefix)) {
      continue;
    }
    const UniqueFd tree(openat(dirfd(entries.get()), entry->d_name,
                               O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!tree.valid() || flock(tree.get(), LOCK_EX | LOCK_NB) != 0) continue;
    RemoveChildren(tree.get());
    unlinkat(dirfd(entries.get()), entry->d_name, AT_REMOVEDIR);
  }
}

// What runs need of version 2, and what they are better with: each gets the
// same share of the processors then, however many processes it has.
absl::Status EnableControllers(int directory) {
  constexpr const char* kFile = "cgroup.subtree_control";
  absl::Status status = WriteAt(directory, kFile, "+memory +pids");
  if (status.ok()) WriteAt(directory, kFile, "+cpu").IgnoreError();
  return status;
}

// Moves this process out of the group at `parent`, into one beneath it, where
// the group may not have controlled children otherwise.
absl::Status EnableControllersOfParent(int parent) {
  absl::Status status = EnableControllers(parent);
  if (status.ok() || ErrnoOf(status) != EBUSY) return status;
  const absl::StatusOr<UniqueFd> own = MakeDirectory(parent, "cordon.server");
  if (!own.ok()) return own.status();
  status = WriteAt(own->get(), "cgroup.procs", "0");
  if (!status.ok()) return status;
  return EnableControllers(parent);
}

}  // namespace

// ---------------------------------------------------------------- RunCgroup

RunCgroup& RunCgroup::operator=(RunCgroup&& other) noexcept {
  std::swap(version_, other.version_);
  std::swap(name_, other.name_);
  std::swap(directories_, other.directories_);
  std::swap(cpu_file_, other.cpu_file_);
  std::swap(oom_file_, other.oom_file_);
  std::swap(limits_, other.limits_);
  std::swap(cpu_before_, other.cpu_before_);
  std::swap(oom_kills_before_, other.oom_kills_before_);
  return *this;
}

RunCgroup::~RunCgroup() { Remove(); }

// A reaped process leaves its group a moment later.
void RunCgroup::Remove() {
  const absl::Time end = absl::Now() + kLongestDeath;
  for (const Directory& directory : directories_) {
    while (unlinkat(directory.parent, name_.c_str(), AT_REMOVEDIR) != 0 &&
           errno == EBUSY && absl::Now() < end) {
      absl::SleepFor(kDeathPause);
    }
  }
  directories_.clear();
}

int RunCgroup::cpu() const {
  return version_ == CgroupVersion::kV2 ? memory() : directories_[1].fd.get();
}

int RunCgroup::pids() const {
  return version_ == CgroupVersion::kV2 ? memory() : directories_[2].fd.get();
}

const char* RunCgroup::CpuFile() const {
  return version_ == CgroupVersion::kV2 ? "cpu.stat" : "cpuacct.usage";
}

const char* RunCgroup::OomFile() const {
  return version_ == CgroupVersion::kV2 ? "memory.events"
                                        : "memory.oom_control";
}

absl::Status RunCgroup::OpenFiles() {
  // In version 1 a process moves itself as a thread: that takes no lock that
  // every fork of the machine waits for.
  const char* entrance =
      version_ == CgroupVersion::kV2 ? "cgroup.procs" : "tasks";
  for (Directory& directory : directories_) {
    absl::StatusOr<UniqueFd> fd =
        OpenAt(directory.fd.get(), entrance, O_WRONLY);
    if (!fd.ok()) return fd.status();
    directory.entrance = *std::move(fd);
  }
  absl::StatusOr<UniqueFd> cpu_file = OpenAt(cpu(), CpuFile(), O_RDONLY);
  if (!cpu_file.ok()) return cpu_file.status();
  cpu_file_ = *std::move(cpu_file);
  absl::StatusOr<UniqueFd> oom_file = OpenAt(memory(), OomFile(), O_RDONLY);
  if (!oom_file.ok()) return oom_file.status();
  oom_file_ = *std::move(oom_file);
  // Swap is in no figure of the group's memory. Where there is none, there is
  // nothing to write to.
  const bool v2 = version_ == CgroupVersion::kV2;
  WriteAt(memory(), v2 ? "memory.swap.max" : "memory.swappiness", "0")
      .IgnoreError();
  return absl::OkStatus();
}

std::vector<int> RunCgroup::entrances() const {
  std::vector<int> entrances;
  for (const Directory& directory : directories_) {
    entrances.push_back(directory.entrance.get());
  }
  return entrances;
}

absl::Status RunCgroup::SetLimits(const CgroupLimits& limits) {
  const bool v2 = version_ == CgroupVersion::kV2;
  if (limits.memory_bytes != limits_.memory_bytes) {
    const std::string text = limits.memory_bytes == UINT64_MAX
                                 ? (v2 ? "max" : "-1")
                                 : absl::StrCat(limits.memory_bytes);
    absl::Status status =
        WriteAt(memory(), v2 ? "memory.max" : "memory.limit_in_bytes", text);
    if (!status.ok()) return status;
    limits_.memory_bytes = limits.memory_bytes;
  }
  if (limits.processes != limits_.processes) {
    absl::Status status =
        WriteAt(pids(), "pids.max",
                limits.processes == 0 ? "max" : absl::StrCat(limits.processes));
    if (!status.ok()) return status;
    limits_.processes = limits.processes;
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> RunCgroup::TotalCpuTime() const {
  const absl::StatusOr<std::string> text = ReadAgain(cpu_file_, CpuFile());
  if (!text.ok()) return text.status();
  if (version_ == CgroupVersion::kV2) {
    return absl::Microseconds(Field(*text, "usage_usec"));
  }
  uint64_t nanoseconds = 0;
  if (!absl::SimpleAtoi(*text, &nanoseconds)) {
    return ErrnoToStatus(EINVAL, "read cpuacct.usage");
  }
  return absl::Nanoseconds(nanoseconds);
}

absl::StatusOr<uint64_t> RunCgroup::TotalOomKills() const {
  const absl::StatusOr<std::string> text = ReadAgain(oom_file_, OomFile());
  if (!text.ok()) return text.status();
  return Field(*text, "oom_kill");
}

absl::StatusOr<absl::Duration> RunCgroup::CpuTime() const {
  const absl::StatusOr<absl::Duration> total = TotalCpuTime();
  if (!total.ok()) return total.status();
  return *total - cpu_before_;
}

absl::StatusOr<uint64_t> RunCgroup::OomKills() const {
  const absl::StatusOr<uint64_t> total = TotalOomKills();
  if (!total.ok()) return total.status();
  return *total - oom_kills_before_;
}

absl::StatusOr<uint64_t> RunCgroup::MemoryBytes() const {
  const absl::StatusOr<std::string> text = ReadAt(memory(), "memory.stat");
  if (!text.ok()) return text.status();
  return Field(*text, version_ == CgroupVersion::kV2 ? "anon" : "rss") +
         Field(*text, "shmem");
}

absl::Status RunCgroup::StartOver() {
  absl::Status status = SetLimits({});
  if (!status.ok()) return status;
  const absl::StatusOr<absl::Duration> cpu_time = TotalCpuTime();
  if (!cpu_time.ok()) return cpu_time.status();
  const absl::StatusOr<uint64_t> oom_kills = TotalOomKills();
  if (!oom_kills.ok()) return oom_kills.status();
  cpu_before_ = *cpu_time;
  oom_kills_before_ = *oom_kills;
  return absl::OkStatus();
}

// --------------------------------------------------------------- CgroupTree

absl::StatusOr<std::unique_ptr<CgroupTree>> CgroupTree::Open(
    const Hierarchies& hierarchies, absl::string_view name) {
  std::unique_ptr<CgroupTree> tree(new CgroupTree(hierarchies.version));
  std::vector<std::string> parents = {hierarchies.memory};
  if (hierarchies.version == CgroupVersion::kV1) {
    parents.push_back(hierarchies.cpu);
    parents.push_back(hierarchies.pids);
  }
  for (const std::string& parent : parents) {
    if (hierarchies.version == CgroupVersion::kV2) {
      const UniqueFd fd(
          open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!fd.valid()) return ErrnoToStatus(errno, "open of a cgroup");
      absl::Status status = EnableControllersOfParent(fd.get());
      if (!status.ok()) return status;
    }
    RemoveAbandoned(parent, absl::StrCat(name.substr(0, name.find('-')), "-"));
    absl::Status status = tree->Add(absl::StrCat(parent, "/", name));
    if (!status.ok()) return status;
  }
  // A directory that is there already says nothing of what may be done in it.
  const absl::StatusOr<RunCgroup> tried = tree->Create();
  if (!tried.ok()) return tried.status();
  return tree;
}

absl::Status CgroupTree::Add(const std::string& directory) {
  absl::StatusOr<UniqueFd> fd = MakeDirectory(AT_FDCWD, directory.c_str());
  if (!fd.ok()) return fd.status();
  if (flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    return ErrnoToStatus(errno, "another server has this cgroup");
  }
  RemoveChildren(fd->get());
  paths_.push_back(directory);
  directories_.push_back(*std::move(fd));
  if (version_ == CgroupVersion::kV1) return absl::OkStatus();
  return EnableControllers(directories_.back().get());
}

CgroupTree::~CgroupTree() {
  for (const std::string& path : paths_) rmdir(path.c_str());
}

absl::StatusOr<RunCgroup> CgroupTree::Create() {
  RunCgroup group(version_, absl::StrCat("run-", next_.fetch_add(1) + 1));
  for (const UniqueFd& parent : directories_) {
    absl::StatusOr<UniqueFd> fd =
        MakeDirectory(parent.get(), group.name_.c_str());
    if (!fd.ok()) return fd.status();
    group.directories_.push_back({parent.get(), *std::move(fd), UniqueFd()});
  }
  absl::Status opened = group.OpenFiles();
  if (!opened.ok()) return opened;
  // What is swapped out would be counted nowhere.
  absl::Status status = version_ == CgroupVersion::kV1
                            ? WriteAt(group.memory(), "memory.swappiness", "0")
                            : WriteAt(group.memory(), "memory.swap.max", "0");
  // A kernel without swap has no such file.
  if (!status.ok() && ErrnoOf(status) != ENOENT) return status;
  return group;
}

}  // namespace cordon::sandbox
