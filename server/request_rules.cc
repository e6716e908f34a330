#include "server/request_rules.h"

#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/network_grant.h"
#include "server/relative_path.h"

namespace cordon::server {
namespace {

std::string Index(absl::string_view field, int index) {
  return absl::StrCat(field, "[", index, "]");
}

bool HasNul(absl::string_view text) {
  return text.find('\0') != absl::string_view::npos;
}

// The checks of one request, in the order of its fields.
class RequestRules {
 public:
  RequestRules(const v1::ExecuteRequest& request, const ValidatorConfig& config,
               FieldViolations& violations)
      : request_(request),
        config_(config),
        ceilings_(config.ceilings),
        violations_(violations) {}

  void Check() {
    CheckProgram();
    CheckFiles();
    CheckEnvironment();
    CheckArgumentBytes();
    CheckWorkingDirectory();
    CheckBytes("stdin", request_.stdin().size(), ceilings_.stdin_bytes,
               "stdin_bytes");
    CheckOutputFiles();
    CheckEnum("output_mode", request_.output_mode(),
              v1::OutputMode_IsValid(request_.output_mode()));
    CheckLimits(request_.limits(), config_.limits.ceilings, violations_);
    CheckPolicy();
    CheckLabel("request_id", request_.request_id());
    CheckLabel("label", request_.label());
  }

 private:
  // One string of execve(2): no NUL, and short enough with its terminating NUL.
  void CheckString(const std::string& field, absl::string_view text,
                   size_t bytes) {
    if (HasNul(text)) violations_.Add(field, "holds a NUL byte");
    if (bytes >= ceilings_.argument_bytes) {
      violations_.Add(field,
                      absl::StrCat("has ", bytes, " bytes: the ceiling is ",
                                   ceilings_.argument_bytes - 1));
    }
  }

  void CheckBytes(const std::string& field, size_t bytes, size_t ceiling,
                  absl::string_view ceiling_name) {
    if (bytes <= ceiling) return;
    violations_.Add(field, absl::StrCat("has ", bytes, " bytes: the ceiling (",
                                        ceiling_name, ") is ", ceiling));
  }

  // Whether the entries of a repeated field may be looked at.
  bool CheckCount(const std::string& field, size_t count, size_t ceiling) {
    if (count <= ceiling) return true;
    violations_.Add(field, absl::StrCat("has ", count,
                                        " entries: the ceiling is ", ceiling));
    return false;
  }

  void CheckEnum(const std::string& field, int value, bool is_known) {
    if (is_known) return;
    violations_.Add(field, absl::StrCat("has the unknown value ", value));
  }

  void CheckProgram() {
    switch (request_.program_case()) {
      case v1::ExecuteRequest::kSource:
        return CheckSource();
      case v1::ExecuteRequest::kCommand:
        return CheckCommand();
      case v1::ExecuteRequest::PROGRAM_NOT_SET:
        violations_.Add("program", "is missing: set source or command");
    }
  }

  void CheckSource() {
    const v1::Source& source = request_.source();
    if (source.language().empty()) {
      violations_.Add("source.language",
                      absl::StrCat("is empty: this server knows ",
                                   config_.languages.Names()));
    } else if (config_.languages.Find(source.language()) == nullptr) {
      violations_.Add("source.language",
                      absl::StrCat(Quoted(source.language()),
                                   " is unknown: this server knows ",
                                   config_.languages.Names()));
    }
    CheckBytes("source.code", source.code().size(), ceilings_.code_bytes,
               "code_bytes");
    CheckArguments("source.args", source.args());
  }

  void CheckCommand() {
    const v1::Command& command = request_.command();
    if (command.argv().empty()) {
      violations_.Add("command.argv", "is empty: name the program to run");
      return;
    }
    if (command.argv(0).empty()) {
      violations_.Add("command.argv[0]", "is empty: name the program to run");
    }
    CheckArguments("command.argv", command.argv());
  }

  void CheckArguments(
      const std::string& field,
      const google::protobuf::RepeatedPtrField<std::string>& arguments) {
    if (!CheckCount(field, arguments.size(), ceilings_.arguments)) return;
    for (int i = 0; i < arguments.size(); ++i) {
      CheckString(Index(field, i), arguments[i], arguments[i].size());
    }
  }

  // Names that the server itself uses in the run's directory.
  void ReserveNames() {
    if (request_.program_case() != v1::ExecuteRequest::kSource) return;
    const Language* language =
        config_.languages.Find(request_.source().language());
    if (language == nullptr) return;
    taken_[language->config.file_name()] = "the file of source.code";
    if (language->config.has_compile()) {
      taken_[std::string(kProgramName)] = "the compiled program";
    }
  }

  void CheckFiles() {
    ReserveNames();
    if (!CheckCount("files", request_.files_size(), ceilings_.files)) return;
    size_t total = 0;
    for (int i = 0; i < request_.files_size(); ++i) {
      const v1::File& file = request_.files(i);
      total += file.content().size();
      CheckBytes(absl::StrCat(Index("files", i), ".content"),
                 file.content().size(), ceilings_.file_bytes, "file_bytes");
      const std::string field = absl::StrCat(Index("files", i), ".path");
      const std::string problem = RelativePathProblem(file.path());
      if (!problem.empty()) {
        violations_.Add(field, absl::StrCat(Quoted(file.path()), " ", problem));
        continue;
      }
      const auto [taken, is_new] = taken_.try_emplace(file.path(), field);
      if (!is_new) {
        violations_.Add(field, absl::StrCat(Quoted(file.path()),
                                            " is taken by ", taken->second));
      }
    }
    for (int i = 0; i < request_.files_size(); ++i) {
      CheckParents(absl::StrCat(Index("files", i), ".path"),
                   request_.files(i).path());
    }
    CheckBytes("files", total, ceilings_.files_bytes, "files_bytes");
  }

  // A file cannot be the directory of another one.
  void CheckParents(const std::string& field, absl::string_view path) {
    if (!RelativePathProblem(path).empty()) return;
    for (size_t slash = path.find('/'); slash != absl::string_view::npos;
         slash = path.find('/', slash + 1)) {
      const auto taken = taken_.find(std::string(path.substr(0, slash)));
      if (taken == taken_.end()) continue;
      violations_.Add(field, absl::StrCat(Quoted(path), " lies beneath ",
                                          taken->second, ", which is a file"));
      return;
    }
  }

  void CheckEnvironment() {
    if (!CheckCount("environment", request_.environment().size(),
                    ceilings_.environment)) {
      return;
    }
    // In the order of the names: a message does not depend on a hash.
    const std::map<std::string, std::string> variables(
        request_.environment().begin(), request_.environment().end());
    for (const auto& [name, value] : variables) {
      const std::string field = absl::StrCat("environment[", Quoted(name), "]");
      if (name.empty()) violations_.Add(field, "has an empty name");
      if (absl::StrContains(name, '=')) {
        violations_.Add(field, "has a '=' in its name");
      }
      if (HasNul(name)) violations_.Add(field, "has a NUL byte in its name");
      CheckString(field, value, name.size() + 1 + value.size());
    }
  }

  void CheckArgumentBytes() {
    size_t bytes = 0;
    const auto& arguments = request_.has_source() ? request_.source().args()
                                                  : request_.command().argv();
    for (const std::string& argument : arguments) bytes += argument.size() + 1;
    for (const auto& [name, value] : request_.environment()) {
      bytes += name.size() + value.size() + 2;
    }
    CheckBytes(request_.has_source() ? "source.args" : "command.argv", bytes,
               ceilings_.arguments_bytes,
               "arguments_bytes, arguments and environment together");
  }

  void CheckWorkingDirectory() {
    const std::string& path = request_.working_directory();
    if (path.empty()) return;
    const std::string problem = RelativePathProblem(path);
    if (!problem.empty()) {
      violations_.Add("working_directory",
                      absl::StrCat(Quoted(path), " ", problem));
      return;
    }
    CheckParents("working_directory", path);
    const auto taken = taken_.find(path);
    if (taken != taken_.end()) {
      violations_.Add("working_directory",
                      absl::StrCat(Quoted(path), " is ", taken->second,
                                   ", which is a file"));
    }
  }

  void CheckOutputFiles() {
    if (!CheckCount("output_files", request_.output_files_size(),
                    ceilings_.output_files)) {
      return;
    }
    for (int i = 0; i < request_.output_files_size(); ++i) {
      const std::string& pattern = request_.output_files(i);
      const std::string problem = RelativePathProblem(pattern);
      if (problem.empty()) continue;
      violations_.Add(Index("output_files", i),
                      absl::StrCat(Quoted(pattern), " ", problem));
    }
  }

  void CheckPolicy() {
    const v1::Policy& policy = request_.policy();
    CheckEnum("policy.network", policy.network(),
              v1::Network_IsValid(policy.network()));
    CheckNetwork(policy);
    CheckEnum("policy.audit", policy.audit(),
              v1::Audit_IsValid(policy.audit()));
    CheckEnum("policy.filesystem", policy.filesystem(),
              v1::Filesystem_IsValid(policy.filesystem()));
    CheckEnum("policy.start", policy.start(),
              v1::Start_IsValid(policy.start()));
    const v1::OnViolation& action = policy.on_violation();
    CheckAction("syscall", action.syscall());
    CheckAction("filesystem", action.filesystem());
    CheckAction("network", action.network());
    CheckAction("process", action.process());
  }

  void CheckNetwork(const v1::Policy& policy) {
    const v1::Network network = policy.network();
    if (ToNetworkAccess(network) > config_.max_network) {
      violations_.Add(
          "policy.network",
          absl::StrCat(v1::Network_Name(network),
                       " is more than this server grants, which "
                       "is ",
                       v1::Network_Name(ToProto(config_.max_network)),
                       " (--max_network)"));
    }
    const bool has_list = network == v1::NETWORK_ALLOW_LIST;
    if (has_list && policy.allowed_hosts().empty()) {
      violations_.Add("policy.allowed_hosts",
                      "is empty: NETWORK_ALLOW_LIST needs it");
    }
    if (!has_list && !policy.allowed_hosts().empty()) {
      violations_.Add("policy.allowed_hosts",
                      "goes with NETWORK_ALLOW_LIST only");
    }
    if (!CheckCount("policy.allowed_hosts", policy.allowed_hosts_size(),
                    kMaxAllowedHosts)) {
      return;
    }
    for (int i = 0; i < policy.allowed_hosts_size(); ++i) {
      const auto endpoint = ParseAllowedHost(policy.allowed_hosts(i));
      if (endpoint.ok()) continue;
      violations_.Add(Index("policy.allowed_hosts", i),
                      absl::StrCat(Quoted(policy.allowed_hosts(i)), " ",
                                   endpoint.status().message()));
    }
  }

  void CheckAction(absl::string_view kind, v1::ViolationAction action) {
    CheckEnum(absl::StrCat("policy.on_violation.", kind), action,
              v1::ViolationAction_IsValid(action));
  }

  void CheckLabel(const std::string& field, absl::string_view text) {
    if (text.size() > kMaxLabelBytes) {
      violations_.Add(field,
                      absl::StrCat("has ", text.size(), " bytes: at most ",
                                   kMaxLabelBytes, " are allowed"));
    }
    for (const unsigned char c : text) {
      if (c >= 0x20 && c < 0x7f) continue;
      violations_.Add(field, "holds a character that is not printable ASCII");
      return;
    }
  }

  const v1::ExecuteRequest& request_;
  const ValidatorConfig& config_;
  const RequestCeilings& ceilings_;
  FieldViolations& violations_;
  // Paths of files in the run's directory, and who makes them.
  std::map<std::string, std::string> taken_;
};

}  // namespace

void CheckRequest(const v1::ExecuteRequest& request,
                  const ValidatorConfig& config, FieldViolations& violations) {
  RequestRules(request, config, violations).Check();
}

}  // namespace cordon::server
