// The doors are Begin and Continue.

#include "sandbox/supervise/call_redirects.h"

#include <asm/unistd.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "sandbox/base/notification_buffer.h"
#include "sandbox/supervise/program_memory.h"
#include "sandbox/supervise/traced_thread.h"

namespace cordon::sandbox {
namespace {

using Stop = TracedThread::Stop;

// Of one run, at once.
constexpr size_t kMostRedirects = 256;
constexpr uint64_t kRedZone = 128;  // System V ABI for x86_64.
// Below it, what a call may be given on the thread's stack: those of some
// runtimes are small, and end in what is another's.
constexpr uint64_t kMostOnStack = 384;
constexpr uint64_t kWord = sizeof(uint64_t);

// An array that ends with a null pointer; nullopt: it cannot be read, or does
// not end.
std::optional<std::vector<uint64_t>> ReadPointers(pid_t tid, uint64_t address) {
  constexpr size_t kMost = 1 << 18;
  constexpr uint64_t kPage = 4096;
  std::vector<uint64_t> all;
  if (address == 0) return all;
  uint64_t page[kPage / kWord];
  while (all.size() < kMost && address % kWord == 0) {
    const uint64_t size = kPage - address % kPage;
    if (!ReadProgramBytes(tid, address, page, size)) return std::nullopt;
    for (size_t i = 0; i < size / kWord; ++i) {
      if (page[i] == 0) return all;
      all.push_back(page[i]);
    }
    address += size;
  }
  return std::nullopt;
}

user_regs_struct CallOf(user_regs_struct registers, uint64_t number,
                        uint64_t first, uint64_t second) {
  registers.rax = number;
  registers.rdi = first;
  registers.rsi = second;
  return registers;
}

// The thread asks again, from the beginning.
void LetGoBeforeCall(TracedThread& thread, const user_regs_struct& original) {
  thread.Set(BeforeCall(original, original.orig_rax));
  thread.Release();
}

// Memory of the program's own: the stack if it is little, else a new mapping,
// which stays where a call that executes a program fails or shares its memory
// with who made it (vfork(2)). 0: there is none. nullopt: the thread stopped
// for something else.
std::optional<uint64_t> FindRoom(TracedThread& thread,
                                 const user_regs_struct& original,
                                 uint64_t size) {
  if (size <= kMostOnStack) {
    return (original.rsp - kRedZone - size) & ~uint64_t{15};
  }
  user_regs_struct map = CallOf(original, __NR_mmap, 0, size);
  map.rdx = PROT_READ | PROT_WRITE;
  map.r10 = MAP_PRIVATE | MAP_ANONYMOUS;
  map.r8 = static_cast<uint64_t>(-1);
  map.r9 = 0;
  const std::optional<int64_t> mapped = thread.Call(map);
  if (!mapped.has_value()) return std::nullopt;
  return *mapped < 0 ? 0 : static_cast<uint64_t>(*mapped);
}

// The call has returned `result`.
void LetGoBehindCall(TracedThread& thread, user_regs_struct original,
                     int64_t result) {
  original.rax = static_cast<uint64_t>(result);
  original.orig_rax = static_cast<uint64_t>(-1);
  thread.Set(original);
  thread.Release();
}

// The kernel's own codes for a call that a signal interrupted and that is to be
// made again: linux/errno.h.
bool IsToBeRestarted(int64_t result) {
  constexpr int64_t kFirst = -516;
  constexpr int64_t kLast = -512;
  return result >= kFirst && result <= kLast;
}

}  // namespace

// What a call is given, to stand at one address: its argv, if it gets a new
// one, the path, and the new arguments.
class CallRedirects::ArgumentBlock {
 public:
  // The old first argument is what the interpreter gets another name for.
  ArgumentBlock(const std::string& path,
                const std::vector<std::string>& arguments,
                const std::vector<uint64_t>& old_argv)
      : strings_(path + '\0') {
    if (arguments.empty()) return;
    for (const std::string& argument : arguments) {
      offsets_.push_back(strings_.size());
      strings_ += argument + '\0';
    }
    if (!old_argv.empty()) rest_.assign(old_argv.begin() + 1, old_argv.end());
    rest_.push_back(0);
  }

  bool has_argv() const { return !rest_.empty(); }
  uint64_t size() const { return pointers_size() + strings_.size(); }
  // Where the path is when all of it is at `address`.
  uint64_t path_at(uint64_t address) const { return address + pointers_size(); }

  std::string At(uint64_t address) const {
    std::vector<uint64_t> pointers;
    for (const uint64_t offset : offsets_) {
      pointers.push_back(path_at(address) + offset);
    }
    pointers.insert(pointers.end(), rest_.begin(), rest_.end());
    std::string bytes(pointers_size(), '\0');
    if (!pointers.empty()) {
      std::memcpy(bytes.data(), pointers.data(), bytes.size());
    }
    return bytes + strings_;
  }

 private:
  uint64_t pointers_size() const {
    return (offsets_.size() + rest_.size()) * kWord;
  }

  std::string strings_;
  std::vector<uint64_t> offsets_;
  std::vector<uint64_t> rest_;
};

int CallRedirects::Begin(const seccomp_notif& notification,
                         const std::string& path,
                         const std::vector<std::string>& arguments,
                         absl::FunctionRef<void(const seccomp_notif&)> keep) {
  const auto tid = static_cast<pid_t>(notification.pid);
  // Those whose thread was let go and never came.
  std::erase_if(redirects_, [](const auto& entry) {
    return syscall(SYS_tkill, entry.first, 0) != 0;
  });
  if (redirects_.size() >= kMostRedirects) return EAGAIN;
  std::vector<uint64_t> old_argv;
  if (!arguments.empty()) {
    std::optional<std::vector<uint64_t>> read =
        ReadPointers(tid, notification.data.args[1]);
    if (!read.has_value()) return EFAULT;
    old_argv = *std::move(read);
  }
  if (!IsAwaited(listener_, notification.id)) return 0;
  TracedThread thread(tid, stopping_);
  if (!thread.Seize()) return EPERM;
  // What it is told is not what it sees: the stop comes before. Not so if the
  // caller is gone, and this another thread of the same id.
  const bool is_caller = AnswerCall(listener_, notification.id, EINTR);
  const Stop stop = thread.Await();
  if (stop == Stop::kGone) return 0;
  // It may have left that call before, for a signal.
  user_regs_struct original;
  const bool is_behind_call =
      is_caller && thread.Get(original) &&
      original.rip == notification.data.instruction_pointer &&
      original.orig_rax == static_cast<uint64_t>(notification.data.nr) &&
      original.rdi == notification.data.args[0];
  if (!is_behind_call) {
    thread.Release();
  } else if (stop != Stop::kTrap) {
    LetGoBeforeCall(thread, original);
  } else {
    Rewrite(tid, thread, original, ArgumentBlock(path, arguments, old_argv),
            keep);
  }
  return 0;
}

void CallRedirects::Rewrite(
    pid_t tid, TracedThread& thread, const user_regs_struct& original,
    const ArgumentBlock& block,
    absl::FunctionRef<void(const seccomp_notif&)> keep) {
  const std::optional<uint64_t> room = FindRoom(thread, original, block.size());
  if (!room.has_value()) return LetGoBeforeCall(thread, original);
  if (*room == 0) return LetGoBehindCall(thread, original, -ENOMEM);
  std::string bytes = block.At(*room);
  // It is held: its id is nobody else's.
  if (!WriteProgramBytes(tid, *room, bytes.data(), bytes.size(),
                         [] { return true; })) {
    return LetGoBehindCall(thread, original, -EFAULT);
  }
  const uint64_t number = original.orig_rax;
  const user_regs_struct call = CallOf(original, number, block.path_at(*room),
                                       block.has_argv() ? *room : original.rsi);
  thread.Set(BeforeCall(call, number));
  if (thread.RunToCall() != Stop::kCall) {
    return LetGoBeforeCall(thread, original);
  }
  const bool is_on_stack = bytes.size() <= kMostOnStack;
  if (number == __NR_execve) {
    if (!is_on_stack) bytes.clear();
    redirects_[tid] = {call.rdi, std::move(bytes), *room};
    return thread.Release();
  }
  user_regs_struct registers;
  if (RunToExit(tid, thread, call.rdi, keep) != Stop::kCall ||
      !thread.Get(registers)) {
    return thread.Release();
  }
  const auto result = static_cast<int64_t>(registers.rax);
  if (!is_on_stack) {
    thread.Call(CallOf(original, __NR_munmap, *room, bytes.size()));
  }
  if (IsToBeRestarted(result)) return LetGoBeforeCall(thread, original);
  LetGoBehindCall(thread, original, result);
}

// From the call's entry, where it asks for the new path.
Stop CallRedirects::RunToExit(
    pid_t tid, TracedThread& thread, uint64_t new_argument,
    absl::FunctionRef<void(const seccomp_notif&)> keep) const {
  thread.Run();
  Patience patience;
  while (!stopping_) {
    pollfd asked = {.fd = listener_, .events = POLLIN, .revents = 0};
    NotificationBuffer buffer;
    if (poll(&asked, 1, 0) > 0 && (asked.revents & POLLIN) != 0 &&
        ReceiveNotification(listener_, buffer)) {
      const seccomp_notif& call = buffer.notification;
      const bool is_the_call = static_cast<pid_t>(call.pid) == tid &&
                               call.data.args[0] == new_argument;
      if (!is_the_call) {
        keep(call);
        continue;
      }
      LetContinue(listener_, call.id);
      return thread.Await();
    }
    // A signal ends a call that nobody has received yet.
    if (const Stop stop = thread.Look(); stop != Stop::kNone) return stop;
    patience.Pause();
  }
  return Stop::kGone;
}

bool CallRedirects::Continue(const seccomp_notif& notification) {
  const auto tid = static_cast<pid_t>(notification.pid);
  const auto found = redirects_.find(tid);
  if (found == redirects_.end() || notification.data.nr != __NR_execve ||
      notification.data.args[0] != found->second.new_argument) {
    return false;
  }
  const Redirect redirect = std::move(found->second);
  redirects_.erase(found);
  // The call waits until it was received for any signal, whose handler uses the
  // stack.
  if (!redirect.bytes.empty() &&
      !WriteProgramBytes(
          tid, redirect.room, redirect.bytes.data(), redirect.bytes.size(),
          [&] { return IsAwaited(listener_, notification.id); })) {
    AnswerCall(listener_, notification.id, EFAULT);
  } else {
    LetContinue(listener_, notification.id);
  }
  return true;
}

}  // namespace cordon::sandbox
