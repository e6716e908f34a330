// Finds which languages this host has, by asking each toolchain for its version
// in the sandbox: which also proves, before the first request, that programs
// can run there.

#ifndef CORDON_SERVER_LANGUAGE_PROBE_H_
#define CORDON_SERVER_LANGUAGE_PROBE_H_

#include "absl/status/status.h"
#include "sandbox/sandbox.h"
#include "server/request_validator.h"

namespace cordon::server {

// Fills in `version` or `unavailable_reason` of every language of `config`.
// Blocks for as long as the slowest toolchain takes, at most a few seconds. An
// error is the sandbox's: it could not run a program at all.
absl::Status ProbeLanguages(sandbox::Sandbox& sandbox, ValidatorConfig& config);

}  // namespace cordon::server

#endif  // CORDON_SERVER_LANGUAGE_PROBE_H_
