// Doors: PlanServiceDomain, ServiceEnforcement.

#include "sandbox/policy/landlock/service_domain.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sandbox/policy/landlock/abi_table.h"

namespace cordon::sandbox {
namespace {

// What the service reads for itself. The runs' view has the loader, libraries,
// name service configuration and time zones.
constexpr const char* kOwnReads[] = {
    // Processes of runs: their memory, use and groups; its own descriptors.
    "/proc",
    // getaddrinfo(3) of the address to listen on.
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/resolv.conf",
    // Which cgroups there are.
    "/sys/fs/cgroup",
};

}  // namespace

LandlockPlan PlanServiceDomain(const ServiceWork& work, int abi) {
  FileView view = work.runs;
  view.read.insert(view.read.end(), std::begin(kOwnReads), std::end(kOwnReads));
  LandlockPlan plan = PlanLandlock(view, abi < kLandlockAbiRefer ? 0 : abi);
  if (plan.abi == 0) return plan;
  for (const std::string& parent : work.removes_directories_in) {
    plan.rules.push_back({parent, kFsRemoveDir});
  }
  for (const std::string& group : work.cgroups) {
    plan.rules.push_back({group, plan.handled_access_fs &
                                     (kFsReadDir | kFsReadFile | kFsWriteFile |
                                      kFsMakeDir | kFsRemoveDir)});
  }
  if (work.writes_to_programs) {
    plan.rules.push_back(
        {"/proc",
         plan.handled_access_fs & (kFsReadDir | kFsReadFile | kFsWriteFile)});
  }
  if (work.connects) {
    plan.handled_access_net = 0;
  } else if (work.listen_port.has_value()) {
    if ((plan.handled_access_net & kNetBindTcp) != 0) {
      plan.bind_ports.push_back(*work.listen_port);
    }
  } else {
    plan.handled_access_net &= ~kNetBindTcp;
  }
  return plan;
}

LayerEnforcement ServiceEnforcement(int abi) {
  if (abi < kLandlockAbiRefer) {
    return {EnforcementLevel::kNone,
            abi < 1 ? "this kernel has no Landlock: the service can open every "
                      "file that its user can"
                    : "Landlock ABI 1 would keep the service from moving "
                      "directories: it does not confine itself"};
  }
  std::vector<std::string> lacking;
  if (abi < kLandlockAbiTruncate) lacking.push_back("truncate(2) of files");
  if (abi < kLandlockAbiTcp) lacking.push_back("TCP");
  if (abi < kLandlockAbiIoctlDev) lacking.push_back("ioctl(2) on devices");
  if (abi < kLandlockAbiScopes) {
    lacking.push_back("signals and abstract unix sockets");
  }
  if (lacking.empty()) return {EnforcementLevel::kFull, ""};
  return {EnforcementLevel::kPartial,
          absl::StrCat("Landlock ABI ", abi, " does not confine the service's ",
                       absl::StrJoin(lacking, ", "))};
}

}  // namespace cordon::sandbox
