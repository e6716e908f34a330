#include "sandbox/supervise/process_memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::sandbox {

// A name with a line feed in it has that escaped.
std::optional<uint64_t> StatusField(absl::string_view text,
                                    absl::string_view key) {
  const std::string begin = absl::StrCat("\n", key, ":");
  const size_t at = text.find(begin);
  if (at == absl::string_view::npos) return std::nullopt;
  absl::string_view rest =
      absl::StripLeadingAsciiWhitespace(text.substr(at + begin.size()));
  uint64_t value;
  if (!absl::SimpleAtoi(rest.substr(0, rest.find_first_of(" \n")), &value)) {
    return std::nullopt;
  }
  return value;
}

namespace {

constexpr uint64_t kKibibyte = 1024;

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

constexpr size_t kStatusBytes = 4096;

std::string ReadFile(const std::string& path, size_t most) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return "";
  std::string text;
  char buffer[4096];
  while (text.size() < most) {
    const ssize_t size =
        read(fd.get(), buffer, std::min(sizeof(buffer), most - text.size()));
    if (size <= 0) break;
    text.append(buffer, static_cast<size_t>(size));
  }
  return text;
}

uint64_t Kibibytes(absl::string_view text, absl::string_view key) {
  return StatusField(text, key).value_or(0) * kKibibyte;
}

// The status file of a process that has memory. A main thread that has ended
// while others go on has none to show (proc_pid_status(5)): then one of those.
std::string ReadMemoryStatus(pid_t pid) {
  std::string status = ReadProcFile(pid, "status");
  if (StatusField(status, "RssAnon").has_value() ||
      StatusField(status, "Threads").value_or(0) <= 1) {
    return status;
  }
  const std::unique_ptr<DIR, CloseDirectory> tasks(
      opendir(absl::StrCat("/proc/", pid, "/task").c_str()));
  if (tasks == nullptr) return status;
  while (const dirent* entry = readdir(tasks.get())) {
    pid_t tid;
    if (!absl::SimpleAtoi(entry->d_name, &tid)) continue;
    std::string other = ReadProcFile(tid, "status");
    if (StatusField(other, "RssAnon").has_value()) return other;
  }
  return status;
}

}  // namespace

std::vector<absl::string_view> StatFields(absl::string_view stat,
                                          size_t count) {
  const size_t name_end = stat.rfind(") ");
  if (name_end == absl::string_view::npos) return {};
  std::vector<absl::string_view> fields =
      absl::StrSplit(stat.substr(name_end + 2), absl::MaxSplits(' ', count));
  if (fields.size() > count) fields.pop_back();  // The rest.
  return fields;
}

std::string ReadProcFile(pid_t pid, absl::string_view name, size_t most) {
  return ReadFile(absl::StrCat("/proc/", pid, "/", name), most);
}

bool HasSignal(pid_t tid) {
  const std::string status = ReadProcFile(tid, "status");
  const auto mask = [&status](absl::string_view key) {
    uint64_t bits = 0;
    const size_t at = status.find(absl::StrCat("\n", key, ":\t"));
    if (at == std::string::npos) return bits;
    constexpr size_t kDigits = 16;
    (void)absl::SimpleHexAtoi(
        absl::string_view(status).substr(at + key.size() + 3, kDigits), &bits);
    return bits;
  };
  return ((mask("SigPnd") | mask("ShdPnd")) & ~mask("SigBlk")) != 0;
}

bool IsOwnChild(pid_t pid) {
  const auto own = static_cast<uint64_t>(getpid());
  return StatusField(ReadProcFile(pid, "status"), "PPid").value_or(own) == own;
}

std::optional<uint64_t> ReadFileSizeLimit(pid_t pid) {
  const std::string limits = ReadProcFile(pid, "limits");
  absl::string_view text = limits;
  constexpr absl::string_view kName = "Max file size";
  const size_t found = text.find(kName);
  if (found == absl::string_view::npos) return std::nullopt;
  text = absl::StripLeadingAsciiWhitespace(text.substr(found + kName.size()));
  uint64_t limit;
  if (!absl::SimpleAtoi(text.substr(0, text.find(' ')), &limit)) {
    return std::nullopt;
  }
  return limit;
}

ProcessMemory ReadProcessMemory(pid_t pid) {
  const std::string status = ReadMemoryStatus(pid);
  ProcessMemory memory;
  memory.swapped = Kibibytes(status, "VmSwap");
  memory.resident.own = Kibibytes(status, "RssAnon") + memory.swapped +
                        Kibibytes(status, "VmPTE");
  memory.resident.shared = Kibibytes(status, "RssShmem");
  memory.pool = Kibibytes(status, "HugetlbPages");
  memory.threads = StatusField(status, "Threads").value_or(0);
  memory.parent = static_cast<pid_t>(StatusField(status, "PPid").value_or(0));
  memory.is_suspended = absl::StrContains(status, "\nState:\tD");
  return memory;
}

uint64_t ReadHostSharedBytes() {
  const std::string info = ReadFile("/proc/meminfo", kStatusBytes);
  const std::optional<uint64_t> shared = StatusField(info, "Shmem");
  if (!shared.has_value()) return std::numeric_limits<uint64_t>::max();
  const uint64_t swap = StatusField(info, "SwapTotal").value_or(0);
  const uint64_t free = StatusField(info, "SwapFree").value_or(0);
  return (*shared + swap - std::min(swap, free)) * kKibibyte;
}

std::optional<ResidentMemory> ReadProportionalMemory(pid_t pid) {
  const std::string rollup = ReadProcFile(pid, "smaps_rollup");
  const std::optional<uint64_t> anonymous = StatusField(rollup, "Pss_Anon");
  const std::optional<uint64_t> shared = StatusField(rollup, "Pss_Shmem");
  if (!anonymous.has_value() || !shared.has_value()) return std::nullopt;
  // Page tables are each process's own (ReadProcessMemory).
  const uint64_t tables = Kibibytes(ReadProcFile(pid, "status"), "VmPTE");
  return ResidentMemory{
      .own = *anonymous * kKibibyte + Kibibytes(rollup, "SwapPss") + tables,
      .shared = *shared * kKibibyte};
}

}  // namespace cordon::sandbox
