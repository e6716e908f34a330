// The Landlock domain of the service itself: what cordond can still do once it
// has restricted itself, as a pure function of what it has to do.
//
//   LandlockPlan plan = PlanServiceDomain(work, host.landlock_abi);
//   absl::StatusOr<ViewRuleset> rulesets = ViewRuleset::Open(plan);
//   absl::StatusOr<UniqueFd> ruleset = rulesets->Create(state_directory_fd);
//   // with no_new_privs on: landlock_restrict_self(ruleset, 0)
//
// Every run is inside of it, in a domain of its own, and has at most what both
// allow (landlock(7)): so the service keeps what any run may get. It can signal
// its runs, because their domains are beneath its own, and nobody else.
//
// What it does not do: look at the host, restrict anybody. Reading is limited
// too, but a path's existence is not a secret: stat(2) and connecting to named
// unix sockets are not Landlock's matter.
//
// Plain values; no threads, no descriptors.

#ifndef CORDON_SANDBOX_POLICY_LANDLOCK_SERVICE_DOMAIN_H_
#define CORDON_SANDBOX_POLICY_LANDLOCK_SERVICE_DOMAIN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/policy/landlock/landlock_plan.h"
#include "sandbox/spec/enforcement.h"
#include "sandbox/spec/file_view.h"

namespace cordon::sandbox {

struct ServiceWork {
  // Everything that any run may see; the same path may be in it many times.
  FileView runs;
  // Parents of directories that the service removes in the end.
  std::vector<std::string> removes_directories_in;
  // Groups that it makes groups in, and limits and joins them.
  std::vector<std::string> cgroups;
  // Whether it writes to the memory of its programs by /proc. Not as root, who
  // would have the kernel's settings with it (proc(5), /proc/sys).
  bool writes_to_programs = false;
  // The port that it listens on. Empty: one that the kernel will choose, which
  // no rule can name; then binding is not limited.
  std::optional<uint16_t> listen_port;
  // Whether it binds and connects sockets for runs: to which addresses is then
  // the broker's matter (supervise/socket_broker.h).
  bool connects = false;
};

// `workspace_access` of the result is for the state directory. Never fails: an
// older ABI makes a weaker plan, and one below 2 (which would keep the service
// from moving directories) or no Landlock one that handles nothing.
LandlockPlan PlanServiceDomain(const ServiceWork& work, int abi);

// What that gives, in one line where it is not FULL.
LayerEnforcement ServiceEnforcement(int abi);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_POLICY_LANDLOCK_SERVICE_DOMAIN_H_
