// CompileCache keeps what compile steps made, by everything that went into
// them, and lets one of several equal steps that run at once do the work of
// all.
//
//   std::string key = CompileKey(spec);
//   std::optional<CompileClaim> claim = cache.Get(key, on_claim);
//   if (!claim.has_value()) return;               // on_claim comes later
//   if (claim->kept() != nullptr) ...             // there it is
//   else ... compile ..., claim->Keep(compiled);  // or claim->GiveUp()
//
// A key is not a digest of a step's inputs, it is the inputs: two steps have
// the same one only if they are the same, and what a source makes of its
// compiler is served to nobody but that very source. Only what compiled is
// kept. A file that failed to compile may have done so for want of memory.
//
// What it does not do: notice that a header of the host, or what a source
// includes of /proc, has changed. That the compiler itself has, it does; and
// sources that name the time (__TIME__) or are larger than a mebibyte are
// compiled each time.
//
// Contract: thread-safe. Outlives its claims. All in memory.

#ifndef CORDON_SANDBOX_COMPILE_CACHE_H_
#define CORDON_SANDBOX_COMPILE_CACHE_H_

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "sandbox/spec/execution_spec.h"
#include "sandbox/spec/outcome.h"

namespace cordon::sandbox {

// What a compile step left.
struct Compiled {
  std::vector<InputFile> files;
  Outcome::Compilation compilation;
};

// Empty: what the step makes is not to be kept. Before the run's files are
// written, on a thread that may block: it looks at the compiler.
std::string CompileKey(const ExecutionSpec& spec);

class CompileCache;

// The answer to one question. One whose holder was to compile, and that is
// destroyed without a word, leaves that to the next that waits.
class CompileClaim {
 public:
  CompileClaim(CompileClaim&& other) noexcept;
  CompileClaim& operator=(CompileClaim&& other) = delete;
  ~CompileClaim();

  // Null: it is the holder's to compile.
  const std::shared_ptr<const Compiled>& kept() const { return kept_; }
  // Once, when there was nothing: keeps it, and tells all that wait.
  void Keep(Compiled compiled);
  // Once, instead: nothing of it can be kept. All that wait compile for
  // themselves.
  void GiveUp();

 private:
  friend class CompileCache;
  CompileClaim(CompileCache* cache, std::string key,
               std::shared_ptr<const Compiled> kept)
      : cache_(cache), key_(std::move(key)), kept_(std::move(kept)) {}

  // Null: nobody waits for this one.
  CompileCache* cache_;
  std::string key_;
  std::shared_ptr<const Compiled> kept_;
};

class CompileCache {
 public:
  // Moves the claim away and says true, or leaves it: to the next that waits.
  using OnClaim = absl::AnyInvocable<bool(CompileClaim&)>;

  // Keeps `most_bytes` of keys, files and output; what was asked for longest
  // ago goes first.
  explicit CompileCache(uint64_t most_bytes) : most_bytes_(most_bytes) {}
  CompileCache(const CompileCache&) = delete;
  CompileCache& operator=(const CompileCache&) = delete;

  // nullopt: somebody is compiling it; `later` is called once, on that one's
  // thread, and must not block.
  std::optional<CompileClaim> Get(const std::string& key, OnClaim later)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Of what is kept.
  uint64_t bytes() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class CompileClaim;
  struct Entry {
    std::shared_ptr<const Compiled> compiled;
    uint64_t bytes = 0;
    std::list<const std::string*>::iterator use;
  };

  void Keep(const std::string& key, std::shared_ptr<const Compiled> compiled)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveUp(const std::string& key) ABSL_LOCKS_EXCLUDED(mutex_);
  void PassOn(const std::string& key) ABSL_LOCKS_EXCLUDED(mutex_);
  std::deque<OnClaim> TakeWaiting(const std::string& key)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Add(const std::string& key, std::shared_ptr<const Compiled> compiled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const uint64_t most_bytes_;
  absl::Mutex mutex_;
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Keys of `entries_`, the last that was asked for in front.
  std::list<const std::string*> uses_ ABSL_GUARDED_BY(mutex_);
  // Its keys stay where they are.
  std::unordered_map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  // Who waits for what is being compiled now.
  std::unordered_map<std::string, std::deque<OnClaim>> compiling_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_COMPILE_CACHE_H_
