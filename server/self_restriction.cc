#include "server/self_restriction.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/policy/landlock/service_domain.h"

// Newer than Debian 12's kernel headers know (landlock(7)).
#ifndef SYS_landlock_restrict_self
#define SYS_landlock_restrict_self 446
#endif

namespace cordon::server {
namespace {

// Below it, binding takes CAP_NET_BIND_SERVICE, unless
// net.ipv4.ip_unprivileged_port_start says otherwise (ip(7)).
constexpr uint16_t kFirstUnprivilegedPort = 1024;

constexpr uint64_t Bit(int capability) { return uint64_t{1} << capability; }

// Empty: one that the kernel chooses.
std::optional<uint16_t> PortOf(const ListenAddress& listen) {
  uint32_t port = 0;
  if (!absl::SimpleAtoi(listen.port, &port) || port == 0 || port > 65535) {
    return std::nullopt;
  }
  return static_cast<uint16_t>(port);
}

void Append(std::vector<std::string>& to,
            const google::protobuf::RepeatedPtrField<std::string>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

// With no_new_privs no execve(2) gives back what is dropped, so the bounding
// set is the second lock on that door: without CAP_SETPCAP it stays.
void DropBoundingSet(uint64_t kept) {
  for (int capability = 0;; ++capability) {
    const int held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0) return;  // EINVAL: past the last one.
    if (held == 1 && (kept & Bit(capability)) == 0) {
      prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    }
  }
}

absl::Status DropPrivileges(uint64_t kept) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return sandbox::ErrnoToStatus(errno, "prctl PR_SET_NO_NEW_PRIVS");
  }
  DropBoundingSet(kept);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) {
    return sandbox::ErrnoToStatus(errno, "capget");
  }
  for (int half = 0; half < 2; ++half) {
    const auto mask = static_cast<uint32_t>(kept >> (32 * half));
    data[half].permitted &= mask;
    data[half].effective &= mask;
    // Nothing is inherited; an ambient capability goes with it.
    data[half].inheritable = 0;
  }
  if (syscall(SYS_capset, &header, data) != 0) {
    return sandbox::ErrnoToStatus(errno, "capset");
  }
  return absl::OkStatus();
}

absl::Status Confine(const sandbox::ViewRuleset& rulesets, int state) {
  const absl::StatusOr<sandbox::UniqueFd> ruleset = rulesets.Create({state});
  if (!ruleset.ok()) return ruleset.status();
  if (!ruleset->valid()) return absl::OkStatus();
  if (syscall(SYS_landlock_restrict_self, ruleset->get(), 0) != 0) {
    return sandbox::ErrnoToStatus(errno,
                                  "landlock_restrict_self of the service");
  }
  return absl::OkStatus();
}

}  // namespace

uint64_t KeptCapabilities(const ListenAddress& listen, uint32_t effective_uid) {
  const std::optional<uint16_t> port = PortOf(listen);
  const uint64_t bind = port.has_value() && *port < kFirstUnprivilegedPort
                            ? Bit(CAP_NET_BIND_SERVICE)
                            : 0;
  // A server that is not root gives runs no identity of their own.
  if (effective_uid != 0) return bind;
  return bind |
         // To give a run its directory, to work in it and to remove it.
         Bit(CAP_CHOWN) | Bit(CAP_DAC_OVERRIDE) | Bit(CAP_FOWNER) |
         // To become the run, and to end it.
         Bit(CAP_SETUID) | Bit(CAP_SETGID) | Bit(CAP_KILL) |
         // To lower the priority of a run of many processes.
         Bit(CAP_SYS_NICE) |
         // To read what memory another uid's process uses, and the paths that
         // its breaches name (ptrace(2), "Ptrace access mode checking").
         Bit(CAP_SYS_PTRACE);
}

sandbox::FileView UnionOfViews(const sandbox::FileView& base,
                               const LanguageSet& languages) {
  sandbox::FileView all = base;
  for (const Language& language : languages.all()) {
    Append(all.read_execute, language.config.view().read_execute());
    Append(all.read, language.config.view().read());
  }
  return all;
}

absl::StatusOr<SelfRestriction> RestrictSelf(const SelfRestrictionPlan& plan) {
  const int abi = sandbox::ProbeLandlockAbi();
  sandbox::ServiceWork work;
  work.runs = plan.runs;
  if (std::string parent = plan.state->removed_from(); !parent.empty()) {
    work.removes_directories_in.push_back(std::move(parent));
  }
  if (plan.cgroups != nullptr) {
    work.cgroups = plan.cgroups->paths();
    for (const std::string& group : work.cgroups) {
      work.removes_directories_in.push_back(
          std::filesystem::path(group).parent_path());
    }
  }
  work.writes_to_programs = geteuid() != 0;
  work.listen_port = PortOf(plan.listen);
  work.connects = plan.network != sandbox::NetworkAccess::kNone;
  absl::StatusOr<sandbox::ViewRuleset> rulesets =
      sandbox::ViewRuleset::Open(sandbox::PlanServiceDomain(work, abi));
  if (!rulesets.ok()) return rulesets.status();
  absl::Status status =
      DropPrivileges(KeptCapabilities(plan.listen, geteuid()));
  if (status.ok()) status = Confine(*rulesets, plan.state->fd());
  if (!status.ok()) return status;
  return SelfRestriction{sandbox::ServiceEnforcement(abi),
                         *std::move(rulesets)};
}

}  // namespace cordon::server
