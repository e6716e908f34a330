// The doors are CordonServeForks, CordonAwaitProgram and CordonReportStart.

#include "sandbox/warm/fork_point.h"

#include <asm/unistd.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/signal.h>
#include <stddef.h>

#include "sandbox/launch/child/raw_syscall.h"
#include "sandbox/warm/fork_protocol.h"

namespace cordon::sandbox {
namespace {

// The kernel's own structures, whose names the C library's headers share
// (recvmsg(2), cmsg(3), poll(2)).
struct Vector {
  void* base;
  size_t length;
};
struct Message {
  void* name;
  int name_length;
  Vector* vectors;
  size_t vector_count;
  void* control;
  size_t control_length;
  int flags;
};
constexpr size_t kMostDescriptors = kMostEntrances + 3;
struct Rights {
  size_t length;
  int level;
  int type;
  int descriptors[kMostDescriptors];
};
constexpr size_t kRightsHeader = offsetof(Rights, descriptors);
struct Polled {
  int fd;
  short events;
  short revents;
};
constexpr int kSolSocket = 1;
constexpr int kScmRights = 1;
constexpr int kPollIn = 1;
constexpr int kMsgNoSignal = 0x4000;
constexpr int kMsgCmsgCloexec = 0x40000000;
constexpr long kEintr = 4;
constexpr int kNameBytes = 16;
// Two that posix_spawn(3), by which a template came to be, leaves ignored: bit
// N - 1 for signal N.
constexpr uint64_t kOfTheCLibrary = uint64_t{1} << 31 | uint64_t{1} << 32;

// What the template and the fork that it is about to have armed share (mmap(2),
// MAP_SHARED). A fork lets go of it before it does anything else.
struct Shared {
  ChildContext context;
  // A futex(2): 1 when the fork is armed.
  uint32_t armed;
};

struct Received {
  ForkOrder order;
  sock_filter filter[kMostFilterInstructions];
};

struct Started {
  StartOrder order;
  char text[kMostTextBytes];
};

// In the template's memory, and each fork's copy of it.
Shared* shared;
Received received;
Started started;
Rights rights;
sock_fprog filter;
int fork_socket = -1;
char name[kNameBytes];
char* strings[kMostTextBytes + 2];
CordonProgram program;

long Address(const volatile void* pointer) {
  return reinterpret_cast<long>(pointer);
}

[[noreturn]] void Leave() {
  for (;;) RawSyscall(__NR_exit_group, 1);
}

void Close(int fd) { RawSyscall(__NR_close, fd); }

// How many descriptors came with the last message.
size_t DescriptorCount() {
  if (rights.length < kRightsHeader || rights.level != kSolSocket ||
      rights.type != kScmRights) {
    return 0;
  }
  return (rights.length - kRightsHeader) / sizeof(int);
}

long Receive(int socket, void* into, size_t size) {
  Vector vector = {into, size};
  rights.length = 0;
  Message message = {nullptr, 0, &vector, 1, &rights, sizeof(rights), 0};
  long result;
  do {
    result =
        RawSyscall(__NR_recvmsg, socket, Address(&message), kMsgCmsgCloexec);
  } while (result == -kEintr);
  return result;
}

void Send(int socket, const void* data, size_t size, int descriptor) {
  Vector vector = {const_cast<void*>(data), size};
  Rights sent = {};
  sent.length = kRightsHeader + sizeof(int);
  sent.level = kSolSocket;
  sent.type = kScmRights;
  sent.descriptors[0] = descriptor;
  Message message = {nullptr, 0, &vector, 1, nullptr, 0, 0};
  if (descriptor >= 0) {
    message.control = &sent;
    message.control_length = sent.length;
  }
  RawSyscall(__NR_sendmsg, socket, Address(&message), kMsgNoSignal);
}

void Report(int pid, const ChildReport& child, int listener) {
  const ForkReport report = {pid, static_cast<int32_t>(child.step),
                             child.error_number, child.index};
  Send(kTemplateControl, &report, sizeof(report), listener);
}

// Fills the context that the fork is restricted by. The descriptors are of the
// table that both share.
void FillContext() {
  const ForkOrder& order = received.order;
  filter = {static_cast<unsigned short>(order.filter_instructions),
            received.filter};
  const int* const fds = rights.descriptors;
  shared->armed = 0;
  shared->context = {
      .signals_to_reset = kOfTheCLibrary,
      .working_directory = fds[1],
      .cgroup_entrances = fds + 2,
      .cgroup_entrance_count = static_cast<int>(order.entrance_count),
      .identity = order.switches_identity != 0 ? ChildIdentity::kSwitch
                                               : ChildIdentity::kKeep,
      .uid = order.uid,
      .gid = order.gid,
      .parent_pid = order.server_pid,
      .landlock_ruleset =
          order.has_ruleset != 0 ? fds[2 + order.entrance_count] : -1,
      .filter = &filter,
      .live_group = nullptr,
      .listener = -1,
      .report = {ChildStep::kResetSignals, 0, 0},
      .ordered = 0,
      .order = nullptr,
  };
}

bool IsWhole(long size) {
  const ForkOrder& order = received.order;
  return size >= static_cast<long>(sizeof(ForkOrder)) &&
         order.entrance_count <= kMostEntrances &&
         order.filter_instructions <= kMostFilterInstructions &&
         static_cast<size_t>(size) ==
             sizeof(ForkOrder) +
                 order.filter_instructions * sizeof(sock_filter) &&
         DescriptorCount() ==
             2 + order.entrance_count + (order.has_ruleset != 0 ? 1 : 0);
}

// A table of its own, in which nothing of the template is left.
void OwnDescriptors() {
  RawSyscall(__NR_close_range, fork_socket + 1, ~0U, CLOSE_RANGE_UNSHARE);
  if (fork_socket > 3) RawSyscall(__NR_close_range, 3, fork_socket - 1, 0);
}

// In the fork. The list of robust mutexes is a thread's own
// (get_robust_list(2)), and a new process has none.
void Arm(long robust_list, long robust_size) {
  // Before it has a group of its own, so that nothing takes it for a template.
  RawSyscall(__NR_prctl, PR_SET_NAME, Address("cordon-armed"));
  const int pid = static_cast<int>(RawSyscall(__NR_getpid));
  RawSyscall(__NR_write, fork_socket, Address(&pid), sizeof(pid));
  RawSyscall(__NR_set_robust_list, robust_list, robust_size);
  CordonRestrictChild(&shared->context);
  // Another user's process is not to be looked into (prctl(2)); execve(2) lets
  // its own user do that again, and so the supervisor.
  RawSyscall(__NR_prctl, PR_SET_DUMPABLE, 1);
  OwnDescriptors();
  __atomic_store_n(&shared->armed, 1, __ATOMIC_RELEASE);
  RawSyscall(__NR_futex, Address(&shared->armed), FUTEX_WAKE, 1);
  RawSyscall(__NR_munmap, Address(shared), sizeof(Shared));
}

bool HasEnded(int pidfd) {
  Polled polled = {pidfd, kPollIn, 0};
  const long at_once[2] = {0, 0};
  return RawSyscall(__NR_ppoll, Address(&polled), 1, Address(at_once), 0) > 0;
}

// In the template. A fork that is killed wakes nobody: hence the timeout.
void AwaitArmed(int pid, int pidfd) {
  constexpr long kFiveMilliseconds[2] = {0, 5'000'000};
  while (__atomic_load_n(&shared->armed, __ATOMIC_ACQUIRE) == 0) {
    RawSyscall(__NR_futex, Address(&shared->armed), FUTEX_WAIT, 0,
               Address(kFiveMilliseconds));
    if (__atomic_load_n(&shared->armed, __ATOMIC_ACQUIRE) == 0 &&
        HasEnded(pidfd)) {
      break;
    }
  }
  const int listener = shared->context.listener;
  if (shared->armed == 0 && shared->context.report.error_number == 0) {
    constexpr int kEsrch = 3;
    shared->context.report.error_number = kEsrch;
  }
  Report(pid, shared->context.report, shared->armed != 0 ? listener : -1);
  if (listener >= 0) Close(listener);
}

// True in the fork.
bool Fork(const CordonForkHooks& hooks) {
  FillContext();
  fork_socket = rights.descriptors[0];
  long robust_list = 0;
  long robust_size = 0;
  RawSyscall(__NR_get_robust_list, 0, Address(&robust_list),
             Address(&robust_size));
  hooks.before();
  int pidfd = -1;
  const long flags = CLONE_PARENT | CLONE_FILES | CLONE_PIDFD | SIGCHLD |
                     (hooks.tid != nullptr ? CLONE_CHILD_SETTID : 0);
  const long pid =
      RawSyscall(__NR_clone, flags, 0, Address(&pidfd), Address(hooks.tid), 0);
  if (pid == 0) {
    Arm(robust_list, robust_size);
    return true;
  }
  hooks.after_in_template();
  if (pid < 0) {
    Report(0, {ChildStep::kResetSignals, static_cast<int>(-pid), 0}, -1);
  } else {
    AwaitArmed(static_cast<int>(pid), pidfd);
    Close(pidfd);
  }
  return false;
}

bool MapShared() {
  const long page =
      RawSyscall(__NR_mmap, 0, sizeof(Shared), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1);
  if (page < 0 && page > -4096) return false;
  shared = reinterpret_cast<Shared*>(page);
  return true;
}

bool IsWholeStart(long size) {
  const StartOrder& order = started.order;
  return size > static_cast<long>(sizeof(StartOrder)) &&
         order.text_bytes == static_cast<size_t>(size) - sizeof(StartOrder) &&
         order.limit_count <= kMostLimits && DescriptorCount() == 3 &&
         started.text[order.text_bytes - 1] == '\0';
}

// Fills `strings`: the arguments, null, the variables, null.
void FindStrings(const StartOrder& order) {
  char* at = started.text;
  const char* const end = at + order.text_bytes;
  const uint32_t count = order.argument_count + order.variable_count;
  if (count > kMostTextBytes) Leave();
  char** next = strings;
  for (uint32_t i = 0; i < count; ++i) {
    if (i == order.argument_count) *next++ = nullptr;
    if (at == end) Leave();
    *next++ = at;
    while (*at++ != '\0') {
    }
  }
  if (order.variable_count == 0) *next++ = nullptr;
  *next = nullptr;
}

}  // namespace

extern "C" bool CordonServeForks(const CordonForkHooks* hooks) {
  RawSyscall(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL);
  RawSyscall(__NR_prctl, PR_GET_NAME, Address(name));
  RawSyscall(__NR_prctl, PR_SET_NAME, Address("cordon-warm"));
  if (!MapShared()) return false;
  Report(static_cast<int>(RawSyscall(__NR_getpid)),
         {ChildStep::kResetSignals, 0, 0}, -1);
  for (;;) {
    const long size = Receive(kTemplateControl, &received, sizeof(received));
    if (size <= 0) return false;
    if (!IsWhole(size)) return false;
    const size_t descriptors = DescriptorCount();
    if (Fork(*hooks)) return true;
    for (size_t i = 0; i < descriptors; ++i) Close(rights.descriptors[i]);
  }
}

extern "C" const CordonProgram* CordonAwaitProgram() {
  const StartOrder& order = started.order;
  if (!IsWholeStart(Receive(fork_socket, &started, sizeof(started)))) Leave();
  const ChildOrder streams = {
      .standard_streams = {rights.descriptors[0], rights.descriptors[1],
                           rights.descriptors[2]},
      .resource_limits = order.limits,
      .resource_limit_count = static_cast<int>(order.limit_count),
      .candidates = nullptr,
      .argv = nullptr,
      .environment = nullptr,
  };
  static ChildContext context;
  CordonTakeStreams(&context, &streams);
  for (int i = 0; i < 3; ++i) Close(rights.descriptors[i]);
  RawSyscall(__NR_prctl, PR_SET_NAME, Address(name));
  FindStrings(order);
  program = {strings, strings + order.argument_count + 1};
  return &program;
}

extern "C" void CordonReportStart(bool starts) {
  const StartReport report = {starts ? 1 : 0};
  RawSyscall(__NR_write, fork_socket, Address(&report), sizeof(report));
  Close(fork_socket);
}

}  // namespace cordon::sandbox
