#include "sandbox/policy/seccomp/syscall_table_x86_64.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/syscall_sets_x86_64.h"
#include "sandbox/policy/seccomp/verdict.h"

namespace cordon::sandbox {
namespace {

using Rows = std::vector<SyscallRow>;

void Add(Sys call, std::vector<Rule> rules, Verdict otherwise,
         const char* reason, Rows& rows) {
  rows.push_back({static_cast<int>(call), std::move(rules), otherwise, reason});
}

// One rule for each value of an int argument.
std::vector<Rule> AnyOf(int argument, std::initializer_list<uint32_t> values,
                        Verdict verdict) {
  std::vector<Rule> rules;
  for (const uint32_t value : values) {
    rules.push_back({{Equals32(argument, value)}, verdict});
  }
  return rules;
}

std::vector<Rule> Join(std::vector<Rule> first, std::vector<Rule> second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

void AddSets(const std::vector<SyscallSet>& sets, Rows& rows) {
  for (const SyscallSet& set : sets) {
    for (const Sys call : set.calls) {
      Add(call, {}, set.verdict, set.reason, rows);
    }
  }
}

// The signals that only the kernel may send in a run: each says of a run how it
// ended.
constexpr std::initializer_list<uint32_t> kKernelsSignals = {SIGSYS, SIGXFSZ};

void AddClone(Rows& rows) {
  // clone(2) takes the low 32 bits of its flags; CLONE_NEWTIME is not one of
  // them (it is in the bits of the exit signal).
  constexpr uint32_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP |
                                   CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                   CLONE_NEWPID | CLONE_NEWNET;
  constexpr uint32_t kExitSignalMask = 0xff;  // CSIGNAL, linux/sched.h
  std::vector<Rule> rules = {{{AnyBitSet32(0, kNamespaces)}, Violate()}};
  for (const uint32_t signal : kKernelsSignals) {
    rules.push_back(
        {{MaskedEquals32(0, kExitSignalMask, signal)}, Refuse(EINVAL)});
  }
  Add(Sys::clone, std::move(rules), AskNewProcess(),
      "threads and processes, which stay in the run's process group and are "
      "counted, but no namespaces",
      rows);
}

void AddOpens(AuditScope audit, Rows& rows) {
  constexpr uint32_t kTemporaryFile = 020000000;  // __O_TMPFILE
  constexpr uint32_t kWriteIntent =
      O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | kTemporaryFile;
  constexpr const char* kReason =
      "Landlock decides; write intent is looked at, to report it";
  const bool all = audit == AuditScope::kAll;
  // A path alone (O_PATH) opens nothing: Landlock lets it be.
  const auto rules = [all](int flags) {
    std::vector<Rule> asked = {
        {{AnyBitSet32(flags, kWriteIntent)}, AskOpenForWrite()}};
    if (all)
      asked.insert(asked.begin(), {{AnyBitSet32(flags, O_PATH)}, Allow()});
    return asked;
  };
  const Verdict otherwise = all ? AskOpenForRead() : Allow();
  Add(Sys::open, rules(1), otherwise, kReason, rows);
  Add(Sys::openat, rules(2), otherwise, kReason, rows);
  Add(Sys::creat, {}, AskOpenForWrite(), kReason, rows);
  Add(Sys::execve, {}, all ? AskExecute() : Allow(),
      "programs; Landlock decides which", rows);
}

void AddMemory(Rows& rows) {
  constexpr uint64_t kFourGibibytesOrMore = ~uint64_t{UINT32_MAX};
  constexpr const char* kReason =
      "memory: every program; one that asks for more than it may have at once "
      "is remembered, and so is what its processes may share";
  // In MAP_SHARED_VALIDATE as well. Huge pages stay when they are dropped, as
  // small ones do, but no list shows how many there can be.
  constexpr uint32_t kSharedAndHuge = MAP_SHARED | MAP_HUGETLB;
  Add(Sys::mmap,
      {{{MaskedEquals32(3, kSharedAndHuge, kSharedAndHuge)}, Refuse(ENOMEM)},
       {{AnyBitSet32(3, MAP_SHARED)}, AskSharedMapping(1)},
       {{AnyBitSet64(1, kFourGibibytesOrMore), AnyBitSet32(2, PROT_WRITE)},
        AskLargeMapping(1)}},
      Allow(), kReason, rows);
  Add(Sys::mremap,
      {{{AnyBitSet64(2, kFourGibibytesOrMore)}, AskLargeMapping(2)}}, Allow(),
      kReason, rows);
  // It would fill the holes of a shared mapping without a fault for each page.
  constexpr uint32_t kCollapse = 25;  // MADV_COLLAPSE, Linux 6.1.
  Add(Sys::madvise, AnyOf(2, {kCollapse}, Refuse(EINVAL)), Allow(),
      "hints on own memory: every allocator; but no huge pages at once", rows);
}

// A program that ignored SIGXFSZ, as CPython does, would get EFBIG instead of
// passing the limit of a file, and nobody would know why it failed
// (setrlimit(2)). For SIGCHLD see child_signal.h.
void AddSignalAction(Rows& rows) {
  const ArgumentTest sets_it = AnyBitSet64(1, ~uint64_t{0});
  Add(Sys::rt_sigaction,
      {{{Equals32(0, SIGXFSZ), sets_it}, Pretend()},
       {{Equals32(0, SIGCHLD), sets_it}, AskChildSignal()}},
      Allow(),
      "handling of signals: every program; but a file that is too large ends "
      "it, and a child's end must not interrupt the shell's fork",
      rows);
}

// What a socket holds is the kernel's memory, and nobody's that is measured: a
// program may not have more of it than the host's default (socket(7)).
//
// Runs share the server's user where sockets are concerned: with SO_REUSEPORT
// one could take another's connections. A route or options of the program's own
// in a packet would lead it elsewhere than where its connection was allowed to.
void AddSocketOptions(Rows& rows) {
  struct Options {
    uint32_t level;
    std::initializer_list<uint32_t> names;
    Verdict verdict;
  };
  // Of ipv6(7), RFC 3542 and its predecessor RFC 2292; linux/in6.h.
  constexpr uint32_t k2292PacketOptions = 6;
  constexpr uint32_t k2292RoutingHeader = 5;
  const Options all[] = {
      {SOL_SOCKET, {SO_SNDBUF, SO_RCVBUF}, Pretend()},
      {SOL_SOCKET,
       {SO_REUSEPORT, SO_RCVLOWAT, SO_ATTACH_FILTER, SO_ATTACH_BPF,
        SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF},
       Refuse(ENOPROTOOPT)},
      {IPPROTO_TCP, {TCP_ULP, TCP_FASTOPEN_CONNECT}, Refuse(ENOPROTOOPT)},
      {IPPROTO_IP, {IP_OPTIONS}, Refuse(ENOPROTOOPT)},
      {IPPROTO_IPV6,
       {k2292PacketOptions, k2292RoutingHeader, IPV6_HOPOPTS, IPV6_RTHDRDSTOPTS,
        IPV6_RTHDR, IPV6_DSTOPTS},
       Refuse(ENOPROTOOPT)},
  };
  std::vector<Rule> rules;
  for (const Options& options : all) {
    for (const uint32_t name : options.names) {
      rules.push_back(
          {{Equals32(1, options.level), Equals32(2, name)}, options.verdict});
    }
  }
  Add(Sys::setsockopt, std::move(rules), Allow(),
      "connections: asyncio, multiprocessing; but no larger buffers than the "
      "host's default, no shared ports, no programs for the kernel, no routes",
      rows);
}

void AddMakeNode(Rows& rows) {
  constexpr const char* kReason =
      "FIFOs and regular files: mkfifo(1), tar; no devices, no sockets";
  const auto rules = [](int mode) {
    return std::vector<Rule>{{{MaskedEquals32(mode, S_IFMT, S_IFIFO)}, Allow()},
                             {{MaskedEquals32(mode, S_IFMT, S_IFREG)}, Allow()},
                             {{MaskedEquals32(mode, S_IFMT, 0)}, Allow()}};
  };
  Add(Sys::mknod, rules(1), Refuse(EPERM), kReason, rows);
  Add(Sys::mknodat, rules(2), Refuse(EPERM), kReason, rows);
}

// Calls with a pid argument where 0 is the caller.
void AddSelfOrAsk(std::initializer_list<Sys> calls, const char* reason,
                  Rows& rows) {
  for (const Sys call : calls) {
    Add(call, {{{Equals32(0, 0)}, Allow()}}, AskTargetProcess(0), reason, rows);
  }
}

void AddProcessTargets(Rows& rows) {
  constexpr const char* kReason =
      "the own process is fine (Go, JVM, taskset, nice, ulimit); processes of "
      "the same uid include the server";
  AddSelfOrAsk({Sys::prlimit64, Sys::sched_setaffinity, Sys::sched_setparam,
                Sys::sched_setscheduler, Sys::sched_setattr},
               kReason, rows);
  const auto which = [](uint32_t process) {
    return std::vector<Rule>{{{Equals32(0, process), Equals32(1, 0)}, Allow()},
                             {{Equals32(0, process)}, AskTargetProcess(1)}};
  };
  // Process groups and users as a target reach beyond the run.
  Add(Sys::setpriority, which(PRIO_PROCESS), Refuse(EPERM), kReason, rows);
  // IOPRIO_WHO_PROCESS; its header is not C++ in newer releases.
  constexpr uint32_t kIoprioWhoProcess = 1;
  Add(Sys::ioprio_set, which(kIoprioWhoProcess), Refuse(EPERM), kReason, rows);
}

// SIGSYS and SIGXFSZ that a program sent would make its own signal look like a
// breach or a limit.
std::vector<Rule> NoneOfTheKernels(int signal_argument) {
  return AnyOf(signal_argument, kKernelsSignals, Refuse(EPERM));
}

void AddScopedSignals(Rows& rows) {
  constexpr const char* kReason =
      "signals; Landlock keeps them inside the run; those that end a run on "
      "the "
      "kernel's behalf are the kernel's alone";
  for (const Sys call :
       {Sys::kill, Sys::tkill, Sys::rt_sigqueueinfo, Sys::pidfd_send_signal}) {
    Add(call, NoneOfTheKernels(1), Allow(), kReason, rows);
  }
  for (const Sys call : {Sys::tgkill, Sys::rt_tgsigqueueinfo}) {
    Add(call, NoneOfTheKernels(2), Allow(), kReason, rows);
  }
}

// A timer's signal is behind a pointer.
void AddTimers(Rows& rows) {
  Add(Sys::timer_create, {{{Equals64(1, 0)}, Allow()}}, AskFileSizeSignal(),
      "timers that signal the own process: timeout(1), glibc's SIGEV_THREAD",
      rows);
}

void AddUnscopedSignals(Rows& rows) {
  constexpr const char* kReason =
      "signals; nothing but the supervisor keeps them inside the run";
  // 0 is the caller's own process group, which is the run; -1 is everyone.
  Add(Sys::kill,
      Join(NoneOfTheKernels(1), {{{Equals32(0, 0)}, Allow()},
                                 {{Equals32(0, UINT32_MAX)}, Refuse(EPERM)}}),
      AskTargetProcess(0), kReason, rows);
  for (const Sys call : {Sys::tkill, Sys::rt_sigqueueinfo}) {
    Add(call, Join(NoneOfTheKernels(1), {{{Equals32(0, 0)}, Allow()}}),
        AskTargetProcess(0), kReason, rows);
  }
  for (const Sys call : {Sys::tgkill, Sys::rt_tgsigqueueinfo}) {
    // No thread has the id 0: the kernel answers EINVAL or ESRCH.
    Add(call, Join(NoneOfTheKernels(2), {{{Equals32(1, 0)}, Allow()}}),
        AskTargetProcess(1), kReason, rows);
  }
  Add(Sys::pidfd_send_signal, {}, Refuse(EPERM), kReason, rows);
}

// The caller's group is the whole run: timeout(1), which cannot have a group of
// its own and signals it when the time is over, would end the shell that waits
// for it.
void RefuseSignalsToTheGroup(Rows& rows) {
  for (SyscallRow& row : rows) {
    if (row.number != static_cast<int>(Sys::kill)) continue;
    Rule refuse = {{Equals32(0, 0)}, Refuse(EPERM)};
    // In place of what the scope allows.
    std::erase_if(row.rules, [&refuse](const Rule& rule) {
      return rule.all_of == refuse.all_of;
    });
    row.rules.insert(row.rules.begin(), std::move(refuse));
  }
}

void AddFcntl(SignalScope signals, Rows& rows) {
  // A lease on a file that the server opens later would make it wait.
  constexpr uint32_t kSetDelegation = 1024 + 16;  // F_SETDELEG, Linux 6.19.
  std::vector<Rule> rules =
      AnyOf(1, {F_SETLEASE, kSetDelegation}, Refuse(EACCES));
  for (const uint32_t signal : kKernelsSignals) {
    rules.push_back(
        {{Equals32(1, F_SETSIG), Equals32(2, signal)}, Refuse(EINVAL)});
  }
  if (signals == SignalScope::kBySupervisor) {
    // SIGIO, or any other signal, to any process of the uid.
    rules = Join(std::move(rules),
                 AnyOf(1, {F_SETOWN, F_SETOWN_EX, F_SETSIG}, Refuse(EPERM)));
  }
  Add(Sys::fcntl, std::move(rules), Allow(),
      "every program; but no leases, and no signals past the scope", rows);
}

void AddIoctl(Rows& rows) {
  // TCGETS2; its macro needs a type that the C library does not have.
  constexpr uint32_t kTcGetS2 = 0x802c542a;
  // Input into, or the line discipline of, a terminal that others share.
  std::vector<Rule> rules =
      AnyOf(1, {TIOCSTI, TIOCSETD, TIOCLINUX, TIOCCONS}, Violate());
  // isatty(3), stty, less; non-blocking and close-on-exec descriptors: node,
  // CPython, JVM.
  rules = Join(std::move(rules),
               AnyOf(1,
                     {TCGETS, kTcGetS2, TCGETA, TIOCGWINSZ, TIOCGPGRP, TIOCGSID,
                      TIOCOUTQ, FIONREAD, FIONBIO, FIOASYNC, FIOCLEX, FIONCLEX,
                      FIOQSIZE},
                     Allow()));
  Add(Sys::ioctl, std::move(rules), Refuse(ENOTTY),
      "terminal queries and descriptor flags; descriptors are files and pipes, "
      "which answer ENOTTY to the rest anyway",
      rows);
}

void AddPrctl(Rows& rows) {
  // PR_SET_SYSCALL_USER_DISPATCH, Linux 5.11.
  constexpr uint32_t kSetSyscallUserDispatch = 59;
  std::vector<Rule> rules = {
      // It would hide /proc/<pid>/mem, where reports come from.
      {{Equals32(0, PR_SET_DUMPABLE), Equals64(1, 0)}, Refuse(EPERM)},
      // As a kernel without seccomp answers; see seccomp(2).
      {{Equals32(0, PR_SET_SECCOMP)}, Refuse(EINVAL)},
      // System calls that end in SIGSYS of the program's own making.
      {{Equals32(0, kSetSyscallUserDispatch)}, Refuse(EINVAL)}};
  // Orphans must come to the server, and the program dies with it; the rest
  // hands the process to others.
  rules =
      Join(std::move(rules), AnyOf(0,
                                   {PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG,
                                    PR_SET_PTRACER, PR_SET_MM},
                                   Refuse(EPERM)));
  Add(Sys::prctl, std::move(rules), Allow(),
      "names and settings of the own thread: every runtime; but nothing that "
      "blinds the supervisor",
      rows);
}

void AddPersonality(Rows& rows) {
  Add(Sys::personality, AnyOf(0, {0, UINT32_MAX}, Allow()), Refuse(EPERM),
      "query and default: JVM, gcc's plugins; others switch off hardening",
      rows);
}

void AddMetadata(MetadataScope scope, Rows& rows) {
  const bool ask = scope == MetadataScope::kBySupervisor;
  // By a descriptor too: one for reading is enough to change what it is of.
  const Verdict verdict = ask ? AskMetadataChange() : Allow();
  for (const Sys call : {Sys::chmod, Sys::fchmod, Sys::fchmodat, Sys::fchmodat2,
                         Sys::chown, Sys::fchown, Sys::fchownat, Sys::lchown}) {
    Add(call, {}, verdict,
        "mode and owner of own files: cp, tar, git, make install", rows);
  }
  for (const Sys call :
       {Sys::utime, Sys::utimes, Sys::futimesat, Sys::utimensat}) {
    Add(call, {}, verdict, "times of own files: touch, cp -p, tar, make", rows);
  }
}

// Landlock before ABI 3 looks at what an open may do with the descriptor alone;
// the access mode 3 gives one for neither reading nor writing (open(2),
// "BUGS").
void AskAboutTruncation(Rows& rows) {
  for (SyscallRow& row : rows) {
    if (row.number == static_cast<int>(Sys::truncate)) {
      row.otherwise = AskMetadataChange();
    }
    const bool is_open = row.number == static_cast<int>(Sys::open);
    if (!is_open && row.number != static_cast<int>(Sys::openat)) continue;
    for (const uint32_t mode : {uint32_t{O_RDONLY}, uint32_t{O_ACCMODE}}) {
      row.rules.insert(row.rules.begin(),
                       {{MaskedEquals32(is_open ? 1 : 2, O_ACCMODE | O_TRUNC,
                                        mode | O_TRUNC)},
                        Refuse(EACCES)});
    }
  }
}

void AddIdentity(Rows& rows) {
  // seteuid(3): the kernel grants only ids that the process has already.
  const std::vector<Rule> effective_only = {
      {{Equals32(0, UINT32_MAX), Equals32(2, UINT32_MAX)}, Allow()}};
  constexpr const char* kReason =
      "the effective id only, for POSIX_SPAWN_RESETIDS: make fails without";
  Add(Sys::setresuid, effective_only, Refuse(EPERM), kReason, rows);
  Add(Sys::setresgid, effective_only, Refuse(EPERM), kReason, rows);
}

constexpr uint32_t kSocketTypeMask = 0xf;  // SOCK_TYPE_MASK, linux/net.h

// Stream and sequenced-packet sockets of AF_UNIX: without an address they reach
// no one. A datagram socket sends to any named one.
std::vector<Rule> ConnectedUnixSockets(Verdict verdict) {
  const auto rule = [verdict](uint32_t type) {
    return Rule{{Equals32(0, AF_UNIX), MaskedEquals32(1, kSocketTypeMask, type),
                 Equals32(2, 0)},
                verdict};
  };
  return {rule(SOCK_STREAM), rule(SOCK_SEQPACKET)};
}

// Of TCP and, where all is granted, UDP. The protocol's number or none: others
// of the same type (MPTCP, SCTP) pass Landlock's rules by.
std::vector<Rule> InternetSockets(NetworkAccess network) {
  std::vector<Rule> rules;
  const auto add = [&rules](uint32_t type, uint32_t protocol) {
    for (const uint32_t family : {AF_INET, AF_INET6}) {
      for (const uint32_t number : {uint32_t{0}, protocol}) {
        rules.push_back(
            {{Equals32(0, family), MaskedEquals32(1, kSocketTypeMask, type),
              Equals32(2, number)},
             AskSocketCall()});
      }
    }
  };
  if (network != NetworkAccess::kNone) add(SOCK_STREAM, IPPROTO_TCP);
  if (network == NetworkAccess::kFull) {
    add(SOCK_DGRAM, IPPROTO_UDP);
    // getaddrinfo(3) asks it for the host's addresses, and copes.
    rules.push_back({{Equals32(0, AF_NETLINK)}, Refuse(EAFNOSUPPORT)});
  }
  return rules;
}

void AddSockets(NetworkAccess network, Rows& rows) {
  const auto breach = [](int error_number) {
    return Deny(error_number, ViolationKind::kNetwork);
  };
  constexpr const char* kReason =
      "socket pairs and unix streams: CPython's asyncio, node; no network but "
      "what is granted, no netlink, no datagrams to named sockets";
  Add(Sys::socket,
      Join(
          Join(ConnectedUnixSockets(AskSocketCall()), InternetSockets(network)),
          AnyOf(0, {AF_UNIX, AF_INET, AF_INET6}, breach(EACCES))),
      breach(EAFNOSUPPORT), kReason, rows);
  Add(Sys::socketpair, ConnectedUnixSockets(Allow()), breach(EAFNOSUPPORT),
      kReason, rows);
}

// Their addresses are behind pointers.
void AddSocketNames(NetworkAccess network, Rows& rows) {
  Add(Sys::connect, {}, AskSocketCall(),
      "the run's own unix sockets, and what is granted: multiprocessing, "
      "asyncio; glibc's nscd probe copes",
      rows);
  Add(Sys::bind, {}, AskSocketCall(),
      "a socket's name in the run's directory, where nobody else connects: "
      "multiprocessing, asyncio",
      rows);
  // Without internet sockets it gives no name.
  Add(Sys::listen, {},
      network == NetworkAccess::kNone ? Allow() : AskSocketCall(),
      "asyncio, node; a socket without a name gets a port on every address",
      rows);
}

// Where an internet socket may be, TCP fast open is a connect in disguise
// (tcp(7)). Any other address behind a pointer is of a socket that connects,
// and looked at by nobody, or of a datagram where all is granted.
void AddSends(NetworkAccess network, Rows& rows) {
  const bool is_granted = network != NetworkAccess::kNone;
  const Verdict connects =
      is_granted ? AskSocketCall() : Deny(EACCES, ViolationKind::kNetwork);
  const auto fast_open = [connects](int flags) {
    return Rule{{AnyBitSet32(flags, MSG_FASTOPEN)}, connects};
  };
  constexpr const char* kReason =
      "sending, which connects nothing by itself: HTTP clients and servers";
  std::vector<Rule> sendto = {fast_open(3)};
  if (!is_granted) sendto.push_back({{Equals64(4, 0)}, Allow()});
  Add(Sys::sendto, std::move(sendto), is_granted ? Allow() : Refuse(EACCES),
      kReason, rows);
  Add(Sys::sendmsg, {fast_open(2)}, Allow(), kReason, rows);
  Add(Sys::sendmmsg, {fast_open(3)}, Allow(), kReason, rows);
}

// Calls on a path that nothing else is asked about. Without a path,
// utimensat(2) names its file by a descriptor.
void AskAboutPaths(Rows& rows) {
  struct PathCalls {
    std::vector<Sys> calls;
    std::vector<Rule> by_descriptor;
  };
  const PathCalls all[] = {
      {{Sys::open,       Sys::openat,    Sys::stat,       Sys::lstat,
        Sys::access,     Sys::faccessat, Sys::faccessat2, Sys::readlink,
        Sys::mkdir,      Sys::mkdirat,   Sys::mknod,      Sys::mknodat,
        Sys::symlink,    Sys::symlinkat, Sys::unlink,     Sys::unlinkat,
        Sys::rmdir,      Sys::rename,    Sys::renameat,   Sys::renameat2,
        Sys::link,       Sys::linkat,    Sys::chmod,      Sys::fchmodat,
        Sys::chown,      Sys::lchown,    Sys::fchownat,   Sys::fchmodat2,
        Sys::utime,      Sys::utimes,    Sys::truncate,   Sys::statfs,
        Sys::getxattr,   Sys::lgetxattr, Sys::listxattr,  Sys::llistxattr,
        Sys::chdir,      Sys::getcwd,    Sys::readlinkat, Sys::execve,
        Sys::newfstatat, Sys::statx},
       {}},
      {{Sys::utimensat, Sys::futimesat}, {{{Equals64(1, 0)}, Allow()}}},
  };
  for (const PathCalls& group : all) {
    for (SyscallRow& row : rows) {
      if (std::none_of(group.calls.begin(), group.calls.end(),
                       [&row](Sys call) {
                         return row.number == static_cast<int>(call);
                       })) {
        continue;
      }
      for (Rule& rule : row.rules) {
        if (rule.verdict == Allow()) rule.verdict = AskPath();
      }
      // What is asked about already is so by descriptor too.
      if (row.otherwise != Allow()) continue;
      row.otherwise = AskPath();
      row.rules.insert(row.rules.begin(), group.by_descriptor.begin(),
                       group.by_descriptor.end());
    }
  }
}

}  // namespace

SyscallPolicy DefaultPolicy(const PolicyOptions& options) {
  Rows rows;
  AddSets(AllowedSets(), rows);
  AddSets(RefusedSets(), rows);
  AddSets(ViolationSets(), rows);
  AddClone(rows);
  AddOpens(options.audit, rows);
  AddMemory(rows);
  AddSignalAction(rows);
  AddSocketOptions(rows);
  AddMakeNode(rows);
  AddProcessTargets(rows);
  switch (options.signals) {
    case SignalScope::kByLandlock:
      AddScopedSignals(rows);
      break;
    case SignalScope::kBySupervisor:
      AddUnscopedSignals(rows);
      break;
  }
  AddTimers(rows);
  AddFcntl(options.signals, rows);
  AddIoctl(rows);
  AddPrctl(rows);
  AddPersonality(rows);
  AddMetadata(options.metadata, rows);
  AddIdentity(rows);
  AddSockets(options.network, rows);
  AddSocketNames(options.network, rows);
  AddSends(options.network, rows);
  RefuseSignalsToTheGroup(rows);
  if (options.truncation == TruncationScope::kBySupervisor) {
    AskAboutTruncation(rows);
  }
  if (options.filesystem == Filesystem::kVirtual) AskAboutPaths(rows);
  // A table that does not pass its own checks must not become a filter: value()
  // ends the process.
  return SyscallPolicy::Create(Violate(), std::move(rows)).value();
}

}  // namespace cordon::sandbox
