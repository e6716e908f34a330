// PrecompiledHeaders has the headers that take a compiler long compiled once,
// when the first source that includes one has come, for all sources after it.
//
//   absl::Status ready = EmptyHeadersDirectory(directory);
//   PrecompiledHeaders headers(config, &sandbox, on_made);
//   headers.Notice("c++", source);
//
// What is compiled has nothing of a client's in it, and runs only read it. The
// compiler itself finds out whether it serves a source: one that defines a
// macro which the header asks about, or includes something else before it, is
// compiled as ever (GCC manual, "Using Precompiled Headers").
//
// What it does not do: notice that the host's headers change. Each start of the
// server begins with none.
//
// Contract: thread-safe. The sandbox outlives it.

#ifndef CORDON_SERVER_PRECOMPILED_HEADERS_H_
#define CORDON_SERVER_PRECOMPILED_HEADERS_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "sandbox/sandbox.h"
#include "server/request_validator.h"

namespace cordon::server {

// Makes the directory of all languages' headers, without one in it. INTERNAL
// when it cannot be.
absl::Status EmptyHeadersDirectory(const std::string& path);

class PrecompiledHeaders {
 public:
  // A language, its header, and why there is none.
  using OnMade =
      std::function<void(const std::string& language, const std::string& header,
                         const absl::Status& status)>;

  // Of the languages of `config` that have one and can be used here.
  PrecompiledHeaders(const ValidatorConfig& config, sandbox::Sandbox* sandbox,
                     OnMade on_made);
  // Ends what is being compiled, and leaves the directory empty.
  ~PrecompiledHeaders();
  PrecompiledHeaders(const PrecompiledHeaders&) = delete;
  PrecompiledHeaders& operator=(const PrecompiledHeaders&) = delete;

  // A source of the language, by any of its names. Never blocks.
  void Notice(absl::string_view language, absl::string_view source);

 private:
  struct Header {
    std::string language;
    std::vector<std::string> names;
    // As it is included.
    std::string header;
    sandbox::ExecutionSpec spec;
    // Being made, or there. Written under mutex_, as is what follows.
    std::atomic<bool> is_wanted = false;
    absl::Time not_before = absl::InfinitePast();
    std::shared_ptr<sandbox::Run> run;
    std::thread maker;
  };

  void Want(Header& header) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Make(Header& header) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string directory_;
  sandbox::Sandbox* const sandbox_;
  const OnMade on_made_;
  std::vector<std::unique_ptr<Header>> headers_;

  absl::Mutex mutex_;
  bool is_over_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace cordon::server

#endif  // CORDON_SERVER_PRECOMPILED_HEADERS_H_
