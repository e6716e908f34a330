// StreamCall: how Execute answers, event by event.
//
// Contract: at most kMaxPendingBytes of output plus one chunk wait to be
// written; then the sandbox is told to pause, so a slow reader stops the
// program's pipe and not the server's memory. Violations are bounded by the
// sandbox.

#ifndef CORDON_SERVER_STREAM_CALL_H_
#define CORDON_SERVER_STREAM_CALL_H_

#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/support/server_callback.h"
#include "grpcpp/support/status.h"
#include "proto/cordon/v1/execution.pb.h"
#include "sandbox/sandbox.h"
#include "server/execution_call.h"

namespace cordon::server {

inline constexpr size_t kMaxPendingBytes = size_t{512} << 10;

// Validates and runs; the reactor deletes itself.
grpc::ServerWriteReactor<v1::ExecuteResponse>* StartStreamCall(
    const CallEnvironment& environment, grpc::CallbackServerContext* context,
    v1::ExecuteRequest request);

}  // namespace cordon::server

#endif  // CORDON_SERVER_STREAM_CALL_H_
