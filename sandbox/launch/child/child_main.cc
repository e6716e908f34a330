// The doors are CordonChildMain, each step of which is a line of it, and its
// two parts for a child that has its program already.

#include "sandbox/launch/child/child_main.h"

#include <asm/unistd.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/signal.h>

#include "sandbox/launch/child/raw_syscall.h"

// Newer than Debian 12's kernel headers know (landlock(7)).
#ifndef __NR_landlock_restrict_self
#define __NR_landlock_restrict_self 446
#endif

namespace cordon::sandbox {
namespace {

constexpr int kEnoent = 2;
constexpr int kEacces = 13;
constexpr int kEnotdir = 20;
constexpr int kEinval = 22;
constexpr int kEtxtbsy = 26;
constexpr int kEsrch = 3;
constexpr int kLastSignal = 64;

long Address(const volatile void* pointer) {
  return reinterpret_cast<long>(pointer);
}

[[noreturn]] void Fail(ChildContext& context, ChildStep step, long error_number,
                       int index = 0) {
  context.report.step = step;
  context.report.index = index;
  context.report.error_number = static_cast<int>(error_number);
  for (;;) RawSyscall(__NR_exit_group, 1);
}

// Ends the child unless `result` is a success.
void Expect(long result, ChildContext& context, ChildStep step, int index = 0) {
  if (result < 0) Fail(context, step, -result, index);
}

void LeaveOneProcessor(ChildContext& context) {
  if (context.processors == nullptr) return;
  Expect(RawSyscall(__NR_sched_setaffinity, 0,
                    static_cast<long>(context.processors_size),
                    Address(context.processors)),
         context, ChildStep::kProcessors);
}

// An ignored signal would stay ignored in the program (execve(2)), and a
// handler of the server's must not run on the shared memory.
void ResetSignals(ChildContext& context) {
  // The kernel's struct sigaction: handler, flags, restorer, mask.
  unsigned long action[4] = {0, 0, 0, 0};
  for (int signal = 1; signal <= kLastSignal; ++signal) {
    if ((context.signals_to_reset >> (signal - 1) & 1) == 0) continue;
    Expect(RawSyscall(__NR_rt_sigaction, signal, Address(action), 0,
                      sizeof(unsigned long)),
           context, ChildStep::kResetSignals, signal);
  }
}

void UnblockSignals(ChildContext& context) {
  unsigned long none = 0;
  Expect(RawSyscall(__NR_rt_sigprocmask, SIG_SETMASK, Address(&none), 0,
                    sizeof(none)),
         context, ChildStep::kUnblockSignals);
}

// dup3 refuses equal descriptors; the parent never hands one below 3.
void SetStandardStreams(ChildContext& context, const ChildOrder& order) {
  for (int stream = 0; stream < 3; ++stream) {
    Expect(RawSyscall(__NR_dup3, order.standard_streams[stream], stream, 0),
           context, ChildStep::kStandardStreams, stream);
  }
}

void SetResourceLimits(ChildContext& context, const ChildOrder& order) {
  for (int i = 0; i < order.resource_limit_count; ++i) {
    const ChildResourceLimit& limit = order.resource_limits[i];
    const uint64_t value[2] = {limit.soft, limit.hard};
    Expect(RawSyscall(__NR_prlimit64, 0, limit.resource, Address(value)),
           context, ChildStep::kResourceLimits, i);
  }
}

// "0" is whoever writes it. While the rights are the server's.
void JoinCgroup(ChildContext& context) {
  const char self = '0';
  for (int i = 0; i < context.cgroup_entrance_count; ++i) {
    Expect(RawSyscall(__NR_write, context.cgroup_entrances[i], Address(&self),
                      sizeof(self)),
           context, ChildStep::kJoinCgroup, i);
  }
}

// Raw setresuid changes the calling thread only, which is this whole process.
void SetIdentity(ChildContext& context) {
  if (context.identity == ChildIdentity::kKeep) return;
  Expect(RawSyscall(__NR_setgroups, 0, 0), context,
         ChildStep::kSupplementaryGroups);
  const long gid = context.gid;
  Expect(RawSyscall(__NR_setresgid, gid, gid, gid), context,
         ChildStep::kGroupIdentity);
  const long uid = context.uid;
  Expect(RawSyscall(__NR_setresuid, uid, uid, uid), context,
         ChildStep::kUserIdentity);
}

// With no_new_privs, execve cannot give back what is dropped here, not even to
// uid 0 (capabilities(7)).
void DropCapabilities(ChildContext& context) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  Expect(RawSyscall(__NR_capset, Address(&header), Address(none)), context,
         ChildStep::kDropCapabilities);
}

// After the identity, because setresuid clears it (prctl(2), PR_SET_PDEATHSIG).
void DieWithParent(ChildContext& context) {
  Expect(RawSyscall(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL), context,
         ChildStep::kParentDeathSignal);
  if (RawSyscall(__NR_getppid) != context.parent_pid) {
    Fail(context, ChildStep::kParentDeathSignal, kEsrch);
  }
}

// WAIT_KILLABLE_RECV (Linux 5.19) keeps a signal handler of the program from
// interrupting a call that the supervisor is answering.
void InstallFilter(ChildContext& context) {
  constexpr long kFlags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
  constexpr long kWaitKillableRecv = 1L << 5;
  const long filter = Address(context.filter);
  long listener = RawSyscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
                             kFlags | kWaitKillableRecv, filter);
  if (listener == -kEinval) {
    listener =
        RawSyscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, kFlags, filter);
  }
  Expect(listener, context, ChildStep::kSeccomp);
  context.listener = static_cast<int>(listener);
}

// For `ps` and for whoever looks at a core's load: the program's name replaces
// it (prctl(2)).
void NameItself() {
  RawSyscall(__NR_prctl, PR_SET_NAME, Address("cordon-armed"));
}

const ChildOrder& AwaitOrder(ChildContext& context) {
  context.report.step = ChildStep::kAwaitOrder;
  constexpr auto kWait = static_cast<uint32_t>(ChildOrdered::kWait);
  constexpr auto kExit = static_cast<uint32_t>(ChildOrdered::kExit);
  uint32_t ordered;
  while ((ordered = __atomic_load_n(&context.ordered, __ATOMIC_ACQUIRE)) ==
         kWait) {
    RawSyscall(__NR_futex, Address(&context.ordered),
               FUTEX_WAIT | FUTEX_PRIVATE_FLAG, kWait, 0);
  }
  while (ordered == kExit) RawSyscall(__NR_exit_group, 0);
  return *context.order;
}

// A table of its own, no longer than the program's streams need: what comes
// after them is not copied first (close_range(2), CLOSE_RANGE_UNSHARE).
void OwnDescriptors(ChildContext& context, const ChildOrder& order) {
  int last = 0;
  for (const int stream : order.standard_streams) {
    if (stream > last) last = stream;
  }
  Expect(RawSyscall(__NR_close_range, last + 1, ~0U, CLOSE_RANGE_UNSHARE),
         context, ChildStep::kOwnDescriptors);
}

// Not left to execve, which lets the parent go on (it leaves the shared memory)
// before it closes them: until the parent knows the child to be gone, what the
// server had open would still be open here (sandbox/base/descriptor_copies.h).
void CloseServersDescriptors(ChildContext& context) {
  constexpr long kFirstAfterStandardStreams = 3;
  Expect(RawSyscall(__NR_close_range, kFirstAfterStandardStreams, ~0U, 0),
         context, ChildStep::kCloseDescriptors);
}

// Another run's child has, between taking its own descriptors and its execve,
// copies of the server's, and among them maybe one that this file is written
// with: for a moment it is busy (execve(2), ETXTBSY). Nothing of this run can
// hold it open.
long ExecuteOne(const char* path, const ChildOrder& order) {
  constexpr int kAttempts = 400;
  constexpr long kFiveMilliseconds[2] = {0, 5'000'000};
  long result = 0;
  for (int i = 0; i < kAttempts; ++i) {
    result = -RawSyscall(__NR_execve, Address(path), Address(order.argv),
                         Address(order.environment));
    if (result != kEtxtbsy) break;
    RawSyscall(__NR_nanosleep, Address(kFiveMilliseconds), 0);
  }
  return result;
}

// Tries the candidates as execvp(3) does: what is merely not there, or not
// allowed, leaves the search going; EACCES is the more telling answer.
void Execute(ChildContext& context, const ChildOrder& order) {
  long error_number = kEnoent;
  int index = 0;
  context.report.step = ChildStep::kExecute;
  for (int i = 0; order.candidates[i] != nullptr; ++i) {
    const long result = ExecuteOne(order.candidates[i], order);
    if (result != kEnoent && result != kEnotdir && result != kEacces) {
      Fail(context, ChildStep::kExecute, result, i);
    }
    if (result == kEacces || i == 0) {
      error_number = result;
      index = i;
    }
  }
  Fail(context, ChildStep::kExecute, error_number, index);
}

}  // namespace

extern "C" void CordonRestrictChild(void* argument) {
  ChildContext& context = *static_cast<ChildContext*>(argument);
  LeaveOneProcessor(context);
  ResetSignals(context);
  // The process group is the unit of containment; the filter refuses leaving
  // it.
  const long group = RawSyscall(__NR_setsid);
  Expect(group, context, ChildStep::kNewSession);
  // Here, and not by the parent, which may be dead by the time that it knows.
  if (context.live_group != nullptr) {
    __atomic_store_n(context.live_group, static_cast<int>(group),
                     __ATOMIC_SEQ_CST);
  }
  // The server's is none of the program's business. umask(2) cannot fail.
  RawSyscall(__NR_umask, 022);
  // While the rights are the server's: what a compiler did to the directory's
  // mode is no reason to fail.
  Expect(RawSyscall(__NR_fchdir, context.working_directory), context,
         ChildStep::kWorkingDirectory);
  JoinCgroup(context);
  SetIdentity(context);
  DropCapabilities(context);
  DieWithParent(context);
  NameItself();
  Expect(RawSyscall(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1), context,
         ChildStep::kNoNewPrivileges);
  if (context.landlock_ruleset >= 0) {
    Expect(RawSyscall(__NR_landlock_restrict_self, context.landlock_ruleset, 0),
           context, ChildStep::kLandlock);
  }
  UnblockSignals(context);
  InstallFilter(context);
}

extern "C" void CordonTakeStreams(void* argument, const ChildOrder* order) {
  ChildContext& context = *static_cast<ChildContext*>(argument);
  SetStandardStreams(context, *order);
  SetResourceLimits(context, *order);
}

extern "C" int CordonChildMain(void* argument) {
  ChildContext& context = *static_cast<ChildContext*>(argument);
  CordonRestrictChild(argument);
  const ChildOrder& order = AwaitOrder(context);
  // Before the streams: until it has a table of its own, theirs would be the
  // server's.
  OwnDescriptors(context, order);
  CordonTakeStreams(argument, &order);
  CloseServersDescriptors(context);
  Execute(context, order);
  __builtin_unreachable();
}

}  // namespace cordon::sandbox
