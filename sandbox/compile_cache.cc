// The doors are CompileKey, CompileCache::Get and a claim's methods.

#include "sandbox/compile_cache.h"

#include <sys/stat.h>

#include <climits>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace cordon::sandbox {
namespace {

// One field behind another, each with its length, so that no two lists of
// fields are the same bytes.
class KeyWriter {
 public:
  void Add(absl::string_view text) {
    absl::StrAppend(&key_, text.size(), ":", text);
  }
  void Add(uint64_t number) { absl::StrAppend(&key_, number, ";"); }
  void Add(const std::vector<std::string>& all) {
    Add(all.size());
    for (const std::string& text : all) Add(text);
  }
  void Add(const Limits& limits) {
    for (const absl::Duration time : {limits.cpu_time, limits.wall_time}) {
      Add(static_cast<uint64_t>(absl::ToInt64Nanoseconds(time)));
    }
    for (const uint64_t number :
         {limits.memory_bytes, limits.output_bytes, uint64_t{limits.processes},
          limits.file_bytes, limits.disk_bytes, limits.disk_inodes,
          uint64_t{limits.open_files}}) {
      Add(number);
    }
  }
  std::string Take() { return std::move(key_); }

 private:
  std::string key_;
};

// The file behind a name: another compiler is another step.
void AddProgram(const std::string& path, KeyWriter& key) {
  char* const real = realpath(path.c_str(), nullptr);
  struct stat status = {};
  if (real != nullptr && stat(real, &status) == 0) {
    key.Add(real);
    for (const auto number : {static_cast<uint64_t>(status.st_dev),
                              static_cast<uint64_t>(status.st_ino),
                              static_cast<uint64_t>(status.st_size),
                              static_cast<uint64_t>(status.st_mtim.tv_sec),
                              static_cast<uint64_t>(status.st_mtim.tv_nsec),
                              static_cast<uint64_t>(status.st_ctim.tv_sec),
                              static_cast<uint64_t>(status.st_ctim.tv_nsec)}) {
      key.Add(number);
    }
  }
  free(real);
}

uint64_t SizeOf(const std::string& key, const Compiled& compiled) {
  uint64_t size = key.size() + compiled.compilation.stdout_data.size() +
                  compiled.compilation.stderr_data.size();
  for (const InputFile& file : compiled.files) {
    size += file.path.size() + file.content.size();
  }
  return size;
}

// Compilers put the time there.
bool NamesTheTime(absl::string_view text) {
  return absl::StrContains(text, "__TIME__") ||
         absl::StrContains(text, "__DATE__") ||
         absl::StrContains(text, "__TIMESTAMP__");
}

// Keys are compared and copied.
bool IsTooLarge(const ExecutionSpec& spec) {
  constexpr uint64_t kMostBytes = 1 << 20;
  uint64_t bytes = spec.compile->stdin_data.size();
  for (const InputFile& file : spec.files) bytes += file.content.size();
  return bytes > kMostBytes;
}

}  // namespace

std::string CompileKey(const ExecutionSpec& spec) {
  if (!spec.compile.has_value() || spec.compile->artefacts.empty() ||
      IsTooLarge(spec)) {
    return "";
  }
  const Step& step = *spec.compile;
  // Its name is looked up by the child, in the run's own directory too.
  if (!absl::StartsWith(step.argv.front(), "/")) return "";
  KeyWriter key;
  AddProgram(step.argv.front(), key);
  key.Add(step.argv);
  key.Add(step.environment);
  key.Add(step.working_directory);
  key.Add(step.stdin_data);
  key.Add(static_cast<uint64_t>(step.output_mode));
  key.Add(step.limits);
  key.Add(step.artefacts);
  key.Add(spec.program.working_directory);
  key.Add(spec.path_directories);
  key.Add(static_cast<uint64_t>(spec.filesystem));
  key.Add(static_cast<uint64_t>(spec.audit));
  for (const auto* paths :
       {&spec.view.read_execute, &spec.view.read, &spec.view.read_write}) {
    key.Add(*paths);
  }
  key.Add(spec.files.size());
  for (const InputFile& file : spec.files) {
    if (NamesTheTime(file.content)) return "";
    key.Add(file.path);
    key.Add(static_cast<uint64_t>(file.mode));
    key.Add(file.content);
  }
  return key.Take();
}

CompileClaim::CompileClaim(CompileClaim&& other) noexcept
    : cache_(std::exchange(other.cache_, nullptr)),
      key_(std::move(other.key_)),
      kept_(std::move(other.kept_)) {}

CompileClaim::~CompileClaim() {
  if (cache_ != nullptr) cache_->PassOn(key_);
}

void CompileClaim::Keep(Compiled compiled) {
  kept_ = std::make_shared<const Compiled>(std::move(compiled));
  if (cache_ != nullptr) std::exchange(cache_, nullptr)->Keep(key_, kept_);
}

void CompileClaim::GiveUp() {
  if (cache_ != nullptr) std::exchange(cache_, nullptr)->GiveUp(key_);
}

std::optional<CompileClaim> CompileCache::Get(const std::string& key,
                                              OnClaim later) {
  absl::MutexLock lock(&mutex_);
  if (const auto entry = entries_.find(key); entry != entries_.end()) {
    uses_.splice(uses_.begin(), uses_, entry->second.use);
    return CompileClaim(nullptr, key, entry->second.compiled);
  }
  const auto [waiting, is_new] = compiling_.try_emplace(key);
  if (is_new) return CompileClaim(this, key, nullptr);
  waiting->second.push_back(std::move(later));
  return std::nullopt;
}

uint64_t CompileCache::bytes() {
  absl::MutexLock lock(&mutex_);
  return bytes_;
}

std::deque<CompileCache::OnClaim> CompileCache::TakeWaiting(
    const std::string& key) {
  const auto waiting = compiling_.find(key);
  std::deque<OnClaim> taken = std::move(waiting->second);
  compiling_.erase(waiting);
  return taken;
}

void CompileCache::Add(const std::string& key,
                       std::shared_ptr<const Compiled> compiled) {
  const uint64_t size = SizeOf(key, *compiled);
  if (size > most_bytes_) return;
  while (bytes_ + size > most_bytes_) {
    const auto oldest = entries_.find(*uses_.back());
    bytes_ -= oldest->second.bytes;
    uses_.pop_back();
    entries_.erase(oldest);
  }
  const auto [entry, is_new] = entries_.try_emplace(key);
  uses_.push_front(&entry->first);
  entry->second = {std::move(compiled), size, uses_.begin()};
  bytes_ += size;
}

// What waits is called outside of the lock: it may ask again.
void CompileCache::Keep(const std::string& key,
                        std::shared_ptr<const Compiled> compiled) {
  std::deque<OnClaim> waiting;
  {
    absl::MutexLock lock(&mutex_);
    waiting = TakeWaiting(key);
    Add(key, compiled);
  }
  for (OnClaim& later : waiting) {
    CompileClaim claim(nullptr, key, compiled);
    later(claim);
  }
}

void CompileCache::GiveUp(const std::string& key) {
  std::deque<OnClaim> waiting;
  {
    absl::MutexLock lock(&mutex_);
    waiting = TakeWaiting(key);
  }
  for (OnClaim& later : waiting) {
    CompileClaim claim(nullptr, key, nullptr);
    later(claim);
  }
}

// Not one from within another: as many as wait may have been cancelled.
void CompileCache::PassOn(const std::string& key) {
  for (;;) {
    OnClaim next;
    {
      absl::MutexLock lock(&mutex_);
      const auto waiting = compiling_.find(key);
      if (waiting->second.empty()) {
        compiling_.erase(waiting);
        return;
      }
      next = std::move(waiting->second.front());
      waiting->second.pop_front();
    }
    CompileClaim claim(this, key, nullptr);
    if (next(claim)) return;
    claim.cache_ = nullptr;
  }
}

}  // namespace cordon::sandbox
