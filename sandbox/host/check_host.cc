// Door: AssessHost.

#include "sandbox/host/check_host.h"

#include "absl/strings/str_cat.h"
#include "sandbox/policy/landlock/abi_table.h"
#include "sandbox/policy/landlock/landlock_plan.h"

namespace cordon::sandbox {
namespace {

constexpr int kRequiredLandlockAbi = kLandlockAbiScopes;

void CheckLandlock(const HostFeatures& host, HostAssessment* assessment) {
  if (host.landlock_abi >= kRequiredLandlockAbi) return;
  const std::string release = KernelWithLandlockAbi(kRequiredLandlockAbi);
  if (host.landlock_abi < 1) {
    assessment->missing.push_back(absl::StrCat(
        "Landlock ABI ", kRequiredLandlockAbi, " (Linux ", release,
        ") is needed to confine files, TCP and signals; this kernel (",
        host.kernel,
        ") has no Landlock: use a newer one, or add landlock to the list in "
        "the lsm= boot parameter"));
    assessment->degraded.push_back(
        "files are not confined at all: a run can open every file that its "
        "user can, this server's included");
  } else {
    assessment->missing.push_back(absl::StrCat(
        "Landlock ABI ", kRequiredLandlockAbi, " (Linux ", release,
        ") is needed to keep signals and abstract unix sockets inside a run; "
        "this kernel (",
        host.kernel, ") has ABI ", host.landlock_abi, ": use a newer one"));
  }
  const Enforcement& enforcement = assessment->enforcement;
  for (const LayerEnforcement* layer :
       {&enforcement.filesystem, &enforcement.network, &enforcement.signals}) {
    if (layer->level == EnforcementLevel::kPartial) {
      assessment->degraded.push_back(layer->reason);
    }
  }
}

// Without these a run cannot be launched or watched at all.
void CheckIndispensable(const HostFeatures& host, HostAssessment* assessment) {
  std::vector<std::string>& lacking = assessment->indispensable;
  if (!host.seccomp_user_notification) {
    lacking.push_back(
        "seccomp user notification (CONFIG_SECCOMP_FILTER, Linux 5.9) is "
        "needed to filter system calls and to name the forbidden ones; no "
        "listener could be installed and answered here: use a newer kernel, "
        "or a container runtime that has no notification listener of its own");
  }
  if (!host.pidfd) {
    lacking.push_back(
        "pidfds (Linux 5.4: pidfd_open and clone with CLONE_PIDFD) are needed "
        "to follow the processes of a run; they are refused here: use a newer "
        "kernel, or allow pidfd_open in the container's seccomp profile");
  }
  if (!host.close_range) {
    lacking.push_back(
        "close_range (Linux 5.9) is needed to keep the server's descriptors "
        "from runs; it is refused here: use a newer kernel, or allow it in the "
        "container's seccomp profile");
  }
  assessment->missing.insert(assessment->missing.end(), lacking.begin(),
                             lacking.end());
}

LayerEnforcement Partial(absl::string_view reason) {
  return {EnforcementLevel::kPartial, std::string(reason)};
}

Enforcement PlanEnforcement(const HostFeatures& host) {
  const LandlockPlan landlock = PlanLandlock({}, host.landlock_abi);
  Enforcement enforcement;
  enforcement.filesystem = landlock.filesystem;
  enforcement.network = landlock.network;
  enforcement.signals = landlock.signals;
  if (host.seccomp_user_notification) {
    enforcement.syscalls.level = EnforcementLevel::kFull;
  } else {
    enforcement.syscalls.reason =
        "no system-call filter can be supervised here";
  }
  enforcement.memory = Partial(
      host.cgroup_version > 0
          ? "a run's memory is sampled while it goes on, with its control "
            "group's limit behind that: it can pass its limit for a moment"
          : "a run's memory is sampled while it goes on, with RLIMIT_DATA for "
            "each process behind that: it can pass its limit for a moment, and "
            "what the kernel keeps for it, such as socket buffers, is not "
            "counted");
  // Clones are counted by who answers the filter's notifications.
  if (host.seccomp_user_notification) {
    enforcement.processes.level = EnforcementLevel::kFull;
  } else {
    enforcement.processes = Partial(
        "the number of processes is not limited; all of them end with the run, "
        "as one process group");
  }
  if (host.can_switch_identity) {
    enforcement.identity.level = EnforcementLevel::kFull;
  } else {
    enforcement.identity = Partial(
        "runs share the server's user: a user of its own for each takes a "
        "server that is root with CAP_SETUID, CAP_SETGID, CAP_CHOWN, "
        "CAP_FOWNER, "
        "CAP_DAC_OVERRIDE and CAP_KILL");
  }
  return enforcement;
}

std::vector<std::string> Notes(const HostFeatures& host) {
  std::vector<std::string> notes;
  if (!host.masked_syscalls.empty()) {
    notes.push_back(absl::StrCat(
        "an outer seccomp filter, such as a container runtime's, hides ",
        host.masked_syscalls.size(),
        " of the forbidden system calls: a run that makes one is killed all "
        "the same, but the report names the candidates instead of the call"));
  }
  if (!host.child_memory_readable) {
    notes.push_back(
        "the memory of a run cannot be read here (/proc/PID/mem): reports of "
        "breaches carry arguments as numbers, without paths and addresses");
  }
  return notes;
}

}  // namespace

HostAssessment AssessHost(const HostFeatures& host) {
  HostAssessment assessment;
  assessment.enforcement = PlanEnforcement(host);
  CheckLandlock(host, &assessment);
  CheckIndispensable(host, &assessment);
  assessment.notes = Notes(host);
  return assessment;
}

}  // namespace cordon::sandbox
