// What a server costs its host at a moment, for benchmarks that ask how that
// grows.
//
//   const ServerLoad before = LoadOf(server.pid());
//
// Sources: proc_pid_status(5), proc_pid_stat(5).

#ifndef CORDON_TESTS_BENCH_SERVER_LOAD_H_
#define CORDON_TESTS_BENCH_SERVER_LOAD_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/time/time.h"

namespace cordon::bench {

struct ServerLoad {
  // Resident, with its page tables. Bytes.
  uint64_t memory = 0;
  // The most that was ever resident.
  uint64_t peak = 0;
  int threads = 0;
  int descriptors = 0;
  // Of its own threads: not of what it runs.
  absl::Duration cpu;
};

ServerLoad LoadOf(pid_t pid);

// Until the server's memory and processor time stand still for a moment: what
// it still had to do is done. At most 30 seconds.
void AwaitRest(pid_t pid);

}  // namespace cordon::bench

#endif  // CORDON_TESTS_BENCH_SERVER_LOAD_H_
