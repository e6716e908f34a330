// The doors are Start, Cancel and ResumeOutput. Read on in the order of a run:
// Begin, LaunchStep, AwaitStart, Supervise, OnStepFinished, Collect, Finish.

#include "sandbox/execution.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace cordon::sandbox {
namespace {

// As the kernel names what is there: a view may name it by a link.
std::vector<std::string> WithTargets(const std::vector<std::string>& paths) {
  std::vector<std::string> all = paths;
  for (const std::string& path : paths) {
    std::error_code error;
    std::filesystem::path target = std::filesystem::canonical(path, error);
    if (!error && target != path) all.push_back(target.string());
  }
  return all;
}

ReadableView Readable(const FileView& view) {
  return {WithTargets(view.read_execute), WithTargets(view.read)};
}

// What the host gives, less what the request does without.
Enforcement WithNetwork(Enforcement enforcement, NetworkAccess access,
                        bool is_own) {
  switch (access) {
    case NetworkAccess::kNone:
      break;
    case NetworkAccess::kLoopback:
      if (is_own) break;
      [[fallthrough]];
    case NetworkAccess::kAllowList:
      if (enforcement.network.level == EnforcementLevel::kNone) break;
      if (!enforcement.network.reason.empty()) {
        enforcement.network.reason += "; ";
      }
      enforcement.network.level = EnforcementLevel::kPartial;
      enforcement.network.reason +=
          "loopback ports are the host's: only one run can listen on one, and "
          "the host's other processes can connect to it";
      break;
    case NetworkAccess::kFull:
      enforcement.network = {EnforcementLevel::kNone,
                             "the request has the whole network"};
  }
  return enforcement;
}

// Relative paths of all that is in a directory, which no process changes.
std::set<std::string> PathsIn(const std::string& directory) {
  namespace fs = std::filesystem;
  std::set<std::string> paths;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(directory, error), end;
       !error && entry != end; entry.increment(error)) {
    paths.insert(entry->path().string().substr(directory.size() + 1));
  }
  // As if there were something that cannot be kept.
  if (error) paths.insert("");
  return paths;
}

// What the thread that calls Start may be kept with: so much to write, where
// making a file or a directory counts as much.
constexpr size_t kFewBytes = 64 << 10;
constexpr size_t kCostOfMaking = 4 << 10;

size_t CostOf(const InputFile& file) {
  const auto directories = std::count(file.path.begin(), file.path.end(), '/');
  return file.content.size() +
         kCostOfMaking * (1 + static_cast<size_t>(directories));
}

// What a run leaves to do waits so long for the next program to start: no
// longer than another request would wait that finds nothing ready.
constexpr absl::Duration kMostPutOff = absl::Milliseconds(1);

absl::Status Cancelled() {
  return absl::CancelledError("the run was cancelled");
}

}  // namespace

Execution::Execution(const ExecutionContext* context, EventLoop* loop,
                     std::shared_ptr<const ViewRuleset> view,
                     ExecutionSpec spec, std::shared_ptr<RunObserver> observer)
    : context_(context),
      loop_(loop),
      view_(std::move(view)),
      spec_(std::move(spec)),
      observer_(std::move(observer)),
      phase_(spec_.compile.has_value() ? Phase::kCompile : Phase::kProgram) {}

void Execution::Start(StartOn thread) {
  self_ = shared_from_this();
  std::atomic_flag& only = *context_->on_callers_thread;
  const bool here = thread == StartOn::kCallersThread && !only.test_and_set();
  on_callers_thread_ = here && TakeAllThatIsReady();
  if (on_callers_thread_) {
    Begin();
  } else {
    context_->launches->Submit([this](LaunchThread&) { Begin(); });
  }
  if (here) only.clear();
}

void Execution::Cancel() {
  absl::MutexLock lock(&mutex_);
  cancelled_ = true;
  if (supervision_ != nullptr) supervision_->Kill();
  if (std::exchange(awaits_claim_, false)) {
    context_->launches->Submit([this](LaunchThread&) { Finish(Cancelled()); });
  }
}

void Execution::ResumeOutput() {
  absl::MutexLock lock(&mutex_);
  if (supervision_ != nullptr) supervision_->ResumeOutput();
}

bool Execution::cancelled() {
  absl::MutexLock lock(&mutex_);
  return cancelled_;
}

Step& Execution::CurrentStep() {
  return phase_ == Phase::kCompile ? *spec_.compile : spec_.program;
}

const RunPolicy& Execution::CurrentPolicy() const {
  PolicyChoice choice = {.audit = spec_.audit};
  if (phase_ == Phase::kProgram) {
    choice.network = spec_.network.access;
    choice.filesystem = spec_.filesystem;
  }
  return context_->policies->For(choice);
}

// Starts in its home and under the usual policy, as the children do that were
// armed ahead.
bool Execution::IsUsual() const {
  return !spec_.compile.has_value() &&
         spec_.program.working_directory.empty() &&
         spec_.filesystem == Filesystem::kHost &&
         spec_.audit == AuditScope::kWrites &&
         spec_.network.access == NetworkAccess::kNone;
}

// As a fork of a template. Anything else is executed.
bool Execution::MayStartWarm() const {
  if (!IsUsual() || spec_.warm_profile.empty()) return false;
  for (const WarmProfile& profile : context_->options->warm_profiles) {
    if (profile.name != spec_.warm_profile) continue;
    return StartsAlike(profile, spec_.program.environment);
  }
  return false;
}

WorkspaceKind Execution::Kind() const {
  return {view_, spec_.filesystem, MayStartWarm() ? spec_.warm_profile : ""};
}

// Whether that is all that can be made ahead, and little is left to do before
// the program starts.
bool Execution::TakeAllThatIsReady() {
  if (!IsUsual()) return false;
  size_t cost = 0;
  for (const InputFile& file : spec_.files) cost += CostOf(file);
  if (cost > kFewBytes) return false;
  const WorkspaceKind kind = Kind();
  workspace_ = context_->workspaces->TakeReady(kind);
  if (!workspace_.has_value()) return false;
  return kind.warm_profile.empty() ? workspace_->child.has_value()
                                   : workspace_->fork.has_value();
}

// --------------------------- on a launch thread, or the one that called Start

void Execution::Begin() {
  if (cancelled()) return Finish(Cancelled());
  if (context_->compiled != nullptr) compile_key_ = CompileKey(spec_);
  if (absl::Status status = FillWorkspace(); !status.ok()) {
    return Finish(std::move(status));
  }
  MakeNetwork();
  if (compile_key_.empty()) return LaunchStep();
  FindCompiled();
}

// The lock is held while it asks: an answer that comes at once, on another
// thread, finds that it is awaited.
void Execution::FindCompiled() {
  {
    absl::MutexLock lock(&mutex_);
    std::optional<CompileClaim> claim = context_->compiled->Get(
        compile_key_,
        [self = self_](CompileClaim& later) { return self->OnClaim(later); });
    awaits_claim_ = !claim.has_value() && !cancelled_;
    if (awaits_claim_) return;
    if (claim.has_value()) claim_.emplace(*std::move(claim));
  }
  UseClaim();
}

// On the thread of whoever compiled. A run that was cancelled meanwhile leaves
// the claim to the next.
bool Execution::OnClaim(CompileClaim& claim) {
  absl::MutexLock lock(&mutex_);
  if (!std::exchange(awaits_claim_, false)) return false;
  claim_.emplace(std::move(claim));
  context_->launches->Submit([this](LaunchThread&) { UseClaim(); });
  return true;
}

void Execution::UseClaim() {
  if (cancelled()) return Finish(Cancelled());
  if (claim_->kept() != nullptr) {
    absl::Status taken = TakeCompiled();
    if (!taken.ok()) return Finish(std::move(taken));
  } else {
    before_compiling_ = PathsIn(workspace_->workspace.home());
  }
  LaunchStep();
}

absl::Status Execution::TakeCompiled() {
  const Compiled& kept = *claim_->kept();
  absl::Status filled = workspace_->workspace.Fill(kept.files);
  if (!filled.ok()) return filled;
  auto compilation = std::make_shared<Outcome::Compilation>(kept.compilation);
  compilation->outcome.usage = {.compile_cache = CompileCacheUse::kHit};
  compilation->outcome.enforcement = enforcement_;
  compilation_ = std::move(compilation);
  phase_ = Phase::kProgram;
  return absl::OkStatus();
}

// No process of the step is left, and the program has not begun.
void Execution::KeepCompiled() {
  if (!claim_.has_value()) return;
  std::set<std::string> expected = std::move(before_compiling_);
  expected.insert(spec_.compile->artefacts.begin(),
                  spec_.compile->artefacts.end());
  bool is_whole = compilation_->outcome.violations.empty() &&
                  compilation_->outcome.violations_dropped == 0 &&
                  PathsIn(workspace_->workspace.home()) == expected;
  Compiled compiled;
  for (CollectedFile& file : workspace_->workspace.Collect(
           spec_.compile->artefacts, context_->options->max_collected_bytes)) {
    is_whole = is_whole && file.error.empty();
    compiled.files.push_back(
        {std::move(file.path), std::move(file.content), FileMode::kExecutable});
  }
  if (!is_whole) return claim_->GiveUp();
  compiled.compilation = *compilation_;
  claim_->Keep(std::move(compiled));
}

absl::Status Execution::FillWorkspace() {
  if (!workspace_.has_value()) {
    workspace_ = context_->workspaces->TakeReady(Kind());
  }
  if (!workspace_.has_value()) {
    context_->janitor->Hurry();
    absl::StatusOr<ReadyWorkspace> ready = context_->workspaces->Take(Kind());
    if (!ready.ok()) return ready.status();
    workspace_ = *std::move(ready);
  }
  if (context_->workspaces->IsShort(Kind())) {
    context_->janitor->SubmitWithin(
        kMostPutOff, [workspaces = context_->workspaces, kind = Kind()](
                         Janitor&) mutable { workspaces->Restock(kind); });
  }
  Workspace& workspace = workspace_->workspace;
  if (spec_.filesystem == Filesystem::kVirtual) {
    absl::StatusOr<VirtualTree> tree =
        VirtualTree::Open(workspace.parts(), workspace.path());
    if (!tree.ok()) return tree.status();
    tree_ = *std::move(tree);
  }
  if (absl::Status status = workspace.Fill(spec_.files); !status.ok()) {
    return status;
  }
  spec_.files.clear();
  if (spec_.compile.has_value()) {
    absl::StatusOr<UniqueFd> directory =
        workspace.EnsureDirectory(spec_.compile->working_directory);
    if (!directory.ok()) return directory.status();
    compile_directory_ = *std::move(directory);
  }
  absl::StatusOr<UniqueFd> directory =
      workspace.EnsureDirectory(spec_.program.working_directory);
  if (!directory.ok()) return directory.status();
  program_directory_ = *std::move(directory);
  return absl::OkStatus();
}

// Without one of its own the run has the host's, and is told so. Only a run
// with a user of its own may have one (private_networks.h).
void Execution::MakeNetwork() {
  const NetworkAccess access = spec_.network.access;
  if (access == NetworkAccess::kLoopback && context_->networks != nullptr &&
      context_->networks->usable() && workspace_->identity.has_value()) {
    absl::StatusOr<UniqueFd> network = context_->networks->Make();
    if (network.ok()) network_ = *std::move(network);
  }
  enforcement_ = WithNetwork(*context_->enforcement, access, network_.valid());
}

absl::StatusOr<ArmedChild> Execution::ArmChild() {
  // Without the wall of an earlier step, and from where that one's use ended.
  if (workspace_->cgroup.has_value()) {
    absl::Status status = workspace_->cgroup->StartOver();
    if (!status.ok()) return status;
  }
  return context_->workspaces->Arm(*workspace_, CurrentPolicy(),
                                   phase_ == Phase::kCompile
                                       ? compile_directory_.get()
                                       : program_directory_.get());
}

absl::Status Execution::Prepare() {
  LaunchPlan plan;
  plan.step = &CurrentStep();
  plan.path_directories = &spec_.path_directories;
  plan.home = workspace_->workspace.home();
  plan.temporary_directory = plan.home;
  if (tree_.has_value()) {
    constexpr char kTemporary[] = "/tmp";
    plan.temporary_directory = tree_->Real(kTemporary);
    if (phase_ == Phase::kProgram) {
      plan.home = tree_->Shown(plan.home);
      plan.temporary_directory = kTemporary;
      plan.program = tree_->Real(plan.step->argv.front());
    }
  }
  absl::StatusOr<PreparedChild> program = PrepareChild(plan);
  if (!program.ok()) return program.status();
  program_ = *std::move(program);
  return absl::OkStatus();
}

// A fork that is made now is quicker than an interpreter that starts.
bool Execution::OrderWarm() {
  std::optional<WarmFork> fork = std::exchange(workspace_->fork, std::nullopt);
  const WorkspaceKind kind = Kind();
  if (kind.warm_profile.empty()) return false;
  if (!fork.has_value()) {
    absl::StatusOr<WarmFork> made =
        context_->workspaces->Fork(*workspace_, kind);
    if (made.ok()) fork = *std::move(made);
  }
  if (!fork.has_value() || !fork->Order(*program_)) return false;
  fork_ = *std::move(fork);
  workspace_->child.reset();
  return true;
}

// The child that was armed ahead starts in the run's home, under the usual
// policy of its kind, and is good for one step. If it is not used it goes
// before the program comes: a group at its memory limit would be ended with all
// that have the server's memory.
bool Execution::OrderAhead() {
  std::optional<ArmedChild> ahead =
      std::exchange(workspace_->child, std::nullopt);
  if (!ahead.has_value() || !CurrentStep().working_directory.empty() ||
      &CurrentPolicy() !=
          &context_->workspaces->PolicyAhead(spec_.filesystem)) {
    return false;
  }
  child_ = *std::move(ahead);
  child_->Order(*program_);
  return true;
}

absl::Status Execution::OrderNew() {
  absl::StatusOr<ArmedChild> child = ArmChild();
  if (!child.ok()) return child.status();
  child_ = *std::move(child);
  child_->Order(*program_);
  return absl::OkStatus();
}

void Execution::LaunchStep() {
  if (cancelled()) return Finish(Cancelled());
  tried_again_ = false;
  absl::Status status = Prepare();
  if (!status.ok()) return Finish(std::move(status));
  if (OrderWarm() || OrderAhead()) return AwaitStart();
  LaunchNew();
}

// A child dies with the thread that armed it, so that is one of the sandbox.
void Execution::LaunchNew() {
  if (std::exchange(on_callers_thread_, false)) {
    context_->launches->Submit([this](LaunchThread&) { LaunchNew(); });
    return;
  }
  absl::Status status = OrderNew();
  if (!status.ok()) return Finish(std::move(status));
  AwaitStart();
}

// While the program starts and runs, this run needs but one processor: it is
// the time to make ready again what earlier ones have used, which would
// otherwise come between the next request and its program.
void Execution::AwaitStart() {
  context_->janitor->Hurry();
  warm_ = fork_.has_value();
  absl::StatusOr<LaunchResult> result =
      warm_ ? fork_->AwaitStart(*program_) : child_->AwaitStart(*program_);
  fork_.reset();
  // Killed while it waited for its order.
  if (absl::IsUnavailable(result.status()) &&
      !std::exchange(tried_again_, true)) {
    return LaunchNew();
  }
  child_.reset();
  program_.reset();
  if (!result.ok()) return Finish(result.status());
  if (const auto* failure = std::get_if<StartFailure>(&*result)) {
    Outcome outcome = StartFailed(*failure);
    // The compiler was found at start-up: that it is gone is not the caller's
    // doing.
    if (phase_ == Phase::kCompile) {
      return Finish(absl::FailedPreconditionError(outcome.message));
    }
    return Finish(std::move(outcome));
  }
  Supervise(std::get<RunningChild>(std::move(*result)));
}

Outcome Execution::StartFailed(const StartFailure& failure) const {
  Outcome outcome;
  outcome.kind = OutcomeKind::kStartFailed;
  outcome.compilation = compilation_;
  outcome.enforcement = enforcement_;
  const bool exists = faccessat(program_directory_.get(), failure.path.c_str(),
                                F_OK, AT_EACCESS) == 0;
  const std::string& name = spec_.program.argv.front();
  switch (failure.error_number) {
    case ENOENT:
      outcome.message =
          exists ? absl::StrCat("The program ", name,
                                " could not be started: its interpreter or "
                                "loader does not exist.")
                 : absl::StrCat("The program ", name, " was not found.");
      break;
    case EACCES:
      outcome.message = absl::StrCat(
          "The program ", name,
          " could not be started: it is not executable, or outside "
          "of what a run may execute.");
      break;
    case ENOEXEC:
      outcome.message = absl::StrCat(
          "The program ", name,
          " could not be started: it is neither a binary of this machine nor a "
          "script that begins with #!.");
      break;
    default:
      outcome.message = absl::StrCat(
          "The program ", name,
          " could not be started: ", strerror(failure.error_number), " (errno ",
          failure.error_number, ").");
  }
  return outcome;
}

void Execution::Supervise(RunningChild child) {
  Step& step = CurrentStep();
  SupervisionPlan plan;
  plan.limits = step.limits;
  plan.output_mode = step.output_mode;
  plan.on_violation = spec_.on_violation;
  plan.stdin_data = std::move(step.stdin_data);
  plan.policy = &CurrentPolicy().policy;
  if (phase_ == Phase::kProgram) {
    plan.network = spec_.network;
    if (network_.valid()) {
      plan.own_network = {context_->networks, std::move(network_)};
    }
  }
  plan.masked_syscalls = &context_->host->masked_syscalls;
  plan.writable = {workspace_->workspace.path(), spec_.view.read_write};
  if (spec_.audit == AuditScope::kAll || tree_.has_value()) {
    plan.readable = Readable(spec_.view);
  }
  if (phase_ == Phase::kProgram && tree_.has_value()) {
    plan.tree = std::exchange(tree_, std::nullopt);
    plan.audit = spec_.audit;
  }
  plan.owner = workspace_->workspace.owner();
  plan.directory = workspace_->workspace.fd();
  plan.disk = context_->disk;
  plan.sees_open_files = context_->host->child_memory_readable;
  plan.processes = context_->processes;
  plan.cgroup = workspace_->cgroup.has_value() ? &*workspace_->cgroup : nullptr;
  plan.shares_memory = warm_;
  plan.max_violations = context_->options->max_violations;
  std::shared_ptr<Supervision> supervision =
      Supervision::Create(loop_, std::move(child), std::move(plan), this);
  if (!std::exchange(started_, true)) {
    observer_->OnStarted(enforcement_);
  }
  absl::MutexLock lock(&mutex_);
  supervision_ = supervision;
  supervision->Start();
  if (cancelled_) supervision->Kill();
}

// ---------------------------------------------------------- on the loop's
// thread

Flow Execution::OnOutput(OutputStream stream, absl::string_view data,
                         uint64_t offset) {
  if (phase_ == Phase::kProgram)
    return observer_->OnOutput(stream, data, offset);
  std::string& kept =
      stream == OutputStream::kStdout ? compile_stdout_ : compile_stderr_;
  kept.append(data.data(), data.size());
  return Flow::kContinue;
}

void Execution::OnViolation(const Violation& violation) {
  if (phase_ == Phase::kProgram) observer_->OnViolation(violation);
}

void Execution::OnStepFinished(absl::StatusOr<Outcome> outcome) {
  {
    absl::MutexLock lock(&mutex_);
    supervision_.reset();
  }
  if (!outcome.ok()) return Finish(outcome.status());
  outcome->enforcement = enforcement_;
  if (phase_ == Phase::kCompile) {
    OnCompiled(*std::move(outcome));
  } else {
    OnProgramEnded(*std::move(outcome));
  }
}

void Execution::OnCompiled(Outcome outcome) {
  const bool ended = outcome.kind == OutcomeKind::kExited;
  const bool compiled = ended && outcome.exit_code == 0;
  auto compilation = std::make_shared<Outcome::Compilation>();
  compilation->outcome = std::move(outcome);
  if (claim_.has_value()) {
    compilation->outcome.usage.compile_cache = CompileCacheUse::kMiss;
    if (!compiled) claim_->GiveUp();
  }
  compilation->stdout_data = std::move(compile_stdout_);
  compilation->stderr_data = std::move(compile_stderr_);
  compilation_ = std::move(compilation);
  if (!compiled) {
    Outcome failed;
    failed.kind = OutcomeKind::kCompileFailed;
    failed.message = ended
                         ? absl::StrCat(
                               "The source could not be compiled: the compiler "
                               "exited with code ",
                               compilation_->outcome.exit_code, ".")
                         : absl::StrCat("The compiler was ended: ",
                                        compilation_->outcome.message);
    failed.compilation = compilation_;
    failed.enforcement = enforcement_;
    return Finish(std::move(failed));
  }
  phase_ = Phase::kProgram;
  context_->launches->Submit([this](LaunchThread&) {
    KeepCompiled();
    LaunchStep();
  });
}

void Execution::OnProgramEnded(Outcome outcome) {
  outcome.compilation = compilation_;
  outcome.usage.warm = warm_;
  if (spec_.output_files.empty()) return Finish(std::move(outcome));
  context_->launches->Submit(
      [this, outcome = std::move(outcome)](LaunchThread&) mutable {
        Collect(std::move(outcome));
      });
}

// ------------------------------------------------------------------ the end

void Execution::Collect(Outcome outcome) {
  outcome.files = workspace_->workspace.Collect(
      spec_.output_files, spec_.max_collected_bytes.value_or(
                              context_->options->max_collected_bytes));
  Finish(std::move(outcome));
}

// The result is not kept waiting for the removal of the directory, nor does its
// way to the caller compete with it for a processor; the uid is handed out
// again only after the removal.
void Execution::Finish(absl::StatusOr<Outcome> outcome) {
  const std::shared_ptr<Execution> self = std::move(self_);
  claim_.reset();
  child_.reset();
  fork_.reset();
  program_.reset();
  compile_directory_.Reset();
  program_directory_.Reset();
  network_.Reset();
  JanitorQueue::Work give_back;
  if (workspace_.has_value()) {
    give_back =
        [workspaces = context_->workspaces, kind = Kind(),
         used = *std::exchange(workspace_, std::nullopt)](Janitor&) mutable {
          workspaces->GiveBack(kind, std::move(used));
        };
  }
  // Who compiles may hold on to this object for as long as that takes.
  spec_ = ExecutionSpec();
  compile_key_ = std::string();
  std::exchange(observer_, nullptr)->OnFinished(std::move(outcome));
  if (give_back) {
    context_->janitor->SubmitWithin(kMostPutOff, std::move(give_back));
  }
}

}  // namespace cordon::sandbox
