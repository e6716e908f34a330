// The doors are Order and AwaitStart.

#include "sandbox/warm/warm_fork.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "sandbox/base/monotonic_clock.h"
#include "sandbox/warm/descriptor_message.h"
#include "sandbox/warm/fork_protocol.h"

namespace cordon::sandbox {

WarmFork& WarmFork::operator=(WarmFork&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(pidfd_, other.pidfd_);
  std::swap(group_, other.group_);
  std::swap(listener_, other.listener_);
  std::swap(socket_, other.socket_);
  std::swap(lost_, other.lost_);
  std::swap(ordered_, other.ordered_);
  return *this;
}

// It is nobody's but this process's to wait for, so the id is its own.
void WarmFork::End() {
  if (pid_ <= 0) return;
  socket_.Reset();
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, __WALL) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  group_.Leave();
}

bool WarmFork::Order(const PreparedChild& program) {
  std::string text;
  for (const auto* strings : {&program.argv_, &program.environment_}) {
    for (const std::string& string : *strings) {
      text.append(string.c_str(), string.size() + 1);
    }
  }
  StartOrder order = {};
  order.argument_count = static_cast<uint32_t>(program.argv_.size());
  order.variable_count = static_cast<uint32_t>(program.environment_.size());
  order.text_bytes = static_cast<uint32_t>(text.size());
  if (text.size() > kMostTextBytes ||
      program.resource_limits_.size() > kMostLimits) {
    return false;
  }
  order.limit_count = static_cast<uint32_t>(program.resource_limits_.size());
  std::copy(program.resource_limits_.begin(), program.resource_limits_.end(),
            order.limits);
  ordered_ = MonotonicNow();
  const bool sent = SendMessage(
      socket_.get(), {{&order, sizeof(order)}, {text.data(), text.size()}},
      {program.child_stdin_.get(), program.child_stdout_.get(),
       program.child_stderr_.get()});
  if (!sent) lost_->fetch_add(1);
  return sent;
}

absl::StatusOr<LaunchResult> WarmFork::AwaitStart(PreparedChild& program) {
  StartReport report = {};
  UniqueFd none;
  if (!ReceiveMessage(socket_.get(), &report, sizeof(report), none)) {
    lost_->fetch_add(1);
    End();
    return absl::UnavailableError("the fork ended before it began");
  }
  lost_->store(0);
  if (report.starts == 0) {
    End();
    return absl::UnavailableError("the program is not one for a fork");
  }
  socket_.Reset();
  RunningChild running;
  running.start = ordered_;
  running.pid = std::exchange(pid_, -1);
  running.pidfd = std::move(pidfd_);
  running.group = std::move(group_);
  running.listener = std::move(listener_);
  running.stdin_writer = std::move(program.stdin_);
  running.stdout_reader = std::move(program.stdout_);
  running.stderr_reader = std::move(program.stderr_);
  return running;
}

}  // namespace cordon::sandbox
