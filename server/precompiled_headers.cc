// The doors are EmptyHeadersDirectory and Notice, from which a header goes on
// to Want and, on a thread of its own, to Make.

#include "server/precompiled_headers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/base/unique_fd.h"
#include "server/awaited_run.h"
#include "server/limit_rules.h"

namespace cordon::server {
namespace {

constexpr char kIncluder[] = "header.h";
constexpr char kOutput[] = "header.h.gch";
// bits/stdc++.h of GCC 12 makes 118 MiB, which is twice there for a moment.
constexpr uint64_t kMostBytes = uint64_t{256} << 20;
constexpr uint64_t kLeastFreeBytes = 4 * kMostBytes;
// A host that was busy, or had no space, may have both later.
constexpr absl::Duration kUntilNextTry = absl::Minutes(5);
// Includes are at the beginning.
constexpr size_t kLookedAtBytes = size_t{64} << 10;

sandbox::ExecutionSpec SpecOf(const ValidatorConfig& config,
                              const LanguageConfig& language) {
  const LanguageConfig::PrecompiledHeader& header =
      language.precompiled_header();
  sandbox::ExecutionSpec spec;
  spec.request_id = absl::StrCat(header.name(), " of ", language.name());
  spec.view = ViewOf(config, language);
  // What compilers say of an error beneath it names the header, and not where
  // it was compiled (C++20, [cpp.line]).
  spec.files = {{kIncluder,
                 absl::StrCat("#line 1 \"", header.name(), "\"\n#include <",
                              header.name(), ">\n"),
                 sandbox::FileMode::kRegular}};
  for (const std::string& argument : header.argv()) {
    spec.program.argv.push_back(absl::StrReplaceAll(
        argument, {{"{header}", kIncluder}, {"{output}", kOutput}}));
  }
  spec.program.environment = StartEnvironment(config, language);
  spec.program.output_mode = sandbox::OutputMode::kKeepHead;
  spec.program.limits =
      Override(config.limits.defaults, language.compile_limits());
  spec.output_files = {kOutput};
  spec.max_collected_bytes = kMostBytes;
  return spec;
}

absl::Status CheckSpace(const std::string& directory) {
  struct statvfs space;
  if (statvfs(directory.c_str(), &space) != 0) {
    return sandbox::ErrnoToStatus(errno, absl::StrCat("statvfs ", directory));
  }
  const uint64_t free_bytes = uint64_t{space.f_bavail} * space.f_frsize;
  if (free_bytes >= kLeastFreeBytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("there are ", free_bytes >> 20, " MiB free in ", directory,
                   ", of ", kLeastFreeBytes >> 20, " that it takes"));
}

absl::Status WriteAll(int fd, absl::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return sandbox::ErrnoToStatus(errno, "write");
    content.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

// What a compiler reads where it does not use what was compiled, and when the
// header is included again: the header itself, the next of that name.
std::string Forwarder(absl::string_view header) {
  return absl::StrCat("#include_next <", header, ">\n");
}

// For all to read, whatever the umask is. Whole, or not there.
absl::Status Place(const std::string& path, absl::string_view content) {
  const std::string unfinished = path + ".unfinished";
  unlink(unfinished.c_str());  // Of a try that failed.
  const sandbox::UniqueFd file(
      open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.valid() || fchmod(file.get(), 0644) != 0) {
    return sandbox::ErrnoToStatus(errno, absl::StrCat("open ", unfinished));
  }
  absl::Status status = WriteAll(file.get(), content);
  if (status.ok() && rename(unfinished.c_str(), path.c_str()) != 0) {
    status = sandbox::ErrnoToStatus(errno, absl::StrCat("rename to ", path));
  }
  if (!status.ok()) unlink(unfinished.c_str());
  return status;
}

// The directories of `header` beneath `directory`, which is there.
absl::Status MakeDirectories(std::string directory, absl::string_view header) {
  std::vector<absl::string_view> names = absl::StrSplit(header, '/');
  names.pop_back();
  for (const absl::string_view name : names) {
    absl::StrAppend(&directory, "/", name);
    if ((mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) ||
        chmod(directory.c_str(), 0755) != 0) {
      return sandbox::ErrnoToStatus(errno, absl::StrCat("mkdir ", directory));
    }
  }
  return absl::OkStatus();
}

// What the run made.
absl::StatusOr<absl::string_view> MadeBy(const AwaitedRun& run) {
  const absl::StatusOr<sandbox::Outcome>& outcome = run.Await();
  if (!outcome.ok()) return outcome.status();
  if (outcome->kind != sandbox::OutcomeKind::kExited ||
      outcome->exit_code != 0) {
    return absl::UnknownError(
        absl::StrCat(outcome->message, ": ", run.stderr_data().substr(0, 200)));
  }
  if (outcome->files.size() != 1 || !outcome->files[0].error.empty()) {
    return absl::UnknownError(outcome->files.empty()
                                  ? "the compiler made nothing"
                                  : outcome->files[0].error);
  }
  return outcome->files[0].content;
}

}  // namespace

absl::Status EmptyHeadersDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) {
    return sandbox::ErrnoToStatus(error.value(), absl::StrCat("remove ", path));
  }
  if (mkdir(path.c_str(), 0755) != 0 || chmod(path.c_str(), 0755) != 0) {
    return sandbox::ErrnoToStatus(errno, absl::StrCat("mkdir ", path));
  }
  return absl::OkStatus();
}

PrecompiledHeaders::PrecompiledHeaders(const ValidatorConfig& config,
                                       sandbox::Sandbox* sandbox,
                                       OnMade on_made)
    : directory_(config.headers_directory),
      sandbox_(sandbox),
      on_made_(std::move(on_made)) {
  for (const Language& language : config.languages.all()) {
    const LanguageConfig& its = language.config;
    if (!its.has_precompiled_header() || !language.unavailable_reason.empty()) {
      continue;
    }
    auto header = std::make_unique<Header>();
    header->language = its.name();
    header->names = {its.aliases().begin(), its.aliases().end()};
    header->names.push_back(its.name());
    header->header = its.precompiled_header().name();
    header->spec = SpecOf(config, its);
    headers_.push_back(std::move(header));
  }
}

PrecompiledHeaders::~PrecompiledHeaders() {
  std::vector<std::shared_ptr<sandbox::Run>> runs;
  {
    absl::MutexLock lock(&mutex_);
    is_over_ = true;
    for (const auto& header : headers_) runs.push_back(header->run);
  }
  for (const auto& run : runs) {
    if (run != nullptr) run->Cancel();
  }
  for (const auto& header : headers_) {
    if (header->maker.joinable()) header->maker.join();
  }
  EmptyHeadersDirectory(directory_).IgnoreError();
}

void PrecompiledHeaders::Notice(absl::string_view language,
                                absl::string_view source) {
  for (const auto& header : headers_) {
    if (header->is_wanted.load(std::memory_order_relaxed) ||
        std::find(header->names.begin(), header->names.end(), language) ==
            header->names.end() ||
        !absl::StrContains(source.substr(0, kLookedAtBytes), header->header)) {
      continue;
    }
    Want(*header);
  }
}

void PrecompiledHeaders::Want(Header& header) {
  absl::MutexLock lock(&mutex_);
  if (is_over_ || header.is_wanted || absl::Now() < header.not_before) return;
  header.is_wanted = true;
  // Of a try that failed: it has said so, and has nothing more to do.
  if (header.maker.joinable()) header.maker.join();
  header.maker = std::thread([this, &header] {
    const absl::Status status = Make(header);
    if (absl::IsCancelled(status)) return;
    on_made_(header.language, header.header, status);
    if (status.ok()) return;
    absl::MutexLock failed(&mutex_);
    header.not_before = absl::Now() + kUntilNextTry;
    header.is_wanted = false;
  });
}

absl::Status PrecompiledHeaders::Make(Header& header) {
  const sandbox::LayerEnforcement& files = sandbox_->enforcement().filesystem;
  if (files.level != sandbox::EnforcementLevel::kFull) {
    return absl::FailedPreconditionError(
        absl::StrCat("a run could change it: ", files.reason));
  }
  absl::Status status = CheckSpace(directory_);
  if (!status.ok()) return status;
  const auto run = std::make_shared<AwaitedRun>();
  {
    absl::MutexLock lock(&mutex_);
    if (is_over_) return absl::CancelledError("the server ends");
    header.run = sandbox_->Start(header.spec, run);
  }
  absl::StatusOr<absl::string_view> made = MadeBy(*run);
  if (!made.ok()) return made.status();
  const std::string name = absl::StrCat(header.language, "/", header.header);
  const std::string path = absl::StrCat(directory_, "/", name);
  status.Update(MakeDirectories(directory_, name));
  if (status.ok()) status = Place(path, Forwarder(header.header));
  if (status.ok()) status = Place(path + ".gch", *made);
  return status;
}

}  // namespace cordon::server
