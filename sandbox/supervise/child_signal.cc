#include "sandbox/supervise/child_signal.h"

#include <signal.h>
#include <sys/ioctl.h>

#include <cstddef>
#include <cstdint>

#include "sandbox/supervise/program_memory.h"

namespace cordon::sandbox {
namespace {

// As the kernel of x86_64 has it (struct kernel_sigaction, of which the
// restorer and the mask follow).
struct KernelAction {
  uint64_t handler;
  uint64_t flags;
};

bool IsHandler(uint64_t handler) {
  return handler != reinterpret_cast<uint64_t>(SIG_DFL) &&
         handler != reinterpret_cast<uint64_t>(SIG_IGN);
}

}  // namespace

void LetChildSignalRestart(const seccomp_notif& notification, int listener) {
  const auto tid = static_cast<pid_t>(notification.pid);
  const uint64_t address = notification.data.args[1];
  KernelAction action;
  if (!ReadProgramBytes(tid, address, &action, sizeof(action))) return;
  if (!IsHandler(action.handler) || (action.flags & SA_RESTART) != 0) return;
  action.flags |= SA_RESTART;
  WriteProgramBytes(tid, address + offsetof(KernelAction, flags), &action.flags,
                    sizeof(action.flags), [&] {
                      return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID,
                                   &notification.id) == 0;
                    });
}

}  // namespace cordon::sandbox
