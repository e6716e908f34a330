// Limits of one run. Plain values; the server decides defaults and ceilings.

#ifndef CORDON_SANDBOX_SPEC_LIMITS_H_
#define CORDON_SANDBOX_SPEC_LIMITS_H_

#include <cstdint>

#include "absl/time/time.h"

namespace cordon::sandbox {

struct Limits {
  // User plus system time of all processes of the run.
  absl::Duration cpu_time = absl::Seconds(10);
  // From the start of the program (execve), never while it is queued.
  absl::Duration wall_time = absl::Seconds(30);
  // Resident anonymous and shared memory of all processes, in bytes.
  uint64_t memory_bytes = uint64_t{512} << 20;
  // Bytes of each of stdout and stderr.
  uint64_t output_bytes = uint64_t{16} << 20;
  // Processes and threads alive at once.
  uint32_t processes = 256;
  // Bytes of any one file that the run writes (RLIMIT_FSIZE, getrlimit(2)).
  uint64_t file_bytes = uint64_t{64} << 20;
  // Bytes of disk that the run's directory takes, with files that are deleted
  // and still open.
  uint64_t disk_bytes = uint64_t{1} << 30;
  // Files, directories and links in it.
  uint64_t disk_inodes = 100000;
  // Descriptors of each process (RLIMIT_NOFILE, getrlimit(2)).
  uint32_t open_files = 256;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SPEC_LIMITS_H_
