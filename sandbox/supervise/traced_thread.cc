#include "sandbox/supervise/traced_thread.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "sandbox/supervise/process_memory.h"

namespace cordon::sandbox {
namespace {

constexpr int kEventShift = 8;
constexpr int kSyscallStop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD
constexpr uint64_t kInstructionSize = 2;      // "syscall"

bool IsDead(const siginfo_t& info) {
  return info.si_code == CLD_EXITED || info.si_code == CLD_KILLED ||
         info.si_code == CLD_DUMPED;
}

}  // namespace

user_regs_struct BeforeCall(user_regs_struct registers, uint64_t number) {
  registers.rip -= kInstructionSize;
  registers.rax = number;
  registers.orig_rax = static_cast<uint64_t>(-1);  // Not to be restarted.
  return registers;
}

bool TracedThread::Seize() {
  if (ptrace(PTRACE_SEIZE, tid_, nullptr, PTRACE_O_TRACESYSGOOD) != 0) {
    return false;
  }
  ptrace(PTRACE_INTERRUPT, tid_, nullptr, nullptr);
  return true;
}

// Of a leader of the run the end is looked at, and left to whoever accounts for
// it.
TracedThread::Stop TracedThread::Await() {
  for (;;) {
    siginfo_t info = {};
    if (waitid(P_PID, static_cast<id_t>(tid_), &info,
               WSTOPPED | WEXITED | WNOWAIT | __WALL) != 0) {
      if (errno == EINTR) continue;
      return Stop::kGone;
    }
    if (IsDead(info)) return ReapIfNobodyElseCan();
    if (const Stop stop = Look(); stop != Stop::kNone) return stop;
  }
}

TracedThread::Stop TracedThread::Look() {
  siginfo_t info = {};
  if (waitid(P_PID, static_cast<id_t>(tid_), &info,
             WSTOPPED | WNOHANG | __WALL) != 0) {
    return errno == EINTR ? Stop::kNone : ReapIfNobodyElseCan();
  }
  if (info.si_pid == 0) return ReapIfNobodyElseCan();
  return Classify(info.si_status);
}

TracedThread::Stop TracedThread::Classify(int status) {
  signal_ = 0;
  if (status == kSyscallStop) return Stop::kCall;
  if (status >> kEventShift != PTRACE_EVENT_STOP) {
    signal_ = status;
    return Stop::kOther;
  }
  const int signal = status & ((1 << kEventShift) - 1);
  return signal == SIGTRAP ? Stop::kTrap : Stop::kOther;
}

// A thread that died while it was traced is shown to nobody but its tracer, and
// so is a process, which its own parent waits for in vain until then
// (ptrace(2)). The end of a child of the server's own is the run's to see.
TracedThread::Stop TracedThread::ReapIfNobodyElseCan() {
  siginfo_t info = {};
  if (waitid(P_PID, static_cast<id_t>(tid_), &info,
             WEXITED | WNOHANG | WNOWAIT | __WALL) != 0) {
    return errno == EINTR ? Stop::kNone : Stop::kGone;
  }
  // A stop is shown whatever was asked for.
  if (info.si_pid == 0 || !IsDead(info)) return Stop::kNone;
  const bool is_process = syscall(SYS_tgkill, tid_, tid_, 0) == 0;
  const bool is_child =
      is_process && StatusField(ReadProcFile(tid_, "status"), "PPid") ==
                        static_cast<uint64_t>(getpid());
  if (!is_child) {
    waitid(P_PID, static_cast<id_t>(tid_), &info, WEXITED | WNOHANG | __WALL);
  }
  return Stop::kGone;
}

bool TracedThread::Get(user_regs_struct& registers) const {
  return ptrace(PTRACE_GETREGS, tid_, nullptr, &registers) == 0;
}

bool TracedThread::Set(const user_regs_struct& registers) const {
  return ptrace(PTRACE_SETREGS, tid_, nullptr, &registers) == 0;
}

void TracedThread::Run() const {
  ptrace(PTRACE_SYSCALL, tid_, nullptr, nullptr);
}

TracedThread::Stop TracedThread::RunToCall() {
  Run();
  return Await();
}

void TracedThread::Release() const {
  ptrace(PTRACE_DETACH, tid_, nullptr, signal_);
}

std::optional<int64_t> TracedThread::Call(user_regs_struct registers) {
  user_regs_struct after;
  if (!Set(BeforeCall(registers, registers.rax)) ||
      RunToCall() != Stop::kCall || RunToCall() != Stop::kCall || !Get(after)) {
    return std::nullopt;
  }
  return static_cast<int64_t>(after.rax);
}

}  // namespace cordon::sandbox
