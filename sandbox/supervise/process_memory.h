// What one process keeps in memory, as /proc tells it.
//
// Contract: stateless; the files of a process that ends meanwhile read as
// empty, and count nothing.

#ifndef CORDON_SANDBOX_SUPERVISE_PROCESS_MEMORY_H_
#define CORDON_SANDBOX_SUPERVISE_PROCESS_MEMORY_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cordon::sandbox {

// In bytes.
struct ResidentMemory {
  // Its own: anonymous pages, page tables, and what it has sent to the host's
  // swap (MADV_PAGEOUT, madvise(2)).
  uint64_t own = 0;
  // Pages that it may share with others: shared anonymous mappings.
  uint64_t shared = 0;
};

struct ProcessMemory {
  ResidentMemory resident;
  // The part of `resident.own` that is in swap.
  uint64_t swapped = 0;
  // Huge pages of the host's pool, which are in no other figure, and in no
  // control group's (MAP_HUGETLB, mmap(2)).
  uint64_t pool = 0;
  uint64_t threads = 0;
  pid_t parent = 0;
  // State D: among others, a parent that vfork(2) suspends.
  bool is_suspended = false;
};

// proc_pid_status(5)
ProcessMemory ReadProcessMemory(pid_t pid);

// What the whole host keeps in shared memory and in swap: no run has more
// (Shmem, proc_meminfo(5)). UINT64_MAX when the kernel does not say.
uint64_t ReadHostSharedBytes();

// Pages that several processes share count for each in proportion
// (proc_pid_smaps(5)). nullopt when the kernel does not say: a process that
// made itself undumpable, a kernel before 5.15.
std::optional<ResidentMemory> ReadProportionalMemory(pid_t pid);

// The first `count` fields of a stat file behind the process's name, which may
// hold anything: the first is field 3, the state (proc_pid_stat(5)). Fewer, or
// none, when the file has no more. They are of `stat`.
std::vector<absl::string_view> StatFields(absl::string_view stat, size_t count);

// The number behind "KEY:" at the start of a line, but the first, of a status
// file (proc_pid_status(5)).
std::optional<uint64_t> StatusField(absl::string_view status,
                                    absl::string_view key);

// Whether a thread has a signal that it does not block: a call that it waits
// for is then interrupted (proc_pid_status(5)).
bool HasSignal(pid_t tid);

// Whether a process is a child of this one, unless /proc says that it is not.
bool IsOwnChild(pid_t pid);

// RLIMIT_FSIZE of a process, in bytes; nullopt: it has none, or is gone.
// prlimit(2) would take CAP_SYS_RESOURCE; proc_pid_limits(5) takes nothing.
std::optional<uint64_t> ReadFileSizeLimit(pid_t pid);

// Up to `most` bytes of a file of /proc/PID; empty when it cannot be read.
std::string ReadProcFile(pid_t pid, absl::string_view name, size_t most = 4096);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_PROCESS_MEMORY_H_
