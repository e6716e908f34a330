#include "tests/support/process_view.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace cordon::testing {
namespace {

namespace fs = std::filesystem;

int EntriesOf(const std::string& directory) {
  std::error_code error;
  return static_cast<int>(std::distance(
      fs::directory_iterator(directory, error), fs::directory_iterator()));
}

std::vector<pid_t> AllChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  std::error_code error;
  for (const auto& thread :
       fs::directory_iterator(absl::StrCat("/proc/", pid, "/task"), error)) {
    std::ifstream file(thread.path() / "children");
    pid_t child;
    while (file >> child) children.push_back(child);
  }
  return children;
}

// A dead one that nobody waited for is a leak like any other.
bool IsNamed(pid_t pid, absl::string_view name) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(file, line);
  return absl::StrContains(line, absl::StrCat("(", name, ") ")) &&
         !absl::StrContains(line, absl::StrCat("(", name, ") Z"));
}

bool IsArmed(pid_t pid) { return IsNamed(pid, "cordon-armed"); }
// A fork that has just begun has its template's name and group.
bool IsTemplate(pid_t pid) {
  return IsNamed(pid, "cordon-warm") && getpgid(pid) == pid;
}

}  // namespace

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children = AllChildrenOf(pid);
  children.erase(std::remove_if(children.begin(), children.end(),
                                [](pid_t child) {
                                  return IsArmed(child) ||
                                         IsNamed(child, "cordon-warm");
                                }),
                 children.end());
  return children;
}

std::vector<pid_t> TemplatesOf(pid_t pid) {
  std::vector<pid_t> children = AllChildrenOf(pid);
  children.erase(
      std::remove_if(children.begin(), children.end(), std::not_fn(IsTemplate)),
      children.end());
  return children;
}

std::vector<pid_t> ArmedChildrenOf(pid_t pid) {
  std::vector<pid_t> children = AllChildrenOf(pid);
  children.erase(
      std::remove_if(children.begin(), children.end(), std::not_fn(IsArmed)),
      children.end());
  return children;
}

int DescriptorsOf(pid_t pid) {
  return EntriesOf(absl::StrCat("/proc/", pid, "/fd"));
}

int ThreadsOf(pid_t pid) {
  return EntriesOf(absl::StrCat("/proc/", pid, "/task"));
}

uint64_t ResidentBytesOf(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  std::string word;
  while (status >> word) {
    uint64_t kibibytes = 0;
    if (word == "VmRSS:" && status >> kibibytes) return kibibytes << 10;
  }
  return 0;
}

std::string CpuTicksOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return "";
  // After the name comes the third field; these are the 14th and the 15th.
  const std::vector<std::string> fields =
      absl::StrSplit(line.substr(name_end + 2), ' ');
  return absl::StrCat(fields[11], "+", fields[12]);
}

std::vector<pid_t> ProcessesMarked(const std::string& mark) {
  std::vector<pid_t> marked;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    pid_t pid;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    // A process that is gone meanwhile reads as empty; an iterator would throw.
    std::stringstream arguments;
    arguments << std::ifstream(entry.path() / "cmdline").rdbuf();
    if (arguments.str().find(mark) != std::string::npos) marked.push_back(pid);
  }
  return marked;
}

pid_t KeeperOf(pid_t server) {
  const std::string title = absl::StrCat("cordond: keeper of ", server);
  for (const pid_t pid : ProcessesMarked(title)) {
    std::ifstream file(absl::StrCat("/proc/", pid, "/cmdline"));
    std::string arguments;
    std::getline(file, arguments, '\0');
    if (arguments == title) return pid;
  }
  return -1;
}

bool Eventually(const std::function<bool()>& condition) {
  const absl::Time end = absl::Now() + absl::Seconds(30);
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

}  // namespace cordon::testing
