// WarmTemplate: a process that has started an interpreter and imported modules,
// and becomes runs by forking (fork_point.h).
//
//   auto started = WarmTemplate::Start(PythonTemplate(profile), live_groups);
//   absl::StatusOr<WarmFork> fork = (*started)->Fork(plan, live_groups);
//
// It is the server's child and has the server's user and restrictions, and some
// of its own (template_restriction.h), so that a fork can take on any that a
// run has. It holds a socket and nothing else of the server, runs no
// instruction of a request, and reads nothing that a run wrote. A run cannot
// signal it, trace it or see its memory: it is outside of the run's Landlock
// domain, has no file that the run can open, and where the server is root
// another user. What a fork writes is its own copy.
//
// Contract: Start is called on a thread that outlives the template and all its
// forks, which die with it (PR_SET_PDEATHSIG, prctl(2)). Fork is thread-safe.

#ifndef CORDON_SANDBOX_WARM_WARM_TEMPLATE_H_
#define CORDON_SANDBOX_WARM_WARM_TEMPLATE_H_

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/keeper/live_groups.h"
#include "sandbox/launch/launcher.h"
#include "sandbox/warm/template_program.h"
#include "sandbox/warm/warm_fork.h"

namespace cordon::sandbox {

struct ForkReport;
struct SocketPair;

class WarmTemplate {
 public:
  // Waits until it serves. UNAVAILABLE with what it printed when it does not,
  // or once `stop` is readable, an eventfd(2). `groups` may be null.
  static absl::StatusOr<std::unique_ptr<WarmTemplate>> Start(
      const TemplateProgram& program, LiveGroups* groups, int stop);
  // Ends it. Forks that it has made go on.
  ~WarmTemplate();
  WarmTemplate(const WarmTemplate&) = delete;
  WarmTemplate& operator=(const WarmTemplate&) = delete;

  // A fork that is restricted as `plan` says. UNAVAILABLE when the template is
  // gone, or has not answered after `patience`; INTERNAL with the fork's
  // step and errno; RESOURCE_EXHAUSTED when `groups` has no room.
  absl::StatusOr<WarmFork> Fork(const ArmPlan& plan, LiveGroups* groups,
                                absl::Duration patience)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether it has owed an answer for so long that it should be replaced:
  // somebody has stopped it, or the machine has no time for it.
  static constexpr absl::Duration kLongestStall = absl::Seconds(2);
  bool IsStalled() ABSL_LOCKS_EXCLUDED(mutex_);

  pid_t pid() const { return pid_; }
  // Readable when the template has ended (pidfd_open(2)).
  int pidfd() const { return pidfd_.get(); }
  // How many times it has forked.
  int forks() ABSL_LOCKS_EXCLUDED(mutex_);
  // How many of its forks, in a row, ended by themselves or were killed before
  // their program began.
  int lost_forks() const { return lost_->load(); }

 private:
  WarmTemplate() = default;
  absl::Status Spawn(const TemplateProgram& program, int own_end);
  absl::Status AwaitReady(int control, int stop);
  // Who has it talks to the template, and nobody else does. False when somebody
  // had it for too long, or the template does not answer.
  bool Take(absl::Duration patience) ABSL_LOCKS_EXCLUDED(mutex_);
  void Release() ABSL_LOCKS_EXCLUDED(mutex_);
  bool Order(const ArmPlan& plan, int fork_end);
  enum class Answer { kNone, kReport, kGone };
  Answer Await(absl::Duration patience, ForkReport& report, UniqueFd& listener);
  // By who has taken it. Whether what was owed is there, and was ended.
  bool Settle();
  // Otherwise the fork is owed, or there is none.
  absl::Status OrderAndAwait(const ArmPlan& plan, SocketPair& sockets,
                             absl::Duration patience, ForkReport& report,
                             UniqueFd& listener);
  // What it says later would be taken for the answer to another order.
  void GiveUp();

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  LiveGroup group_;
  // What it says when it cannot serve.
  UniqueFd words_;
  const std::shared_ptr<std::atomic<int>> lost_ =
      std::make_shared<std::atomic<int>>(0);
  absl::Mutex mutex_;
  bool taken_ ABSL_GUARDED_BY(mutex_) = false;
  int forks_ ABSL_GUARDED_BY(mutex_) = 0;
  // When the answer that is owed was asked for; InfiniteFuture: none is.
  absl::Time owed_since_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  // Of who has taken it.
  UniqueFd control_;
  // Of the fork that it owes.
  UniqueFd owed_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WARM_WARM_TEMPLATE_H_
