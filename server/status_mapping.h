// From absl::Status, which the stages use, to grpc::Status, which the wire
// uses.

#ifndef CORDON_SERVER_STATUS_MAPPING_H_
#define CORDON_SERVER_STATUS_MAPPING_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace cordon::server {

// The same code and message, with a serialized google.rpc.Status as details:
// those of status_details.h, and for a failed step of the sandbox (FailureOf,
// sandbox/base/errno_status.h) a google.rpc.ErrorInfo with the reason
// SANDBOX_STEP_FAILED and the metadata "step" and "errno". A code that only a
// mistake of the service can produce becomes INTERNAL.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace cordon::server

#endif  // CORDON_SERVER_STATUS_MAPPING_H_
