// Reads what a program's registers point to, and writes to it.
//
// By process_vm_readv(2), or, where the default seccomp profile of a container
// runtime refuses that, by /proc/PID/mem. What is read may change at once: a
// copy may be acted on, end up in a report, or end a run; it must never allow
// the program's own call, which reads again.

#ifndef CORDON_SANDBOX_SUPERVISE_PROGRAM_MEMORY_H_
#define CORDON_SANDBOX_SUPERVISE_PROGRAM_MEMORY_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"

namespace cordon::sandbox {

// The string at `address` of thread `tid`, without its NUL; at most PATH_MAX
// bytes. nullopt when it cannot be read or is longer.
std::optional<std::string> ReadProgramString(pid_t tid, uint64_t address);

// `size` bytes at `address` of thread `tid`; false when not all can be read.
bool ReadProgramBytes(pid_t tid, uint64_t address, void* to, size_t size);

// Writes `size` bytes; false when it cannot. `still_there` says whether `tid`
// is the thread that is meant: an id is used again when its thread is gone.
//
// It is asked when the memory is held. Only a server whose own domain keeps it
// from opening the memory, which is root's, asks right before
// process_vm_writev(2): there, a thread that dies between the two and whose id
// is taken in that moment would have its successor written to.
bool WriteProgramBytes(pid_t tid, uint64_t address, const void* from,
                       size_t size, absl::FunctionRef<bool()> still_there);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_PROGRAM_MEMORY_H_
