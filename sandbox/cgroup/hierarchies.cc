#include "sandbox/cgroup/hierarchies.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace cordon::sandbox {
namespace {

// A line of mountinfo: "ID PARENT DEV ROOT POINT OPTIONS [TAGS] - TYPE SOURCE
// SUPER_OPTIONS".
struct Mount {
  std::string root;
  std::string point;
  std::string type;
  std::vector<std::string> options;
};

std::vector<Mount> ParseMounts(absl::string_view mountinfo) {
  std::vector<Mount> mounts;
  for (absl::string_view line : absl::StrSplit(mountinfo, '\n')) {
    const std::pair<absl::string_view, absl::string_view> halves =
        absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    const std::vector<std::string> left = absl::StrSplit(halves.first, ' ');
    const std::vector<std::string> right = absl::StrSplit(halves.second, ' ');
    if (left.size() < 6 || right.size() < 3) continue;
    mounts.push_back(
        {left[3], left[4], right[0], absl::StrSplit(right[2], ',')});
  }
  return mounts;
}

bool Has(const std::vector<std::string>& words, absl::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The path of this process's group in the hierarchy of `controller`; in version
// 2's when that is empty. A line is "ID:CONTROLLERS:PATH".
std::optional<std::string> GroupOf(absl::string_view cgroups,
                                   absl::string_view controller) {
  for (absl::string_view line : absl::StrSplit(cgroups, '\n')) {
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3 || !absl::StartsWith(parts[2], "/")) continue;
    const std::vector<std::string> names = absl::StrSplit(parts[1], ',');
    const bool found =
        controller.empty() ? parts[1].empty() : Has(names, controller);
    if (found) return parts[2];
  }
  return std::nullopt;
}

// A mount may show only a part of the hierarchy, from `root` down.
std::optional<std::string> DirectoryOf(const Mount& mount,
                                       absl::string_view group) {
  if (mount.root != "/" && !absl::ConsumePrefix(&group, mount.root)) {
    return std::nullopt;
  }
  while (absl::ConsumePrefix(&group, "/")) {
  }
  return group.empty() ? mount.point : absl::StrCat(mount.point, "/", group);
}

std::optional<std::string> FindV1(const std::vector<Mount>& mounts,
                                  absl::string_view cgroups,
                                  absl::string_view controller) {
  const std::optional<std::string> group = GroupOf(cgroups, controller);
  if (!group.has_value()) return std::nullopt;
  for (const Mount& mount : mounts) {
    if (mount.type != "cgroup" || !Has(mount.options, controller)) continue;
    if (auto directory = DirectoryOf(mount, *group)) return directory;
  }
  return std::nullopt;
}

std::optional<std::string> FindV2(const std::vector<Mount>& mounts,
                                  absl::string_view cgroups) {
  const std::optional<std::string> group = GroupOf(cgroups, "");
  if (!group.has_value()) return std::nullopt;
  for (const Mount& mount : mounts) {
    if (mount.type != "cgroup2") continue;
    if (auto directory = DirectoryOf(mount, *group)) return directory;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<Hierarchies> FindHierarchies(absl::string_view mountinfo,
                                            absl::string_view cgroups) {
  const std::vector<Mount> mounts = ParseMounts(mountinfo);
  const auto memory = FindV1(mounts, cgroups, "memory");
  if (!memory.has_value()) {
    const auto unified = FindV2(mounts, cgroups);
    if (!unified.has_value()) {
      return absl::NotFoundError("no cgroup file system is mounted");
    }
    return Hierarchies{CgroupVersion::kV2, *unified, *unified, *unified};
  }
  const auto cpu = FindV1(mounts, cgroups, "cpuacct");
  const auto pids = FindV1(mounts, cgroups, "pids");
  if (!cpu.has_value() || !pids.has_value()) {
    return absl::NotFoundError(
        absl::StrCat("the cgroup controller ",
                     cpu.has_value() ? "pids" : "cpuacct", " is not mounted"));
  }
  return Hierarchies{CgroupVersion::kV1, *memory, *cpu, *pids};
}

}  // namespace cordon::sandbox
