// Validate: from a request to the specification of a run. The first stage.
//
//   absl::StatusOr<sandbox::ExecutionSpec> spec =
//       ValidateRequest(std::move(request), config);
//
// What it does not do: touch the host. It is pure, so whether a program exists
// is found when it is started.

#ifndef CORDON_SERVER_REQUEST_VALIDATOR_H_
#define CORDON_SERVER_REQUEST_VALIDATOR_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "proto/cordon/v1/execution.pb.h"
#include "sandbox/spec/execution_spec.h"
#include "server/language_set.h"
#include "server/limit_rules.h"

namespace cordon::server {

// Ceilings of a request's parts, in bytes or entries.
struct RequestCeilings {
  size_t code_bytes = size_t{8} << 20;
  size_t stdin_bytes = size_t{32} << 20;
  // One file, and all of them together.
  size_t file_bytes = size_t{32} << 20;
  size_t files_bytes = size_t{48} << 20;
  size_t files = 1024;
  size_t arguments = 4096;
  size_t environment = 1024;
  // One argument or variable with its terminating NUL: MAX_ARG_STRLEN,
  // execve(2).
  size_t argument_bytes = size_t{128} << 10;
  // All arguments and variables together. The kernel's own bound is a quarter
  // of the stack limit (execve(2)), which is 2 MiB by default.
  size_t arguments_bytes = size_t{1} << 20;
  size_t output_files = 256;
};

// Longest request_id and label.
inline constexpr size_t kMaxLabelBytes = 128;
// Most entries of policy.allowed_hosts.
inline constexpr size_t kMaxAllowedHosts = 256;

struct ValidatorConfig {
  LanguageSet languages;
  LimitSettings limits;
  RequestCeilings ceilings;
  // Files of the host that every run may see, and those that a run with a
  // network sees as well.
  sandbox::FileView view;
  std::vector<std::string> network_files;
  // The most that a request may ask for.
  sandbox::NetworkAccess max_network = sandbox::NetworkAccess::kNone;
  // Where precompiled headers are, each language's in a directory of its name
  // (precompiled_headers.h).
  std::string headers_directory;
  // Of every run; a language's and the request's come on top.
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  std::string locale = "C.UTF-8";
};

// "NAME=value": what every run of the language starts with.
std::vector<std::string> StartEnvironment(const ValidatorConfig& config,
                                          const LanguageConfig& language);

// What of the host every run of the language may see.
sandbox::FileView ViewOf(const ValidatorConfig& config,
                         const LanguageConfig& language);

// Consumes the request: contents are moved, not copied.
//
// INVALID_ARGUMENT with a google.rpc.BadRequest that lists every bad field;
// else UNIMPLEMENTED naming every field that this version does not support,
// unknown ones included; else FAILED_PRECONDITION with a google.rpc.ErrorInfo
// (LANGUAGE_UNAVAILABLE) when the language is not installed here.
absl::StatusOr<sandbox::ExecutionSpec> ValidateRequest(
    v1::ExecuteRequest request, const ValidatorConfig& config);

}  // namespace cordon::server

#endif  // CORDON_SERVER_REQUEST_VALIDATOR_H_
