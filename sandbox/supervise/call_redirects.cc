// The doors are Begin, Continue and Step.

#include "sandbox/supervise/call_redirects.h"

#include <asm/unistd.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "sandbox/base/notification_buffer.h"
#include "sandbox/supervise/process_memory.h"
#include "sandbox/supervise/program_memory.h"

namespace cordon::sandbox {
namespace {

// Of one run, at once.
constexpr size_t kMostRedirects = 256;
constexpr uint64_t kRedZone = 128;    // System V ABI for x86_64.
constexpr uint64_t kInstruction = 2;  // "syscall"
constexpr int kEventShift = 8;

// For the next stop, which is a context switch away as a rule.
constexpr int kLooks = 20;
constexpr absl::Duration kBetweenLooks = absl::Microseconds(10);

// An array that ends with a null pointer; nullopt: it cannot be read, or does
// not end.
std::optional<std::vector<uint64_t>> ReadPointers(pid_t tid, uint64_t address) {
  constexpr size_t kMost = 1 << 16;
  constexpr uint64_t kPage = 4096;
  std::vector<uint64_t> all;
  if (address == 0) return all;
  uint64_t page[kPage / sizeof(uint64_t)];
  while (all.size() < kMost && address % sizeof(uint64_t) == 0) {
    const uint64_t size = kPage - address % kPage;
    if (!ReadProgramBytes(tid, address, page, size)) return std::nullopt;
    for (size_t i = 0; i < size / sizeof(uint64_t); ++i) {
      if (page[i] == 0) return all;
      all.push_back(page[i]);
    }
    address += size;
  }
  return std::nullopt;
}

// A thread that died while it was held is shown to nobody but its tracer, and
// so is a process, which its own parent waits for in vain until then
// (ptrace(2)). The end of a child of the server's own is the run's to see.
bool IsGone(pid_t tid) {
  const bool is_process = syscall(SYS_tgkill, tid, tid, 0) == 0;
  if (is_process && StatusField(ReadProcFile(tid, "status"), "PPid") ==
                        static_cast<uint64_t>(getpid())) {
    return true;
  }
  siginfo_t info = {};
  return waitid(P_PID, static_cast<id_t>(tid), &info,
                WEXITED | WNOHANG | __WALL) != 0 ||
         info.si_pid == tid;
}

}  // namespace

int CallRedirects::Begin(const seccomp_notif& notification, std::string path,
                         std::vector<std::string> arguments, int listener) {
  const auto tid = static_cast<pid_t>(notification.pid);
  // Those whose thread was let go and never came back.
  std::erase_if(redirects_, [](const auto& entry) {
    return !entry.second.held && syscall(SYS_tkill, entry.first, 0) != 0;
  });
  if (redirects_.size() >= kMostRedirects) return EAGAIN;
  // Held already: a handler of a signal took it away from an earlier one.
  const auto earlier = redirects_.find(tid);
  const bool is_held = earlier != redirects_.end() && earlier->second.held;
  if (!is_held && ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) != 0) {
    return EPERM;
  }
  ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
  Redirect& redirect = redirects_[tid];
  redirect = {.state = State::kStopping,
              .held = true,
              .number = notification.data.nr,
              .instruction = notification.data.instruction_pointer,
              .old_argument = notification.data.args[0],
              .new_argument = 0,
              .path = std::move(path),
              .arguments = std::move(arguments)};
  // What it is told is not what it sees: the stop comes before.
  AnswerCall(listener, notification.id, EINTR);
  for (int i = 0; i < kLooks && redirect.state == State::kStopping; ++i) {
    if (!StepOne(tid, redirect)) {
      redirects_.erase(tid);
      break;
    }
    if (redirect.state != State::kStopping) break;
    absl::SleepFor(kBetweenLooks);
  }
  return 0;
}

bool CallRedirects::Continue(const seccomp_notif& notification, int listener) {
  const auto tid = static_cast<pid_t>(notification.pid);
  const auto found = redirects_.find(tid);
  if (found == redirects_.end()) return false;
  Redirect& redirect = found->second;
  if (redirect.state != State::kCalling ||
      notification.data.nr != redirect.number ||
      notification.data.args[0] != redirect.new_argument) {
    return false;
  }
  // A handler of a signal may have used that part of the stack meanwhile.
  const bool put =
      Put(tid, redirect, [&] { return IsAwaited(listener, notification.id); });
  if (!put) AnswerCall(listener, notification.id, EFAULT);
  if (!redirect.held) {
    redirects_.erase(found);
    if (put) LetContinue(listener, notification.id);
    return true;
  }
  ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
  redirect.state = State::kReturning;
  if (put) LetContinue(listener, notification.id);
  return true;
}

void CallRedirects::Step() {
  for (auto entry = redirects_.begin(); entry != redirects_.end();) {
    const bool keep =
        !entry->second.held || StepOne(entry->first, entry->second);
    entry = keep ? std::next(entry) : redirects_.erase(entry);
  }
}

bool CallRedirects::waiting() const {
  return std::any_of(redirects_.begin(), redirects_.end(),
                     [](const auto& entry) { return entry.second.held; });
}

bool CallRedirects::StepOne(pid_t tid, Redirect& redirect) {
  siginfo_t info = {};
  if (waitid(P_PID, static_cast<id_t>(tid), &info,
             WSTOPPED | WNOHANG | __WALL) != 0) {
    return errno == EINTR || !IsGone(tid);
  }
  if (info.si_pid == 0) return true;
  return OnStop(tid, redirect, info.si_status);
}

bool CallRedirects::OnStop(pid_t tid, Redirect& redirect, int status) {
  if (status >> kEventShift != PTRACE_EVENT_STOP) {
    // A signal on its way to the program.
    ptrace(PTRACE_CONT, tid, nullptr, status);
    return true;
  }
  switch (redirect.state) {
    case State::kStopping:
      return Rewrite(tid, redirect);
    case State::kReturning:
      return Restore(tid, redirect);
    case State::kCalling:  // It is to stop with its process (SIGSTOP).
      break;
  }
  ptrace(PTRACE_DETACH, tid, nullptr, nullptr);
  redirect.held = false;
  return true;
}

// Where everything goes follows from the redirect alone, so that it can be put
// there once more.
bool CallRedirects::Put(pid_t tid, Redirect& redirect,
                        absl::FunctionRef<bool()> still_there) {
  uint64_t top = redirect.stack - kRedZone;
  const auto put = [&](const void* data, size_t size) {
    top = (top - size) & ~uint64_t{15};
    return WriteProgramBytes(tid, top, data, size, still_there);
  };
  if (!put(redirect.path.c_str(), redirect.path.size() + 1)) return false;
  redirect.new_argument = top;
  redirect.new_argv = redirect.old_argv;
  if (redirect.arguments.empty()) return true;
  std::vector<uint64_t> argv;
  for (const std::string& argument : redirect.arguments) {
    if (!put(argument.c_str(), argument.size() + 1)) return false;
    argv.push_back(top);
  }
  // The old first one is what the interpreter gets another name for.
  const std::optional<std::vector<uint64_t>> old =
      ReadPointers(tid, redirect.old_argv);
  if (!old.has_value()) return false;
  if (!old->empty()) argv.insert(argv.end(), old->begin() + 1, old->end());
  argv.push_back(0);
  if (!put(argv.data(), argv.size() * sizeof(argv[0]))) return false;
  redirect.new_argv = top;
  return true;
}

bool CallRedirects::Rewrite(pid_t tid, Redirect& redirect) {
  user_regs_struct registers;
  bool rewritten = ptrace(PTRACE_GETREGS, tid, nullptr, &registers) == 0 &&
                   registers.rip == redirect.instruction;
  if (rewritten) {
    redirect.stack = registers.rsp;
    redirect.old_argv = registers.rsi;
    // It is held: its id is nobody else's.
    rewritten = Put(tid, redirect, [] { return true; });
    registers.orig_rax = static_cast<uint64_t>(-1);  // Not to be restarted.
    registers.rax = static_cast<uint64_t>(-EFAULT);
    if (rewritten) {
      registers.rax = static_cast<uint64_t>(redirect.number);
      registers.rip -= kInstruction;
      registers.rdi = redirect.new_argument;
      registers.rsi = redirect.new_argv;
    }
    rewritten &= ptrace(PTRACE_SETREGS, tid, nullptr, &registers) == 0;
  }
  const bool stays_held = rewritten && redirect.number != __NR_execve;
  if (!stays_held) {
    ptrace(PTRACE_DETACH, tid, nullptr, nullptr);
  } else {
    ptrace(PTRACE_CONT, tid, nullptr, nullptr);
  }
  redirect.held = stays_held;
  redirect.state = State::kCalling;
  return rewritten;
}

bool CallRedirects::Restore(pid_t tid, const Redirect& redirect) {
  user_regs_struct registers;
  if (ptrace(PTRACE_GETREGS, tid, nullptr, &registers) == 0 &&
      registers.rip == redirect.instruction) {
    registers.rdi = redirect.old_argument;
    registers.rsi = redirect.old_argv;
    ptrace(PTRACE_SETREGS, tid, nullptr, &registers);
  }
  ptrace(PTRACE_DETACH, tid, nullptr, nullptr);
  return false;
}

}  // namespace cordon::sandbox
