#include "server/request_validator.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "server/cold_words.h"
#include "server/network_grant.h"
#include "server/request_rules.h"
#include "server/status_details.h"

namespace cordon::server {
namespace {

using Variables = std::map<std::string, std::string>;

// The way from `working_directory` back to the run's directory.
std::string PathBack(const std::string& working_directory) {
  if (working_directory.empty()) return "";
  std::string back = "../";
  for (const char c : working_directory) {
    if (c == '/') back += "../";
  }
  return back;
}

// A language's command with its placeholders filled in.
std::vector<std::string> Fill(const ValidatorConfig& config,
                              const LanguageConfig::Command& command,
                              const LanguageConfig& language,
                              const std::string& back) {
  std::vector<std::string> argv;
  for (const std::string& argument : command.argv()) {
    argv.push_back(absl::StrReplaceAll(
        argument, {{"{source}", absl::StrCat(back, language.file_name())},
                   {"{headers}", absl::StrCat(config.headers_directory, "/",
                                              language.name())},
                   // With a '/', or it would be looked up in PATH.
                   {"{program}",
                    absl::StrCat(back.empty() ? "./" : back, kProgramName)}}));
  }
  return argv;
}

std::vector<std::string> ToEnvironment(const Variables& variables) {
  std::vector<std::string> environment;
  environment.reserve(variables.size());
  for (const auto& [name, value] : variables) {
    environment.push_back(absl::StrCat(name, "=", value));
  }
  return environment;
}

Variables StartVariables(const ValidatorConfig& config) {
  return {{"PATH", config.path}, {"LANG", config.locale}};
}

void AddVariables(const LanguageConfig& language, Variables& variables) {
  for (const auto& [name, value] : language.environment()) {
    variables[name] = value;
  }
}

sandbox::OutputMode ToOutputMode(v1::OutputMode mode) {
  switch (mode) {
    case v1::OUTPUT_MODE_KEEP_HEAD:
      return sandbox::OutputMode::kKeepHead;
    case v1::OUTPUT_MODE_KEEP_TAIL:
      return sandbox::OutputMode::kKeepTail;
    default:
      return sandbox::OutputMode::kTerminate;
  }
}

void SetAction(v1::ViolationAction wanted, sandbox::ViolationAction& action) {
  if (wanted == v1::VIOLATION_ACTION_TERMINATE) {
    action = sandbox::ViolationAction::kTerminate;
  } else if (wanted == v1::VIOLATION_ACTION_DENY) {
    action = sandbox::ViolationAction::kDeny;
  }
}

template <typename Paths>
void Append(const Paths& paths, std::vector<std::string>& to) {
  to.insert(to.end(), paths.begin(), paths.end());
}

// Fills a specification from a request that was found good.
class SpecBuilder {
 public:
  SpecBuilder(v1::ExecuteRequest& request, const ValidatorConfig& config)
      : request_(request), config_(config) {
    variables_ = StartVariables(config);
  }

  sandbox::ExecutionSpec Build(const Language* language) {
    spec_.request_id = std::move(*request_.mutable_request_id());
    if (language != nullptr) {
      UseLanguage(language->config);
    } else {
      UseCommand();
    }
    MoveFiles();
    SetProgram();
    SetPolicy();
    if (language != nullptr) SetStart(language->config);
    Append(request_.output_files(), spec_.output_files);
    return std::move(spec_);
  }

 private:
  void UseLanguage(const LanguageConfig& language) {
    spec_.view = ViewOf(config_, language);
    AddVariables(language, variables_);
    spec_.files.push_back(
        {language.file_name(),
         std::move(*request_.mutable_source()->mutable_code())});
    if (language.has_compile()) {
      sandbox::Step compile;
      compile.argv = Fill(config_, language.compile(), language, "");
      // The request's variables are the program's: they do not steer the
      // compiler.
      compile.environment = ToEnvironment(variables_);
      // A flood of errors is cut, and the compiler's own result stands.
      compile.output_mode = sandbox::OutputMode::kKeepHead;
      compile.limits =
          Override(config_.limits.defaults, language.compile_limits());
      const auto& made = language.compile().argv();
      if (std::find(made.begin(), made.end(), "{program}") != made.end()) {
        compile.artefacts = {std::string(kProgramName)};
      }
      spec_.compile = std::move(compile);
    }
    spec_.program.argv = Fill(config_, language.run(), language,
                              PathBack(request_.working_directory()));
    Append(request_.source().args(), spec_.program.argv);
    spec_.program.limits = Override(config_.limits.defaults, language.limits());
    SetFilesystem(language.filesystem());
  }

  // A command may be any language's tool, so it gets the view of all of them.
  void UseCommand() {
    spec_.view = config_.view;
    for (const Language& language : config_.languages.all()) {
      Append(language.config.view().read_execute(), spec_.view.read_execute);
      Append(language.config.view().read(), spec_.view.read);
    }
    Append(request_.command().argv(), spec_.program.argv);
    spec_.program.limits = config_.limits.defaults;
  }

  void MoveFiles() {
    for (v1::File& file : *request_.mutable_files()) {
      spec_.files.push_back({std::move(*file.mutable_path()),
                             std::move(*file.mutable_content()),
                             file.executable() ? sandbox::FileMode::kExecutable
                                               : sandbox::FileMode::kRegular});
    }
  }

  void SetProgram() {
    for (const auto& [name, value] : request_.environment()) {
      variables_[name] = value;
    }
    sandbox::Step& program = spec_.program;
    program.environment = ToEnvironment(variables_);
    program.working_directory =
        std::move(*request_.mutable_working_directory());
    program.stdin_data = std::move(*request_.mutable_stdin());
    program.output_mode = ToOutputMode(request_.output_mode());
    program.limits = Clamp(Override(program.limits, request_.limits()),
                           config_.limits.ceilings);
    spec_.path_directories.clear();
    // A relative entry would make the lookup depend on what the run wrote.
    for (const auto& directory : absl::StrSplit(variables_["PATH"], ':')) {
      if (absl::StartsWith(directory, "/")) {
        spec_.path_directories.emplace_back(directory);
      }
    }
  }

  void SetPolicy() {
    const v1::OnViolation& wanted = request_.policy().on_violation();
    SetAction(wanted.syscall(), spec_.on_violation.syscall);
    SetAction(wanted.filesystem(), spec_.on_violation.filesystem);
    SetAction(wanted.network(), spec_.on_violation.network);
    SetAction(wanted.process(), spec_.on_violation.process);
    if (request_.policy().audit() == v1::AUDIT_ALL) {
      spec_.audit = sandbox::AuditScope::kAll;
    }
    SetFilesystem(request_.policy().filesystem());
    SetNetwork();
  }

  void SetStart(const LanguageConfig& language) {
    if (language.has_warm() && request_.policy().start() != v1::START_COLD &&
        !NamesColdWord(language, spec_.files)) {
      spec_.warm_profile = language.name();
    }
  }

  void SetFilesystem(v1::Filesystem wanted) {
    if (wanted == v1::FILESYSTEM_UNSPECIFIED) return;
    spec_.filesystem = wanted == v1::FILESYSTEM_VIRTUAL
                           ? sandbox::Filesystem::kVirtual
                           : sandbox::Filesystem::kHost;
  }

  void SetNetwork() {
    sandbox::NetworkGrant& grant = spec_.network;
    grant.access = ToNetworkAccess(request_.policy().network());
    if (grant.access == sandbox::NetworkAccess::kNone) return;
    for (const std::string& host : request_.policy().allowed_hosts()) {
      grant.allowed.push_back(*ParseAllowedHost(host));
    }
    spec_.view.read.insert(spec_.view.read.end(), config_.network_files.begin(),
                           config_.network_files.end());
  }

  v1::ExecuteRequest& request_;
  const ValidatorConfig& config_;
  Variables variables_;
  sandbox::ExecutionSpec spec_;
};

absl::Status LanguageUnavailable(const Language& language) {
  absl::Status status = absl::FailedPreconditionError(
      absl::StrCat("the language ", language.config.name(),
                   " cannot be used here: ", language.unavailable_reason));
  AttachErrorInfo(status, "LANGUAGE_UNAVAILABLE",
                  {{"language", language.config.name()},
                   {"cause", language.unavailable_reason}});
  return status;
}

}  // namespace

std::vector<std::string> StartEnvironment(const ValidatorConfig& config,
                                          const LanguageConfig& language) {
  Variables variables = StartVariables(config);
  AddVariables(language, variables);
  return ToEnvironment(variables);
}

sandbox::FileView ViewOf(const ValidatorConfig& config,
                         const LanguageConfig& language) {
  sandbox::FileView view = config.view;
  Append(language.view().read_execute(), view.read_execute);
  Append(language.view().read(), view.read);
  return view;
}

absl::StatusOr<sandbox::ExecutionSpec> ValidateRequest(
    v1::ExecuteRequest request, const ValidatorConfig& config) {
  FieldViolations violations;
  CheckRequest(request, config, violations);
  if (!violations.empty()) return violations.ToStatus();
  const absl::Status supported = CheckSupported(request);
  if (!supported.ok()) return supported;
  const Language* language = nullptr;
  if (request.has_source()) {
    language = config.languages.Find(request.source().language());
    if (!language->unavailable_reason.empty()) {
      return LanguageUnavailable(*language);
    }
  }
  return SpecBuilder(request, config).Build(language);
}

}  // namespace cordon::server
