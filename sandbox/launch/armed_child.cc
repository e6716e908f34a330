// The doors are Order and AwaitStart.

#include "sandbox/launch/armed_child.h"

#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/base/monotonic_clock.h"
#include "sandbox/base/notification_buffer.h"

namespace cordon::sandbox {
namespace {

std::vector<const char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<const char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& string : strings) pointers.push_back(string.c_str());
  pointers.push_back(nullptr);
  return pointers;
}

// Whether execve failed for a reason that lies in the program named by the
// request; anything else, such as ENOMEM, is the service's failure (execve(2)).
bool IsCallersFault(int error_number) {
  switch (error_number) {
    case E2BIG:
    case EACCES:
    case EINVAL:
    case EIO:  // An ELF file whose parts lie outside of it.
    case EISDIR:
    case ELIBBAD:
    case ELOOP:
    case ENAMETOOLONG:
    case ENOENT:
    case ENOEXEC:
    case ENOTDIR:
    case EPERM:
      return true;
    default:
      return false;
  }
}

}  // namespace

ArmedChild& ArmedChild::operator=(ArmedChild&& other) noexcept {
  std::swap(shared_, other.shared_);
  std::swap(stack_, other.stack_);
  std::swap(stacks_, other.stacks_);
  std::swap(low_, other.low_);
  std::swap(pid_, other.pid_);
  std::swap(pidfd_, other.pidfd_);
  std::swap(group_, other.group_);
  std::swap(descriptors_, other.descriptors_);
  std::swap(streams_, other.streams_);
  std::swap(asks_to_execute_, other.asks_to_execute_);
  std::swap(ordered_, other.ordered_);
  return *this;
}

ArmedChild::~ArmedChild() {
  if (shared_ == nullptr) return;
  if (pid_ > 0) Dismiss();
  stacks_->GiveBack(std::move(stack_));
}

void ArmedChild::AwaitDeparture() {
  std::atomic<pid_t>& in_this_memory = shared_->in_this_memory;
  for (;;) {
    const pid_t value = in_this_memory.load(std::memory_order_acquire);
    if (value == 0) return NoteDeparture();
    if (asks_to_execute_ && ordered_.has_value()) {
      LetExecute();
      continue;
    }
    // Not FUTEX_PRIVATE_FLAG: the kernel's own wake is not (futex(2)).
    syscall(SYS_futex, &in_this_memory, FUTEX_WAIT, value, nullptr, nullptr, 0);
  }
}

void ArmedChild::NoteDeparture() {
  descriptors_.End();
  streams_.End();
}

// As long as the child is in this memory its execve is the only call that it
// asks about, once for each candidate. What comes later is the program's, and
// the supervisor's to answer.
void ArmedChild::LetExecute() {
  constexpr absl::Duration kPatience = absl::Milliseconds(1);
  const int listener = shared_->context.listener;
  if (listener < 0) {  // It is not armed yet.
    absl::SleepFor(kPatience / 10);
    return;
  }
  pollfd ready = {.fd = listener, .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, static_cast<int>(absl::ToInt64Milliseconds(kPatience))) <=
          0 ||
      (ready.revents & POLLIN) == 0) {
    return;
  }
  if (shared_->in_this_memory.load(std::memory_order_acquire) == 0) return;
  NotificationBuffer buffer;
  if (ReceiveNotification(listener, buffer)) {
    LetContinue(listener, buffer.notification.id);
  }
}

void ArmedChild::Wake(ChildOrdered ordered) {
  __atomic_store_n(&shared_->context.ordered, static_cast<uint32_t>(ordered),
                   __ATOMIC_RELEASE);
  syscall(SYS_futex, &shared_->context.ordered, FUTEX_WAKE | FUTEX_PRIVATE_FLAG,
          INT_MAX, nullptr, nullptr, 0);
}

// Not by a signal: one that came while seccomp(2) returns would leave a
// listener in this process's table that nobody knows of.
void ArmedChild::Dismiss() {
  if (!ordered_.has_value()) Wake(ChildOrdered::kExit);
  AwaitDeparture();
  if (ordered_.has_value()) kill(-pid_, SIGKILL);
  Reap();
}

void ArmedChild::Reap() {
  while (waitpid(pid_, nullptr, __WALL) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  group_.Leave();
  if (shared_->context.listener >= 0) close(shared_->context.listener);
  shared_->context.listener = -1;
}

void ArmedChild::Order(const PreparedChild& program) {
  shared_->argv = Pointers(program.argv_);
  shared_->environment = Pointers(program.environment_);
  shared_->candidates = Pointers(program.candidates_);
  streams_ =
      low_->Lend({program.child_stdin_.get(), program.child_stdout_.get(),
                  program.child_stderr_.get()});
  const LowDescriptors::Numbers& streams = streams_.numbers();
  shared_->order = {
      .standard_streams = {streams[0], streams[1], streams[2]},
      .resource_limits = program.resource_limits_.data(),
      .resource_limit_count = static_cast<int>(program.resource_limits_.size()),
      .candidates = shared_->candidates.data(),
      .argv = shared_->argv.data(),
      .environment = shared_->environment.data(),
  };
  shared_->context.order = &shared_->order;
  ordered_ = MonotonicNow();
  descriptors_ = DescriptorCopies::Of().Add();
  Wake(ChildOrdered::kExecute);
}

absl::StatusOr<LaunchResult> ArmedChild::AwaitStart(PreparedChild& program) {
  AwaitDeparture();
  const ChildContext& context = shared_->context;
  const ChildReport& report = context.report;
  if (report.error_number != 0) {
    Reap();
    if (report.step == ChildStep::kExecute &&
        IsCallersFault(report.error_number)) {
      // A PATH without absolute directories leaves nothing to try.
      const bool tried =
          static_cast<size_t>(report.index) < program.candidates_.size();
      return StartFailure{
          report.error_number,
          tried ? program.candidates_[static_cast<size_t>(report.index)] : ""};
    }
    return ErrnoToStatus(report.error_number, Words(report.step));
  }
  if (report.step != ChildStep::kExecute) {
    Reap();
    return absl::UnavailableError("the child was killed before it began");
  }
  RunningChild running;
  running.start = *ordered_;
  running.pid = std::exchange(pid_, -1);
  running.pidfd = std::move(pidfd_);
  running.group = std::move(group_);
  running.listener.Reset(context.listener);
  running.stdin_writer = std::move(program.stdin_);
  running.stdout_reader = std::move(program.stdout_);
  running.stderr_reader = std::move(program.stderr_);
  return running;
}

}  // namespace cordon::sandbox
