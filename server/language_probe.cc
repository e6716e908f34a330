#include "server/language_probe.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/awaited_run.h"
#include "server/utf8.h"

namespace cordon::server {
namespace {

// A host that is busy while the server starts would be without the language
// until the next start.
constexpr absl::Duration kTimeout = absl::Seconds(30);
constexpr uint64_t kMaxOutputBytes = 16 << 10;

// The first line that says something. Old tools print it on stderr.
std::string Version(const AwaitedRun& run) {
  for (const std::string* text : {&run.stdout_data(), &run.stderr_data()}) {
    for (absl::string_view line : absl::StrSplit(*text, '\n')) {
      line = absl::StripAsciiWhitespace(line);
      if (!line.empty()) return ToUtf8(std::string(line));
    }
  }
  return "";
}

// The first tool of the language that is not on this host; empty when all are.
std::string MissingTool(const LanguageConfig& language) {
  for (const LanguageConfig::Command* command :
       {&language.compile(), &language.run(), &language.version()}) {
    if (command->argv().empty() || command->argv(0)[0] != '/') continue;
    if (access(command->argv(0).c_str(), X_OK) != 0) return command->argv(0);
  }
  return "";
}

sandbox::ExecutionSpec VersionSpec(const LanguageConfig& language,
                                   const ValidatorConfig& config) {
  sandbox::ExecutionSpec spec;
  spec.request_id = absl::StrCat("version of ", language.name());
  spec.view = ViewOf(config, language);
  spec.program.argv.assign(language.version().argv().begin(),
                           language.version().argv().end());
  spec.program.environment = {absl::StrCat("PATH=", config.path),
                              absl::StrCat("LANG=", config.locale)};
  spec.program.output_mode = sandbox::OutputMode::kKeepHead;
  spec.program.limits.wall_time = kTimeout;
  spec.program.limits.cpu_time = kTimeout;
  spec.program.limits.output_bytes = kMaxOutputBytes;
  return spec;
}

void Conclude(const AwaitedRun& run, const sandbox::Outcome& outcome,
              Language& language) {
  const std::string command =
      absl::StrJoin(language.config.version().argv(), " ");
  if (outcome.kind != sandbox::OutcomeKind::kExited) {
    language.unavailable_reason = absl::StrCat(command, ": ", outcome.message);
  } else if (outcome.exit_code != 0) {
    language.unavailable_reason =
        absl::StrCat(command, " exited with ", outcome.exit_code);
  } else {
    language.version = Version(run);
  }
}

}  // namespace

absl::Status ProbeLanguages(sandbox::Sandbox& sandbox,
                            ValidatorConfig& config) {
  std::vector<std::pair<Language*, std::shared_ptr<AwaitedRun>>> probes;
  for (Language& language : config.languages.mutable_all()) {
    const std::string missing = MissingTool(language.config);
    if (!missing.empty()) {
      language.unavailable_reason = absl::StrCat(missing, " is not installed");
      continue;
    }
    auto run = std::make_shared<AwaitedRun>();
    sandbox.Start(VersionSpec(language.config, config), run);
    probes.emplace_back(&language, std::move(run));
  }
  absl::Status status;
  for (auto& [language, run] : probes) {
    const absl::StatusOr<sandbox::Outcome>& outcome = run->Await();
    status.Update(outcome.status());
    if (outcome.ok()) Conclude(*run, *outcome, *language);
  }
  return status;
}

}  // namespace cordon::server
