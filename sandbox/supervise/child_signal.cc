#include "sandbox/supervise/child_signal.h"

#include <signal.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "sandbox/base/notification_buffer.h"
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

std::optional<struct stat> FileAt(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

bool IsTheShell(pid_t tid) {
  static const std::optional<struct stat> shell = FileAt("/bin/sh");
  const std::optional<struct stat> program =
      FileAt(absl::StrCat("/proc/", tid, "/exe"));
  return shell.has_value() && program.has_value() &&
         program->st_dev == shell->st_dev && program->st_ino == shell->st_ino;
}

std::optional<KernelAction> ReadAction(const seccomp_notif& notification) {
  KernelAction action;
  if (!ReadProgramBytes(static_cast<pid_t>(notification.pid),
                        notification.data.args[1], &action, sizeof(action))) {
    return std::nullopt;
  }
  return action;
}

}  // namespace

bool IgnoresChildren(const seccomp_notif& notification) {
  const std::optional<KernelAction> action = ReadAction(notification);
  return action.has_value() &&
         (action->handler == reinterpret_cast<uint64_t>(SIG_IGN) ||
          (action->flags & SA_NOCLDWAIT) != 0);
}

void LetChildSignalRestart(const seccomp_notif& notification, int listener) {
  const auto tid = static_cast<pid_t>(notification.pid);
  const uint64_t address = notification.data.args[1];
  if (!IsTheShell(tid)) return;
  std::optional<KernelAction> action = ReadAction(notification);
  if (!action.has_value() || !IsHandler(action->handler) ||
      (action->flags & SA_RESTART) != 0) {
    return;
  }
  action->flags |= SA_RESTART;
  WriteProgramBytes(tid, address + offsetof(KernelAction, flags),
                    &action->flags, sizeof(action->flags),
                    [&] { return IsAwaited(listener, notification.id); });
}

}  // namespace cordon::sandbox
