// A server whose answers a test writes: no sandbox, loopback, a free port.
//
//   FakeService service;
//   service.on_execute = [](const v1::ExecuteRequest& request,
//                           FakeService::Call& call) { ... };
//   RunCommand(flags for service.address(), ...);
//
// Contract: handlers are set before the first call and run on gRPC's threads.

#ifndef CORDON_TESTS_UNIT_CLIENT_FAKE_SERVICE_H_
#define CORDON_TESTS_UNIT_CLIENT_FAKE_SERVICE_H_

#include <grpcpp/server.h>
#include <grpcpp/server_context.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "proto/cordon/v1/execution.grpc.pb.h"

namespace cordon::client {

class FakeService final : public v1::CodeExecution::Service {
 public:
  // The stream of one Execute.
  class Call {
   public:
    Call(grpc::ServerContext& context,
         grpc::ServerWriter<v1::ExecuteResponse>& writer)
        : context_(context), writer_(writer) {}

    // False when the client went away.
    bool Output(v1::Stream stream, const std::string& data);
    bool Finish(const v1::Result& result);
    // Returns when the client has cancelled the call.
    void WaitUntilCancelled();
    bool has_deadline() const;

   private:
    grpc::ServerContext& context_;
    grpc::ServerWriter<v1::ExecuteResponse>& writer_;
  };

  FakeService();
  ~FakeService() override;

  // "127.0.0.1:PORT".
  const std::string& address() const { return address_; }

  std::function<grpc::Status(const v1::ExecuteRequest&, Call&)> on_execute;
  v1::ServerInfo info;
  // What GetServerInfo returns besides.
  grpc::Status info_status;

 private:
  grpc::Status Execute(
      grpc::ServerContext* context, const v1::ExecuteRequest* request,
      grpc::ServerWriter<v1::ExecuteResponse>* writer) override;
  grpc::Status GetServerInfo(grpc::ServerContext* context,
                             const v1::GetServerInfoRequest* request,
                             v1::ServerInfo* response) override;

  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace cordon::client

#endif  // CORDON_TESTS_UNIT_CLIENT_FAKE_SERVICE_H_
