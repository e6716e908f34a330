#include "sandbox/policy/seccomp/syscall_table_x86_64.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ostream>

#include "gtest/gtest.h"
#include "sandbox/policy/seccomp/filter_dump.h"
#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/verdict.h"

namespace cordon::sandbox {

void PrintTo(const Verdict& verdict, std::ostream* out) {
  *out << DescribeVerdict(verdict);
}

namespace {

constexpr uint64_t kGarbage = uint64_t{0xabcdef01} << 32;
constexpr uint64_t kMinusOne = UINT64_MAX;
const Verdict kNetworkBreach = Deny(EACCES, ViolationKind::kNetwork);
const Verdict kFamilyBreach = Deny(EAFNOSUPPORT, ViolationKind::kNetwork);

Verdict On(Sys call, const SyscallArguments& arguments,
           SignalScope signals = SignalScope::kByLandlock) {
  static const SyscallPolicy scoped =
      DefaultPolicy({.signals = SignalScope::kByLandlock});
  static const SyscallPolicy unscoped =
      DefaultPolicy({.signals = SignalScope::kBySupervisor});
  return (signals == SignalScope::kByLandlock ? scoped : unscoped)
      .Evaluate(static_cast<int>(call), arguments);
}

Verdict Unscoped(Sys call, const SyscallArguments& arguments) {
  return On(call, arguments, SignalScope::kBySupervisor);
}

TEST(SyscallTableTest, EveryNamedCallHasARowWithAReason) {
  const SyscallPolicy policy = DefaultPolicy({});
  for (int number = 0; number < 1024; ++number) {
    const SyscallRow* row = policy.Find(number);
    EXPECT_EQ(row != nullptr, !SyscallName(number).empty()) << number;
    if (row != nullptr) {
      EXPECT_GT(std::strlen(row->reason), 10u) << SyscallName(number);
    }
  }
  EXPECT_EQ(policy.default_verdict(), Violate());
}

TEST(SyscallTableTest, NamespacesByCloneAreViolations) {
  for (const uint64_t flag :
       {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER,
        CLONE_NEWPID, CLONE_NEWNET}) {
    EXPECT_EQ(On(Sys::clone, {flag}), Violate());
    EXPECT_EQ(On(Sys::clone, {flag | SIGCHLD | kGarbage}), Violate());
  }
  // fork(3) and pthread_create(3) of glibc.
  EXPECT_EQ(
      On(Sys::clone, {CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD}),
      AskNewProcess());
  EXPECT_EQ(On(Sys::clone, {CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                            CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS}),
            AskNewProcess());
  EXPECT_EQ(On(Sys::clone3, {}), Refuse(ENOSYS));
}

TEST(SyscallTableTest, EveryNewProcessIsAskedFor) {
  for (const SignalScope signals :
       {SignalScope::kByLandlock, SignalScope::kBySupervisor}) {
    EXPECT_EQ(On(Sys::fork, {}, signals), AskNewProcess());
    EXPECT_EQ(On(Sys::vfork, {}, signals), AskNewProcess());
    EXPECT_EQ(On(Sys::clone, {}, signals), AskNewProcess());
  }
  EXPECT_EQ(On(Sys::fallocate, {3, 0, 0, 1}), AskReserveSpace(3));
}

TEST(SyscallTableTest, TheSignalsThatSayHowARunEndedAreTheKernels) {
  for (const SignalScope scope :
       {SignalScope::kByLandlock, SignalScope::kBySupervisor}) {
    for (const uint64_t signal : {SIGSYS, SIGXFSZ}) {
      for (const uint64_t number : {signal, signal | kGarbage}) {
        // To oneself, to the group, to everyone.
        for (const uint64_t target : {uint64_t{0}, uint64_t{5}, kMinusOne}) {
          for (const Sys call : {Sys::kill, Sys::tkill, Sys::rt_sigqueueinfo}) {
            EXPECT_EQ(On(call, {target, number}, scope), Refuse(EPERM));
          }
          for (const Sys call : {Sys::tgkill, Sys::rt_tgsigqueueinfo}) {
            EXPECT_EQ(On(call, {target, target, number}, scope), Refuse(EPERM));
          }
        }
        EXPECT_EQ(On(Sys::pidfd_send_signal, {5, number}, scope),
                  Refuse(EPERM));
        EXPECT_EQ(On(Sys::fcntl, {0, F_SETSIG, number}, scope), Refuse(EINVAL));
      }
      EXPECT_EQ(On(Sys::clone, {signal | CLONE_VM}, scope), Refuse(EINVAL));
    }
    // PR_SET_SYSCALL_USER_DISPATCH
    EXPECT_EQ(On(Sys::prctl, {59, 1}, scope), Refuse(EINVAL));
    EXPECT_EQ(On(Sys::timer_create, {0, 0x1000}, scope), AskFileSizeSignal());
    EXPECT_EQ(On(Sys::timer_create, {0, 0}, scope), Allow());
  }
}

TEST(SyscallTableTest, ANewActionForAChildsEndIsLookedAt) {
  EXPECT_EQ(On(Sys::rt_sigaction, {SIGCHLD, 0x1000}), AskChildSignal());
  EXPECT_EQ(On(Sys::rt_sigaction, {SIGCHLD, uint64_t{1} << 32}),
            AskChildSignal());
  EXPECT_EQ(On(Sys::rt_sigaction, {SIGCHLD | kGarbage, 0x1000}),
            AskChildSignal());
  EXPECT_EQ(On(Sys::rt_sigaction, {SIGCHLD, 0, 0x1000}), Allow());
  EXPECT_EQ(On(Sys::rt_sigaction, {SIGUSR1, 0x1000}), Allow());
}

TEST(SyscallTableTest, OnlyConnectedUnixSocketsExist) {
  EXPECT_EQ(On(Sys::socket, {AF_UNIX, SOCK_STREAM, 0}), AskSocketCall());
  EXPECT_EQ(On(Sys::socket, {AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0}),
            AskSocketCall());
  EXPECT_EQ(
      On(Sys::socket, {AF_UNIX | kGarbage, SOCK_STREAM | SOCK_NONBLOCK, 0}),
      AskSocketCall());
  EXPECT_EQ(On(Sys::socket, {AF_UNIX, SOCK_DGRAM, 0}), kNetworkBreach);
  EXPECT_EQ(On(Sys::socket, {AF_UNIX, SOCK_RAW | SOCK_CLOEXEC, 0}),
            kNetworkBreach);
  EXPECT_EQ(On(Sys::socketpair, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0}),
            Allow());
  EXPECT_EQ(On(Sys::socketpair, {AF_UNIX, SOCK_DGRAM, 0}), kFamilyBreach);
}

TEST(SyscallTableTest, EveryOtherSocketIsANetworkBreach) {
  for (const uint64_t family : {AF_INET, AF_INET6}) {
    for (const uint64_t type : {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW}) {
      EXPECT_EQ(On(Sys::socket, {family, type | SOCK_CLOEXEC, 0}),
                kNetworkBreach);
    }
    // MPTCP, which Landlock's TCP rules do not see.
    EXPECT_EQ(On(Sys::socket, {family, SOCK_STREAM, 262}), kNetworkBreach);
  }
  for (uint64_t family = 0; family < 64; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6) continue;
    EXPECT_EQ(On(Sys::socket, {family, SOCK_STREAM, 0}), kFamilyBreach);
    EXPECT_EQ(On(Sys::socket, {family, SOCK_RAW | SOCK_CLOEXEC, 0}),
              kFamilyBreach);
  }
}

TEST(SyscallTableTest, NothingIsSentToAnAddress) {
  EXPECT_EQ(On(Sys::connect, {}), AskSocketCall());
  EXPECT_EQ(On(Sys::bind, {}), AskSocketCall());
  EXPECT_EQ(On(Sys::sendto, {3, 0x1000, 1, MSG_NOSIGNAL, 0, 0}), Allow());
  EXPECT_EQ(On(Sys::sendto, {3, 0x1000, 1, 0, 0x2000, 16}), Refuse(EACCES));
  // An address in the high half only.
  EXPECT_EQ(On(Sys::sendto, {3, 0x1000, 1, 0, kGarbage, 16}), Refuse(EACCES));
  EXPECT_EQ(On(Sys::sendto, {3, 0x1000, 1, MSG_FASTOPEN, 0, 0}),
            kNetworkBreach);
  EXPECT_EQ(On(Sys::sendmsg, {3, 0x1000, MSG_FASTOPEN}), kNetworkBreach);
  EXPECT_EQ(On(Sys::sendmsg, {3, 0x1000, MSG_NOSIGNAL}), Allow());
}

TEST(SyscallTableTest, SendingThatConnectsIsAskedAboutWhereANetworkIsGranted) {
  for (const NetworkAccess access :
       {NetworkAccess::kLoopback, NetworkAccess::kAllowList,
        NetworkAccess::kFull}) {
    const SyscallPolicy policy = DefaultPolicy({.network = access});
    const auto on = [&policy](Sys call, const SyscallArguments& arguments) {
      return policy.Evaluate(static_cast<int>(call), arguments);
    };
    const uint64_t flags = MSG_FASTOPEN | MSG_NOSIGNAL;
    EXPECT_EQ(on(Sys::sendto, {3, 0x1000, 1, flags, 0, 0}), AskSocketCall());
    EXPECT_EQ(on(Sys::sendmsg, {3, 0x1000, flags}), AskSocketCall());
    EXPECT_EQ(on(Sys::sendmmsg, {3, 0x1000, 1, flags}), AskSocketCall());
    EXPECT_EQ(on(Sys::sendto, {3, 0x1000, 1, MSG_NOSIGNAL, 0x2000, 16}),
              Allow());
  }
}

TEST(SyscallTableTest, OpensWithWriteIntentAreLookedAt) {
  for (const uint64_t flag :
       {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, O_TMPFILE}) {
    EXPECT_EQ(On(Sys::open, {0, flag}), AskOpenForWrite());
    EXPECT_EQ(On(Sys::openat, {0, 0, flag | O_CLOEXEC}), AskOpenForWrite());
  }
  EXPECT_EQ(On(Sys::creat, {}), AskOpenForWrite());
  EXPECT_EQ(On(Sys::openat, {0, 0, O_RDONLY | O_CLOEXEC | kGarbage}), Allow());
  EXPECT_EQ(On(Sys::openat, {0, 0, O_DIRECTORY | O_NONBLOCK}), Allow());
  EXPECT_EQ(On(Sys::openat2, {}), Refuse(ENOSYS));
}

TEST(SyscallTableTest, OtherProcessesAreAskedFor) {
  for (const Sys call :
       {Sys::prlimit64, Sys::sched_setaffinity, Sys::sched_setparam,
        Sys::sched_setscheduler, Sys::sched_setattr}) {
    EXPECT_EQ(On(call, {0}), Allow());
    EXPECT_EQ(On(call, {kGarbage}), Allow());
    EXPECT_EQ(On(call, {1234}), AskTargetProcess(0));
    EXPECT_EQ(On(call, {kMinusOne}), AskTargetProcess(0));
  }
}

TEST(SyscallTableTest, PrioritiesOfGroupsAndUsersAreRefused) {
  EXPECT_EQ(On(Sys::setpriority, {PRIO_PROCESS, 0}), Allow());
  EXPECT_EQ(On(Sys::setpriority, {PRIO_PROCESS, 7}), AskTargetProcess(1));
  EXPECT_EQ(On(Sys::setpriority, {PRIO_PGRP, 0}), Refuse(EPERM));
  EXPECT_EQ(On(Sys::setpriority, {PRIO_USER, 0}), Refuse(EPERM));
  EXPECT_EQ(On(Sys::ioprio_set, {1, 0}), Allow());
  EXPECT_EQ(On(Sys::ioprio_set, {1, 7}), AskTargetProcess(1));
  EXPECT_EQ(On(Sys::ioprio_set, {2, 0}), Refuse(EPERM));
}

TEST(SyscallTableTest, SignalsAreAllowedWhereLandlockScopesThem) {
  for (const Sys call :
       {Sys::kill, Sys::tkill, Sys::tgkill, Sys::rt_sigqueueinfo,
        Sys::rt_tgsigqueueinfo, Sys::pidfd_send_signal}) {
    EXPECT_EQ(On(call, {kMinusOne, 9, 9}), Allow());
  }
  EXPECT_EQ(On(Sys::kill, {0, 9}), Refuse(EPERM));
  EXPECT_EQ(On(Sys::fcntl, {0, F_SETOWN, 1}), Allow());
}

TEST(SyscallTableTest, SignalsAreAskedForElsewhere) {
  EXPECT_EQ(Unscoped(Sys::kill, {0, 9}), Refuse(EPERM));
  EXPECT_EQ(Unscoped(Sys::kill, {kMinusOne, 9}), Refuse(EPERM));
  EXPECT_EQ(Unscoped(Sys::kill, {1, 9}), AskTargetProcess(0));
  EXPECT_EQ(Unscoped(Sys::kill, {static_cast<uint64_t>(-5), 9}),
            AskTargetProcess(0));
  EXPECT_EQ(Unscoped(Sys::tkill, {5, 9}), AskTargetProcess(0));
  EXPECT_EQ(Unscoped(Sys::tgkill, {0, 5, 9}), AskTargetProcess(1));
  EXPECT_EQ(Unscoped(Sys::rt_sigqueueinfo, {5, 9}), AskTargetProcess(0));
  EXPECT_EQ(Unscoped(Sys::rt_tgsigqueueinfo, {5, 5, 9}), AskTargetProcess(1));
  EXPECT_EQ(Unscoped(Sys::pidfd_send_signal, {5}), Refuse(EPERM));
  // SIGIO is a signal, too.
  EXPECT_EQ(Unscoped(Sys::fcntl, {0, F_SETOWN, 1}), Refuse(EPERM));
  EXPECT_EQ(Unscoped(Sys::fcntl, {0, F_SETSIG, 9}), Refuse(EPERM));
  EXPECT_EQ(Unscoped(Sys::fcntl, {0, F_SETFL, 0}), Allow());
}

TEST(SyscallTableTest, TerminalInjectionIsAViolation) {
  for (const uint64_t request : {TIOCSTI, TIOCSETD, TIOCLINUX, TIOCCONS}) {
    EXPECT_EQ(On(Sys::ioctl, {0, request}), Violate());
    // The kernel reads 32 bits.
    EXPECT_EQ(On(Sys::ioctl, {0, request | kGarbage}), Violate());
  }
  for (const uint64_t request :
       {TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX}) {
    EXPECT_EQ(On(Sys::ioctl, {0, request | kGarbage}), Allow());
  }
  EXPECT_EQ(On(Sys::ioctl, {0, 0}), Refuse(ENOTTY));
  EXPECT_EQ(On(Sys::ioctl, {0, TIOCSCTTY}), Refuse(ENOTTY));
}

TEST(SyscallTableTest, TheSupervisorIsNotBlinded) {
  EXPECT_EQ(On(Sys::prctl, {PR_SET_DUMPABLE, 0}), Refuse(EPERM));
  EXPECT_EQ(On(Sys::prctl, {PR_SET_DUMPABLE, 1}), Allow());
  EXPECT_EQ(On(Sys::prctl, {PR_SET_CHILD_SUBREAPER, 1}), Refuse(EPERM));
  EXPECT_EQ(On(Sys::prctl, {PR_SET_PTRACER, 1}), Refuse(EPERM));
  EXPECT_EQ(On(Sys::prctl, {PR_SET_MM, 1}), Refuse(EPERM));
  EXPECT_EQ(On(Sys::prctl, {PR_SET_SECCOMP, 2}), Refuse(EINVAL));
  EXPECT_EQ(On(Sys::prctl, {PR_SET_NAME, 0x1000}), Allow());
  EXPECT_EQ(On(Sys::prctl, {PR_SET_PDEATHSIG, 9}), Refuse(EPERM));
  EXPECT_EQ(On(Sys::seccomp, {1}), Refuse(ENOSYS));
}

TEST(SyscallTableTest, OnlyFifosAndRegularFilesAreMade) {
  for (const uint64_t mode : {S_IFIFO, S_IFREG, 0}) {
    EXPECT_EQ(On(Sys::mknod, {0, mode | 0600}), Allow());
    EXPECT_EQ(On(Sys::mknodat, {0, 0, mode | 0600}), Allow());
  }
  for (const uint64_t mode : {S_IFCHR, S_IFBLK, S_IFSOCK}) {
    EXPECT_EQ(On(Sys::mknod, {0, mode | 0600}), Refuse(EPERM));
    EXPECT_EQ(On(Sys::mknodat, {0, 0, mode | 0600}), Refuse(EPERM));
  }
}

TEST(SyscallTableTest, LeavingTheRunIsRefused) {
  EXPECT_EQ(On(Sys::setsid, {}), Refuse(EPERM));
  EXPECT_EQ(On(Sys::setpgid, {}), Refuse(EPERM));
  EXPECT_EQ(On(Sys::personality, {0xffffffff}), Allow());
  EXPECT_EQ(On(Sys::personality, {0}), Allow());
  EXPECT_EQ(On(Sys::personality, {0x0040000}), Refuse(EPERM));
  EXPECT_EQ(On(Sys::fcntl, {0, F_SETLEASE}), Refuse(EACCES));
  constexpr uint64_t kSetDelegation = 1040;  // F_SETDELEG
  EXPECT_EQ(On(Sys::fcntl, {0, kSetDelegation}), Refuse(EACCES));
}

TEST(SyscallTableTest, AnAuditAsksAboutReadsAndExecutionsToo) {
  const SyscallPolicy usual = DefaultPolicy({});
  const SyscallPolicy audited = DefaultPolicy({.audit = AuditScope::kAll});
  const auto on = [&audited](Sys call, const SyscallArguments& arguments) {
    return audited.Evaluate(static_cast<int>(call), arguments);
  };
  EXPECT_EQ(on(Sys::open, {0, O_RDONLY}), AskOpenForRead());
  EXPECT_EQ(on(Sys::openat, {0, 0, O_RDONLY | O_DIRECTORY}), AskOpenForRead());
  EXPECT_EQ(on(Sys::openat, {0, 0, O_PATH}), Allow());
  EXPECT_EQ(on(Sys::openat, {0, 0, O_RDWR}), AskOpenForWrite());
  EXPECT_EQ(on(Sys::execve, {}), AskExecute());
  EXPECT_EQ(On(Sys::openat, {0, 0, O_RDONLY}), Allow());
  EXPECT_EQ(On(Sys::execve, {}), Allow());
  // And in nothing else.
  for (const SyscallRow& row : usual.rows()) {
    const std::string name(SyscallName(row.number));
    if (name == "open" || name == "openat" || name == "execve") continue;
    const SyscallRow* other = audited.Find(row.number);
    ASSERT_NE(other, nullptr) << name;
    EXPECT_EQ(other->rules.size(), row.rules.size()) << name;
    EXPECT_EQ(other->otherwise, row.otherwise) << name;
  }
}

TEST(SyscallTableTest, TruncationIsAskedForWhereLandlockDoesNotKnowIt) {
  for (const Filesystem filesystem :
       {Filesystem::kHost, Filesystem::kVirtual}) {
    const SyscallPolicy policy =
        DefaultPolicy({.filesystem = filesystem,
                       .truncation = TruncationScope::kBySupervisor});
    const auto on = [&policy](Sys call, const SyscallArguments& arguments) {
      return policy.Evaluate(static_cast<int>(call), arguments);
    };
    EXPECT_EQ(on(Sys::truncate, {}), AskMetadataChange());
    EXPECT_EQ(on(Sys::open, {0, O_RDONLY | O_TRUNC}), Refuse(EACCES));
    EXPECT_EQ(on(Sys::openat, {0, 0, O_TRUNC | O_CREAT}), Refuse(EACCES));
    EXPECT_EQ(on(Sys::openat, {0, 0, O_ACCMODE | O_TRUNC}), Refuse(EACCES));
    EXPECT_EQ(on(Sys::openat, {0, 0, O_WRONLY | O_TRUNC}), AskOpenForWrite());
    EXPECT_EQ(on(Sys::openat, {0, 0, O_RDWR | O_TRUNC}), AskOpenForWrite());
  }
  EXPECT_EQ(On(Sys::truncate, {}), Allow());
}

TEST(SyscallTableTest, HugeWritableMappingsAreLookedAt) {
  constexpr uint64_t kFourGibibytes = uint64_t{1} << 32;
  EXPECT_EQ(On(Sys::mmap, {0, kFourGibibytes, PROT_READ | PROT_WRITE}),
            AskLargeMapping(1));
  EXPECT_EQ(On(Sys::mmap, {0, kFourGibibytes, PROT_NONE}), Allow());
  EXPECT_EQ(On(Sys::mmap, {0, kFourGibibytes - 1, PROT_WRITE}), Allow());
  EXPECT_EQ(On(Sys::mremap, {0, 4096, kFourGibibytes}), AskLargeMapping(2));
  EXPECT_EQ(On(Sys::mremap, {0, kFourGibibytes, 4096}), Allow());
}

TEST(SyscallTableTest, SharedMappingsAreLookedAt) {
  constexpr uint64_t kValidated = 3;  // MAP_SHARED_VALIDATE
  EXPECT_EQ(On(Sys::mmap, {0, 4096, PROT_READ, MAP_SHARED}),
            AskSharedMapping(1));
  EXPECT_EQ(On(Sys::mmap, {0, 4096, PROT_READ, kValidated}),
            AskSharedMapping(1));
  EXPECT_EQ(On(Sys::mmap, {0, 4096, PROT_READ, MAP_PRIVATE}), Allow());
  EXPECT_EQ(On(Sys::mmap, {0, 4096, PROT_READ, MAP_SHARED | MAP_HUGETLB}),
            Refuse(ENOMEM));
  EXPECT_EQ(On(Sys::mmap, {0, 4096, PROT_READ, MAP_PRIVATE | MAP_HUGETLB}),
            Allow());
  EXPECT_EQ(On(Sys::madvise, {0, 4096, MADV_DONTNEED}), Allow());
  EXPECT_EQ(On(Sys::madvise, {0, 4096, 25}), Refuse(EINVAL));
}

TEST(SyscallTableTest, TheFileSizeSignalKeepsItsAction) {
  EXPECT_EQ(On(Sys::rt_sigaction, {SIGXFSZ, 0x1000}), Pretend());
  EXPECT_EQ(On(Sys::rt_sigaction, {SIGXFSZ, 0, 0x1000}), Allow());
  EXPECT_EQ(On(Sys::rt_sigaction, {SIGTERM, 0x1000}), Allow());
}

TEST(SyscallTableTest, SocketsKeepTheirBuffers) {
  for (const uint64_t option : {SO_SNDBUF, SO_RCVBUF}) {
    EXPECT_EQ(On(Sys::setsockopt, {3, SOL_SOCKET, option}), Pretend());
    EXPECT_EQ(On(Sys::setsockopt, {3, SOL_SOCKET + 1, option}), Allow());
  }
  EXPECT_EQ(On(Sys::setsockopt, {3, SOL_SOCKET, SO_REUSEADDR}), Allow());
}

// posix_spawn(3) with POSIX_SPAWN_RESETIDS, as make uses it.
TEST(SyscallTableTest, OnlyTheEffectiveIdIsSet) {
  for (const Sys call : {Sys::setresuid, Sys::setresgid}) {
    EXPECT_EQ(On(call, {kMinusOne, 1000, kMinusOne}), Allow());
    EXPECT_EQ(On(call, {UINT32_MAX, 0, UINT32_MAX}), Allow());
    EXPECT_EQ(On(call, {1000, 1000, 1000}), Refuse(EPERM));
    EXPECT_EQ(On(call, {kMinusOne, 1000, 1000}), Refuse(EPERM));
  }
  EXPECT_EQ(On(Sys::setuid, {0}), Refuse(EPERM));
}

TEST(SyscallTableTest, AttackSurfaceIsAViolation) {
  for (const Sys call :
       {Sys::ptrace, Sys::process_vm_readv, Sys::mount, Sys::unshare,
        Sys::setns, Sys::bpf, Sys::perf_event_open, Sys::userfaultfd,
        Sys::keyctl, Sys::execveat, Sys::open_by_handle_at, Sys::shmget,
        Sys::mq_open, Sys::init_module, Sys::fsopen, Sys::open_tree_attr}) {
    EXPECT_EQ(On(call, {}), Violate()) << SyscallName(static_cast<int>(call));
  }
}

}  // namespace
}  // namespace cordon::sandbox
