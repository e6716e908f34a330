// WarmFork: a copy of a template that has restricted itself already and waits
// to be told which program to run. To a run it is what an ArmedChild is.
//
//   absl::StatusOr<WarmFork> fork = templates.Fork("python", plan);
//   // ... later, when a request is there:
//   if (fork->Order(prepared)) {
//     absl::StatusOr<LaunchResult> result = fork->AwaitStart(prepared);
//   }
//
// Nothing that goes wrong with one is a run's matter: whoever has one can
// always launch the program without.
//
// Contract: as ArmedChild.

#ifndef CORDON_SANDBOX_WARM_WARM_FORK_H_
#define CORDON_SANDBOX_WARM_WARM_FORK_H_

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/keeper/live_groups.h"
#include "sandbox/launch/armed_child.h"
#include "sandbox/launch/prepared_child.h"

namespace cordon::sandbox {

class WarmFork {
 public:
  WarmFork(WarmFork&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)),
        pidfd_(std::move(other.pidfd_)),
        group_(std::move(other.group_)),
        listener_(std::move(other.listener_)),
        socket_(std::move(other.socket_)),
        lost_(std::move(other.lost_)),
        ordered_(other.ordered_) {}
  WarmFork& operator=(WarmFork&& other) noexcept;
  // Ends the fork, unless AwaitStart returned it, and waits for its end.
  ~WarmFork() { End(); }

  // Once: tells the fork to run `program`. False when it cannot: it is gone, or
  // the arguments and the environment are longer than kMostTextBytes. Does not
  // wait.
  bool Order(const PreparedChild& program);

  // Once, after Order, with its program. Waits until the program is about to
  // begin; a StartFailure never comes. UNAVAILABLE when the fork ended before
  // it did, or the program is not one for it: `program` is as it was.
  absl::StatusOr<LaunchResult> AwaitStart(PreparedChild& program);

 private:
  friend class WarmTemplate;
  WarmFork() = default;
  void End();

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  LiveGroup group_;
  UniqueFd listener_;
  UniqueFd socket_;
  // Of the template's: how many in a row ended before they began.
  std::shared_ptr<std::atomic<int>> lost_;
  absl::Time ordered_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WARM_WARM_FORK_H_
