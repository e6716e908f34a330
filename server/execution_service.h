// The gRPC service cordon.v1.CodeExecution: hands each call to its stage.
//
//   ExecutionService service(std::move(options), sandbox.get());
//   builder.RegisterService(&service);
//   ...
//   service.StopAdmitting();
//   if (!service.AwaitIdle(grace)) service.EndCalls();
//
// Contract: thread-safe; nothing blocks but AwaitIdle, and one call at a time
// until its program has started (sandbox::StartOn). It must outlive the gRPC
// server, and the sandbox must outlive it.

#ifndef CORDON_SERVER_EXECUTION_SERVICE_H_
#define CORDON_SERVER_EXECUTION_SERVICE_H_

#include "absl/time/time.h"
#include "proto/cordon/v1/execution.grpc.pb.h"
#include "sandbox/sandbox.h"
#include "server/admission.h"
#include "server/call_registry.h"
#include "server/execution_call.h"
#include "server/request_validator.h"
#include "server/run_record.h"

namespace cordon::server {

struct ServiceOptions {
  ValidatorConfig validator;
  Admission::Options admission;
  // Null: none are made. Outlives the service.
  PrecompiledHeaders* headers = nullptr;
  // See execution_call.h.
  absl::Duration delivery_timeout = absl::Seconds(60);
  // Reported; the gRPC server enforces it.
  uint64_t max_request_bytes = uint64_t{64} << 20;
  // Reported: what the server enforces on itself (self_restriction.h).
  sandbox::LayerEnforcement service;
  RunListener on_run;
};

class ExecutionService final : public v1::CodeExecution::CallbackService {
 public:
  ExecutionService(ServiceOptions options, sandbox::Sandbox* sandbox);

  grpc::ServerWriteReactor<v1::ExecuteResponse>* Execute(
      grpc::CallbackServerContext* context,
      const v1::ExecuteRequest* request) override;

  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context,
                                const v1::ExecuteRequest* request,
                                v1::Result* response) override;

  grpc::ServerUnaryReactor* GetServerInfo(
      grpc::CallbackServerContext* context,
      const v1::GetServerInfoRequest* request,
      v1::ServerInfo* response) override;

  // Answers UNAVAILABLE to new and to waiting requests from now on.
  void StopAdmitting();
  // Blocks until every call has been answered, or for `timeout`: whether every
  // one has been.
  bool AwaitIdle(absl::Duration timeout) const;
  // Kills what runs and answers UNAVAILABLE.
  void EndCalls();

 private:
  const ServiceOptions options_;
  const absl::Time start_;
  const v1::ServerInfo info_;
  Admission admission_;
  CallRegistry registry_;
  const CallEnvironment environment_;
};

}  // namespace cordon::server

#endif  // CORDON_SERVER_EXECUTION_SERVICE_H_
