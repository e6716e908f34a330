// WarmTemplates: the templates of a sandbox, one for each profile, and the
// thread that starts them, and starts others when they die or grow old.
//
//   WarmTemplates templates(std::move(profiles), live_groups);
//   absl::StatusOr<WarmFork> fork = templates.Fork("python", plan);
//
// What forks of one template share, such as the layout of their memory and the
// seed of Python's hashes, is another's after kMostForks of them, or kOldest. A
// template that does not start, or does not stay, is tried again after a pause
// that doubles.
//
// Contract: thread-safe. Outlives the forks.

#ifndef CORDON_SANDBOX_WARM_WARM_TEMPLATES_H_
#define CORDON_SANDBOX_WARM_WARM_TEMPLATES_H_

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/keeper/live_groups.h"
#include "sandbox/launch/launcher.h"
#include "sandbox/warm/template_program.h"
#include "sandbox/warm/warm_fork.h"
#include "sandbox/warm/warm_template.h"

namespace cordon::sandbox {

class WarmTemplates {
 public:
  static constexpr int kMostForks = 512;
  static constexpr absl::Duration kOldest = absl::Minutes(10);
  // One that has lost so many forks in a row is as good as dead.
  static constexpr int kMostLostForks = 16;
  // A server does not begin later than that because of its templates.
  static constexpr absl::Duration kAwaited = absl::Seconds(10);
  // Of a template's own memory: a profile that takes more has none.
  static constexpr uint64_t kMostMemoryBytes = uint64_t{512} << 20;

  // Waits until each template serves, or could not be started, or kAwaited is
  // over. `groups` may be null; outlives this.
  WarmTemplates(std::vector<WarmProfile> profiles, LiveGroups* groups);
  ~WarmTemplates();
  WarmTemplates(const WarmTemplates&) = delete;
  WarmTemplates& operator=(const WarmTemplates&) = delete;

  // As WarmTemplate::Fork. UNAVAILABLE when there is none now, NOT_FOUND when
  // there is no such profile.
  absl::StatusOr<WarmFork> Fork(const std::string& profile, const ArmPlan& plan)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Why there is no template of the profile now; OK when there is.
  absl::Status StateOf(const std::string& profile) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Slot {
    WarmProfile profile;
    // Null while there is none. Shared with who forks it right now.
    std::shared_ptr<WarmTemplate> current;
    absl::Time started;
    // When it may be started again, and after how long a pause the next time.
    absl::Time due;
    absl::Duration pause;
    absl::Status state;
  };

  void Supervise();
  void Start(Slot& slot) ABSL_LOCKS_EXCLUDED(mutex_);
  bool NeedsOne(Slot& slot, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The next that needs a template; null: none does.
  Slot* NextToStart() ABSL_LOCKS_EXCLUDED(mutex_);
  bool AwaitChange() ABSL_LOCKS_EXCLUDED(mutex_);

  LiveGroups* const groups_;
  // eventfd(2): ends the wait for a template that starts.
  const UniqueFd stop_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  // Somebody found one gone, or too old.
  bool changed_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Slot> slots_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WARM_WARM_TEMPLATES_H_
