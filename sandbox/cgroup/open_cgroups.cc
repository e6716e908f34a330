#include "sandbox/cgroup/open_cgroups.h"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/cgroup/hierarchies.h"

namespace cordon::sandbox {
namespace {

absl::StatusOr<std::string> ReadWhole(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (!(text << file.rdbuf())) return ErrnoToStatus(errno, path);
  return text.str();
}

}  // namespace

absl::StatusOr<std::unique_ptr<CgroupTree>> OpenCgroups(
    const std::string& state_directory) {
  struct stat state;
  if (stat(state_directory.c_str(), &state) != 0) {
    return ErrnoToStatus(errno, "stat of the state directory");
  }
  const auto mountinfo = ReadWhole("/proc/self/mountinfo");
  if (!mountinfo.ok()) return mountinfo.status();
  const auto cgroups = ReadWhole("/proc/self/cgroup");
  if (!cgroups.ok()) return cgroups.status();
  const auto hierarchies = FindHierarchies(*mountinfo, *cgroups);
  if (!hierarchies.ok()) return hierarchies.status();
  return CgroupTree::Open(*hierarchies,
                          absl::StrCat("cordon-", absl::Hex(state.st_dev), "-",
                                       absl::Hex(state.st_ino)));
}

}  // namespace cordon::sandbox
