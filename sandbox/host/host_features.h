// HostFeatures: what this host can enforce, probed once, as a plain value.

#ifndef CORDON_SANDBOX_HOST_HOST_FEATURES_H_
#define CORDON_SANDBOX_HOST_HOST_FEATURES_H_

#include <set>
#include <string>

namespace cordon::sandbox {

struct HostFeatures {
  // "Linux 6.1.0-18-amd64", as uname(2) says.
  std::string kernel;
  // landlock_create_ruleset(2) with LANDLOCK_CREATE_RULESET_VERSION; 0: none.
  int landlock_abi = 0;
  // SECCOMP_GET_ACTION_AVAIL for USER_NOTIF and KILL_PROCESS, and a listener
  // that really answered (seccomp(2), seccomp_unotify(2)).
  bool seccomp_user_notification = false;
  // pidfd_open(2) and clone(2) with CLONE_PIDFD work.
  bool pidfd = false;
  // close_range(2) works.
  bool close_range = false;
  // /proc/PID/mem of a child can be read: paths in reports.
  bool child_memory_readable = false;
  // Whether the server runs under a seccomp filter of somebody else's, such as
  // a container runtime's.
  bool outer_seccomp_filter = false;
  // Numbers of those system calls that the policy calls a violation but whose
  // notification an outer filter hides.
  std::set<int> masked_syscalls;
  // Of the control groups that runs get; 0: none.
  int cgroup_version = 0;
  // Whether a child may take a uid of its own, and the server can still end it
  // and work in its directory (effective uid 0 with CAP_SETUID, CAP_SETGID,
  // CAP_KILL, CAP_CHOWN, CAP_FOWNER and CAP_DAC_OVERRIDE).
  bool can_switch_identity = false;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_HOST_HOST_FEATURES_H_
