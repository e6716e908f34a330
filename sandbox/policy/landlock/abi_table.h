// The one place that knows which Landlock right came with which ABI version.
//
//   LandlockRights rights = LandlockRightsOf(abi);
//   attr.handled_access_fs = rights.filesystem;
//
// It asks the kernel nothing. Plain functions of numbers, usable anywhere.
//
// Source: Documentation/userspace-api/landlock.rst and <linux/landlock.h> of
// Linux 6.15. Debian 12's header ends at ABI 2, so the numbers are given here;
// they are kernel ABI and never change.

#ifndef CORDON_SANDBOX_POLICY_LANDLOCK_ABI_TABLE_H_
#define CORDON_SANDBOX_POLICY_LANDLOCK_ABI_TABLE_H_

#include <cstdint>
#include <string>

namespace cordon::sandbox {

// Rights on files and directories (LANDLOCK_ACCESS_FS_*).
inline constexpr uint64_t kFsExecute = 1ull << 0;
inline constexpr uint64_t kFsWriteFile = 1ull << 1;
inline constexpr uint64_t kFsReadFile = 1ull << 2;
inline constexpr uint64_t kFsReadDir = 1ull << 3;
inline constexpr uint64_t kFsRemoveDir = 1ull << 4;
inline constexpr uint64_t kFsRemoveFile = 1ull << 5;
inline constexpr uint64_t kFsMakeChar = 1ull << 6;
inline constexpr uint64_t kFsMakeDir = 1ull << 7;
inline constexpr uint64_t kFsMakeReg = 1ull << 8;
inline constexpr uint64_t kFsMakeSock = 1ull << 9;
inline constexpr uint64_t kFsMakeFifo = 1ull << 10;
inline constexpr uint64_t kFsMakeBlock = 1ull << 11;
inline constexpr uint64_t kFsMakeSym = 1ull << 12;
inline constexpr uint64_t kFsRefer = 1ull << 13;
inline constexpr uint64_t kFsTruncate = 1ull << 14;
inline constexpr uint64_t kFsIoctlDev = 1ull << 15;

// Rights on TCP ports (LANDLOCK_ACCESS_NET_*).
inline constexpr uint64_t kNetBindTcp = 1ull << 0;
inline constexpr uint64_t kNetConnectTcp = 1ull << 1;

// What stays inside the domain (LANDLOCK_SCOPE_*).
inline constexpr uint64_t kScopeAbstractUnixSocket = 1ull << 0;
inline constexpr uint64_t kScopeSignal = 1ull << 1;

inline constexpr int kNewestKnownLandlockAbi = 7;

// ABI versions that a feature of ours begins with.
inline constexpr int kLandlockAbiRefer = 2;
inline constexpr int kLandlockAbiTruncate = 3;
inline constexpr int kLandlockAbiTcp = 4;
inline constexpr int kLandlockAbiIoctlDev = 5;
inline constexpr int kLandlockAbiScopes = 6;
// Flags of landlock_restrict_self(2) that choose what the audit log gets. No
// right depends on it.
inline constexpr int kLandlockAbiLogFlags = 7;

struct LandlockRights {
  uint64_t filesystem = 0;
  uint64_t network = 0;
  uint64_t scopes = 0;
};

// Every right that a kernel with this ABI can handle. 0 or less: none. An ABI
// newer than the newest known one counts as that one, because a ruleset must
// not handle rights that nobody here has decided about.
LandlockRights LandlockRightsOf(int abi);

// The part of `filesystem` rights that a rule on something other than a
// directory may carry; landlock_add_rule(2) answers EINVAL to the others.
uint64_t FileRightsOf(uint64_t filesystem);

// The first Linux release with this ABI, "6.12" for 6; empty when unknown.
std::string KernelWithLandlockAbi(int abi);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_POLICY_LANDLOCK_ABI_TABLE_H_
