// The door is Sandbox::Create, which wires the parts together.

#include "sandbox/sandbox.h"

#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/cgroup/cgroup_tree.h"
#include "sandbox/compile_cache.h"
#include "sandbox/execution.h"
#include "sandbox/host/calls_to_probe.h"
#include "sandbox/host/check_host.h"
#include "sandbox/host/probe_host.h"
#include "sandbox/policy/seccomp/syscall_table_x86_64.h"
#include "sandbox/run_policies.h"
#include "sandbox/warm/warm_templates.h"

namespace cordon::sandbox {
namespace {

// Where nothing indispensable is missing.
constexpr char kHowToDegrade[] =
    "\nwith allow_degraded it goes on without, and every result says so";

// Threads that measure directories: a large one does not hold up all others.
constexpr size_t kDiskWorkers = 2;

int Processors() {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// Directories, and children, kept ready for each view: more than the launches
// of a moment.
size_t ReadyWorkspacesWanted() {
  return static_cast<size_t>(std::max(4, 2 * Processors()));
}

// What Start returns when the run is over before it began.
class EndedRun : public Run {
 public:
  void Cancel() override {}
  void ResumeOutput() override {}
};

// Rulesets of the views in use: a few, since views come from the server's
// languages.
class ViewCache {
 public:
  absl::StatusOr<std::shared_ptr<const ViewRuleset>> Get(const FileView& view,
                                                         int abi)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const std::string key =
        absl::StrCat(absl::StrJoin(view.read_execute, "\n"), "\n\n",
                     absl::StrJoin(view.read, "\n"), "\n\n",
                     absl::StrJoin(view.read_write, "\n"));
    absl::MutexLock lock(&mutex_);
    std::shared_ptr<const ViewRuleset>& cached = cache_[key];
    if (cached == nullptr) {
      absl::StatusOr<ViewRuleset> opened = ViewRuleset::Open(view, abi);
      if (!opened.ok()) return opened.status();
      cached = std::make_shared<const ViewRuleset>(*std::move(opened));
    }
    return cached;
  }

 private:
  absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<const ViewRuleset>> cache_
      ABSL_GUARDED_BY(mutex_);
};

class SandboxImpl : public Sandbox {
 public:
  SandboxImpl(const SandboxOptions& options, HostFeatures host,
              HostAssessment assessment)
      : options_(options),
        host_(std::move(host)),
        enforcement_(std::move(assessment.enforcement)),
        degraded_(std::move(assessment.degraded)),
        identities_(options.first_run_uid, options.run_uid_count),
        launcher_(options.live_groups) {}

  absl::Status Initialize();

  std::shared_ptr<Run> Start(ExecutionSpec spec,
                             std::shared_ptr<RunObserver> observer,
                             StartOn thread) override;

  const HostFeatures& host() const override { return host_; }
  const Enforcement& enforcement() const override { return enforcement_; }
  const std::vector<std::string>& degraded() const override {
    return degraded_;
  }
  absl::Status WarmState(const std::string& profile) override {
    return templates_->StateOf(profile);
  }

 private:
  void StartThreads();
  absl::StatusOr<std::shared_ptr<const ViewRuleset>> ViewFor(
      const ExecutionSpec& spec);

  const SandboxOptions options_;
  const HostFeatures host_;
  const Enforcement enforcement_;
  const std::vector<std::string> degraded_;
  std::unique_ptr<const RunPolicies> policies_;
  std::unique_ptr<WorkspaceRoot> root_;
  IdentityPool identities_;
  Launcher launcher_;
  std::unique_ptr<WarmTemplates> templates_;
  std::unique_ptr<ReadyWorkspaces> workspaces_;
  ProcessTable processes_;
  ViewCache views_;
  std::unique_ptr<CompileCache> compiled_;
  std::atomic_flag on_callers_thread_;
  ExecutionContext context_;
  // Last, so that the threads end before what they use. All others give the
  // janitor work.
  std::unique_ptr<JanitorQueue> janitor_;
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::atomic<uint32_t> next_loop_ = 0;
  std::unique_ptr<DiskQueue> disk_;
  std::unique_ptr<LaunchQueue> launches_;
};

void SandboxImpl::StartThreads() {
  const int loops = options_.supervisor_threads > 0
                        ? options_.supervisor_threads
                        : Processors();
  for (int i = 0; i < loops; ++i) {
    loops_.push_back(std::make_unique<EventLoop>());
  }
  disk_ = std::make_unique<DiskQueue>(std::vector<DiskWorker>(kDiskWorkers));
  janitor_ = std::make_unique<JanitorQueue>(std::vector<Janitor>(1));
  const int launch_threads = options_.launcher_threads > 0
                                 ? options_.launcher_threads
                                 : std::max(2, Processors());
  launches_ = std::make_unique<LaunchQueue>(
      std::vector<LaunchThread>(static_cast<size_t>(launch_threads)));
}

absl::Status SandboxImpl::Initialize() {
  // Orphans of a run come to this process instead of to init (prctl(2)).
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    return ErrnoToStatus(errno, "prctl PR_SET_CHILD_SUBREAPER");
  }
  absl::StatusOr<std::unique_ptr<const RunPolicies>> policies =
      RunPolicies::Compile(host_);
  if (!policies.ok()) return policies.status();
  policies_ = *std::move(policies);
  absl::StatusOr<std::unique_ptr<WorkspaceRoot>> root =
      WorkspaceRoot::Open(options_.state_directory);
  if (!root.ok()) return root.status();
  root_ = *std::move(root);
  templates_ = std::make_unique<WarmTemplates>(options_.warm_profiles,
                                               options_.live_groups);
  workspaces_ = std::make_unique<ReadyWorkspaces>(
      root_.get(), host_.can_switch_identity ? &identities_ : nullptr,
      options_.cgroups, &launcher_, templates_.get(), policies_.get(),
      ReadyWorkspacesWanted());
  if (options_.compile_cache_bytes > 0) {
    compiled_ = std::make_unique<CompileCache>(options_.compile_cache_bytes);
  }
  StartThreads();
  context_ = {
      .options = &options_,
      .host = &host_,
      .enforcement = &enforcement_,
      .policies = policies_.get(),
      .workspaces = workspaces_.get(),
      .compiled = compiled_.get(),
      .networks = options_.networks,
      .processes = &processes_,
      .disk = disk_.get(),
      .launches = launches_.get(),
      .on_callers_thread = &on_callers_thread_,
      .janitor = janitor_.get(),
  };
  return absl::OkStatus();
}

// Which socket a call is about, and whether the run has one still, /proc says.
absl::StatusOr<std::shared_ptr<const ViewRuleset>> SandboxImpl::ViewFor(
    const ExecutionSpec& spec) {
  const bool needs_sight = spec.network.access != NetworkAccess::kNone ||
                           spec.filesystem == Filesystem::kVirtual;
  if (needs_sight && !host_.child_memory_readable) {
    return absl::FailedPreconditionError(
        "a run can have a network or a file system of its own only where the "
        "server may look at its processes: as root it takes CAP_SYS_PTRACE");
  }
  return views_.Get(spec.view, host_.landlock_abi);
}

// An error before the run begins is reported on a thread of the sandbox.
std::shared_ptr<Run> SandboxImpl::Start(ExecutionSpec spec,
                                        std::shared_ptr<RunObserver> observer,
                                        StartOn thread) {
  absl::StatusOr<std::shared_ptr<const ViewRuleset>> view = ViewFor(spec);
  if (!view.ok()) {
    launches_->Submit([observer = std::move(observer), status = view.status()](
                          LaunchThread&) { observer->OnFinished(status); });
    return std::make_shared<EndedRun>();
  }
  EventLoop* loop =
      loops_[next_loop_.fetch_add(1, std::memory_order_relaxed) % loops_.size()]
          .get();
  auto execution = std::make_shared<Execution>(
      &context_, loop, *std::move(view), std::move(spec), std::move(observer));
  execution->Start(thread);
  return execution;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Sandbox>> Sandbox::Create(
    const SandboxOptions& options) {
  // A process that was started with SIGCHLD ignored has its children reaped by
  // the kernel, and their ends are lost (wait(2)).
  signal(SIGCHLD, SIG_DFL);
  // The probed calls are violations whatever the signals' scope is.
  absl::StatusOr<HostFeatures> host =
      ProbeHost({.calls = CallsToProbe(DefaultPolicy({})),
                 .first_run_uid = options.first_run_uid,
                 .run_uid_count = options.run_uid_count});
  if (!host.ok()) return host.status();
  if (options.cgroups != nullptr) {
    host->cgroup_version =
        options.cgroups->version() == CgroupVersion::kV2 ? 2 : 1;
  }
  HostAssessment assessment = AssessHost(*host);
  const std::vector<std::string>& unmet =
      options.allow_degraded ? assessment.indispensable : assessment.missing;
  if (!unmet.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("this host cannot enforce the policy:\n  ",
                     absl::StrJoin(unmet, "\n  "),
                     assessment.indispensable.empty() ? kHowToDegrade : ""));
  }
  auto sandbox = std::make_unique<SandboxImpl>(options, *std::move(host),
                                               std::move(assessment));
  if (absl::Status status = sandbox->Initialize(); !status.ok()) return status;
  return sandbox;
}

}  // namespace cordon::sandbox
