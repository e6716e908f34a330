#include "server/stream_call.h"

#include <memory>
#include <utility>

#include "server/event_encoder.h"
#include "server/status_mapping.h"

namespace cordon::server {
namespace {

using Writer = grpc::ServerWriteReactor<v1::ExecuteResponse>;

class StreamCall final : public ExecutionCall {
 public:
  StreamCall(const CallEnvironment& environment,
             grpc::CallbackServerContext* context, Writer* writer)
      : ExecutionCall(environment, context), writer_(writer) {}

  sandbox::Flow OnOutput(sandbox::OutputStream stream, absl::string_view data,
                         uint64_t offset) override {
    v1::ExecuteResponse response;
    *response.mutable_output() = EncodeOutput(stream, data, offset);
    const sandbox::Flow flow = Queue(std::move(response));
    Pump();
    if (flow == sandbox::Flow::kPause && !std::exchange(limited_, true)) {
      LimitStall();
    }
    return flow;
  }

  void OnViolation(const sandbox::Violation& violation) override {
    v1::ExecuteResponse response;
    *response.mutable_violation() = EncodeViolation(violation);
    Queue(std::move(response));
    Pump();
  }

  // From the reactor.
  void Written(bool ok) {
    bool resume = false;
    {
      absl::MutexLock lock(&writer_mutex_);
      writing_ = false;
      pending_bytes_ -= current_.output().data().size();
      if (!ok) Break();
      if (paused_ && pending_bytes_ < kMaxPendingBytes / 2) {
        paused_ = false;
        resume = true;
      }
    }
    // First what waits here: its space is what the sandbox is told about.
    Pump();
    if (resume) ResumeOutput();
  }

 private:
  enum class Step { kNothing, kWrite, kWriteAndFinish, kFinish };

  void DeliverStarted(const sandbox::Enforcement& enforcement) override {
    v1::ExecuteResponse response;
    *response.mutable_started() = EncodeStarted(enforcement);
    Queue(std::move(response));
    Pump();
  }

  void Deliver(absl::StatusOr<v1::Result> result) override {
    const grpc::Status status = ToGrpcStatus(result.status());
    if (result.ok()) {
      v1::ExecuteResponse response;
      *response.mutable_result() = *std::move(result);
      Queue(std::move(response));
    }
    {
      absl::MutexLock lock(&writer_mutex_);
      ended_ = true;
      status_ = status;
    }
    Pump();
  }

  sandbox::Flow Queue(v1::ExecuteResponse response) {
    absl::MutexLock lock(&writer_mutex_);
    if (broken_) return sandbox::Flow::kContinue;
    pending_bytes_ += response.output().data().size();
    queue_.push_back(std::move(response));
    if (pending_bytes_ < kMaxPendingBytes) return sandbox::Flow::kContinue;
    paused_ = true;
    return sandbox::Flow::kPause;
  }

  // The client is gone: nothing more can be written.
  void Break() ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_) {
    broken_ = true;
    queue_.clear();
    pending_bytes_ = 0;
    current_.Clear();
  }

  // Chooses what comes next. One write at a time is in flight, and nothing
  // follows a finish: so whoever gets something else than kNothing is alone
  // with the reactor until that is done.
  Step Next() ABSL_LOCKS_EXCLUDED(writer_mutex_) {
    absl::MutexLock lock(&writer_mutex_);
    if (writing_ || finished_) return Step::kNothing;
    if (queue_.empty()) {
      if (!ended_) return Step::kNothing;
      finished_ = true;
      return Step::kFinish;
    }
    current_ = std::move(queue_.front());
    queue_.pop_front();
    if (ended_ && queue_.empty() && status_.ok()) {
      finished_ = true;
      return Step::kWriteAndFinish;
    }
    writing_ = true;
    return Step::kWrite;
  }

  void Pump() {
    switch (Next()) {
      case Step::kNothing:
        return;
      case Step::kWrite:
        writer_->StartWrite(&current_);
        return;
      case Step::kWriteAndFinish:
        if (current_.ByteSizeLong() <= kSmallAnswerBytes) ReleaseSlot();
        writer_->StartWriteAndFinish(&current_, grpc::WriteOptions(), status_);
        return;
      case Step::kFinish:
        ReleaseSlot();
        writer_->Finish(status_);
        return;
    }
  }

  Writer* const writer_;
  // Only the sandbox's calls, which come one at a time, use it.
  bool limited_ = false;

  absl::Mutex writer_mutex_;
  std::deque<v1::ExecuteResponse> queue_ ABSL_GUARDED_BY(writer_mutex_);
  // Output in queue_ and current_.
  size_t pending_bytes_ ABSL_GUARDED_BY(writer_mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(writer_mutex_) = false;
  bool paused_ ABSL_GUARDED_BY(writer_mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(writer_mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(writer_mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(writer_mutex_) = false;
  // Being written; changes only while nothing is.
  v1::ExecuteResponse current_;
  // Set before ended_.
  grpc::Status status_;
};

class StreamReactor final : public Writer {
 public:
  StreamReactor(const CallEnvironment& environment,
                grpc::CallbackServerContext* context)
      : call_(std::make_shared<StreamCall>(environment, context, this)) {}

  void Begin(v1::ExecuteRequest request) { call_->Begin(std::move(request)); }

  void OnWriteDone(bool ok) override { call_->Written(ok); }
  void OnCancel() override { call_->CallerLeft(); }
  void OnDone() override {
    call_->Done();
    delete this;
  }

 private:
  const std::shared_ptr<StreamCall> call_;
};

}  // namespace

Writer* StartStreamCall(const CallEnvironment& environment,
                        grpc::CallbackServerContext* context,
                        v1::ExecuteRequest request) {
  auto* reactor = new StreamReactor(environment, context);
  reactor->Begin(std::move(request));
  return reactor;
}

}  // namespace cordon::server
