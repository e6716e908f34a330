// The doors are Start, Kill and ResumeOutput; everything else runs on the loop:
// supervised_streams.cc, supervised_calls.cc (what the program asks by system
// call), supervised_sockets.cc, supervised_resources.cc and supervised_end.cc.

#include "sandbox/supervise/supervision.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <utility>

#include "sandbox/base/errno_status.h"

// Linux 6.6; Debian 12's headers are older (seccomp_unotify(2)).
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

namespace cordon::sandbox {

std::shared_ptr<Supervision> Supervision::Create(EventLoop* loop,
                                                 RunningChild child,
                                                 SupervisionPlan plan,
                                                 StepObserver* observer) {
  return std::shared_ptr<Supervision>(
      new Supervision(loop, std::move(child), std::move(plan), observer));
}

Supervision::Supervision(EventLoop* loop, RunningChild child,
                         SupervisionPlan plan, StepObserver* observer)
    : loop_(loop),
      plan_(std::move(plan)),
      observer_(observer),
      pid_(child.pid),
      start_(child.start),
      leader_(this, &Supervision::OnLeaderExit),
      listener_(this, &Supervision::OnNotification),
      stdin_(this, &Supervision::OnStdinWritable),
      stdout_{OutputStream::kStdout, Source(this, &Supervision::OnStdout),
              OutputCapture(plan_.output_mode, plan_.limits.output_bytes)},
      stderr_{OutputStream::kStderr, Source(this, &Supervision::OnStderr),
              OutputCapture(plan_.output_mode, plan_.limits.output_bytes)},
      cgroup_(plan_.cgroup),
      meter_(plan_.limits, child.pid, &cgroup_),
      disk_(plan_.limits, UniqueFd(fcntl(plan_.directory, F_DUPFD_CLOEXEC, 0)),
            plan_.writable.workspace, plan_.disk),
      counter_(plan_.limits.processes, child.pid, plan_.processes),
      members_(child.pid, plan_.processes, &counter_),
      broker_(plan_.network, std::move(plan_.own_network),
              plan_.writable.workspace, child.pid, plan_.processes) {
  if (plan_.tree.has_value()) {
    paths_.emplace(*std::exchange(plan_.tree, std::nullopt),
                   PathGrant{.pgid = child.pid,
                             .owner = plan_.owner,
                             .writable = plan_.writable,
                             .readable = plan_.readable,
                             .audit = plan_.audit,
                             .file_bytes = plan_.limits.file_bytes});
  }
  if (plan_.shares_memory) meter_.NoteSharedMemory();
  leader_.fd = std::move(child.pidfd);
  group_ = std::move(child.group);
  listener_.fd = std::move(child.listener);
  stdin_.fd = std::move(child.stdin_writer);
  stdout_.source.fd = std::move(child.stdout_reader);
  stderr_.source.fd = std::move(child.stderr_reader);
}

Supervision::~Supervision() = default;

void Supervision::Start() {
  loop_->Post([self = shared_from_this()] {
    self->self_ = self;
    self->StartOnLoop();
  });
}

void Supervision::Kill() {
  loop_->Post([self = shared_from_this()] {
    self->Fail(absl::CancelledError("the run was cancelled"));
  });
}

void Supervision::ResumeOutput() {
  loop_->Post(
      [self = shared_from_this()] { self->SetPaused(Flow::kContinue); });
}

void Supervision::StartOnLoop() {
  // The answering thread hands its processor to the program it answers.
  ioctl(listener_.fd.get(), SECCOMP_IOCTL_NOTIF_SET_FLAGS,
        SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
  Watch(leader_, EPOLLIN);
  if (paths_.has_value() && !killed_) {
    StartPaths();
  } else {
    Watch(listener_, EPOLLIN);
  }
  Watch(stdout_.source, EPOLLIN);
  Watch(stderr_.source, EPOLLIN);
  if (stdin_.fd.valid()) Watch(stdin_, EPOLLOUT);
  if (killed_) return;
  wall_timer_ = loop_->CallAt(start_ + plan_.limits.wall_time,
                              [this] { EndRun(WallTimeCause(plan_.limits)); });
  ScheduleSample();
}

void Supervision::StartPaths() {
  path_thread_.emplace(&*paths_, plan_.policy, listener_.fd.get(),
                       EventsOfPaths());
  absl::Status status = path_thread_->Start();
  if (!status.ok()) {
    path_thread_.reset();
    return Fail(std::move(status));
  }
  paths_stopped_ = false;
}

// Nothing of the run executes any more, so that the thread waits for nothing
// but the disk.
void Supervision::StopPaths() {
  if (path_thread_.has_value()) path_thread_->Stop();
}

void Supervision::Watch(Source& source, uint32_t events) {
  if (source.watched || !source.fd.valid()) return;
  source.watched = loop_->Watch(source.fd.get(), events, &source);
  // Unwatchable is unsupervised (ENOSPC, ENOMEM): no run goes on like that.
  if (!source.watched) Fail(ErrnoToStatus(errno, "epoll_ctl"));
}

void Supervision::Unwatch(Source& source) {
  if (source.watched) loop_->Unwatch(source.fd.get());
  source.watched = false;
}

void Supervision::Close(Source& source) {
  Unwatch(source);
  source.fd.Reset();
}

}  // namespace cordon::sandbox
