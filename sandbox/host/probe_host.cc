// Door: ProbeHost.

#include "sandbox/host/probe_host.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/policy/landlock/ruleset.h"

namespace cordon::sandbox {
namespace {

// CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_KILL, CAP_SETGID, CAP_SETUID
// (<linux/capability.h>): to give a run its directory, to work in it and remove
// it, to end the run, and to become it.
constexpr uint64_t kIdentityCapabilities =
    1ull << 0 | 1ull << 1 | 1ull << 3 | 1ull << 5 | 1ull << 6 | 1ull << 7;

std::string Kernel() {
  utsname name;
  if (uname(&name) != 0) return "";
  return absl::StrCat(name.sysname, " ", name.release);
}

// The value of "NAME:\tVALUE" in /proc/self/status; empty when there is none.
std::string StatusField(absl::string_view name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    absl::string_view rest = line;
    if (absl::ConsumePrefix(&rest, name) && absl::ConsumePrefix(&rest, ":")) {
      return std::string(absl::StripAsciiWhitespace(rest));
    }
  }
  return "";
}

bool SeccompActionAvailable(uint32_t action) {
  return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int WaitFor(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

bool PidfdWorks() {
  const UniqueFd own(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!own.valid()) return false;
  int descriptor = -1;
  const long child = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, nullptr,
                             &descriptor, nullptr, nullptr);
  if (child == 0) _exit(0);
  if (child < 0) return false;
  const UniqueFd pidfd(descriptor);
  WaitFor(static_cast<pid_t>(child));
  return pidfd.valid();
}

bool CloseRangeWorks() { return syscall(SYS_close_range, ~0U, ~0U, 0) == 0; }

bool BecomeUser(uint32_t id) {
  return setgroups(0, nullptr) == 0 && setresgid(id, id, id) == 0 &&
         setresuid(id, id, id) == 0;
}

// Whether `act` is true in a child.
absl::StatusOr<bool> TrueInChild(const std::function<bool()>& act) {
  const pid_t child = fork();
  if (child < 0) return ErrnoToStatus(errno, "fork");
  if (child == 0) _exit(act() ? 0 : 1);
  const int status = WaitFor(child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

absl::StatusOr<bool> CanSwitchIdentity(const HostProbeOptions& options) {
  uint64_t effective = 0;
  if (geteuid() != 0 || options.run_uid_count == 0 ||
      !absl::SimpleHexAtoi(StatusField("CapEff"), &effective) ||
      (effective & kIdentityCapabilities) != kIdentityCapabilities) {
    return false;
  }
  const uint32_t last = options.first_run_uid + (options.run_uid_count - 1);
  for (const uint32_t id : {options.first_run_uid, last}) {
    // A user namespace may map some ids and not others.
    absl::StatusOr<bool> became = TrueInChild([id] {
      const UniqueFd file(memfd_create("cordon-probe", MFD_CLOEXEC));
      return fchown(file.get(), id, id) == 0 && BecomeUser(id) &&
             setresuid(0, 0, 0) != 0;
    });
    if (!became.ok() || !*became) return became;
  }
  return true;
}

// A run as the supervisor meets it: its own user, and dumpable, as execve(2)
// leaves it. It blocks until its end of the pipe is closed.
[[noreturn]] void MemoryChildMain(int ready, int release,
                                  std::optional<uint32_t> identity) {
  if (identity.has_value() && !BecomeUser(*identity)) _exit(1);
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  char byte = 0;
  if (write(ready, &byte, 1) != 1) _exit(1);
  (void)!read(release, &byte, 1);
  _exit(0);
}

bool ReadsMemoryOf(pid_t child) {
  static const uint64_t kMarker = 0x636f72646f6e2121;
  const std::string path = absl::StrCat("/proc/", child, "/mem");
  const UniqueFd memory(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  uint64_t seen = 0;
  return memory.valid() &&
         pread(memory.get(), &seen, sizeof(seen),
               static_cast<off_t>(reinterpret_cast<uintptr_t>(&kMarker))) ==
             static_cast<ssize_t>(sizeof(seen)) &&
         seen == kMarker;
}

absl::StatusOr<bool> ChildMemoryReadable(std::optional<uint32_t> identity) {
  int ready[2], release[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return ErrnoToStatus(errno, "pipe2");
  const UniqueFd ready_read(ready[0]);
  UniqueFd ready_write(ready[1]);
  if (pipe2(release, O_CLOEXEC) != 0) return ErrnoToStatus(errno, "pipe2");
  UniqueFd release_read(release[0]);
  UniqueFd release_write(release[1]);
  const pid_t child = fork();
  if (child < 0) return ErrnoToStatus(errno, "fork");
  if (child == 0) {
    close(release_write.get());
    MemoryChildMain(ready_write.get(), release_read.get(), identity);
  }
  ready_write.Reset();
  release_read.Reset();
  char byte = 0;
  const bool started = read(ready_read.get(), &byte, 1) == 1;
  const bool readable = started && ReadsMemoryOf(child);
  release_write.Reset();
  WaitFor(child);
  return readable;
}

}  // namespace

absl::StatusOr<HostFeatures> ProbeHost(const HostProbeOptions& options) {
  HostFeatures host;
  host.kernel = Kernel();
  host.landlock_abi = ProbeLandlockAbi();
  host.pidfd = PidfdWorks();
  host.close_range = CloseRangeWorks();
  host.outer_seccomp_filter = StatusField("Seccomp") == "2";

  absl::StatusOr<bool> identity = CanSwitchIdentity(options);
  if (!identity.ok()) return identity.status();
  host.can_switch_identity = *identity;

  absl::StatusOr<bool> memory = ChildMemoryReadable(
      *identity ? std::optional<uint32_t>(options.first_run_uid)
                : std::nullopt);
  if (!memory.ok()) return memory.status();
  host.child_memory_readable = *memory;

  if (SeccompActionAvailable(SECCOMP_RET_USER_NOTIF) &&
      SeccompActionAvailable(SECCOMP_RET_KILL_PROCESS)) {
    absl::StatusOr<NotificationProbe> probe = ProbeNotifications(options.calls);
    if (!probe.ok()) return probe.status();
    host.seccomp_user_notification = probe->works;
    host.masked_syscalls = std::move(probe->masked);
  }
  return host;
}

}  // namespace cordon::sandbox
