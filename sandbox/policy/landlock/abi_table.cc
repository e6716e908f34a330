// Door: LandlockRightsOf.

#include "sandbox/policy/landlock/abi_table.h"

namespace cordon::sandbox {
namespace {

struct AbiRow {
  int abi;
  const char* kernel;
  // What this ABI adds.
  LandlockRights added;
};

constexpr AbiRow kAbiRows[] = {
    {1,
     "5.13",
     {.filesystem = kFsExecute | kFsWriteFile | kFsReadFile | kFsReadDir |
                    kFsRemoveDir | kFsRemoveFile | kFsMakeChar | kFsMakeDir |
                    kFsMakeReg | kFsMakeSock | kFsMakeFifo | kFsMakeBlock |
                    kFsMakeSym}},
    {kLandlockAbiRefer, "5.19", {.filesystem = kFsRefer}},
    {kLandlockAbiTruncate, "6.2", {.filesystem = kFsTruncate}},
    {kLandlockAbiTcp, "6.7", {.network = kNetBindTcp | kNetConnectTcp}},
    {kLandlockAbiIoctlDev, "6.10", {.filesystem = kFsIoctlDev}},
    {kLandlockAbiScopes,
     "6.12",
     {.scopes = kScopeAbstractUnixSocket | kScopeSignal}},
    {kLandlockAbiLogFlags, "6.15", {}},
};

}  // namespace

LandlockRights LandlockRightsOf(int abi) {
  LandlockRights rights;
  for (const AbiRow& row : kAbiRows) {
    if (row.abi > abi) break;
    rights.filesystem |= row.added.filesystem;
    rights.network |= row.added.network;
    rights.scopes |= row.added.scopes;
  }
  return rights;
}

uint64_t FileRightsOf(uint64_t filesystem) {
  return filesystem &
         (kFsExecute | kFsWriteFile | kFsReadFile | kFsTruncate | kFsIoctlDev);
}

std::string KernelWithLandlockAbi(int abi) {
  for (const AbiRow& row : kAbiRows) {
    if (row.abi == abi) return row.kernel;
  }
  return "";
}

}  // namespace cordon::sandbox
