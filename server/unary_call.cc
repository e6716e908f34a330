#include "server/unary_call.h"

#include <memory>
#include <string>
#include <utility>

#include "server/status_mapping.h"

namespace cordon::server {
namespace {

class UnaryCall final : public ExecutionCall {
 public:
  UnaryCall(const CallEnvironment& environment,
            grpc::CallbackServerContext* context, v1::Result* response,
            grpc::ServerUnaryReactor* reactor)
      : ExecutionCall(environment, context),
        response_(response),
        reactor_(reactor) {}

  // Calls of the sandbox come one at a time, so the streams need no lock.
  sandbox::Flow OnOutput(sandbox::OutputStream stream, absl::string_view data,
                         uint64_t /*offset*/) override {
    std::string& text =
        stream == sandbox::OutputStream::kStdout ? stdout_ : stderr_;
    text.append(data.data(), data.size());
    return sandbox::Flow::kContinue;
  }

  // The result carries them.
  void OnViolation(const sandbox::Violation& /*violation*/) override {}

 private:
  void DeliverStarted(const sandbox::Enforcement& /*enforcement*/) override {}

  void Deliver(absl::StatusOr<v1::Result> result) override {
    const grpc::Status status = ToGrpcStatus(result.status());
    bool small = true;
    if (result.ok()) {
      *response_ = *std::move(result);
      response_->set_stdout(std::move(stdout_));
      response_->set_stderr(std::move(stderr_));
      small = response_->ByteSizeLong() <= kSmallAnswerBytes;
    }
    if (small) ReleaseSlot();
    reactor_->Finish(status);
  }

  std::string stdout_;
  std::string stderr_;
  // Both gRPC's, alive until Finish.
  v1::Result* const response_;
  grpc::ServerUnaryReactor* const reactor_;
};

class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  UnaryReactor(const CallEnvironment& environment,
               grpc::CallbackServerContext* context, v1::Result* response)
      : call_(std::make_shared<UnaryCall>(environment, context, response,
                                          this)) {}

  void Begin(v1::ExecuteRequest request) { call_->Begin(std::move(request)); }

  void OnCancel() override { call_->CallerLeft(); }
  void OnDone() override {
    call_->Done();
    delete this;
  }

 private:
  const std::shared_ptr<UnaryCall> call_;
};

}  // namespace

grpc::ServerUnaryReactor* StartUnaryCall(const CallEnvironment& environment,
                                         grpc::CallbackServerContext* context,
                                         v1::ExecuteRequest request,
                                         v1::Result* response) {
  auto* reactor = new UnaryReactor(environment, context, response);
  reactor->Begin(std::move(request));
  return reactor;
}

}  // namespace cordon::server
