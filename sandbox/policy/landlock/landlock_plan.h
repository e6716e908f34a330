// LandlockPlan: what to tell Landlock for a view of files, as a pure function
// of the view and the kernel's ABI.
//
//   LandlockPlan plan = PlanLandlock(view, host.landlock_abi);
//   plan.handled_access_fs;    // everything the ABI knows: denied by default
//   plan.rules;                // what is allowed, path by path
//
// What it does not do: look at the host. Whether a path exists and whether it
// is a directory is found out when it is opened (ruleset.h). What Landlock does
// not cover (stat, chdir, chmod by the owner, connecting to a named unix
// socket) is the system-call policy's matter.
//
// Plain values; no threads, no descriptors.

#ifndef CORDON_SANDBOX_POLICY_LANDLOCK_LANDLOCK_PLAN_H_
#define CORDON_SANDBOX_POLICY_LANDLOCK_LANDLOCK_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/spec/enforcement.h"
#include "sandbox/spec/file_view.h"

namespace cordon::sandbox {

struct LandlockRule {
  std::string path;
  // Rights for a directory and all beneath it. When the path turns out to be
  // something else, FileRightsOf (abi_table.h) is what remains.
  uint64_t allowed_access = 0;
};

struct LandlockPlan {
  // The ABI that the plan is for, clamped to the newest known; 0: the kernel
  // has no Landlock, everything below is zero and nothing is confined.
  int abi = 0;
  uint64_t handled_access_fs = 0;
  // Handled, and granted to nothing but bind_ports: no TCP at all for a run.
  uint64_t handled_access_net = 0;
  // TCP ports that may be bound: none for a run.
  std::vector<uint16_t> bind_ports;
  uint64_t scoped = 0;
  std::vector<LandlockRule> rules;
  // Rights on the run's own directory: everything but device nodes and ioctls
  // on devices.
  uint64_t workspace_access = 0;
  // What this gives, for the report.
  LayerEnforcement filesystem;
  LayerEnforcement network;
  LayerEnforcement signals;
};

// Never fails: an older ABI makes a weaker plan that says so. `abi` is what
// landlock_create_ruleset(2) answers to LANDLOCK_CREATE_RULESET_VERSION.
LandlockPlan PlanLandlock(const FileView& view, int abi);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_POLICY_LANDLOCK_LANDLOCK_PLAN_H_
