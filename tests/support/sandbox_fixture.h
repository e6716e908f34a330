// Runs programs through a real Sandbox, for tests.
//
//   RunRecord record = SharedSandbox().Run(BashSpec("echo hello"));
//   EXPECT_EQ(record.outcome().kind, OutcomeKind::kExited);

#ifndef CORDON_TESTS_SUPPORT_SANDBOX_FIXTURE_H_
#define CORDON_TESTS_SUPPORT_SANDBOX_FIXTURE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "sandbox/cgroup/cgroup_tree.h"
#include "sandbox/network/private_networks.h"
#include "sandbox/sandbox.h"

namespace cordon::testing {

// Keeps everything that happens in one run. Thread-safe.
class RecordingObserver : public sandbox::RunObserver {
 public:
  void OnStarted(const sandbox::Enforcement& enforcement) override;
  sandbox::Flow OnOutput(sandbox::OutputStream stream, absl::string_view data,
                         uint64_t offset) override;
  void OnViolation(const sandbox::Violation& violation) override;
  void OnFinished(absl::StatusOr<sandbox::Outcome> outcome) override;

  // Blocks until the stream holds `text`, or the run is over (false).
  bool WaitForOutput(sandbox::OutputStream stream, absl::string_view text);
  // Blocks until the run is over.
  void WaitForEnd();

  // Answer kPause after the first output, until `Unpause`.
  void PauseOnOutput();
  void Unpause();

  bool started() const;
  std::string stdout_data() const;
  std::string stderr_data() const;
  // Offset of the first byte of stdout that arrived.
  uint64_t first_stdout_offset() const;
  std::vector<sandbox::Violation> violations() const;
  // After the end.
  absl::StatusOr<sandbox::Outcome> result() const;
  // The same; fails the test when the run has no outcome.
  sandbox::Outcome outcome() const;

 private:
  mutable absl::Mutex mutex_;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool pause_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::string stdout_ ABSL_GUARDED_BY(mutex_);
  std::string stderr_ ABSL_GUARDED_BY(mutex_);
  uint64_t first_stdout_offset_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<sandbox::Violation> violations_ ABSL_GUARDED_BY(mutex_);
  absl::StatusOr<sandbox::Outcome> result_ ABSL_GUARDED_BY(mutex_) =
      absl::UnknownError("the run is not over");
};

struct FixtureOptions {
  // Networks of the runs' own where the host allows that.
  bool own_networks = false;
  // Templates that runs can be forks of.
  std::vector<sandbox::WarmProfile> warm_profiles;
};

class SandboxFixture {
 public:
  // Dies when the host cannot run the sandbox: a test that cannot run fails.
  explicit SandboxFixture(const FixtureOptions& fixture = {});
  ~SandboxFixture();

  sandbox::Sandbox& sandbox() { return *sandbox_; }
  const std::string& state_directory() const { return state_directory_; }
  // Whether runs get networks of their own.
  bool has_networks() const {
    return networks_ != nullptr && sandbox_->host().can_switch_identity;
  }
  // Runs to the end.
  std::shared_ptr<RecordingObserver> Run(sandbox::ExecutionSpec spec);

 private:
  std::string state_directory_;
  std::unique_ptr<sandbox::CgroupTree> cgroups_;
  std::unique_ptr<sandbox::PrivateNetworks> networks_;
  std::unique_ptr<sandbox::Sandbox> sandbox_;
  std::atomic<unsigned> runs_ = 0;
};

// How long the two sides of a race go on: CORDON_TEST_RACE_SECONDS, or 2. A
// minute is millions of changes of what the supervisor looks at.
int RaceSeconds();
// For a step that races for so long.
sandbox::Limits RaceLimits();

// One for the whole test process: a process has one Sandbox.
SandboxFixture& SharedSandbox();

// A spec with the default view, PATH set, and these arguments.
sandbox::ExecutionSpec CommandSpec(std::vector<std::string> argv);
// `bash -c script`.
sandbox::ExecutionSpec BashSpec(const std::string& script);
// `python3 -c code`. With CORDON_TEST_START=warm, in SharedSandbox(), it is
// what WarmSpec makes: every test must pass either way.
sandbox::ExecutionSpec PythonSpec(const std::string& code);
bool PythonStartsWarm();

// A profile of Python with these modules, as CommandSpec starts it.
sandbox::WarmProfile PythonProfile(std::vector<std::string> modules);
// `python3 main.py`, as a fork of the profile's template.
sandbox::ExecutionSpec WarmSpec(const std::string& code,
                                const std::string& profile = "python");

}  // namespace cordon::testing

#endif  // CORDON_TESTS_SUPPORT_SANDBOX_FIXTURE_H_
