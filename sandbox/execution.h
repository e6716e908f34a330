// Execution: one run from its specification to its outcome: the directory, the
// compile step where there is one, the program, the files it leaves.
//
// It goes back and forth between two kinds of thread: what may block (making
// the directory, launching, collecting) happens on a launch thread, or on the
// one that called Start (StartOn), what must not (events of the running
// program) on a supervisor's loop. Each hands over to the next exactly once, so
// that no lock is needed but for Cancel and ResumeOutput, which come from
// anywhere.

#ifndef CORDON_SANDBOX_EXECUTION_H_
#define CORDON_SANDBOX_EXECUTION_H_

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/compile_cache.h"
#include "sandbox/launch/armed_child.h"
#include "sandbox/launch/prepared_child.h"
#include "sandbox/network/private_networks.h"
#include "sandbox/paths/virtual_tree.h"
#include "sandbox/policy/landlock/ruleset.h"
#include "sandbox/ready_workspaces.h"
#include "sandbox/run_policies.h"
#include "sandbox/sandbox.h"
#include "sandbox/supervise/disk_meter.h"
#include "sandbox/supervise/event_loop.h"
#include "sandbox/supervise/process_table.h"
#include "sandbox/supervise/supervision.h"
#include "sandbox/warm/warm_fork.h"
#include "sandbox/work_queue.h"

namespace cordon::sandbox {

// A thread that may block.
struct LaunchThread {};
using LaunchQueue = WorkQueue<LaunchThread>;
struct Janitor {};
using JanitorQueue = WorkQueue<Janitor>;

// What all executions share. Outlives them.
struct ExecutionContext {
  const SandboxOptions* options = nullptr;
  const HostFeatures* host = nullptr;
  const Enforcement* enforcement = nullptr;
  const RunPolicies* policies = nullptr;
  ReadyWorkspaces* workspaces = nullptr;
  // Null: nothing that is compiled is kept.
  CompileCache* compiled = nullptr;
  // Null: this host allows none.
  PrivateNetworks* networks = nullptr;
  ProcessTable* processes = nullptr;
  DiskQueue* disk = nullptr;
  LaunchQueue* launches = nullptr;
  // Set while a run begins on its caller's thread.
  std::atomic_flag* on_callers_thread = nullptr;
  // Makes and removes directories, which may take long.
  JanitorQueue* janitor = nullptr;
};

class Execution : public Run,
                  public StepObserver,
                  public std::enable_shared_from_this<Execution> {
 public:
  Execution(const ExecutionContext* context, EventLoop* loop,
            std::shared_ptr<const ViewRuleset> view, ExecutionSpec spec,
            std::shared_ptr<RunObserver> observer);
  ~Execution() override = default;

  // Keeps the object alive until OnFinished.
  void Start(StartOn thread);

  void Cancel() override;
  void ResumeOutput() override;

  Flow OnOutput(OutputStream stream, absl::string_view data,
                uint64_t offset) override;
  void OnViolation(const Violation& violation) override;
  void OnStepFinished(absl::StatusOr<Outcome> outcome) override;

 private:
  enum class Phase { kCompile, kProgram };

  Step& CurrentStep();
  const RunPolicy& CurrentPolicy() const;
  bool TakeAllThatIsReady();
  void Begin();
  absl::Status FillWorkspace();
  void MakeNetwork();
  void FindCompiled();
  bool OnClaim(CompileClaim& claim) ABSL_LOCKS_EXCLUDED(mutex_);
  void UseClaim();
  absl::Status TakeCompiled();
  void KeepCompiled();
  void LaunchStep();
  absl::Status Prepare();
  bool IsUsual() const;
  bool MayStartWarm() const;
  WorkspaceKind Kind() const;
  bool OrderWarm();
  bool OrderAhead();
  absl::Status OrderNew();
  absl::StatusOr<ArmedChild> ArmChild();
  void LaunchNew();
  void AwaitStart();
  void Supervise(RunningChild child);
  Outcome StartFailed(const StartFailure& failure) const;
  void OnCompiled(Outcome outcome);
  void OnProgramEnded(Outcome outcome);
  void Collect(Outcome outcome);
  void Finish(absl::StatusOr<Outcome> outcome);
  bool cancelled() ABSL_LOCKS_EXCLUDED(mutex_);

  const ExecutionContext* const context_;
  EventLoop* const loop_;
  const std::shared_ptr<const ViewRuleset> view_;
  ExecutionSpec spec_;
  std::shared_ptr<RunObserver> observer_;
  Enforcement enforcement_;

  // From Start to Finish.
  std::shared_ptr<Execution> self_;
  Phase phase_;
  // It begins on the thread that called Start.
  bool on_callers_thread_ = false;
  bool started_ = false;
  std::optional<ReadyWorkspace> workspace_;
  // Of a run with a file system of its own, until its program is supervised.
  std::optional<VirtualTree> tree_;
  // Of the two phases, opened before any program could put something else
  // there.
  UniqueFd compile_directory_;
  UniqueFd program_directory_;
  // Of a run with one of its own, until its program is supervised.
  UniqueFd network_;
  // What is being launched.
  std::optional<PreparedChild> program_;
  std::optional<ArmedChild> child_;
  std::optional<WarmFork> fork_;
  bool warm_ = false;
  bool tried_again_ = false;
  // Of the compile step, and what it is about; empty: none.
  std::string compile_key_;
  std::optional<CompileClaim> claim_;
  // What was in the run's directory before it.
  std::set<std::string> before_compiling_;
  // What the compiler printed.
  std::string compile_stdout_;
  std::string compile_stderr_;
  std::shared_ptr<const Outcome::Compilation> compilation_;

  absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  // Somebody else compiles the same.
  bool awaits_claim_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Supervision> supervision_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_EXECUTION_H_
