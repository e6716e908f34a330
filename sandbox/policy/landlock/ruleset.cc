// Door: ViewRuleset.

#include "sandbox/policy/landlock/ruleset.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/policy/landlock/abi_table.h"

namespace cordon::sandbox {
namespace {

// struct landlock_ruleset_attr as of ABI 6. An older kernel takes it as long as
// the fields that it does not know are zero (landlock_create_ruleset(2)).
struct RulesetAttributes {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};

absl::Status AddRule(int ruleset, int fd, uint64_t allowed_access) {
  landlock_path_beneath_attr beneath = {};
  beneath.allowed_access = allowed_access;
  beneath.parent_fd = fd;
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
              &beneath, 0) != 0) {
    return ErrnoToStatus(errno, "landlock_add_rule");
  }
  return absl::OkStatus();
}

// struct landlock_net_port_attr and LANDLOCK_RULE_NET_PORT, of ABI 4: newer
// than Debian 12's headers.
struct PortAttributes {
  uint64_t allowed_access;
  uint64_t port;
};
constexpr int kRuleNetPort = 2;

absl::Status AddBindRule(int ruleset, uint16_t port) {
  const PortAttributes attributes = {kNetBindTcp, port};
  if (syscall(SYS_landlock_add_rule, ruleset, kRuleNetPort, &attributes, 0) !=
      0) {
    return ErrnoToStatus(errno, "landlock_add_rule for a port");
  }
  return absl::OkStatus();
}

// Where an open path really is, links resolved (proc_pid_fd(5)).
std::string PathOf(int fd) {
  char path[PATH_MAX];
  const ssize_t length =
      readlink(absl::StrCat("/proc/self/fd/", fd).c_str(), path, sizeof(path));
  return length < 0 ? "" : std::string(path, static_cast<size_t>(length));
}

bool IsBeneath(absl::string_view path, absl::string_view directory) {
  return absl::ConsumePrefix(&path, directory) &&
         (path.empty() || path.front() == '/');
}

}  // namespace

absl::StatusOr<ViewRuleset> ViewRuleset::Open(const FileView& view, int abi) {
  return Open(PlanLandlock(view, abi));
}

absl::StatusOr<ViewRuleset> ViewRuleset::Open(LandlockPlan plan) {
  ViewRuleset result;
  result.plan_ = std::move(plan);
  for (const LandlockRule& rule : result.plan_.rules) {
    if (!absl::StartsWith(rule.path, "/")) {
      return absl::InvalidArgumentError(
          absl::StrCat("a path of a file view is not absolute: ", rule.path));
    }
    UniqueFd fd(open(rule.path.c_str(), O_PATH | O_CLOEXEC));
    if (!fd.valid()) {
      // A path that this process cannot reach, a run cannot reach either.
      if (errno == ENOENT || errno == ENOTDIR || errno == EACCES) {
        result.absent_.push_back(rule.path);
        continue;
      }
      return ErrnoToStatus(errno, absl::StrCat("open ", rule.path));
    }
    struct stat status;
    if (fstat(fd.get(), &status) != 0) {
      return ErrnoToStatus(errno, absl::StrCat("fstat ", rule.path));
    }
    const uint64_t access = S_ISDIR(status.st_mode)
                                ? rule.allowed_access
                                : FileRightsOf(rule.allowed_access);
    OpenRule open_rule = {std::move(fd), access};
    open_rule.path = PathOf(open_rule.fd.get());
    result.rules_.push_back(std::move(open_rule));
  }
  result.DropRedundantRules();
  absl::StatusOr<UniqueFd> trial = result.CreateFromView();
  if (!trial.ok()) return trial.status();
  return result;
}

void ViewRuleset::DropRedundantRules() {
  const auto covers = [](const OpenRule& wide, const OpenRule& narrow) {
    return !wide.path.empty() && wide.path != narrow.path &&
           IsBeneath(narrow.path, wide.path) &&
           (narrow.allowed_access & ~wide.allowed_access) == 0;
  };
  std::vector<bool> redundant;
  for (const OpenRule& rule : rules_) {
    redundant.push_back(std::any_of(
        rules_.begin(), rules_.end(),
        [&](const OpenRule& other) { return covers(other, rule); }));
  }
  std::vector<OpenRule> kept;
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (!redundant[i]) kept.push_back(std::move(rules_[i]));
  }
  rules_ = std::move(kept);
}

absl::StatusOr<UniqueFd> ViewRuleset::CreateFromView() const {
  if (plan_.abi == 0) return UniqueFd();
  const RulesetAttributes attributes = {plan_.handled_access_fs,
                                        plan_.handled_access_net, plan_.scoped};
  UniqueFd ruleset(static_cast<int>(syscall(
      SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0)));
  if (!ruleset.valid()) return ErrnoToStatus(errno, "landlock_create_ruleset");
  for (const OpenRule& rule : rules_) {
    absl::Status added =
        AddRule(ruleset.get(), rule.fd.get(), rule.allowed_access);
    if (!added.ok()) return added;
  }
  for (const uint16_t port : plan_.bind_ports) {
    absl::Status added = AddBindRule(ruleset.get(), port);
    if (!added.ok()) return added;
  }
  return ruleset;
}

absl::StatusOr<UniqueFd> ViewRuleset::Create(
    const std::vector<int>& workspace_fds) const {
  absl::StatusOr<UniqueFd> ruleset = CreateFromView();
  if (!ruleset.ok() || !ruleset->valid()) return ruleset;
  for (const int fd : workspace_fds) {
    absl::Status added = AddRule(ruleset->get(), fd, plan_.workspace_access);
    if (!added.ok()) return added;
  }
  return ruleset;
}

int ProbeLandlockAbi() {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0,
                           LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

}  // namespace cordon::sandbox
