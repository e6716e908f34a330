#include "client/request_builder.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/printable.h"
#include "client/size_and_duration.h"

namespace cordon::client {
namespace {

template <typename Value>
struct Word {
  absl::string_view text;
  Value value;
};

constexpr Word<v1::OutputMode> kOutputModes[] = {
    {"terminate", v1::OUTPUT_MODE_TERMINATE},
    {"head", v1::OUTPUT_MODE_KEEP_HEAD},
    {"tail", v1::OUTPUT_MODE_KEEP_TAIL},
};
constexpr Word<v1::Network> kNetworks[] = {
    {"none", v1::NETWORK_NONE},
    {"loopback", v1::NETWORK_LOOPBACK},
    {"allow-list", v1::NETWORK_ALLOW_LIST},
    {"full", v1::NETWORK_FULL},
};
constexpr Word<v1::ViolationAction> kActions[] = {
    {"terminate", v1::VIOLATION_ACTION_TERMINATE},
    {"deny", v1::VIOLATION_ACTION_DENY},
};
constexpr Word<v1::Audit> kAudits[] = {
    {"writes", v1::AUDIT_WRITES},
    {"all", v1::AUDIT_ALL},
};
constexpr Word<v1::Filesystem> kFilesystems[] = {
    {"host", v1::FILESYSTEM_HOST},
    {"virtual", v1::FILESYSTEM_VIRTUAL},
};
constexpr Word<v1::Start> kStarts[] = {
    {"auto", v1::START_UNSPECIFIED},
    {"cold", v1::START_COLD},
};
using ActionSetter = void (v1::OnViolation::*)(v1::ViolationAction);
constexpr Word<ActionSetter> kKinds[] = {
    {"syscall", &v1::OnViolation::set_syscall},
    {"filesystem", &v1::OnViolation::set_filesystem},
    {"network", &v1::OnViolation::set_network},
    {"process", &v1::OnViolation::set_process},
};

template <typename Value, size_t size>
std::string Choices(const Word<Value> (&words)[size]) {
  return absl::StrJoin(words, ", ",
                       [](std::string* out, const Word<Value>& word) {
                         absl::StrAppend(out, word.text);
                       });
}

// Collects problems, so that the user sees all of them at once.
class Builder {
 public:
  explicit Builder(const RunFlags& flags) : flags_(flags) {}

  void AddProgram(std::string code, absl::string_view language);
  void AddInputs(RunInputs inputs);
  void AddEnvironment();
  void AddLimits();
  void AddPolicy();
  void AddTexts();
  absl::StatusOr<v1::ExecuteRequest> Finish();

 private:
  void Problem(absl::string_view flag, absl::string_view value,
               absl::string_view problem) {
    problems_.push_back(
        absl::StrCat(flag, "=", Printable(value), " ", problem));
  }

  // `text` must be a protobuf string; `what` names it for the message.
  std::string Text(absl::string_view what, const std::string& text) {
    if (!IsUtf8(text)) {
      problems_.push_back(absl::StrCat(what, " is not UTF-8 text"));
    }
    return text;
  }

  template <typename Value, typename Parser>
  std::optional<Value> Parse(absl::string_view flag, const std::string& value,
                             Parser parser) {
    if (value.empty()) return std::nullopt;
    absl::StatusOr<Value> parsed = parser(value);
    if (parsed.ok()) return *parsed;
    Problem(flag, value, parsed.status().message());
    return std::nullopt;
  }

  template <typename Value, size_t size>
  std::optional<Value> Choose(absl::string_view flag, absl::string_view value,
                              absl::string_view word,
                              const Word<Value> (&words)[size]) {
    if (value.empty()) return std::nullopt;
    for (const Word<Value>& known : words) {
      if (word == known.text) return known.value;
    }
    Problem(flag, value, absl::StrCat("is not one of ", Choices(words)));
    return std::nullopt;
  }

  void AddOnViolation(const std::string& value);

  const RunFlags& flags_;
  v1::ExecuteRequest request_;
  std::vector<std::string> problems_;
};

void Builder::AddProgram(std::string code, absl::string_view language) {
  if (flags_.program == ProgramKind::kCommand) {
    if (flags_.arguments.empty()) {
      problems_.push_back("--command needs a program: -- PROGRAM ARGS...");
    }
    for (const std::string& argument : flags_.arguments) {
      request_.mutable_command()->add_argv(Text("an argument", argument));
    }
    return;
  }
  const bool is_stdin = flags_.file.empty() || flags_.file == "-";
  v1::Source& source = *request_.mutable_source();
  source.set_language(std::string(language));
  source.set_code(
      Text(is_stdin ? "the source on standard input" : Printable(flags_.file),
           std::move(code)));
  for (const std::string& argument : flags_.arguments) {
    source.add_args(Text("an argument", argument));
  }
}

void Builder::AddInputs(RunInputs inputs) {
  request_.set_stdin(std::move(inputs.stdin_data));
  for (v1::File& file : inputs.files) {
    Text(absl::StrCat("the name ", Printable(file.path())), file.path());
    *request_.add_files() = std::move(file);
  }
  for (const std::string& output : flags_.outputs) {
    request_.add_output_files(
        Text(absl::StrCat("--output=", Printable(output)), output));
  }
}

void Builder::AddEnvironment() {
  for (const std::string& variable : flags_.environment) {
    const size_t equals = variable.find('=');
    if (equals == std::string::npos || equals == 0) {
      Problem("--env", variable, "is not NAME=VALUE");
      continue;
    }
    const std::string name = variable.substr(0, equals);
    Text(absl::StrCat("--env=", Printable(name)), variable);
    (*request_.mutable_environment())[name] = variable.substr(equals + 1);
  }
}

void Builder::AddLimits() {
  v1::Limits limits;
  if (auto cpu = Parse<absl::Duration>("--cpu", flags_.cpu, ParseDuration)) {
    *limits.mutable_cpu_time() = ToProto(*cpu);
  }
  if (auto wall = Parse<absl::Duration>("--wall", flags_.wall, ParseDuration)) {
    *limits.mutable_wall_time() = ToProto(*wall);
  }
  using SizeSetter = void (v1::Limits::*)(uint64_t);
  const std::pair<const Word<SizeSetter>, const std::string&> sizes[] = {
      {{"--memory", &v1::Limits::set_memory_bytes}, flags_.memory},
      {{"--output-limit", &v1::Limits::set_output_bytes}, flags_.output_limit},
      {{"--file-size", &v1::Limits::set_file_bytes}, flags_.file_size},
      {{"--disk", &v1::Limits::set_disk_bytes}, flags_.disk},
  };
  for (const auto& [flag, value] : sizes) {
    if (auto size = Parse<uint64_t>(flag.text, value, ParseSize)) {
      (limits.*flag.value)(*size);
    }
  }
  using CountSetter = void (v1::Limits::*)(uint32_t);
  const std::pair<const Word<CountSetter>, const std::string&> counts[] = {
      {{"--open-files", &v1::Limits::set_open_files}, flags_.open_files},
      {{"--processes", &v1::Limits::set_processes}, flags_.processes},
  };
  for (const auto& [flag, value] : counts) {
    if (auto count = Parse<uint32_t>(flag.text, value, ParseCount)) {
      (limits.*flag.value)(*count);
    }
  }
  if (limits.ByteSizeLong() != 0) *request_.mutable_limits() = limits;
}

void Builder::AddOnViolation(const std::string& value) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(value, absl::MaxSplits('=', 1));
  const auto kind = Choose("--on-violation", value, parts.first, kKinds);
  if (!kind) return;
  if (const auto action =
          Choose("--on-violation", value, parts.second, kActions)) {
    v1::OnViolation& rules = *request_.mutable_policy()->mutable_on_violation();
    (rules.**kind)(*action);
  }
}

void Builder::AddPolicy() {
  if (const auto mode = Choose("--output-mode", flags_.output_mode,
                               flags_.output_mode, kOutputModes)) {
    request_.set_output_mode(*mode);
  }
  if (const auto network =
          Choose("--network", flags_.network, flags_.network, kNetworks)) {
    request_.mutable_policy()->set_network(*network);
  }
  if (const auto audit =
          Choose("--audit", flags_.audit, flags_.audit, kAudits)) {
    request_.mutable_policy()->set_audit(*audit);
  }
  if (const auto filesystem = Choose("--filesystem", flags_.filesystem,
                                     flags_.filesystem, kFilesystems)) {
    request_.mutable_policy()->set_filesystem(*filesystem);
  }
  if (const auto start =
          Choose("--start", flags_.start, flags_.start, kStarts)) {
    request_.mutable_policy()->set_start(*start);
  }
  for (const std::string& host : flags_.allowed_hosts) {
    request_.mutable_policy()->add_allowed_hosts(Text("--allow-host", host));
  }
  for (const std::string& value : flags_.on_violation) AddOnViolation(value);
}

void Builder::AddTexts() {
  request_.set_working_directory(Text("--cwd", flags_.working_directory));
  request_.set_request_id(Text("--request-id", flags_.request_id));
  request_.set_label(Text("--label", flags_.label));
}

absl::StatusOr<v1::ExecuteRequest> Builder::Finish() {
  if (!problems_.empty()) {
    return absl::InvalidArgumentError(absl::StrJoin(problems_, "\n"));
  }
  return std::move(request_);
}

// Without "./" and doubled slashes; empty when it is absolute or climbs.
std::string NormalRelativePath(absl::string_view path) {
  if (absl::StartsWith(path, "/")) return "";
  std::vector<absl::string_view> components;
  for (absl::string_view component :
       absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (component == "..") return "";
    if (component != ".") components.push_back(component);
  }
  return absl::StrJoin(components, "/");
}

absl::string_view LastComponent(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

absl::StatusOr<v1::ExecuteRequest> BuildRequest(const RunFlags& flags,
                                                RunInputs inputs,
                                                absl::string_view language) {
  Builder builder(flags);
  builder.AddProgram(std::move(inputs.code), language);
  builder.AddInputs(std::move(inputs));
  builder.AddEnvironment();
  builder.AddLimits();
  builder.AddPolicy();
  builder.AddTexts();
  return builder.Finish();
}

absl::StatusOr<std::string> LanguageOfFile(absl::string_view file,
                                           const v1::ServerInfo& info) {
  const absl::string_view name = LastComponent(file);
  const size_t dot = name.rfind('.');
  const absl::string_view extension =
      dot == absl::string_view::npos ? "" : name.substr(dot + 1);
  std::vector<absl::string_view> known;
  for (const v1::Language& language : info.languages()) {
    for (const std::string& known_extension : language.extensions()) {
      if (extension != known_extension || extension.empty()) continue;
      if (language.unavailable_reason().empty()) return language.name();
      return absl::UnimplementedError(
          absl::StrCat(language.name(), " is not available on this server: ",
                       Printable(language.unavailable_reason())));
    }
    if (language.unavailable_reason().empty()) known.push_back(language.name());
  }
  return absl::NotFoundError(
      absl::StrCat("the language of ", Printable(file),
                   " is not known from its name; add --language=NAME, one of: ",
                   absl::StrJoin(known, ", ")));
}

FileArgument ParseFileArgument(absl::string_view text) {
  const size_t equals = text.find('=');
  if (equals != absl::string_view::npos) {
    return {std::string(text.substr(0, equals)),
            std::string(text.substr(equals + 1))};
  }
  std::string destination = NormalRelativePath(text);
  if (destination.empty()) destination = std::string(LastComponent(text));
  return {std::move(destination), std::string(text)};
}

}  // namespace cordon::client
