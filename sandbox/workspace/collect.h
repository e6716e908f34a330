// Reads the files that a program was asked to leave, from a directory that the
// program controlled.
//
//   std::vector<CollectedFile> files =
//       CollectFiles(workspace_fd, {"out/*.csv"}, /*max_bytes=*/1 << 20);
//
// Regular files only, beneath the directory only, no link followed, nothing
// that blocks, and never more than `max_bytes` in memory: a FIFO, a device, a
// link, a sparse terabyte and a directory of a million names each become an
// entry with an error. See Workspace::Collect for the meaning of patterns and
// results.
//
// Thread-safe for different directories.

#ifndef CORDON_SANDBOX_WORKSPACE_COLLECT_H_
#define CORDON_SANDBOX_WORKSPACE_COLLECT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/spec/outcome.h"

namespace cordon::sandbox {

// Directory entries that the patterns of one call may look at in all, and
// entries that it returns. What lies beyond is reported, not read.
inline constexpr int kMaxVisitedEntries = 100000;
inline constexpr int kMaxCollectedFiles = 1024;

std::vector<CollectedFile> CollectFiles(
    int directory, const std::vector<std::string>& patterns,
    uint64_t max_bytes);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WORKSPACE_COLLECT_H_
