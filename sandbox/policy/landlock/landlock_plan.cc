// Door: PlanLandlock.

#include "sandbox/policy/landlock/landlock_plan.h"

#include <algorithm>

#include "sandbox/policy/landlock/abi_table.h"

namespace cordon::sandbox {
namespace {

constexpr uint64_t kRead = kFsReadFile | kFsReadDir;
constexpr uint64_t kReadExecute = kRead | kFsExecute;
// Creating device nodes is nobody's right, and neither is an ioctl on a device.
constexpr uint64_t kReadWrite =
    kRead | kFsWriteFile | kFsTruncate | kFsRemoveDir | kFsRemoveFile |
    kFsMakeDir | kFsMakeReg | kFsMakeSock | kFsMakeFifo | kFsMakeSym | kFsRefer;
constexpr uint64_t kWorkspace = kReadWrite | kFsExecute;

LayerEnforcement Full() { return {EnforcementLevel::kFull, ""}; }

LayerEnforcement PlanFilesystem(int abi) {
  if (abi < 1) {
    return {EnforcementLevel::kNone,
            "this kernel has no Landlock: a run can open every file that its "
            "user can"};
  }
  if (abi < kLandlockAbiRefer) {
    return {EnforcementLevel::kPartial,
            "Landlock ABI 1 refuses to move files between directories, and "
            "does not cover truncate(2), which the supervisor answers"};
  }
  if (abi < kLandlockAbiTruncate) {
    return {EnforcementLevel::kPartial,
            "Landlock ABI 2 covers neither truncate(2), which the supervisor "
            "answers, nor ioctl(2) on devices, which only the system-call "
            "filter limits"};
  }
  if (abi < kLandlockAbiIoctlDev) {
    return {EnforcementLevel::kPartial,
            "Landlock below ABI 5 does not cover ioctl(2) on devices: only the "
            "system-call filter limits it"};
  }
  return Full();
}

LayerEnforcement PlanNetwork(int abi) {
  if (abi < kLandlockAbiTcp) {
    return {EnforcementLevel::kPartial,
            "Landlock below ABI 4 does not cover TCP: only the system-call "
            "filter denies the network"};
  }
  if (abi < kLandlockAbiScopes) {
    return {EnforcementLevel::kPartial,
            "Landlock below ABI 6 does not cover abstract unix sockets: only "
            "the system-call filter keeps runs from them"};
  }
  return Full();
}

LayerEnforcement PlanSignals(int abi) {
  if (abi < kLandlockAbiScopes) {
    return {EnforcementLevel::kPartial,
            "Landlock below ABI 6 does not keep signals inside a run: only the "
            "system-call filter and user ids do"};
  }
  return Full();
}

}  // namespace

LandlockPlan PlanLandlock(const FileView& view, int abi) {
  LandlockPlan plan;
  plan.abi = std::clamp(abi, 0, kNewestKnownLandlockAbi);
  plan.filesystem = PlanFilesystem(plan.abi);
  plan.network = PlanNetwork(plan.abi);
  plan.signals = PlanSignals(plan.abi);

  const LandlockRights rights = LandlockRightsOf(plan.abi);
  plan.handled_access_fs = rights.filesystem;
  plan.handled_access_net = rights.network;
  plan.scoped = rights.scopes;
  if (plan.abi == 0) return plan;

  // A rule must not name a right that its ruleset does not handle.
  plan.workspace_access = kWorkspace & plan.handled_access_fs;
  const auto allow = [&plan](const std::vector<std::string>& paths,
                             uint64_t access) {
    for (const std::string& path : paths) {
      plan.rules.push_back({path, access & plan.handled_access_fs});
    }
  };
  allow(view.read_execute, kReadExecute);
  allow(view.read, kRead);
  allow(view.read_write, kReadWrite);
  return plan;
}

}  // namespace cordon::sandbox
