// How the limits of a run come about: the request's, else the language's, else
// the server's, never above the server's ceilings.

#ifndef CORDON_SERVER_LIMIT_RULES_H_
#define CORDON_SERVER_LIMIT_RULES_H_

#include "proto/cordon/v1/execution.pb.h"
#include "sandbox/spec/limits.h"
#include "server/status_details.h"

namespace cordon::server {

struct LimitSettings {
  sandbox::Limits defaults;
  sandbox::Limits ceilings;
};

// `base` with every limit that `limits` sets in its place. `limits` must be
// well formed, as those of a parsed language are.
sandbox::Limits Override(const sandbox::Limits& base, const v1::Limits& limits);

// The smaller of each.
sandbox::Limits Clamp(const sandbox::Limits& limits,
                      const sandbox::Limits& ceilings);

// Adds a violation "limits.NAME" for each value that is malformed or above its
// ceiling.
void CheckLimits(const v1::Limits& limits, const sandbox::Limits& ceilings,
                 FieldViolations& violations);

v1::Limits ToProto(const sandbox::Limits& limits);

}  // namespace cordon::server

#endif  // CORDON_SERVER_LIMIT_RULES_H_
