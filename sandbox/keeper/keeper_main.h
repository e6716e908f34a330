// What the keeper does, in the process that it is.
//
// That process may have been forked while others of the server's threads held
// any lock: here are system calls and memory of its own stack, no allocation
// and no lock (fork(2), signal-safety(7)).

#ifndef CORDON_SANDBOX_KEEPER_KEEPER_MAIN_H_
#define CORDON_SANDBOX_KEEPER_KEEPER_MAIN_H_

#include <sys/types.h>

#include <cstddef>

#include "sandbox/keeper/live_groups.h"

namespace cordon::sandbox {

// Everything the keeper needs. Descriptors are the keeper's own copies.
struct KeeperContext {
  LiveGroupSlot* slots = nullptr;
  size_t capacity = 0;
  pid_t server_pid = -1;
  // A pidfd of the server.
  int server = -1;
  // The keeper's id goes there; it stays open as long as the keeper lives.
  int alive = -1;
  // Kept open as long as the keeper lives; -1: none.
  int held = -1;
  // The memory that ps(1) shows as the command line; may be null.
  char* command_line = nullptr;
  size_t command_line_size = 0;
};

// Waits for the server's end, kills what it was running, and exits.
[[noreturn]] void KeeperMain(const KeeperContext& context);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_KEEPER_KEEPER_MAIN_H_
