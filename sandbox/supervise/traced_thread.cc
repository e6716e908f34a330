#include "sandbox/supervise/traced_thread.h"

#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
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

void Patience::Pause() {
  constexpr int kYields = 40;
  constexpr long kShortest = 10'000;  // Nanoseconds.
  constexpr long kLongest = 1'000'000;
  if (++pauses_ <= kYields) {
    sched_yield();
    return;
  }
  const timespec pause = {0,
                          std::min(kShortest * (pauses_ - kYields), kLongest)};
  nanosleep(&pause, nullptr);
}

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

TracedThread::Stop TracedThread::Await() {
  Patience patience;
  for (;;) {
    if (const Stop stop = Look(); stop != Stop::kNone) return stop;
    if (stopping_) return Stop::kGone;
    patience.Pause();
  }
}

// Of those that this thread traces alone: a child of the server's that it does
// not trace is somebody else's to wait for.
TracedThread::Stop TracedThread::Look() {
  constexpr int kOfThisThread = WNOHANG | __WALL | __WNOTHREAD;
  siginfo_t info = {};
  if (waitid(P_PID, static_cast<id_t>(tid_), &info,
             WSTOPPED | WEXITED | WNOWAIT | kOfThisThread) != 0) {
    return errno == EINTR ? Stop::kNone : Stop::kGone;
  }
  if (info.si_pid == 0) return Stop::kNone;
  if (IsDead(info)) {
    ReapIfNobodyElseCan();
    return Stop::kGone;
  }
  info = {};
  if (waitid(P_PID, static_cast<id_t>(tid_), &info, WSTOPPED | kOfThisThread) !=
          0 ||
      info.si_pid == 0) {
    return Stop::kNone;  // Something ended the stop: it is looked at again.
  }
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
void TracedThread::ReapIfNobodyElseCan() const {
  const bool is_process = syscall(SYS_tgkill, tid_, tid_, 0) == 0;
  if (is_process && IsOwnChild(tid_)) return;
  siginfo_t info = {};
  waitid(P_PID, static_cast<id_t>(tid_), &info,
         WEXITED | WNOHANG | __WALL | __WNOTHREAD);
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

void TracedThread::Release() {
  if (ptrace(PTRACE_DETACH, tid_, nullptr, signal_) == 0) return;
  while (Await() != Stop::kGone) Run();
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
