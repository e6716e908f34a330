#include "server/execution_call.h"

#include <chrono>
#include <cstdint>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "server/durations.h"
#include "server/event_encoder.h"

namespace cordon::server {
namespace {

std::string NewRequestId() {
  thread_local absl::BitGen generator;
  return absl::StrCat(
      "run-", absl::Hex(absl::Uniform<uint64_t>(generator), absl::kZeroPad16));
}

std::string ProgramOf(const v1::ExecuteRequest& request) {
  if (request.has_source()) return request.source().language();
  return request.command().argv().empty() ? "" : request.command().argv(0);
}

// What a specification holds in memory, but for small change.
size_t BytesOf(const sandbox::ExecutionSpec& spec) {
  size_t bytes = spec.program.stdin_data.size();
  for (const sandbox::InputFile& file : spec.files) {
    bytes += file.content.size();
  }
  return bytes;
}

}  // namespace

void ExecutionCall::Begin(v1::ExecuteRequest request) {
  environment_.registry->Add(shared_from_this());
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  record_.label = request.label();
  record_.program = ProgramOf(request);
  request_id_ = request.request_id();
  auto spec = ValidateRequest(std::move(request), *environment_.validator);
  if (!spec.ok()) return FinishWith(spec.status());
  spec_ = *std::move(spec);
  if (environment_.headers != nullptr && spec_.compile.has_value()) {
    // The first file is the source, in the language that the record has.
    environment_.headers->Notice(record_.program, spec_.files.front().content);
  }
  longest_run_ = spec_.program.limits.wall_time;
  if (spec_.compile.has_value()) {
    longest_run_ += spec_.compile->limits.wall_time;
  }
  auto ticket = environment_.admission->Request(
      [self = shared_from_this()](absl::StatusOr<Slot> slot) {
        self->OnAdmitted(std::move(slot));
      },
      BytesOf(spec_), SenderOf(Peer()));
  {
    absl::MutexLock lock(&mutex_);
    if (admission_over_) return;
    ticket_ = ticket;
    // Stop may have come before there was a ticket to cancel.
    if (!stop_reason_.has_value()) return;
  }
  ticket->Cancel();
}

std::string ExecutionCall::Peer() {
  absl::MutexLock lock(&context_mutex_);
  return context_ == nullptr ? "" : context_->peer();
}

void ExecutionCall::OnAdmitted(absl::StatusOr<Slot> slot) {
  absl::Status refusal = slot.status();
  // A slot that was free is given inside Begin, on a thread of gRPC's; a later
  // one on that of the run that ended, which has others to look after.
  sandbox::StartOn thread = sandbox::StartOn::kSandboxThread;
  {
    absl::MutexLock lock(&mutex_);
    admission_over_ = true;
    ticket_.reset();
    if (stop_reason_.has_value()) {
      refusal = *stop_reason_;
    } else if (slot.ok()) {
      record_.queue_time = slot->queue_time();
      if (!slot->waited()) thread = sandbox::StartOn::kCallersThread;
      slot_.emplace(*std::move(slot));
    }
  }
  if (!refusal.ok()) return FinishWith(refusal);
  Launch(thread);
}

void ExecutionCall::Launch(sandbox::StartOn thread) {
  auto run =
      environment_.sandbox->Start(std::move(spec_), shared_from_this(), thread);
  bool stop = false;
  bool resume = false;
  {
    absl::MutexLock lock(&mutex_);
    if (run_over_) return;
    run_ = run;
    stop = stop_reason_.has_value();
    resume = std::exchange(resume_wanted_, false);
  }
  if (stop) run->Cancel();
  if (resume) run->ResumeOutput();
}

void ExecutionCall::Stop(const absl::Status& reason) {
  std::shared_ptr<Admission::Ticket> ticket;
  std::shared_ptr<sandbox::Run> run;
  {
    absl::MutexLock lock(&mutex_);
    if (run_over_ || stop_reason_.has_value()) return;
    stop_reason_ = reason;
    ticket = ticket_;
    run = run_;
  }
  if (ticket != nullptr) ticket->Cancel();
  if (run != nullptr) run->Cancel();
}

void ExecutionCall::CallerLeft() {
  bool late = false;
  {
    absl::MutexLock lock(&context_mutex_);
    late = context_ != nullptr &&
           context_->deadline() <= std::chrono::system_clock::now();
  }
  Stop(late ? absl::DeadlineExceededError("the call's deadline passed")
            : absl::CancelledError("the caller cancelled"));
}

void ExecutionCall::OnStarted(const sandbox::Enforcement& enforcement) {
  started_ = true;
  DeliverStarted(enforcement);
}

v1::Started ExecutionCall::EncodeStarted(
    const sandbox::Enforcement& enforcement) const {
  v1::Started started;
  *started.mutable_enforcement() = EncodeEnforcement(enforcement);
  *started.mutable_queue_time() = ToProto(record_.queue_time);
  started.set_request_id(request_id_);
  return started;
}

void ExecutionCall::OnFinished(absl::StatusOr<sandbox::Outcome> outcome) {
  // A program that could not be started has a result all the same, and a result
  // comes after `started`.
  if (outcome.ok() && !started_) OnStarted(outcome->enforcement);
  {
    absl::MutexLock lock(&mutex_);
    if (!outcome.ok() && stop_reason_.has_value()) outcome = *stop_reason_;
  }
  FinishWith(std::move(outcome));
}

void ExecutionCall::FinishWith(absl::StatusOr<sandbox::Outcome> outcome) {
  // Deliver may lead to Done, which drops the reactor's reference.
  const auto self = shared_from_this();
  {
    absl::MutexLock lock(&mutex_);
    run_over_ = true;
    run_.reset();
  }
  FillRecord(outcome);
  // The service may be gone once the last call of a server that drains is
  // delivered.
  const auto on_run = environment_.on_run;
  const absl::Duration delivery_timeout = environment_.delivery_timeout;
  if (outcome.ok()) {
    v1::Result result = EncodeResult(*std::move(outcome));
    result.set_request_id(request_id_);
    *result.mutable_usage()->mutable_queue_time() = ToProto(record_.queue_time);
    Deliver(std::move(result));
  } else {
    Deliver(outcome.status());
  }
  // The caller does not wait for the log.
  if (on_run) on_run(record_);
  bool holds_slot = false;
  {
    absl::MutexLock lock(&mutex_);
    holds_slot = slot_.has_value();
  }
  if (holds_slot) CancelCallAfter(delivery_timeout);
}

void ExecutionCall::FillRecord(
    const absl::StatusOr<sandbox::Outcome>& outcome) {
  record_.request_id = request_id_;
  record_.status = outcome.status();
  if (outcome.ok()) {
    record_.outcome = outcome->kind;
    record_.exit_code = outcome->exit_code;
    record_.signal = outcome->signal;
    record_.usage = outcome->usage;
    record_.violations =
        outcome->violations.size() + outcome->violations_dropped;
  }
}

void ExecutionCall::ResumeOutput() {
  std::shared_ptr<sandbox::Run> run;
  {
    absl::MutexLock lock(&mutex_);
    run = run_;
    if (run == nullptr) resume_wanted_ = true;
  }
  if (run != nullptr) run->ResumeOutput();
}

void ExecutionCall::ReleaseSlot() {
  std::optional<Slot> slot;
  absl::MutexLock lock(&mutex_);
  // Destroyed after the lock: what waits for a slot starts on this thread.
  if (slot_.has_value()) {
    slot.emplace(*std::move(slot_));
    slot_.reset();
  }
}

void ExecutionCall::LimitStall() {
  CancelCallAfter(longest_run_ + environment_.delivery_timeout);
}

void ExecutionCall::CancelCallAfter(absl::Duration delay) {
  absl::MutexLock lock(&context_mutex_);
  if (context_ == nullptr) return;
  const auto deadline =
      std::chrono::system_clock::now() + absl::ToChronoMicroseconds(delay);
  stall_timer_.emplace();
  stall_timer_->Set(deadline, [weak = weak_from_this()](bool expired) {
    if (!expired) return;
    if (const auto call = weak.lock()) call->CancelCall();
  });
}

void ExecutionCall::CancelCall() {
  absl::MutexLock lock(&context_mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

void ExecutionCall::Done() {
  {
    absl::MutexLock lock(&context_mutex_);
    context_ = nullptr;
    if (stall_timer_.has_value()) stall_timer_->Cancel();
  }
  ReleaseSlot();
  environment_.registry->Remove(this);
}

}  // namespace cordon::server
