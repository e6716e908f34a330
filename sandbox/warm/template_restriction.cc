// The door is CordonRestrictTemplate.

#include "sandbox/warm/template_restriction.h"

#include <asm/unistd.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <stdint.h>

#include "sandbox/launch/child/raw_syscall.h"

// Newer than Debian 12's kernel headers know (landlock(7)).
#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#endif
#ifndef __NR_landlock_restrict_self
#define __NR_landlock_restrict_self 446
#endif

namespace cordon::sandbox {
namespace {

// landlock(7): struct landlock_ruleset_attr, LANDLOCK_ACCESS_NET_*,
// LANDLOCK_SCOPE_*.
struct Ruleset {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};
constexpr long kGetVersion = 1;
constexpr long kAbiOfNetwork = 4;
constexpr long kAbiOfScopes = 6;
constexpr uint64_t kBindAndConnectTcp = 3;
constexpr uint64_t kAbstractSocketsAndSignals = 3;

long Address(const void* pointer) { return reinterpret_cast<long>(pointer); }

constexpr uint32_t Bit(int capability) { return uint32_t{1} << capability; }

// To become the run's user, in its directory.
constexpr uint32_t kKept =
    Bit(CAP_SETUID) | Bit(CAP_SETGID) | Bit(CAP_DAC_OVERRIDE);

bool DropCapabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (RawSyscall(__NR_capget, Address(&header), Address(data)) < 0) {
    return false;
  }
  data[0].permitted &= kKept;
  data[0].effective &= kKept;
  data[0].inheritable = 0;
  data[1] = {};
  return RawSyscall(__NR_capset, Address(&header), Address(data)) == 0;
}

bool EnterDomain() {
  const long abi = RawSyscall(__NR_landlock_create_ruleset, 0, 0, kGetVersion);
  if (abi < kAbiOfNetwork) return true;
  const bool has_scopes = abi >= kAbiOfScopes;
  const Ruleset ruleset = {0, kBindAndConnectTcp,
                           has_scopes ? kAbstractSocketsAndSignals : 0};
  const long size = static_cast<long>(
      has_scopes ? sizeof(Ruleset) : sizeof(Ruleset) - sizeof(uint64_t));
  const long made =
      RawSyscall(__NR_landlock_create_ruleset, Address(&ruleset), size, 0);
  if (made < 0) return false;
  const long result = RawSyscall(__NR_landlock_restrict_self, made, 0);
  RawSyscall(__NR_close, made);
  return result == 0;
}

}  // namespace

extern "C" bool CordonRestrictTemplate() {
  return DropCapabilities() &&
         RawSyscall(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1) == 0 && EnterDomain();
}

}  // namespace cordon::sandbox
