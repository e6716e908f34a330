// cordond: wires flags, sandbox, service and gRPC together, and shuts them down
// in the opposite order. The order of the start matters: signals are blocked
// before there is any thread; so is the process restricted, which its keeper
// inherits; and the sandbox is made before gRPC makes threads.

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "grpc/grpc.h"
#include "grpc/support/log.h"
#include "grpcpp/ext/channelz_service_plugin.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/cgroup/cgroup_tree.h"
#include "sandbox/cgroup/open_cgroups.h"
#include "sandbox/keeper/keeper.h"
#include "sandbox/keeper/live_groups.h"
#include "sandbox/network/private_networks.h"
#include "sandbox/sandbox.h"
#include "server/execution_service.h"
#include "server/health_probe.h"
#include "server/host_report.h"
#include "server/language_probe.h"
#include "server/language_set.h"
#include "server/listen_address.h"
#include "server/precompiled_headers.h"
#include "server/run_log.h"
#include "server/self_restriction.h"
#include "server/server_flags.h"
#include "server/state_directory.h"
#include "server/version.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace cordon::server {
namespace {

constexpr char kServiceName[] = "cordon.v1.CodeExecution";
// After everything was killed: time to write the last answers.
constexpr absl::Duration kLastAnswers = absl::Seconds(5);
// Process groups beyond one a slot: what is launched ahead of runs, or at
// start-up. Four bytes each.
constexpr size_t kSpareGroups = 1024;
// While no keeper can be started.
constexpr int kKeeperRetryMilliseconds = 1000;

ExitCode Fail(ExitCode code, const absl::Status& status) {
  std::cerr << "cordond: " << status.message() << "\n";
  return code;
}

sigset_t ShutdownSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Every thread inherits the mask: only main waits for these.
void PrepareSignals() {
  sigset_t signals = ShutdownSignals();
  // A file that is longer than this process may make one (setrlimit(2)) is an
  // error of a call, and not the end.
  sigaddset(&signals, SIGXFSZ);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

// A run holds several descriptors, and a connection one.
void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void LogGrpc(gpr_log_func_args* message) {
  switch (message->severity) {
    case GPR_LOG_SEVERITY_ERROR:
      return spdlog::warn("grpc: {}", message->message);
    case GPR_LOG_SEVERITY_INFO:
    case GPR_LOG_SEVERITY_DEBUG:
      return spdlog::debug("grpc: {}", message->message);
  }
}

void StartLog(const std::string& level) {
  auto log = spdlog::stderr_logger_mt("cordond");
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  log->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(log);
  gpr_set_log_function(LogGrpc);
}

void LogHeader(const std::string& language, const std::string& header,
               const absl::Status& status) {
  if (status.ok()) {
    spdlog::info("{} of {} is precompiled", header, language);
  } else {
    spdlog::warn("{} of {} is compiled each time: {}", header, language,
                 status.ToString());
  }
}

void LogRun(const RunRecord& record) {
  switch (LevelOf(record)) {
    case LogLevel::kDebug:
      if (spdlog::should_log(spdlog::level::debug)) {
        spdlog::debug("{}", FormatRunRecord(record));
      }
      return;
    case LogLevel::kInfo:
      if (spdlog::should_log(spdlog::level::info)) {
        spdlog::info("{}", FormatRunRecord(record));
      }
      return;
    case LogLevel::kError:
      spdlog::error("{}", FormatRunRecord(record));
      return;
  }
}

absl::StatusOr<LanguageSet> LoadLanguages(
    const std::vector<std::string>& directories) {
  std::vector<std::vector<LanguageFile>> layers = {BuiltinLanguageFiles()};
  for (const std::string& directory : directories) {
    auto files = ReadLanguageDirectory(directory);
    if (!files.ok()) return files.status();
    layers.push_back(*std::move(files));
  }
  return LanguageSet::Make(layers);
}

// Each language's interpreter as its runs start it.
std::vector<sandbox::WarmProfile> WarmProfiles(const ServerFlags& flags,
                                               const ValidatorConfig& config) {
  std::vector<sandbox::WarmProfile> profiles;
  if (flags.warm == WarmStarts::kNever) return profiles;
  for (const Language& language : config.languages.all()) {
    if (!language.config.has_warm()) continue;
    const LanguageConfig::Warm& warm = language.config.warm();
    sandbox::WarmProfile profile;
    profile.name = language.config.name();
    profile.interpreter = language.config.run().argv(0);
    profile.modules.assign(warm.modules().begin(), warm.modules().end());
    profile.environment = StartEnvironment(config, language.config);
    profile.start_variables.assign(warm.start_variables().begin(),
                                   warm.start_variables().end());
    profiles.push_back(std::move(profile));
  }
  return profiles;
}

absl::StatusOr<std::unique_ptr<sandbox::CgroupTree>> OpenGroups(
    const ServerFlags& flags, const std::string& state_directory) {
  if (flags.cgroups == CgroupUse::kNever) {
    return absl::UnavailableError("--cgroups=never");
  }
  return sandbox::OpenCgroups(state_directory);
}

// Before there is any thread. A server that grants no network makes none.
absl::StatusOr<std::unique_ptr<sandbox::PrivateNetworks>> OpenNetworks(
    const ServerFlags& flags) {
  if (flags.max_network == sandbox::NetworkAccess::kNone && !flags.check) {
    return absl::UnavailableError("--max_network=none");
  }
  return sandbox::PrivateNetworks::Start();
}

// What ends the runs of this process when it is killed, and what this process
// cannot do to its host.
struct Protection {
  sandbox::LayerEnforcement service;
  // Kept for its descriptors.
  std::optional<SelfRestriction> restriction;
  std::unique_ptr<sandbox::LiveGroups> groups;
  std::unique_ptr<sandbox::Keeper> keeper;
};

absl::StatusOr<Protection> Protect(const ServerFlags& flags,
                                   const ValidatorConfig& validator,
                                   const StateDirectory& state,
                                   absl::Span<char* const> command_line) {
  Protection protection;
  auto restriction =
      RestrictSelf({UnionOfViews(validator.view, validator.languages), &state,
                    flags.sandbox.cgroups, flags.listen, flags.max_network});
  if (restriction.ok()) {
    protection.service = restriction->enforcement;
    protection.restriction = *std::move(restriction);
  } else if (flags.sandbox.allow_degraded) {
    protection.service.reason = std::string(restriction.status().message());
  } else {
    return restriction.status();
  }
  auto groups = sandbox::LiveGroups::Create(static_cast<size_t>(flags.slots) +
                                            kSpareGroups);
  if (!groups.ok()) return groups.status();
  protection.groups = *std::move(groups);
  auto keeper = sandbox::Keeper::Start({.groups = protection.groups.get(),
                                        .held_descriptor = state.fd(),
                                        .command_line = command_line});
  if (!keeper.ok()) return keeper.status();
  protection.keeper = *std::move(keeper);
  return protection;
}

void LogWarmStart(sandbox::Sandbox& sandbox, const ServerFlags& flags) {
  for (const sandbox::WarmProfile& profile : flags.sandbox.warm_profiles) {
    const absl::Status state = sandbox.WarmState(profile.name);
    if (!state.ok()) {
      spdlog::warn("runs of {} are started anew for now: {}", profile.name,
                   std::string(state.message()));
    }
  }
}

void LogStart(const sandbox::Sandbox& sandbox, const LanguageSet& languages,
              const Protection& protection) {
  const sandbox::HostFeatures& host = sandbox.host();
  spdlog::info("cordond {} on {}, Landlock ABI {}", kVersion, host.kernel,
               host.landlock_abi);
  for (const std::string& line : sandbox.degraded()) {
    spdlog::warn("degraded: {}", line);
  }
  if (!protection.service.reason.empty()) {
    spdlog::warn("degraded: {}", protection.service.reason);
  }
  spdlog::info(
      "process {} is the keeper: it ends the runs if this one is killed",
      protection.keeper->pid());
  if (host.outer_seccomp_filter && !host.masked_syscalls.empty()) {
    spdlog::warn(
        "an outer seccomp filter hides {} system calls: a breach of those is "
        "stopped all the same, but reported without its name",
        host.masked_syscalls.size());
  }
  for (const Language& language : languages.all()) {
    if (language.unavailable_reason.empty()) {
      spdlog::info("language {}: {}", language.config.name(), language.version);
    } else {
      spdlog::warn("language {} is unavailable: {}", language.config.name(),
                   language.unavailable_reason);
    }
  }
}

ExitCode Check(const sandbox::Sandbox& sandbox, const LanguageSet& languages,
               const Protection& protection, const absl::Status& cgroups,
               const absl::Status& networks, bool allow_degraded) {
  const HostReport report = {.host = sandbox.host(),
                             .enforcement = sandbox.enforcement(),
                             .service = protection.service,
                             .languages = languages.all(),
                             .no_cgroups = std::string(cgroups.message()),
                             .no_networks = std::string(networks.message()),
                             .allow_degraded = allow_degraded};
  std::cout << HostReportText(report);
  return WouldServe(report) ? ExitCode::kStopped : ExitCode::kHostLacksFeatures;
}

struct RunningServer {
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};

RunningServer StartServer(const ServerFlags& flags, ExecutionService& service) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::channelz::experimental::InitChannelzService();
  grpc::ServerBuilder builder;
  RunningServer running;
  builder.AddListeningPort(ToText(flags.listen),
                           grpc::InsecureServerCredentials(), &running.port);
  builder.SetMaxReceiveMessageSize(static_cast<int>(flags.max_request_bytes));
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 1);
  // Two servers on one port would share its clients by chance.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A client whose host vanished is found out, and what it runs is killed.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10000);
  builder.RegisterService(&service);
  running.server = builder.BuildAndStart();
  return running;
}

void SetHealth(grpc::HealthCheckServiceInterface& health, bool serving) {
  health.SetServingStatus(serving);
  health.SetServingStatus(kServiceName, serving);
}

// Without a keeper, what runs would go on if this process were killed: nothing
// new is to come then, and what load balancers ask says so.
bool ReplaceKeeper(sandbox::Keeper& keeper,
                   grpc::HealthCheckServiceInterface& health) {
  const absl::Status status = keeper.Restart();
  SetHealth(health, status.ok());
  if (status.ok()) {
    spdlog::warn("the keeper was killed; process {} is the new one",
                 keeper.pid());
  } else {
    spdlog::error("the keeper was killed, and no other could be started: {}",
                  status.ToString());
  }
  return status.ok();
}

// Until one of the shutdown signals has come, of which `signals` is a
// signalfd(2).
void AwaitSignal(int signals, sandbox::Keeper& keeper,
                 grpc::HealthCheckServiceInterface& health) {
  bool kept = true;
  for (;;) {
    pollfd watched[] = {{signals, POLLIN, 0},
                        {kept ? keeper.fd() : -1, POLLIN, 0}};
    if (poll(watched, 2, kept ? -1 : kKeeperRetryMilliseconds) < 0) continue;
    signalfd_siginfo signal;
    if (watched[0].revents != 0 &&
        read(signals, &signal, sizeof(signal)) == sizeof(signal)) {
      return;
    }
    if (!kept || watched[1].revents != 0) kept = ReplaceKeeper(keeper, health);
  }
}

bool SignalIsPending() {
  const sigset_t signals = ShutdownSignals();
  const timespec now = {};
  return sigtimedwait(&signals, nullptr, &now) > 0;
}

// Until every call is answered, the grace is over, or another signal comes.
void AwaitCalls(const ExecutionService& service, absl::Duration grace) {
  constexpr absl::Duration kSignalInterval = absl::Milliseconds(50);
  const absl::Time end = absl::Now() + grace;
  while (absl::Now() < end && !SignalIsPending()) {
    if (service.AwaitIdle(std::min(end - absl::Now(), kSignalInterval))) return;
  }
}

void Drain(const ServerFlags& flags, ExecutionService& service,
           grpc::Server& server) {
  spdlog::info("draining: runs may finish within {}",
               absl::FormatDuration(flags.grace));
  server.GetHealthCheckService()->Shutdown();
  service.StopAdmitting();
  AwaitCalls(service, flags.grace);
  service.EndCalls();
  if (!service.AwaitIdle(kLastAnswers)) {
    spdlog::warn("some callers did not take their last answer");
  }
  server.Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  server.Wait();
  spdlog::info("stopped");
}

ExitCode Serve(const ServerFlags& flags, ValidatorConfig validator,
               const Protection& protection, sandbox::Sandbox& sandbox) {
  ServiceOptions options;
  std::optional<PrecompiledHeaders> headers;
  if (flags.precompiled_headers != HeaderCompilation::kNever) {
    headers.emplace(validator, &sandbox, LogHeader);
    options.headers = &*headers;
  }
  options.validator = std::move(validator);
  options.admission = {flags.slots, flags.queue, flags.queue_bytes};
  options.delivery_timeout = flags.delivery_timeout;
  options.max_request_bytes = flags.max_request_bytes;
  options.on_run = LogRun;
  options.service = protection.service;
  const sigset_t shutdown = ShutdownSignals();
  const sandbox::UniqueFd signals(signalfd(-1, &shutdown, SFD_CLOEXEC));
  if (!signals.valid()) {
    return Fail(ExitCode::kCannotServe, absl::InternalError("signalfd failed"));
  }
  ExecutionService service(std::move(options), &sandbox);
  RunningServer running = StartServer(flags, service);
  if (running.server == nullptr || running.port <= 0) {
    const absl::Status reason = TryToListen(flags.listen);
    return Fail(ExitCode::kCannotServe,
                absl::UnavailableError(absl::StrCat(
                    "cannot listen on ", ToText(flags.listen), ": ",
                    reason.ok() ? "gRPC refused" : reason.message())));
  }
  const std::string address =
      ToText({flags.listen.host, absl::StrCat(running.port)});
  if (!IsLoopback(flags.listen)) {
    spdlog::warn(
        "{} can be reached from outside this host, and there is no "
        "authentication",
        address);
  }
  grpc::HealthCheckServiceInterface& health =
      *running.server->GetHealthCheckService();
  SetHealth(health, true);
  std::cout << "cordond listening on " << address << std::endl;
  AwaitSignal(signals.get(), *protection.keeper, health);
  Drain(flags, service, *running.server);
  return ExitCode::kStopped;
}

ExitCode Main(int argc, char** argv) {
  PrepareSignals();
  ServerFlags flags;
  if (const auto code = ParseServerFlags(argc, argv, flags)) return *code;
  if (!flags.probe.empty()) {
    const absl::Status health = ProbeHealth(flags.probe);
    return health.ok() ? ExitCode::kStopped
                       : Fail(ExitCode::kCannotServe, health);
  }
  StartLog(flags.log_level);
  RaiseDescriptorLimit();
  // The report is of everything, not of the first thing that is missing.
  const bool allow_degraded = flags.sandbox.allow_degraded;
  if (flags.check) flags.sandbox.allow_degraded = true;
  ValidatorConfig validator;
  auto languages = LoadLanguages(flags.languages_dirs);
  if (!languages.ok()) {
    return Fail(ExitCode::kBadConfiguration, languages.status());
  }
  validator.languages = *std::move(languages);
  validator.limits = flags.limits;
  validator.ceilings = flags.ceilings;
  validator.view = sandbox::DefaultFileView();
  validator.network_files = sandbox::NetworkFiles();
  validator.max_network = flags.max_network;
  auto state = StateDirectory::Open(flags.state_dir);
  if (!state.ok()) return Fail(ExitCode::kCannotServe, state.status());
  flags.sandbox.state_directory = state->path();
  validator.headers_directory = state->path() + "/headers";
  const absl::Status emptied =
      EmptyHeadersDirectory(validator.headers_directory);
  if (!emptied.ok()) return Fail(ExitCode::kCannotServe, emptied);
  validator.view.read.push_back(validator.headers_directory);
  const auto cgroups = OpenGroups(flags, state->path());
  if (cgroups.ok()) flags.sandbox.cgroups = cgroups->get();
  auto protection =
      Protect(flags, validator, *state,
              absl::MakeConstSpan(argv, static_cast<size_t>(argc)));
  if (!protection.ok()) {
    return Fail(ExitCode::kHostLacksFeatures, protection.status());
  }
  flags.sandbox.live_groups = protection->groups.get();
  const auto networks = OpenNetworks(flags);
  if (networks.ok()) flags.sandbox.networks = networks->get();
  if (!flags.check)
    flags.sandbox.warm_profiles = WarmProfiles(flags, validator);
  auto sandbox = sandbox::Sandbox::Create(flags.sandbox);
  if (!sandbox.ok()) {
    return Fail(ExitCode::kHostLacksFeatures, sandbox.status());
  }
  const absl::Status probed = ProbeLanguages(**sandbox, validator);
  if (!probed.ok()) return Fail(ExitCode::kHostLacksFeatures, probed);
  if (flags.check) {
    return Check(**sandbox, validator.languages, *protection, cgroups.status(),
                 networks.status(), allow_degraded);
  }
  LogStart(**sandbox, validator.languages, *protection);
  LogWarmStart(**sandbox, flags);
  if (!cgroups.ok()) {
    spdlog::info("runs get no control groups: {}", cgroups.status().ToString());
  }
  if (flags.max_network != sandbox::NetworkAccess::kNone && !networks.ok()) {
    spdlog::info("runs get no loopback network of their own: {}",
                 std::string(networks.status().message()));
  }
  return Serve(flags, std::move(validator), *protection, **sandbox);
}

}  // namespace
}  // namespace cordon::server

int main(int argc, char** argv) {
  return static_cast<int>(cordon::server::Main(argc, argv));
}
