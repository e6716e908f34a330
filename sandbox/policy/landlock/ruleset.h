// ViewRuleset makes Landlock rulesets for one view of files, cheaply: paths are
// looked up once, a ruleset per run is system calls only.
//
//   absl::StatusOr<ViewRuleset> rulesets =
//       ViewRuleset::Open(view, host.landlock_abi);
//   absl::StatusOr<UniqueFd> ruleset = rulesets->Create({workspace.fd()});
//   // in the child, with no_new_privs on:
//   //   landlock_restrict_self(ruleset, 0)
//
// What it does not do: restrict anybody. A ruleset binds whoever hands it to
// landlock_restrict_self(2), and everything that process starts.
//
// Contract: one descriptor (O_PATH, close-on-exec) a path of the view is kept
// open for as long as the object lives. They are not only a cache: a rule is
// tied to an inode, and procfs makes a new inode for a file that nobody holds.
// A path that is a symbolic link stands for its target, as open(2) follows it:
// so "/bin" works where it is a link to "usr/bin". Create is const and may be
// called from any number of threads; nothing here allocates in a forked child.

#ifndef CORDON_SANDBOX_POLICY_LANDLOCK_RULESET_H_
#define CORDON_SANDBOX_POLICY_LANDLOCK_RULESET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/policy/landlock/landlock_plan.h"
#include "sandbox/spec/file_view.h"

namespace cordon::sandbox {

class ViewRuleset {
 public:
  // Opens what exists of `view`; what does not is left out (see absent()).
  // Errors: INVALID_ARGUMENT for a path that is not absolute; otherwise
  // INTERNAL with step and errno (open, fstat, or landlock_create_ruleset when
  // the kernel refuses the plan, which is tried here so that it cannot fail at
  // the first run).
  static absl::StatusOr<ViewRuleset> Open(const FileView& view, int abi);

  // The same for a plan made otherwise (service_domain.h).
  static absl::StatusOr<ViewRuleset> Open(LandlockPlan plan);

  // A new ruleset: the view, and full rights beneath each of the directories
  // `workspace_fds` (any descriptors of them, O_PATH will do), which are not
  // kept.
  // The descriptor is close-on-exec, as landlock_create_ruleset(2) makes it. An
  // *empty* UniqueFd when the plan's ABI is 0. INTERNAL with step and errno.
  absl::StatusOr<UniqueFd> Create(const std::vector<int>& workspace_fds) const;

  const LandlockPlan& plan() const { return plan_; }
  // The paths of the view that this host does not have.
  const std::vector<std::string>& absent() const { return absent_; }

 private:
  struct OpenRule {
    UniqueFd fd;
    uint64_t allowed_access = 0;
    // Links resolved.
    std::string path;
  };

  // A rule beneath another one that gives as much costs every run a system call
  // and gives it nothing: /bin where that is a link to /usr/bin.
  void DropRedundantRules();
  absl::StatusOr<UniqueFd> CreateFromView() const;

  LandlockPlan plan_;
  std::vector<OpenRule> rules_;
  std::vector<std::string> absent_;
};

// The kernel's Landlock ABI; 0 when it has none, or it is off at boot
// (landlock_create_ruleset(2)).
int ProbeLandlockAbi();

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_POLICY_LANDLOCK_RULESET_H_
