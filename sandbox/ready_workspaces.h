// ReadyWorkspaces keeps a few run directories ahead of the runs that will need
// them: made, owned by a uid of their own, with their Landlock ruleset, and
// with a child that has restricted itself to them. All that takes longer than
// launching a small program; this way it happens when nobody waits.
//
// A child is used by one run. A directory is used again only when a run left it
// as it got it: what a program leaves behind cannot reach the next run.
//
// Contract: thread-safe. What may arm a child (Arm, Fork, GiveBack, Restock) is
// called from long-lived threads only, with which that child would die.

#ifndef CORDON_SANDBOX_READY_WORKSPACES_H_
#define CORDON_SANDBOX_READY_WORKSPACES_H_

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/cgroup/cgroup_tree.h"
#include "sandbox/identity_pool.h"
#include "sandbox/launch/armed_child.h"
#include "sandbox/launch/launcher.h"
#include "sandbox/policy/landlock/ruleset.h"
#include "sandbox/run_policies.h"
#include "sandbox/spec/execution_spec.h"
#include "sandbox/warm/warm_fork.h"
#include "sandbox/warm/warm_templates.h"
#include "sandbox/workspace/workspace.h"

namespace cordon::sandbox {

struct ReadyWorkspace {
  // The uid and gid of the run; empty when runs share the server's.
  std::optional<uint32_t> identity;
  Workspace workspace;
  // Not valid on a host without Landlock.
  UniqueFd ruleset;
  // Empty: this host gives the server none.
  std::optional<RunCgroup> cgroup;
  // Start in the run's home: one of the two at most. Empty when it was used, or
  // could not be made.
  std::optional<ArmedChild> child;
  std::optional<WarmFork> fork;
  // When it was taken, on MonotonicNow's clock.
  absl::Time taken;
};

// What runs may use the same directory for.
struct WorkspaceKind {
  std::shared_ptr<const ViewRuleset> view;
  // kVirtual: divided as the run's own file system is (VirtualTree::kAll).
  Filesystem filesystem = Filesystem::kHost;
  // The template that the child is a fork of; empty: it executes its program.
  std::string warm_profile;

  friend auto operator<=>(const WorkspaceKind&, const WorkspaceKind&) = default;
};

class ReadyWorkspaces {
 public:
  // All pointers outlive this. `identities` is null when runs share the
  // server's identity. `stock` directories are kept of each kind.
  ReadyWorkspaces(const WorkspaceRoot* root, IdentityPool* identities,
                  CgroupTree* cgroups, Launcher* launcher,
                  WarmTemplates* templates, const RunPolicies* policies,
                  size_t stock)
      : root_(root),
        identities_(identities),
        cgroups_(cgroups),
        launcher_(launcher),
        templates_(templates),
        policies_(policies),
        stock_(stock) {}
  ~ReadyWorkspaces();
  ReadyWorkspaces(const ReadyWorkspaces&) = delete;
  ReadyWorkspaces& operator=(const ReadyWorkspaces&) = delete;

  // One from the stock, or a new one. RESOURCE_EXHAUSTED when every uid is in
  // use; INTERNAL with step and errno.
  absl::StatusOr<ReadyWorkspace> Take(const WorkspaceKind& kind)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The same, but only from the stock.
  std::optional<ReadyWorkspace> TakeReady(const WorkspaceKind& kind)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // What the children in the stock are armed with.
  const RunPolicy& PolicyAhead(Filesystem filesystem) const {
    return policies_->For({.filesystem = filesystem});
  }

  // A child for another step of the run that has `workspace`, or one with
  // another policy, starting in `working_directory`. Errors as for
  // Launcher::Arm.
  absl::StatusOr<ArmedChild> Arm(const ReadyWorkspace& workspace,
                                 const RunPolicy& policy,
                                 int working_directory) const;

  // The same as a fork of a template, with the policy of the stock and in the
  // run's home. Errors as for WarmTemplates::Fork.
  absl::StatusOr<WarmFork> Fork(const ReadyWorkspace& workspace,
                                const WorkspaceKind& kind) const;

  // Takes back what was taken, when no process of its run is left: renews it
  // for the stock, or removes it and gives its identity back. `kind` as for
  // Take. May take long. Then makes new ones if there are too few; a failure is
  // left to the next Take to report.
  void GiveBack(const WorkspaceKind& kind, ReadyWorkspace workspace)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether there are too few for the next runs: not when enough are in use
  // that may soon come back.
  bool IsShort(const WorkspaceKind& kind) ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes new ones until there are enough; a failure is left to the next Take
  // to report. May take long.
  void Restock(const WorkspaceKind& kind) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // The directories of one kind.
  struct Stock {
    // The oldest first: its child is the likeliest to be armed by now.
    std::deque<ReadyWorkspace> ready;
    // When those were taken that were not given back.
    std::multiset<absl::Time> in_use;
  };

  bool HasRoom(const WorkspaceKind& kind) ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteTaken(Stock& stock, ReadyWorkspace& workspace) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Put(const WorkspaceKind& kind, ReadyWorkspace workspace)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Removes the directory, then gives its identity back.
  void Discard(ReadyWorkspace workspace);
  absl::StatusOr<ReadyWorkspace> Make(const WorkspaceKind& kind) const;
  absl::StatusOr<ReadyWorkspace> MakeOwnedBy(const std::optional<Owner>& owner,
                                             const WorkspaceKind& kind) const;
  ArmPlan PlanFor(const ReadyWorkspace& workspace, const RunPolicy& policy,
                  int working_directory) const;
  void ArmAhead(ReadyWorkspace& workspace, const WorkspaceKind& kind,
                ArmOn on) const;

  const WorkspaceRoot* const root_;
  IdentityPool* const identities_;
  CgroupTree* const cgroups_;
  Launcher* const launcher_;
  WarmTemplates* const templates_;
  const RunPolicies* const policies_;
  const size_t stock_;
  absl::Mutex mutex_;
  std::map<WorkspaceKind, Stock> stocks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_READY_WORKSPACES_H_
