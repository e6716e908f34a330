#include "sandbox/ready_workspaces.h"

#include <asm/unistd.h>

#include <utility>

#include "absl/status/status.h"

namespace cordon::sandbox {

ReadyWorkspaces::~ReadyWorkspaces() {
  absl::MutexLock lock(&mutex_);
  for (auto& [view, stock] : stocks_) {
    for (ReadyWorkspace& workspace : stock.ready) Discard(std::move(workspace));
  }
}

absl::StatusOr<ReadyWorkspace> ReadyWorkspaces::Take(
    const std::shared_ptr<const ViewRuleset>& view) {
  {
    absl::MutexLock lock(&mutex_);
    Stock& stock = stocks_[view];
    if (!stock.ready.empty()) {
      ReadyWorkspace workspace = std::move(stock.ready.front());
      stock.ready.pop_front();
      ++stock.in_use;
      return workspace;
    }
  }
  absl::StatusOr<ReadyWorkspace> made = Make(*view);
  if (!made.ok()) return made;
  absl::MutexLock lock(&mutex_);
  ++stocks_[view].in_use;
  return made;
}

bool ReadyWorkspaces::HasRoom(const std::shared_ptr<const ViewRuleset>& view) {
  absl::MutexLock lock(&mutex_);
  return stocks_[view].ready.size() < stock_;
}

// Those in use come back: making others meanwhile would make them too many.
bool ReadyWorkspaces::IsShort(const std::shared_ptr<const ViewRuleset>& view) {
  absl::MutexLock lock(&mutex_);
  const Stock& stock = stocks_[view];
  return stock.ready.size() + stock.in_use < stock_;
}

void ReadyWorkspaces::Put(const std::shared_ptr<const ViewRuleset>& view,
                          ReadyWorkspace workspace) {
  absl::MutexLock lock(&mutex_);
  stocks_[view].ready.push_back(std::move(workspace));
}

void ReadyWorkspaces::Restock(const std::shared_ptr<const ViewRuleset>& view) {
  while (IsShort(view)) {
    absl::StatusOr<ReadyWorkspace> made = Make(*view);
    if (!made.ok()) return;
    ArmAhead(*made);
    Put(view, *std::move(made));
  }
}

void ReadyWorkspaces::GiveBack(const std::shared_ptr<const ViewRuleset>& view,
                               ReadyWorkspace workspace) {
  const bool renewed =
      HasRoom(view) && workspace.workspace.Renew().ok() &&
      (!workspace.cgroup.has_value() || workspace.cgroup->StartOver().ok());
  if (renewed) {
    ArmAhead(workspace);
    Put(view, std::move(workspace));
  }
  {
    absl::MutexLock lock(&mutex_);
    --stocks_[view].in_use;
  }
  Restock(view);
  if (!renewed) Discard(std::move(workspace));
}

absl::StatusOr<ReadyWorkspace> ReadyWorkspaces::Make(
    const ViewRuleset& view) const {
  std::optional<uint32_t> identity;
  std::optional<Owner> owner;
  if (identities_ != nullptr) {
    identity = identities_->Acquire();
    if (!identity.has_value()) {
      return absl::ResourceExhaustedError("every uid for runs is in use");
    }
    owner = Owner{*identity, *identity};
  }
  absl::StatusOr<ReadyWorkspace> made = MakeOwnedBy(owner, view);
  if (made.ok()) {
    made->identity = identity;
  } else if (identity.has_value()) {
    identities_->Release(*identity);
  }
  return made;
}

absl::StatusOr<ReadyWorkspace> ReadyWorkspaces::MakeOwnedBy(
    const std::optional<Owner>& owner, const ViewRuleset& view) const {
  absl::StatusOr<Workspace> workspace = root_->Create(owner);
  if (!workspace.ok()) return workspace.status();
  absl::StatusOr<UniqueFd> ruleset = view.Create({workspace->fd()});
  if (!ruleset.ok()) return ruleset.status();
  ReadyWorkspace made = {std::nullopt, *std::move(workspace),
                         *std::move(ruleset), std::nullopt, std::nullopt};
  if (cgroups_ != nullptr) {
    absl::StatusOr<RunCgroup> cgroup = cgroups_->Create();
    if (!cgroup.ok()) return cgroup.status();
    made.cgroup = *std::move(cgroup);
  }
  return made;
}

absl::StatusOr<ArmedChild> ReadyWorkspaces::Arm(const ReadyWorkspace& workspace,
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
  return launcher_->Arm(std::move(plan));
}

// Without one the run arms its own, and reports why that fails.
void ReadyWorkspaces::ArmAhead(ReadyWorkspace& workspace) const {
  if (workspace.child.has_value()) return;
  absl::StatusOr<ArmedChild> child =
      Arm(workspace, *policy_, workspace.workspace.fd());
  if (child.ok()) workspace.child = *std::move(child);
}

void ReadyWorkspaces::Discard(ReadyWorkspace workspace) {
  const std::optional<uint32_t> identity = workspace.identity;
  workspace.child.reset();
  workspace.cgroup.reset();
  // What cannot be removed now is removed at the next start.
  workspace.workspace.Remove().IgnoreError();
  if (identity.has_value()) identities_->Release(*identity);
}

}  // namespace cordon::sandbox
