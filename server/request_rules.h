// What makes a request invalid, and what is not supported yet: the two halves
// of validation that only look.

#ifndef CORDON_SERVER_REQUEST_RULES_H_
#define CORDON_SERVER_REQUEST_RULES_H_

#include "absl/status/status.h"
#include "proto/cordon/v1/execution.pb.h"
#include "server/request_validator.h"
#include "server/status_details.h"

namespace cordon::server {

// Adds a violation for every bad field.
void CheckRequest(const v1::ExecuteRequest& request,
                  const ValidatorConfig& config, FieldViolations& violations);

// UNIMPLEMENTED naming every field that is set and that this version does not
// support, those of a newer schema included, so that none is silently ignored.
absl::Status CheckSupported(const v1::ExecuteRequest& request);

}  // namespace cordon::server

#endif  // CORDON_SERVER_REQUEST_RULES_H_
