#include "server/language_set.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "server/durations.h"
#include "server/languages/builtin_languages.h"
#include "server/relative_path.h"

namespace cordon::server {
namespace {

using google::protobuf::TextFormat;

// Collects "PATH:LINE: message" lines, the parser's own and ours.
class Problems : public google::protobuf::io::ErrorCollector {
 public:
  explicit Problems(std::string path) : path_(std::move(path)) {}

  // Lines count from 0, as protobuf does.
  void AddError(int line, int /*column*/, const std::string& message) override {
    lines_.push_back(
        absl::StrCat(path_, ":", std::max(line, 0) + 1, ": ", message));
  }

  absl::Status ToStatus() const {
    if (lines_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrJoin(lines_, "\n"));
  }

 private:
  const std::string path_;
  std::vector<std::string> lines_;
};

// The rules that the schema cannot say.
class Checker {
 public:
  Checker(const LanguageConfig& config, const TextFormat::ParseInfoTree& tree,
          Problems& problems)
      : config_(config), tree_(tree), problems_(problems) {}

  void Check() {
    CheckNames();
    CheckCommand(config_.run(), "run");
    CheckCommand(config_.version(), "version");
    if (config_.has_compile()) CheckCommand(config_.compile(), "compile");
    CheckPrecompiledHeader();
    CheckView(config_.view().read_execute());
    CheckView(config_.view().read());
    CheckEnvironment();
    CheckWarm();
    CheckLimits(config_.limits(), "limits");
    CheckLimits(config_.compile_limits(), "compile_limits");
  }

 private:
  int LineOf(absl::string_view field, int index) const {
    const auto* descriptor =
        LanguageConfig::descriptor()->FindFieldByName(std::string(field));
    return tree_.GetLocation(descriptor, descriptor->is_repeated() ? index : -1)
        .line;
  }

  void Report(absl::string_view field, const std::string& message,
              int index = 0) {
    problems_.AddError(LineOf(field, index), 0, message);
  }

  void CheckNames() {
    if (config_.name().empty()) Report("name", "\"name\" is required");
    if (config_.file_name().empty()) {
      Report("file_name", "\"file_name\" is required");
    } else if (config_.file_name().find('/') != std::string::npos ||
               !RelativePathProblem(config_.file_name()).empty()) {
      Report("file_name",
             "\"file_name\" must be the name of a file, without "
             "a directory");
    } else if (config_.file_name() == kProgramName) {
      Report("file_name", "\"program\" is the name of the compiled program");
    }
    for (int i = 0; i < config_.extensions_size(); ++i) {
      if (config_.extensions(i).empty() || config_.extensions(i)[0] == '.') {
        Report("extensions", "an extension is given without its dot", i);
      }
    }
    for (int i = 0; i < config_.aliases_size(); ++i) {
      if (config_.aliases(i).empty()) Report("aliases", "an alias is empty", i);
    }
  }

  void CheckCommand(const LanguageConfig::Command& command,
                    absl::string_view field) {
    if (command.argv().empty()) {
      Report(field, absl::StrCat("\"", field, ".argv\" is required"));
      return;
    }
    const std::string& program = command.argv(0);
    if (!absl::StartsWith(program, "/") && program != "{program}" &&
        program != "{source}") {
      Report(field, absl::StrCat(Quoted(program),
                                 " must be an absolute path or a placeholder"));
    }
    for (const std::string& argument : command.argv()) {
      CheckPlaceholders(argument, field);
    }
  }

  void CheckPlaceholders(const std::string& argument, absl::string_view field) {
    if (field == "compile") {
      CheckPlaceholders(argument, field,
                        {"{source}", "{program}", "{headers}"});
    } else {
      CheckPlaceholders(argument, field, {"{source}", "{program}"});
    }
    if (field != "compile" && !config_.has_compile() &&
        absl::StrContains(argument, "{program}")) {
      Report(field, "{program} needs a \"compile\" step that makes it");
    }
  }

  void CheckPlaceholders(const std::string& argument, absl::string_view field,
                         const std::vector<absl::string_view>& known) {
    std::string rest = argument;
    for (const absl::string_view placeholder : known) {
      rest = absl::StrReplaceAll(rest, {{placeholder, ""}});
    }
    if (rest.find('{') == std::string::npos) return;
    Report(field,
           absl::StrCat(Quoted(argument), " has a placeholder other than ",
                        absl::StrJoin(known, ", ")));
  }

  void CheckPrecompiledHeader() {
    if (!config_.has_precompiled_header()) return;
    constexpr absl::string_view kField = "precompiled_header";
    const LanguageConfig::PrecompiledHeader& header =
        config_.precompiled_header();
    if (!config_.has_compile() ||
        config_.name().find('/') != std::string::npos) {
      Report(kField,
             "\"precompiled_header\" needs a \"compile\" step and a language "
             "without '/' in its name");
    }
    const std::string problem = RelativePathProblem(header.name());
    if (!problem.empty()) {
      Report(kField, absl::StrCat("its \"name\" ", problem));
    }
    if (header.argv().empty() || !absl::StartsWith(header.argv(0), "/")) {
      Report(kField, "its \"argv\" begins with the compiler's absolute path");
    }
    for (const std::string& argument : header.argv()) {
      CheckPlaceholders(argument, kField, {"{header}", "{output}"});
    }
  }

  void CheckView(const google::protobuf::RepeatedPtrField<std::string>& paths) {
    for (const std::string& path : paths) {
      if (!absl::StartsWith(path, "/")) {
        Report("view", absl::StrCat(Quoted(path), " must be absolute"));
      }
    }
  }

  void CheckEnvironment() {
    for (const auto& [name, value] : config_.environment()) {
      if (name.empty() || absl::StrContains(name, "=")) {
        Report("environment",
               absl::StrCat(Quoted(name), " is no name of a variable"));
      }
    }
  }

  void CheckWarm() {
    if (!config_.has_warm()) return;
    if (config_.has_compile() || config_.run().argv_size() != 2 ||
        config_.run().argv(1) != "{source}") {
      Report("warm",
             "\"warm\" needs a \"run.argv\" of an interpreter and {source}, "
             "and nothing to compile");
    }
    if (config_.warm().cold_words().empty()) {
      Report("warm",
             "\"cold_words\" must name what tells a fork from an interpreter "
             "that was started; python.textproto has Python's");
    }
  }

  void CheckLimits(const v1::Limits& limits, absl::string_view field) {
    for (const auto* duration : {&limits.cpu_time(), &limits.wall_time()}) {
      const auto time = FromProto(*duration);
      if (!time.has_value() || *time < absl::ZeroDuration()) {
        Report(field, "a time is negative or out of range");
      }
    }
  }

  const LanguageConfig& config_;
  const TextFormat::ParseInfoTree& tree_;
  Problems& problems_;
};

// Adds `language`, or says which other one has a name of its own already.
absl::Status Claim(const Language& language,
                   absl::flat_hash_map<std::string, std::string>& owners) {
  std::vector<std::string> names = {language.config.name()};
  names.insert(names.end(), language.config.aliases().begin(),
               language.config.aliases().end());
  for (const std::string& name : names) {
    const auto [owner, is_new] = owners.try_emplace(name, language.origin);
    if (!is_new) {
      return absl::InvalidArgumentError(
          absl::StrCat(language.origin, ":1: the name ", Quoted(name),
                       " is taken by ", owner->second));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Language> ParseLanguage(const LanguageFile& file) {
  Language language;
  language.origin = file.path;
  Problems problems(file.path);
  TextFormat::ParseInfoTree tree;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&problems);
  parser.WriteLocationsTo(&tree);
  if (parser.ParseFromString(file.text, &language.config)) {
    Checker(language.config, tree, problems).Check();
  }
  absl::Status status = problems.ToStatus();
  if (!status.ok()) return status;
  return language;
}

std::vector<LanguageFile> BuiltinLanguageFiles() {
  std::vector<LanguageFile> files;
  for (const BuiltinLanguage& builtin : BuiltinLanguages()) {
    files.push_back(
        {absl::StrCat("(built in) ", builtin.file_name), builtin.text});
  }
  return files;
}

absl::StatusOr<std::vector<LanguageFile>> ReadLanguageDirectory(
    const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<LanguageFile> files;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() != ".textproto") continue;
    std::ifstream stream(entry->path(), std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    if (!stream) {
      return absl::InternalError(
          absl::StrCat("cannot read ", entry->path().string()));
    }
    files.push_back({entry->path().string(), text.str()});
  }
  if (error) {
    return absl::NotFoundError(
        absl::StrCat("cannot read the directory of languages ", path, ": ",
                     error.message()));
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

absl::StatusOr<LanguageSet> LanguageSet::Make(
    const std::vector<std::vector<LanguageFile>>& layers) {
  std::vector<Language> all;
  for (const auto& layer : layers) {
    std::vector<Language> languages;
    for (const LanguageFile& file : layer) {
      absl::StatusOr<Language> language = ParseLanguage(file);
      if (!language.ok()) return language.status();
      const std::string& name = language->config.name();
      all.erase(std::remove_if(all.begin(), all.end(),
                               [&name](const Language& other) {
                                 return other.config.name() == name;
                               }),
                all.end());
      languages.push_back(*std::move(language));
    }
    std::move(languages.begin(), languages.end(), std::back_inserter(all));
  }
  absl::flat_hash_map<std::string, std::string> owners;
  for (const Language& language : all) {
    absl::Status status = Claim(language, owners);
    if (!status.ok()) return status;
  }
  std::sort(all.begin(), all.end(), [](const Language& a, const Language& b) {
    return a.config.name() < b.config.name();
  });
  LanguageSet set;
  set.languages_ = std::move(all);
  return set;
}

const Language* LanguageSet::Find(absl::string_view name) const {
  for (const Language& language : languages_) {
    if (language.config.name() == name) return &language;
    for (const std::string& alias : language.config.aliases()) {
      if (alias == name) return &language;
    }
  }
  return nullptr;
}

std::string LanguageSet::Names() const {
  return absl::StrJoin(languages_, ", ",
                       [](std::string* out, const Language& language) {
                         out->append(language.config.name());
                       });
}

}  // namespace cordon::server
