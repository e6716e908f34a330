// UnaryCall: how Run answers, in one message.
//
// Contract: each stream is held in memory, up to the run's output_bytes, which
// the sandbox enforces.

#ifndef CORDON_SERVER_UNARY_CALL_H_
#define CORDON_SERVER_UNARY_CALL_H_

#include "grpcpp/support/server_callback.h"
#include "proto/cordon/v1/execution.pb.h"
#include "server/execution_call.h"

namespace cordon::server {

// Validates and runs; the reactor deletes itself. `response` is gRPC's.
grpc::ServerUnaryReactor* StartUnaryCall(const CallEnvironment& environment,
                                         grpc::CallbackServerContext* context,
                                         v1::ExecuteRequest request,
                                         v1::Result* response);

}  // namespace cordon::server

#endif  // CORDON_SERVER_UNARY_CALL_H_
