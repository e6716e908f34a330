// The sandbox: runs untrusted programs, as a library that knows neither gRPC
// nor protobuf.
//
//   auto sandbox = Sandbox::Create(options);  // StatusOr<unique_ptr<Sandbox>>
//   ExecutionSpec spec;
//   spec.program.argv = {"/bin/echo", "hello"};
//   std::shared_ptr<Run> run = (*sandbox)->Start(std::move(spec), observer);
//
// What it does not do: queue or count runs (the server's admission does), or
// protect against bugs of the kernel and side channels of the processor.
//
// Contract: Create must be called before the process starts any other thread.
// It makes the process a subreaper (PR_SET_CHILD_SUBREAPER, prctl(2)), gives
// SIGCHLD its default disposition, which must stay, and a child of the process
// in a process group of its own belongs to the sandbox. One Sandbox per
// process.

#ifndef CORDON_SANDBOX_SANDBOX_H_
#define CORDON_SANDBOX_SANDBOX_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sandbox/cgroup/cgroup_tree.h"
#include "sandbox/host/host_features.h"
#include "sandbox/spec/enforcement.h"
#include "sandbox/spec/execution_spec.h"
#include "sandbox/spec/outcome.h"
#include "sandbox/spec/violation.h"
#include "sandbox/warm/template_program.h"

namespace cordon::sandbox {

class LiveGroups;
class PrivateNetworks;

enum class OutputStream { kStdout, kStderr };

// Who begins a run.
enum class StartOn {
  // A thread of the sandbox: Start returns at once.
  kSandboxThread,
  // The thread that calls Start, if no other does this, and the run has a child
  // ready and few files. It spares the run a thread's waking, and keeps the
  // caller until the program has started: a fraction of a millisecond where
  // neither the disk nor the processors are busy.
  kCallersThread,
};

// Whether an observer can take more output now.
enum class Flow { kContinue, kPause };

// Receives what happens in one run. Calls come one at a time, on threads of the
// sandbox or inside Start (StartOn), and must not block. Order: OnStarted once,
// then OnOutput and OnViolation as they happen, then OnFinished once, last. A
// run that fails before it starts gets OnFinished only.
class RunObserver {
 public:
  virtual ~RunObserver() = default;

  // The program (or, before it, its compiler) was started.
  virtual void OnStarted(const Enforcement& enforcement) = 0;

  // `data` is valid during the call; `offset` is the position of its first byte
  // in the stream. After kPause the sandbox reads no more output of this run
  // until Run::ResumeOutput, so the program blocks when its pipe is full.
  virtual Flow OnOutput(OutputStream stream, absl::string_view data,
                        uint64_t offset) = 0;

  // Called at most SandboxOptions::max_violations times, and once more for a
  // violation that ends the run.
  virtual void OnViolation(const Violation& violation) = 0;

  // How the run ended, or why the service could not run it (see FailureOf in
  // base/errno_status.h). CANCELLED after Run::Cancel. When this is called no
  // process of the run exists any more.
  virtual void OnFinished(absl::StatusOr<Outcome> outcome) = 0;
};

// One run, alive until OnFinished. Methods may be called from any thread, at
// any time, also after the run has ended.
class Run {
 public:
  virtual ~Run() = default;
  // Kills every process of the run at once. OnFinished follows.
  virtual void Cancel() = 0;
  // After OnOutput returned kPause.
  virtual void ResumeOutput() = 0;
};

struct SandboxOptions {
  // Directory that run directories are created in: absolute, exists, writable
  // by this process, and used by it alone.
  std::string state_directory;
  // Threads that launch programs and create and collect their directories. 0:
  // the number of processors, at least 2.
  int launcher_threads = 0;
  // Event loops that supervise running programs. 0: the number of processors.
  int supervisor_threads = 0;
  // Violations that one run keeps; the rest are counted.
  int max_violations = 64;
  // Bytes of what compile steps made that are kept for equal ones
  // (compile_cache.h); 0: nothing is.
  uint64_t compile_cache_bytes = uint64_t{256} << 20;
  // Bytes of all collected output files of one run.
  uint64_t max_collected_bytes = uint64_t{32} << 20;
  // First uid and gid that runs get, and how many there are, when the process
  // is root. One run uses one at a time.
  uint32_t first_run_uid = 200000;
  uint32_t run_uid_count = 65536;
  // Where runs get control groups; null: they get none. What is limited is the
  // same without, and measured less closely. Outlives the sandbox.
  CgroupTree* cgroups = nullptr;
  // Where a run of NetworkAccess::kLoopback gets a network of its own; null: it
  // has the host's loopback addresses. Outlives the sandbox.
  PrivateNetworks* networks = nullptr;
  // Gets the process group of every run (keeper/live_groups.h), for a keeper
  // that ends them when this process is killed; without it, the descendants of
  // a run's first process would go on then. Outlives the sandbox.
  LiveGroups* live_groups = nullptr;
  // Templates that runs can be forks of.
  std::vector<WarmProfile> warm_profiles;
  // Go on when the host lacks a feature, and report what is given up.
  bool allow_degraded = false;
};

class Sandbox {
 public:
  virtual ~Sandbox() = default;

  // Probes the host and starts the threads. FAILED_PRECONDITION, naming every
  // missing feature, when the host cannot enforce the policy and
  // `allow_degraded` is off.
  static absl::StatusOr<std::unique_ptr<Sandbox>> Create(
      const SandboxOptions& options);

  // Starts a run. Never fails: every error arrives at `observer->OnFinished`.
  // `observer` is kept until then.
  virtual std::shared_ptr<Run> Start(ExecutionSpec spec,
                                     std::shared_ptr<RunObserver> observer,
                                     StartOn thread) = 0;
  std::shared_ptr<Run> Start(ExecutionSpec spec,
                             std::shared_ptr<RunObserver> observer) {
    return Start(std::move(spec), std::move(observer), StartOn::kSandboxThread);
  }

  virtual const HostFeatures& host() const = 0;
  // What every run on this host gets.
  virtual const Enforcement& enforcement() const = 0;
  // Why a profile has no template now: its runs are executed. OK when it has.
  virtual absl::Status WarmState(const std::string& profile) = 0;
  // The features that `allow_degraded` gives up, one line each; empty when
  // none.
  virtual const std::vector<std::string>& degraded() const = 0;
};

// The files of the host that every run may see (see docs): the server adds the
// language's own.
FileView DefaultFileView();

// And those that the resolver of a run with a network reads (resolver(5)).
std::vector<std::string> NetworkFiles();

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SANDBOX_H_
