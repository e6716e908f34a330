// Asks a server for its health (grpc.health.v1.Health).
//
//   EXPECT_EQ(HealthClient(channel).Check(""), Health::kServing);

#ifndef CORDON_TESTS_SUPPORT_HEALTH_CLIENT_H_
#define CORDON_TESTS_SUPPORT_HEALTH_CLIENT_H_

#include <memory>
#include <string>

#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/grpcpp.h"

namespace cordon::testing {

enum class Health { kServing, kNotServing, kUnknownService, kUnreachable };

class HealthClient {
 public:
  explicit HealthClient(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(grpc::health::v1::Health::NewStub(channel)) {}

  // An empty `service` is the whole server.
  Health Check(const std::string& service) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    grpc::health::v1::HealthCheckResponse response;
    request.set_service(service);
    const grpc::Status status = stub_->Check(&context, request, &response);
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
      return Health::kUnknownService;
    }
    if (!status.ok()) return Health::kUnreachable;
    return response.status() == grpc::health::v1::HealthCheckResponse::SERVING
               ? Health::kServing
               : Health::kNotServing;
  }

 private:
  std::unique_ptr<grpc::health::v1::Health::Stub> stub_;
};

}  // namespace cordon::testing

#endif  // CORDON_TESTS_SUPPORT_HEALTH_CLIENT_H_
