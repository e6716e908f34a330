// A connection to a cordon server.
//
//   absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
//       Connect("localhost:50051", kConnectTimeout);
//   auto stub = v1::CodeExecution::NewStub(*channel);
//
// What it does not do: TLS, retries, or proxies (http_proxy is ignored, since a
// server of this kind is on the same host or network).

#ifndef CORDON_CLIENT_CONNECTION_H_
#define CORDON_CLIENT_CONNECTION_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cordon::client {

inline constexpr absl::Duration kConnectTimeout = absl::Seconds(5);

// Waits until the server has answered. `address` is HOST:PORT, HOST (port
// 50051) or anything else that gRPC resolves. UNAVAILABLE, with the reason,
// after the first attempt that fails: nothing is retried. Messages of any size
// are received.
absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(
    const std::string& address, absl::Duration timeout);

}  // namespace cordon::client

#endif  // CORDON_CLIENT_CONNECTION_H_
