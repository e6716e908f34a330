#include "sandbox/policy/seccomp/syscall_sets_x86_64.h"

#include <cerrno>
#include <vector>

#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "sandbox/policy/seccomp/verdict.h"

namespace cordon::sandbox {
namespace {

std::vector<SyscallSet> BasicIo() {
  return {
      {"basic I/O on open descriptors: every program",
       Allow(),
       {Sys::read,      Sys::write,     Sys::close,   Sys::close_range,
        Sys::fstat,     Sys::lseek,     Sys::pread64, Sys::pwrite64,
        Sys::readv,     Sys::writev,    Sys::preadv,  Sys::pwritev,
        Sys::preadv2,   Sys::pwritev2,  Sys::dup,     Sys::dup2,
        Sys::dup3,      Sys::flock,     Sys::fsync,   Sys::fdatasync,
        Sys::ftruncate, Sys::fadvise64, Sys::pipe,    Sys::pipe2}},
      {"waiting for descriptors: every event loop",
       Allow(),
       {Sys::select, Sys::pselect6, Sys::poll, Sys::ppoll, Sys::epoll_create,
        Sys::epoll_create1, Sys::epoll_ctl, Sys::epoll_wait, Sys::epoll_pwait,
        Sys::epoll_pwait2, Sys::eventfd, Sys::eventfd2, Sys::signalfd,
        Sys::signalfd4, Sys::timerfd_create, Sys::timerfd_settime,
        Sys::timerfd_gettime}},
      {"copying between descriptors: cp, cat, CPython's shutil, node, Go",
       Allow(),
       {Sys::sendfile, Sys::copy_file_range, Sys::splice, Sys::tee}},
      {"write-back of own files: sync(1), databases",
       Allow(),
       {Sys::sync_file_range, Sys::readahead, Sys::sync, Sys::syncfs}},
      {"space of own files, which takes disk at once: fallocate(1), CPython, "
       "databases",
       AskReserveSpace(3),
       {Sys::fallocate}},
  };
}

std::vector<SyscallSet> Memory() {
  return {
      {"own memory: every program",
       Allow(),
       {Sys::mprotect, Sys::munmap, Sys::brk, Sys::msync, Sys::mincore,
        Sys::membarrier}},
      {"pinning own memory, bounded by RLIMIT_MEMLOCK: JVM, numeric code",
       Allow(),
       {Sys::mlock, Sys::mlock2, Sys::munlock, Sys::mlockall, Sys::munlockall}},
      {"placement of own memory: JVM with NUMA, libnuma, OpenMP",
       Allow(),
       {Sys::mbind, Sys::get_mempolicy, Sys::set_mempolicy}},
      {"memory protection keys of the own process: V8",
       Allow(),
       {Sys::pkey_mprotect, Sys::pkey_alloc, Sys::pkey_free}},
  };
}

std::vector<SyscallSet> Files() {
  return {
      {"names and contents of files; Landlock decides which",
       Allow(),
       {Sys::access,     Sys::faccessat, Sys::faccessat2, Sys::unlink,
        Sys::unlinkat,   Sys::rename,    Sys::renameat,   Sys::renameat2,
        Sys::mkdir,      Sys::mkdirat,   Sys::rmdir,      Sys::symlink,
        Sys::symlinkat,  Sys::link,      Sys::linkat,     Sys::getdents,
        Sys::getdents64, Sys::readlink,  Sys::readlinkat, Sys::truncate}},
      {"metadata of files: ls, find, every build tool",
       Allow(),
       {Sys::stat, Sys::lstat, Sys::newfstatat, Sys::statx, Sys::statfs,
        Sys::fstatfs}},
      {"the working directory",
       Allow(),
       {Sys::getcwd, Sys::chdir, Sys::fchdir}},
      {"the mode of new files: cp, tar, git, make install",
       Allow(),
       {Sys::umask}},
      {"reading extended attributes: ls -l, cp -a, tar",
       Allow(),
       {Sys::getxattr, Sys::lgetxattr, Sys::fgetxattr, Sys::listxattr,
        Sys::llistxattr, Sys::flistxattr}},
  };
}

std::vector<SyscallSet> Processes() {
  return {
      {"other programs, of which Landlock decides what is executable, and the "
       "end of processes",
       Allow(),
       {Sys::exit, Sys::exit_group, Sys::wait4, Sys::waitid}},
      {"new processes, which stay in the run's process group and are counted",
       AskNewProcess(),
       {Sys::fork, Sys::vfork}},
      {"threads: glibc, every runtime",
       Allow(),
       {Sys::set_tid_address, Sys::futex, Sys::get_robust_list,
        Sys::set_robust_list, Sys::rseq, Sys::arch_prctl, Sys::getrandom}},
      {"scheduling, read only but for the own time slice: Go, JVM, OpenMP, "
       "nproc, chrt",
       Allow(),
       {Sys::sched_yield, Sys::sched_getaffinity, Sys::sched_getparam,
        Sys::sched_getscheduler, Sys::sched_getattr,
        Sys::sched_get_priority_max, Sys::sched_get_priority_min,
        Sys::sched_rr_get_interval, Sys::getpriority, Sys::ioprio_get,
        Sys::getcpu}},
      {"who and where a process is, what it used: every runtime",
       Allow(),
       {Sys::getpid, Sys::getppid, Sys::gettid, Sys::getuid, Sys::getgid,
        Sys::geteuid, Sys::getegid, Sys::getresuid, Sys::getresgid,
        Sys::getpgrp, Sys::getpgid, Sys::getsid, Sys::getgroups, Sys::capget,
        Sys::uname, Sys::sysinfo, Sys::getrusage, Sys::times}},
      {"limits of the own process, which only go down: Go, older "
       "C libraries",
       Allow(),
       {Sys::getrlimit, Sys::setrlimit}},
      {"handling of signals: every program",
       Allow(),
       {Sys::rt_sigprocmask, Sys::rt_sigreturn, Sys::rt_sigsuspend,
        Sys::rt_sigpending, Sys::rt_sigtimedwait, Sys::sigaltstack, Sys::pause,
        Sys::restart_syscall}},
      {"clocks and sleeping: every program",
       Allow(),
       {Sys::clock_gettime, Sys::clock_getres, Sys::clock_nanosleep,
        Sys::gettimeofday, Sys::nanosleep, Sys::time}},
      {"timers that signal the own process: CPython's signal module, perl, "
       "timeout(1)",
       Allow(),
       {Sys::alarm, Sys::getitimer, Sys::setitimer, Sys::timer_settime,
        Sys::timer_gettime, Sys::timer_getoverrun, Sys::timer_delete}},
  };
}

std::vector<SyscallSet> Sockets() {
  return {
      {"use of sockets that exist; which may exist is decided at socket(2)",
       Allow(),
       {Sys::accept, Sys::accept4, Sys::getsockname, Sys::getpeername,
        Sys::recvfrom, Sys::recvmsg, Sys::recvmmsg, Sys::getsockopt,
        Sys::shutdown}},
  };
}

void AppendAll(std::vector<SyscallSet> from, std::vector<SyscallSet>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

std::vector<SyscallSet> AllowedSets() {
  std::vector<SyscallSet> sets = BasicIo();
  AppendAll(Memory(), sets);
  AppendAll(Files(), sets);
  AppendAll(Processes(), sets);
  AppendAll(Sockets(), sets);
  return sets;
}

std::vector<SyscallSet> RefusedSets() {
  return {
      {"flags behind a pointer: glibc and Go fall back to clone and openat",
       Refuse(ENOSYS),
       {Sys::clone3, Sys::openat2}},
      {"asynchronous I/O rings, which act without system calls: libuv, JVM and "
       "databases fall back",
       Refuse(ENOSYS),
       {Sys::io_uring_setup, Sys::io_uring_enter, Sys::io_uring_register,
        Sys::io_setup, Sys::io_destroy, Sys::io_getevents, Sys::io_submit,
        Sys::io_cancel, Sys::io_pgetevents}},
      {"files outside every directory, which no view covers: JVM and V8 fall "
       "back",
       Refuse(ENOSYS),
       {Sys::memfd_create}},
      {"handles on processes: CPython's asyncio and Go fall back to signals",
       Refuse(ENOSYS),
       {Sys::pidfd_open, Sys::process_mrelease}},
      {"watching directories, which Landlock does not keep inside the view: "
       "tail -f and node poll instead",
       Refuse(ENOSYS),
       {Sys::inotify_init, Sys::inotify_init1, Sys::inotify_add_watch,
        Sys::inotify_rm_watch}},
      {"memory moved into a pipe, where no process is charged for it",
       Refuse(ENOSYS),
       {Sys::vmsplice}},
      {"a sandbox of the program's own: it copes with a kernel without",
       Refuse(ENOSYS),
       {Sys::landlock_create_ruleset, Sys::landlock_add_rule,
        Sys::landlock_restrict_self}},
      {"a filter of the program's own would hide breaches from the supervisor: "
       "programs cope with a kernel without",
       Refuse(ENOSYS),
       {Sys::seccomp}},
      {"additions of newer kernels that runtimes probe and do without",
       Refuse(ENOSYS),
       {Sys::cachestat,
        Sys::futex_waitv,
        Sys::futex_wake,
        Sys::futex_wait,
        Sys::futex_requeue,
        Sys::map_shadow_stack,
        Sys::mseal,
        Sys::set_mempolicy_home_node,
        Sys::statmount,
        Sys::listmount,
        Sys::listns,
        Sys::lsm_get_self_attr,
        Sys::lsm_set_self_attr,
        Sys::lsm_list_modules,
        Sys::setxattrat,
        Sys::getxattrat,
        Sys::listxattrat,
        Sys::removexattrat,
        Sys::file_getattr,
        Sys::file_setattr}},
      {"obsolete, with a modern equivalent that is allowed",
       Refuse(ENOSYS),
       {Sys::remap_file_pages, Sys::ustat, Sys::sysfs, Sys::_sysctl}},
      {"never implemented on x86_64: the kernel's own answer",
       Refuse(ENOSYS),
       {Sys::getpmsg, Sys::putpmsg, Sys::afs_syscall, Sys::tuxcall,
        Sys::security, Sys::vserver, Sys::set_thread_area, Sys::get_thread_area,
        Sys::epoll_ctl_old, Sys::epoll_wait_old, Sys::nfsservctl}},
      {"leaving the process group is leaving the run: timeout(1), bash -i and "
       "CPython's subprocess cope",
       Refuse(EPERM),
       {Sys::setsid, Sys::setpgid}},
      {"change of identity, powerless here: su and installers probe it",
       Refuse(EPERM),
       {Sys::setuid, Sys::setgid, Sys::setreuid, Sys::setregid, Sys::setgroups,
        Sys::setfsuid, Sys::setfsgid, Sys::capset, Sys::chroot}},
      {"extended attributes of files outside that the uid owns, which Landlock "
       "does not cover: cp -a and tar cope",
       Refuse(ENOTSUP),
       {Sys::setxattr, Sys::lsetxattr, Sys::fsetxattr, Sys::removexattr,
        Sys::lremovexattr, Sys::fremovexattr}},
  };
}

std::vector<SyscallSet> ViolationSets() {
  return {
      {"reading or steering other processes",
       Violate(),
       {Sys::ptrace, Sys::process_vm_readv, Sys::process_vm_writev,
        Sys::process_madvise, Sys::kcmp, Sys::pidfd_getfd, Sys::move_pages,
        Sys::migrate_pages}},
      {"a program from a descriptor, past what Landlock allows to execute",
       Violate(),
       {Sys::execveat, Sys::uselib}},
      {"mounts: another view of the files",
       Violate(),
       {Sys::mount, Sys::umount2, Sys::pivot_root, Sys::fsopen, Sys::fsmount,
        Sys::fsconfig, Sys::fspick, Sys::open_tree, Sys::open_tree_attr,
        Sys::move_mount, Sys::mount_setattr}},
      {"namespaces: the kernel's code for root, as anyone",
       Violate(),
       {Sys::unshare, Sys::setns}},
      {"programs inside the kernel, and its performance counters",
       Violate(),
       {Sys::bpf, Sys::perf_event_open, Sys::lookup_dcookie}},
      {"the kernel's own trampolines: newer kernels do not filter them, and "
       "answer SIGILL or an errno to anyone else",
       Violate(),
       {Sys::uprobe, Sys::uretprobe}},
      {"suspending the kernel in a page fault: a tool to win its races",
       Violate(),
       {Sys::userfaultfd}},
      {"keys that outlive the run",
       Violate(),
       {Sys::keyctl, Sys::add_key, Sys::request_key}},
      {"replacing or extending the kernel",
       Violate(),
       {Sys::kexec_load, Sys::kexec_file_load, Sys::init_module,
        Sys::finit_module, Sys::delete_module, Sys::create_module,
        Sys::query_module, Sys::get_kernel_syms}},
      {"administration of the host",
       Violate(),
       {Sys::reboot, Sys::swapon, Sys::swapoff, Sys::quotactl, Sys::quotactl_fd,
        Sys::acct, Sys::syslog, Sys::vhangup, Sys::sethostname,
        Sys::setdomainname}},
      {"the host's clock",
       Violate(),
       {Sys::settimeofday, Sys::clock_settime, Sys::adjtimex,
        Sys::clock_adjtime}},
      {"the processor's ports and segments",
       Violate(),
       {Sys::iopl, Sys::ioperm, Sys::modify_ldt}},
      {"files by handle, past every directory",
       Violate(),
       {Sys::open_by_handle_at, Sys::name_to_handle_at}},
      {"watching whole file systems",
       Violate(),
       {Sys::fanotify_init, Sys::fanotify_mark}},
      {"memory hidden from the kernel itself", Violate(), {Sys::memfd_secret}},
      {"SysV IPC: shared with every process of the uid, and outlives the run",
       Violate(),
       {Sys::shmget, Sys::shmat, Sys::shmctl, Sys::shmdt, Sys::semget,
        Sys::semop, Sys::semctl, Sys::semtimedop, Sys::msgget, Sys::msgsnd,
        Sys::msgrcv, Sys::msgctl}},
      {"message queues: shared with every process of the uid, and outlive the "
       "run",
       Violate(),
       {Sys::mq_open, Sys::mq_unlink, Sys::mq_timedsend, Sys::mq_timedreceive,
        Sys::mq_notify, Sys::mq_getsetattr}},
  };
}

}  // namespace cordon::sandbox
