#include "tests/unit/client/fake_service.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"

namespace cordon::client {

bool FakeService::Call::Output(v1::Stream stream, const std::string& data) {
  v1::ExecuteResponse response;
  response.mutable_output()->set_stream(stream);
  response.mutable_output()->set_data(data);
  return writer_.Write(response);
}

bool FakeService::Call::Finish(const v1::Result& result) {
  v1::ExecuteResponse response;
  *response.mutable_result() = result;
  return writer_.Write(response);
}

void FakeService::Call::WaitUntilCancelled() {
  // gRPC's synchronous server tells of a cancellation only when it is asked.
  while (!context_.IsCancelled()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

bool FakeService::Call::has_deadline() const {
  return context_.deadline() < std::chrono::system_clock::time_point::max();
}

FakeService::FakeService() {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(-1);
  builder.SetMaxSendMessageSize(-1);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeService::~FakeService() { server_->Shutdown(); }

grpc::Status FakeService::Execute(
    grpc::ServerContext* context, const v1::ExecuteRequest* request,
    grpc::ServerWriter<v1::ExecuteResponse>* writer) {
  Call call(*context, *writer);
  return on_execute(*request, call);
}

grpc::Status FakeService::GetServerInfo(grpc::ServerContext*,
                                        const v1::GetServerInfoRequest*,
                                        v1::ServerInfo* response) {
  *response = info;
  return info_status;
}

}  // namespace cordon::client
