#include "server/execution_service.h"

#include <utility>

#include "server/durations.h"
#include "server/server_info.h"
#include "server/stream_call.h"
#include "server/unary_call.h"

namespace cordon::server {
namespace {

// gRPC made this object for this call and does not read it again: taking its
// contents saves a copy of every file for as long as the call lives.
v1::ExecuteRequest Take(const v1::ExecuteRequest* request) {
  return std::move(*const_cast<v1::ExecuteRequest*>(request));
}

}  // namespace

ExecutionService::ExecutionService(ServiceOptions options,
                                   sandbox::Sandbox* sandbox)
    : options_(std::move(options)),
      start_(absl::Now()),
      info_(BuildServerInfo(options_.validator, sandbox->host(),
                            sandbox->enforcement(), options_.service,
                            options_.admission, options_.max_request_bytes)),
      admission_(options_.admission),
      environment_{&options_.validator,
                   sandbox,
                   &admission_,
                   &registry_,
                   options_.headers,
                   options_.on_run,
                   options_.delivery_timeout} {}

grpc::ServerWriteReactor<v1::ExecuteResponse>* ExecutionService::Execute(
    grpc::CallbackServerContext* context, const v1::ExecuteRequest* request) {
  return StartStreamCall(environment_, context, Take(request));
}

grpc::ServerUnaryReactor* ExecutionService::Run(
    grpc::CallbackServerContext* context, const v1::ExecuteRequest* request,
    v1::Result* response) {
  return StartUnaryCall(environment_, context, Take(request), response);
}

grpc::ServerUnaryReactor* ExecutionService::GetServerInfo(
    grpc::CallbackServerContext* context,
    const v1::GetServerInfoRequest* /*request*/, v1::ServerInfo* response) {
  *response = info_;
  *response->mutable_uptime() = ToProto(absl::Now() - start_);
  for (v1::Language& language : *response->mutable_languages()) {
    if (!language.has_warm()) continue;
    language.mutable_warm()->set_unavailable_reason(std::string(
        environment_.sandbox->WarmState(language.name()).message()));
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

void ExecutionService::StopAdmitting() { admission_.Drain(); }

bool ExecutionService::AwaitIdle(absl::Duration timeout) const {
  return registry_.AwaitEmpty(timeout);
}

void ExecutionService::EndCalls() {
  for (const auto& call : registry_.Calls()) {
    call->Stop(absl::UnavailableError("the server is shutting down"));
  }
}

}  // namespace cordon::server
