#include "tests/support/sandbox_fixture.h"

#include <signal.h>
#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "gtest/gtest.h"
#include "sandbox/cgroup/open_cgroups.h"
#include "tests/support/degraded_host.h"

namespace cordon::testing {

using sandbox::ExecutionSpec;
using sandbox::Flow;
using sandbox::Outcome;
using sandbox::OutputStream;
using sandbox::Violation;

void RecordingObserver::OnStarted(const sandbox::Enforcement&) {
  absl::MutexLock lock(&mutex_);
  started_ = true;
}

Flow RecordingObserver::OnOutput(OutputStream stream, absl::string_view data,
                                 uint64_t offset) {
  absl::MutexLock lock(&mutex_);
  std::string& kept = stream == OutputStream::kStdout ? stdout_ : stderr_;
  if (stream == OutputStream::kStdout && stdout_.empty()) {
    first_stdout_offset_ = offset;
  }
  kept.append(data.data(), data.size());
  return pause_ ? Flow::kPause : Flow::kContinue;
}

void RecordingObserver::OnViolation(const Violation& violation) {
  absl::MutexLock lock(&mutex_);
  violations_.push_back(violation);
}

void RecordingObserver::OnFinished(absl::StatusOr<Outcome> outcome) {
  absl::MutexLock lock(&mutex_);
  result_ = std::move(outcome);
  finished_ = true;
}

bool RecordingObserver::WaitForOutput(OutputStream stream,
                                      absl::string_view text) {
  absl::MutexLock lock(&mutex_);
  const std::string& kept = stream == OutputStream::kStdout ? stdout_ : stderr_;
  const auto settled = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return finished_ || absl::StrContains(kept, text);
  };
  mutex_.Await(absl::Condition(&settled));
  return absl::StrContains(kept, text);
}

void RecordingObserver::WaitForEnd() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&finished_));
}

void RecordingObserver::PauseOnOutput() {
  absl::MutexLock lock(&mutex_);
  pause_ = true;
}

void RecordingObserver::Unpause() {
  absl::MutexLock lock(&mutex_);
  pause_ = false;
}

bool RecordingObserver::started() const {
  absl::MutexLock lock(&mutex_);
  return started_;
}

std::string RecordingObserver::stdout_data() const {
  absl::MutexLock lock(&mutex_);
  return stdout_;
}

std::string RecordingObserver::stderr_data() const {
  absl::MutexLock lock(&mutex_);
  return stderr_;
}

uint64_t RecordingObserver::first_stdout_offset() const {
  absl::MutexLock lock(&mutex_);
  return first_stdout_offset_;
}

std::vector<Violation> RecordingObserver::violations() const {
  absl::MutexLock lock(&mutex_);
  return violations_;
}

absl::StatusOr<Outcome> RecordingObserver::result() const {
  absl::MutexLock lock(&mutex_);
  return result_;
}

Outcome RecordingObserver::outcome() const {
  const absl::StatusOr<Outcome> result = this->result();
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *result : Outcome();
}

SandboxFixture::SandboxFixture(const FixtureOptions& fixture) {
  // Runs with a uid of their own must be able to pass through.
  char pattern[] = "/tmp/cordon-test-XXXXXX";
  if (mkdtemp(pattern) == nullptr) {
    std::perror("mkdtemp");
    std::abort();
  }
  state_directory_ = pattern;
  std::filesystem::permissions(state_directory_,
                               std::filesystem::perms::owner_all |
                                   std::filesystem::perms::group_exec |
                                   std::filesystem::perms::others_exec);
  // As a careless parent leaves it: without Create's care every program here
  // would seem to exit with 0.
  signal(SIGCHLD, SIG_IGN);
  sandbox::SandboxOptions options;
  options.state_directory = state_directory_;
  // Where there are none, or with CORDON_TEST_CGROUPS=never, runs are measured
  // through /proc; every test must pass either way.
  const char* wanted = std::getenv("CORDON_TEST_CGROUPS");
  if (wanted == nullptr || std::string(wanted) != "never") {
    auto cgroups = sandbox::OpenCgroups(state_directory_);
    if (cgroups.ok()) cgroups_ = *std::move(cgroups);
  }
  options.cgroups = cgroups_.get();
  if (fixture.own_networks) {
    auto networks = sandbox::PrivateNetworks::Start();
    if (networks.ok()) networks_ = *std::move(networks);
  }
  options.networks = networks_.get();
  options.warm_profiles = fixture.warm_profiles;
  options.allow_degraded = HostIsDegraded();
  absl::StatusOr<std::unique_ptr<sandbox::Sandbox>> sandbox =
      sandbox::Sandbox::Create(options);
  if (!sandbox.ok()) {
    std::fprintf(stderr, "%s\n", sandbox.status().ToString().c_str());
    std::abort();
  }
  sandbox_ = *std::move(sandbox);
}

int RaceSeconds() {
  const char* wanted = std::getenv("CORDON_TEST_RACE_SECONDS");
  int seconds = 2;
  if (wanted != nullptr && !absl::SimpleAtoi(wanted, &seconds)) std::abort();
  return seconds;
}

sandbox::Limits RaceLimits() {
  sandbox::Limits limits;
  limits.wall_time = absl::Seconds(30) + absl::Seconds(4 * RaceSeconds());
  limits.cpu_time = absl::Seconds(30) + absl::Seconds(4 * RaceSeconds());
  return limits;
}

SandboxFixture::~SandboxFixture() {
  sandbox_.reset();
  networks_.reset();
  cgroups_.reset();
  std::filesystem::remove_all(state_directory_);
}

std::shared_ptr<RecordingObserver> SandboxFixture::Run(ExecutionSpec spec) {
  auto observer = std::make_shared<RecordingObserver>();
  // Every test must pass either way.
  sandbox_->Start(std::move(spec), observer,
                  ++runs_ % 2 == 0 ? sandbox::StartOn::kSandboxThread
                                   : sandbox::StartOn::kCallersThread);
  observer->WaitForEnd();
  return observer;
}

bool PythonStartsWarm() {
  const char* wanted = std::getenv("CORDON_TEST_START");
  return wanted != nullptr && std::string(wanted) == "warm";
}

namespace {

FixtureOptions SharedOptions() {
  FixtureOptions options;
  if (PythonStartsWarm()) options.warm_profiles = {PythonProfile({"ctypes"})};
  return options;
}

}  // namespace

SandboxFixture& SharedSandbox() {
  static SandboxFixture fixture(SharedOptions());
  return fixture;
}

ExecutionSpec CommandSpec(std::vector<std::string> argv) {
  ExecutionSpec spec;
  spec.program.argv = std::move(argv);
  spec.program.environment = {"PATH=/usr/local/bin:/usr/bin:/bin",
                              "LANG=C.UTF-8"};
  spec.view = sandbox::DefaultFileView();
  // So long that a run meets it only where it is the subject: on a busy machine
  // every other end takes its time.
  spec.program.limits.wall_time = absl::Minutes(4);
  spec.program.limits.cpu_time = absl::Minutes(4);
  return spec;
}

ExecutionSpec BashSpec(const std::string& script) {
  return CommandSpec({"/bin/bash", "-c", script});
}

ExecutionSpec PythonSpec(const std::string& code) {
  if (PythonStartsWarm()) return WarmSpec(code);
  return CommandSpec({"/usr/bin/python3", "-c", code});
}

sandbox::WarmProfile PythonProfile(std::vector<std::string> modules) {
  return {.name = "python",
          .interpreter = "/usr/bin/python3",
          .modules = std::move(modules),
          .environment = CommandSpec({}).program.environment,
          .start_variables = {"PYTHON", "LANG", "LC_", "LD_", "TZ"},
          // On a busy machine a test waits for what it is about.
          .fork_patience = absl::Minutes(1)};
}

ExecutionSpec WarmSpec(const std::string& code, const std::string& profile) {
  ExecutionSpec spec = CommandSpec({"/usr/bin/python3", "main.py"});
  spec.files.push_back({"main.py", code});
  spec.warm_profile = profile;
  return spec;
}

}  // namespace cordon::testing
