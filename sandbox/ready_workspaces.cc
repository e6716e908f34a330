#include "sandbox/ready_workspaces.h"

#include <asm/unistd.h>

#include <utility>

#include "absl/status/status.h"
#include "sandbox/base/monotonic_clock.h"
#include "sandbox/paths/virtual_tree.h"

namespace cordon::sandbox {
namespace {

std::vector<Workspace::PartName> PartsOfVirtualTree() {
  std::vector<Workspace::PartName> names;
  for (const VirtualTree::Part& part : VirtualTree::kAll) {
    names.push_back({part.name, part.mode});
  }
  return names;
}

}  // namespace

ReadyWorkspaces::~ReadyWorkspaces() {
  absl::MutexLock lock(&mutex_);
  for (auto& [kind, stock] : stocks_) {
    for (ReadyWorkspace& workspace : stock.ready) Discard(std::move(workspace));
  }
}

absl::StatusOr<ReadyWorkspace> ReadyWorkspaces::Take(
    const WorkspaceKind& kind) {
  std::optional<ReadyWorkspace> ready = TakeReady(kind);
  if (ready.has_value()) return *std::move(ready);
  absl::StatusOr<ReadyWorkspace> made = Make(kind);
  if (!made.ok()) return made;
  absl::MutexLock lock(&mutex_);
  NoteTaken(stocks_[kind], *made);
  return made;
}

std::optional<ReadyWorkspace> ReadyWorkspaces::TakeReady(
    const WorkspaceKind& kind) {
  absl::MutexLock lock(&mutex_);
  Stock& stock = stocks_[kind];
  if (stock.ready.empty()) return std::nullopt;
  ReadyWorkspace workspace = std::move(stock.ready.front());
  stock.ready.pop_front();
  NoteTaken(stock, workspace);
  return workspace;
}

void ReadyWorkspaces::NoteTaken(Stock& stock, ReadyWorkspace& workspace) const {
  workspace.taken = MonotonicNow();
  stock.in_use.insert(workspace.taken);
}

bool ReadyWorkspaces::HasRoom(const WorkspaceKind& kind) {
  absl::MutexLock lock(&mutex_);
  return stocks_[kind].ready.size() < stock_;
}

// Those of short runs come back: making others meanwhile would make them too
// many. But a thousand runs that wait must not leave the next one without.
bool ReadyWorkspaces::IsShort(const WorkspaceKind& kind) {
  constexpr absl::Duration kShortRun = absl::Seconds(1);
  absl::MutexLock lock(&mutex_);
  const Stock& stock = stocks_[kind];
  size_t expected = stock.ready.size();
  const absl::Time since = MonotonicNow() - kShortRun;
  for (auto taken = stock.in_use.rbegin();
       taken != stock.in_use.rend() && *taken > since && expected < stock_;
       ++taken) {
    ++expected;
  }
  return expected < stock_;
}

void ReadyWorkspaces::Put(const WorkspaceKind& kind, ReadyWorkspace workspace) {
  absl::MutexLock lock(&mutex_);
  stocks_[kind].ready.push_back(std::move(workspace));
}

void ReadyWorkspaces::Restock(const WorkspaceKind& kind) {
  while (IsShort(kind)) {
    absl::StatusOr<ReadyWorkspace> made = Make(kind);
    if (!made.ok()) return;
    ArmAhead(*made, kind, ArmOn::kAnyProcessor);
    Put(kind, *std::move(made));
  }
}

void ReadyWorkspaces::GiveBack(const WorkspaceKind& kind,
                               ReadyWorkspace workspace) {
  const absl::Time taken = workspace.taken;
  // A divided one is made anew.
  const bool renewed =
      kind.filesystem == Filesystem::kHost && HasRoom(kind) &&
      workspace.workspace.Renew().ok() &&
      (!workspace.cgroup.has_value() || workspace.cgroup->StartOver().ok());
  if (renewed) {
    // Mostly beside a program that starts (Execution::AwaitStart).
    ArmAhead(workspace, kind, ArmOn::kThisProcessor);
    Put(kind, std::move(workspace));
  }
  {
    absl::MutexLock lock(&mutex_);
    std::multiset<absl::Time>& in_use = stocks_[kind].in_use;
    in_use.erase(in_use.find(taken));
  }
  Restock(kind);
  if (!renewed) Discard(std::move(workspace));
}

absl::StatusOr<ReadyWorkspace> ReadyWorkspaces::Make(
    const WorkspaceKind& kind) const {
  std::optional<uint32_t> identity;
  std::optional<Owner> owner;
  if (identities_ != nullptr) {
    identity = identities_->Acquire();
    if (!identity.has_value()) {
      return absl::ResourceExhaustedError("every uid for runs is in use");
    }
    owner = Owner{*identity, *identity};
  }
  absl::StatusOr<ReadyWorkspace> made = MakeOwnedBy(owner, kind);
  if (made.ok()) {
    made->identity = identity;
  } else if (identity.has_value()) {
    identities_->Release(*identity);
  }
  return made;
}

absl::StatusOr<ReadyWorkspace> ReadyWorkspaces::MakeOwnedBy(
    const std::optional<Owner>& owner, const WorkspaceKind& kind) const {
  absl::StatusOr<Workspace> workspace = root_->Create(owner);
  if (!workspace.ok()) return workspace.status();
  std::vector<int> directories = {workspace->fd()};
  // Beneath each of its directories a run has every right, and none in what
  // they are in: so they stay what and where they are.
  if (kind.filesystem == Filesystem::kVirtual) {
    absl::Status status = workspace->Divide(PartsOfVirtualTree());
    if (!status.ok()) return status;
    directories.clear();
    for (const UniqueFd& part : workspace->parts()) {
      directories.push_back(part.get());
    }
  }
  absl::StatusOr<UniqueFd> ruleset = kind.view->Create(directories);
  if (!ruleset.ok()) return ruleset.status();
  ReadyWorkspace made = {.workspace = *std::move(workspace),
                         .ruleset = *std::move(ruleset)};
  if (cgroups_ != nullptr) {
    absl::StatusOr<RunCgroup> cgroup = cgroups_->Create();
    if (!cgroup.ok()) return cgroup.status();
    made.cgroup = *std::move(cgroup);
  }
  return made;
}

ArmPlan ReadyWorkspaces::PlanFor(const ReadyWorkspace& workspace,
                                 const RunPolicy& policy,
                                 int working_directory) const {
  ArmPlan plan;
  plan.working_directory = working_directory;
  if (const std::optional<uint32_t> id = workspace.identity; id.has_value()) {
    plan.identity = RunIdentity{*id, *id};
  }
  plan.landlock_ruleset = workspace.ruleset.get();
  plan.filter = &policy.filter;
  plan.asks_to_execute =
      policy.policy.Evaluate(__NR_execve, {}).kind == VerdictKind::kAsk;
  if (workspace.cgroup.has_value()) {
    plan.cgroup_entrances = workspace.cgroup->entrances();
  }
  return plan;
}

absl::StatusOr<ArmedChild> ReadyWorkspaces::Arm(const ReadyWorkspace& workspace,
                                                const RunPolicy& policy,
                                                int working_directory) const {
  return launcher_->Arm(PlanFor(workspace, policy, working_directory));
}

absl::StatusOr<WarmFork> ReadyWorkspaces::Fork(
    const ReadyWorkspace& workspace, const WorkspaceKind& kind) const {
  return templates_->Fork(kind.warm_profile,
                          PlanFor(workspace, PolicyAhead(kind.filesystem),
                                  workspace.workspace.home_fd()));
}

// Without one the run arms its own, and reports why that fails.
void ReadyWorkspaces::ArmAhead(ReadyWorkspace& workspace,
                               const WorkspaceKind& kind, ArmOn on) const {
  if (workspace.child.has_value() || workspace.fork.has_value()) return;
  if (!kind.warm_profile.empty()) {
    absl::StatusOr<WarmFork> fork = Fork(workspace, kind);
    if (fork.ok()) {
      workspace.fork = *std::move(fork);
      return;
    }
  }
  ArmPlan plan = PlanFor(workspace, PolicyAhead(kind.filesystem),
                         workspace.workspace.home_fd());
  plan.on = on;
  absl::StatusOr<ArmedChild> child = launcher_->Arm(std::move(plan));
  if (child.ok()) workspace.child = *std::move(child);
}

void ReadyWorkspaces::Discard(ReadyWorkspace workspace) {
  const std::optional<uint32_t> identity = workspace.identity;
  workspace.child.reset();
  workspace.fork.reset();
  workspace.cgroup.reset();
  // What cannot be removed now is removed at the next start.
  workspace.workspace.Remove().IgnoreError();
  if (identity.has_value()) identities_->Release(*identity);
}

}  // namespace cordon::sandbox
