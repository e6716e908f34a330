#include "sandbox/supervise/shared_mappings.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "sandbox/supervise/process_memory.h"

namespace cordon::sandbox {
namespace {

constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();

uint64_t PageBytes() {
  static const auto bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

uint64_t SaturatingAdd(uint64_t a, uint64_t b) {
  return a > kUnknown - b ? kUnknown : a + b;
}

uint64_t SaturatingMultiply(uint64_t a, uint64_t b) {
  return b != 0 && a > kUnknown / b ? kUnknown : a * b;
}

}  // namespace

void AddSharedInodes(absl::string_view maps, std::set<uint64_t>& inodes) {
  for (const absl::string_view line : absl::StrSplit(maps, '\n')) {
    if (!absl::StrContains(line, "/dev/zero (deleted)") &&
        !absl::StrContains(line, "[anon_shmem:")) {
      continue;
    }
    constexpr size_t kInode = 4;
    const std::vector<absl::string_view> fields =
        absl::StrSplit(line, absl::MaxSplits(' ', kInode + 1));
    uint64_t inode;
    if (fields.size() > kInode && absl::SimpleAtoi(fields[kInode], &inode)) {
      inodes.insert(inode);
    }
  }
}

namespace {

// False: the kernel does not show them, or they are more than `budget` bytes of
// text, which is then 0.
bool AddInodesOf(pid_t pid, size_t& budget, std::set<uint64_t>& inodes) {
  // A main thread that has ended while others go on has no memory to show.
  std::error_code error;
  for (std::filesystem::directory_iterator
           task(absl::StrCat("/proc/", pid, "/task"), error),
       end;
       !error && task != end; task.increment(error)) {
    pid_t tid;
    if (!absl::SimpleAtoi(task->path().filename().string(), &tid)) continue;
    const std::string maps = ReadProcFile(tid, "maps", budget);
    budget -= maps.size();
    if (budget == 0) return false;
    if (maps.empty()) continue;
    AddSharedInodes(maps, inodes);
    return true;
  }
  // It has ended, or it may not be looked at.
  const ProcessMemory memory = ReadProcessMemory(pid);
  return memory.resident.own == 0 && memory.resident.shared == 0;
}

// Huge pages in shared memory: one fault brings more than a page
// (Documentation/admin-guide/mm/transhuge.rst).
bool FaultsBringOnePage() {
  namespace fs = std::filesystem;
  const auto is_off = [](const fs::path& file) {
    std::ifstream stream(file);
    std::string text;
    std::getline(stream, text);
    return text.empty() || absl::StrContains(text, "[never]") ||
           absl::StrContains(text, "[deny]") ||
           absl::StrContains(text, "[inherit]");
  };
  const fs::path settings = "/sys/kernel/mm/transparent_hugepage";
  if (!is_off(settings / "shmem_enabled")) return false;
  std::error_code error;
  for (fs::directory_iterator entry(settings, error), end;
       !error && entry != end; entry.increment(error)) {
    if (!is_off(entry->path() / "shmem_enabled")) return false;
  }
  return true;
}

// Its own and those of the children that it has waited for.
uint64_t FaultsOf(pid_t pid) {
  const std::string stat = ReadProcFile(pid, "stat");
  constexpr size_t kFirst = 7;  // "minflt", field 10.
  constexpr size_t kLast = 10;  // "cmajflt", field 13.
  const std::vector<absl::string_view> fields = StatFields(stat, kLast + 1);
  uint64_t sum = 0;
  for (size_t i = kFirst; i <= kLast && i < fields.size(); ++i) {
    uint64_t faults;
    if (absl::SimpleAtoi(fields[i], &faults)) sum += faults;
  }
  return sum;
}

}  // namespace

void SharedMappings::Note(uint64_t bytes) {
  const uint64_t page = PageBytes();
  bytes = bytes > kUnknown - page ? kUnknown : (bytes + page - 1) / page * page;
  ++requests_[bytes];
  total_bytes_ = SaturatingAdd(total_bytes_, bytes);
  // The smallest are then taken for a little larger.
  constexpr size_t kMostLengths = 1024;
  if (requests_.size() > kMostLengths) {
    const size_t count = requests_.begin()->second;
    requests_.erase(requests_.begin());
    requests_.begin()->second += count;
  }
}

uint64_t SharedMappings::LargestBytes(size_t count) const {
  uint64_t sum = 0;
  for (auto request = requests_.rbegin();
       request != requests_.rend() && count > 0; ++request) {
    const size_t taken = std::min(count, request->second);
    sum = SaturatingAdd(sum, SaturatingMultiply(request->first, taken));
    count -= taken;
  }
  return sum;
}

uint64_t SharedMappings::HeldBytes(const std::vector<pid_t>& members) const {
  // Of more than that a look would take too long.
  size_t budget = size_t{4} << 20;
  std::set<uint64_t> inodes;
  for (const pid_t pid : members) {
    // Once more: the first may have met an execve(2), between two programs.
    if (!AddInodesOf(pid, budget, inodes) &&
        !AddInodesOf(pid, budget, inodes)) {
      return total_bytes_;
    }
  }
  return LargestBytes(inodes.size());
}

uint64_t FaultedBytes(const std::vector<pid_t>& members) {
  static const bool one_page = FaultsBringOnePage();
  if (!one_page) return kUnknown;
  uint64_t faults = 0;
  for (const pid_t pid : members) faults += FaultsOf(pid);
  return SaturatingMultiply(faults, PageBytes());
}

}  // namespace cordon::sandbox
