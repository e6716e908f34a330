// ProbeHost finds out what this host can enforce by trying it, not by reading
// versions: a container or a boot parameter may take away what a kernel has.
//
//   absl::StatusOr<HostFeatures> host =
//       ProbeHost({.calls = CallsToProbe(DefaultPolicy({}))});
//
// What it does not do: judge. What is missing, and what a run gets, is
// AssessHost's to say (check_host.h).
//
// Contract: call it once, before the process starts a second thread: it forks
// half a dozen short-lived children, and waits for each by pid. It changes
// nothing in the calling process and takes some tens of milliseconds.

#ifndef CORDON_SANDBOX_HOST_PROBE_HOST_H_
#define CORDON_SANDBOX_HOST_PROBE_HOST_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "sandbox/host/host_features.h"
#include "sandbox/host/notification_probe.h"

namespace cordon::sandbox {

struct HostProbeOptions {
  // The calls whose notifications an outer filter might hide; see CallsToProbe.
  std::vector<ProbedCall> calls;
  // The uids and gids that runs would get: whether a child can take the first
  // and the last of them is tried.
  uint32_t first_run_uid = 200000;
  uint32_t run_uid_count = 65536;
};

// A feature that is missing is a value of HostFeatures, never an error.
// INTERNAL with step and errno when not even the trying worked (fork, pipe).
absl::StatusOr<HostFeatures> ProbeHost(const HostProbeOptions& options);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_HOST_PROBE_HOST_H_
