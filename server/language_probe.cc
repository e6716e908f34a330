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
#include "absl/synchronization/notification.h"
#include "server/utf8.h"

namespace cordon::server {
namespace {

// A host that is busy while the server starts would be without the language
// until the next start.
constexpr absl::Duration kTimeout = absl::Seconds(30);
constexpr uint64_t kMaxOutputBytes = 16 << 10;

// Collects one version's output.
class VersionObserver final : public sandbox::RunObserver {
 public:
  void OnStarted(const sandbox::Enforcement& /*enforcement*/) override {}
  sandbox::Flow OnOutput(sandbox::OutputStream stream, absl::string_view data,
                         uint64_t /*offset*/) override {
    std::string& text =
        stream == sandbox::OutputStream::kStdout ? stdout_ : stderr_;
    text.append(data.data(), data.size());
    return sandbox::Flow::kContinue;
  }
  void OnViolation(const sandbox::Violation& /*violation*/) override {}
  void OnFinished(absl::StatusOr<sandbox::Outcome> outcome) override {
    outcome_ = std::move(outcome);
    finished_.Notify();
  }

  const absl::StatusOr<sandbox::Outcome>& Await() {
    finished_.WaitForNotification();
    return outcome_;
  }

  // The first line that says something. Old tools print it on stderr.
  std::string Version() const {
    for (const std::string* text : {&stdout_, &stderr_}) {
      for (absl::string_view line : absl::StrSplit(*text, '\n')) {
        line = absl::StripAsciiWhitespace(line);
        if (!line.empty()) return ToUtf8(std::string(line));
      }
    }
    return "";
  }

 private:
  std::string stdout_;
  std::string stderr_;
  absl::StatusOr<sandbox::Outcome> outcome_ = sandbox::Outcome();
  absl::Notification finished_;
};

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
  spec.view = config.view;
  const LanguageConfig::View& view = language.view();
  spec.view.read_execute.insert(spec.view.read_execute.end(),
                                view.read_execute().begin(),
                                view.read_execute().end());
  spec.view.read.insert(spec.view.read.end(), view.read().begin(),
                        view.read().end());
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

void Conclude(VersionObserver& observer, const sandbox::Outcome& outcome,
              Language& language) {
  const std::string command =
      absl::StrJoin(language.config.version().argv(), " ");
  if (outcome.kind != sandbox::OutcomeKind::kExited) {
    language.unavailable_reason = absl::StrCat(command, ": ", outcome.message);
  } else if (outcome.exit_code != 0) {
    language.unavailable_reason =
        absl::StrCat(command, " exited with ", outcome.exit_code);
  } else {
    language.version = observer.Version();
  }
}

}  // namespace

absl::Status ProbeLanguages(sandbox::Sandbox& sandbox,
                            ValidatorConfig& config) {
  std::vector<std::pair<Language*, std::shared_ptr<VersionObserver>>> probes;
  for (Language& language : config.languages.mutable_all()) {
    const std::string missing = MissingTool(language.config);
    if (!missing.empty()) {
      language.unavailable_reason = absl::StrCat(missing, " is not installed");
      continue;
    }
    auto observer = std::make_shared<VersionObserver>();
    sandbox.Start(VersionSpec(language.config, config), observer);
    probes.emplace_back(&language, std::move(observer));
  }
  absl::Status status;
  for (auto& [language, observer] : probes) {
    const absl::StatusOr<sandbox::Outcome>& outcome = observer->Await();
    status.Update(outcome.status());
    if (outcome.ok()) Conclude(*observer, *outcome, *language);
  }
  return status;
}

}  // namespace cordon::server
