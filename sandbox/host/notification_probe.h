// Finds out whether seccomp user notification works here, and which system
// calls a filter of somebody else's hides from it.
//
//   absl::StatusOr<NotificationProbe> probe =
//       ProbeNotifications({{SYS_mount, {}}, {SYS_unshare, {}}});
//   probe->masked;   // under a container runtime's filter: perhaps both
//
// The kernel takes the strictest answer of all stacked filters, and an errno is
// stricter than a notification (seccomp(2), "Return values"). So a call that an
// outer filter answers with an errno never reaches our listener: it is
// contained, but nobody learns of it.
//
// How: a child installs a filter that notifies for exactly the given calls, and
// makes each of them. The parent notes which ones arrive and answers EPERM, so
// none is ever executed; what comes back, or kills the child, without having
// arrived is masked.
//
// Contract: forks, so call it before the process has a second thread. It waits
// for its children by pid and leaves no process and no descriptor. x86_64 and
// every other architecture whose system calls take six registers.

#ifndef CORDON_SANDBOX_HOST_NOTIFICATION_PROBE_H_
#define CORDON_SANDBOX_HOST_NOTIFICATION_PROBE_H_

#include <array>
#include <cstdint>
#include <set>
#include <vector>

#include "absl/status/statusor.h"

namespace cordon::sandbox {

struct ProbedCall {
  int number = 0;
  // What to call it with. A filter may look at arguments (clone's flags), so
  // these should be ones that the policy calls a violation.
  std::array<uint64_t, 6> arguments = {};
};

struct NotificationProbe {
  // A listener was made, a call arrived at it, and our answer came back. False
  // also when a filter with a listener is already there: the kernel allows one
  // (seccomp(2), EBUSY).
  bool works = false;
  // Numbers with a call that did not arrive. Empty when `works` is false.
  std::set<int> masked;
};

// `calls` must hold none that the probe itself lives by: sendmsg, exit_group. A
// child that makes no progress for two seconds is killed, and the call that it
// hung in counts as masked. INTERNAL with step and errno when the probe itself
// could not be made (fork, mmap, socketpair).
absl::StatusOr<NotificationProbe> ProbeNotifications(
    const std::vector<ProbedCall>& calls);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_HOST_NOTIFICATION_PROBE_H_
