// ExecutionCall: one Execute or Run call, from its request to its last word.
// What the two share; how each answers is in stream_call.h and unary_call.h.
//
// Ownership. gRPC's reactor and context live until the reactor's OnDone, which
// comes only after its Finish; the sandbox calls from threads of its own. So
// the state of a call is this object, apart from the reactor:
//   - the reactor owns it until OnDone, the sandbox (as the run's observer)
//     until OnFinished, the admission until its callback; whoever is last frees
//     it;
//   - it uses the reactor only before Finish, and Finish happens exactly once,
//     in Deliver, which is called exactly once;
//   - it uses the context only under context_mutex_, and not after Done.
// No lock is held while gRPC, the sandbox or the admission is called (TryCancel
// under context_mutex_ is the exception: gRPC runs reactions of a reactor like
// ours on its executor's threads, never inside that call).
//
// The slot is given back when no process of the run is left and the answer is
// out of the server's hands: written, or small enough (kSmallAnswerBytes) to
// stop counting. A client that does not take the rest is cancelled after
// `delivery_timeout`, and one that stalls while there is more to come after the
// run's wall time limits plus that: no slot is stuck.

#ifndef CORDON_SERVER_EXECUTION_CALL_H_
#define CORDON_SERVER_EXECUTION_CALL_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/alarm.h"
#include "grpcpp/server_context.h"
#include "proto/cordon/v1/execution.pb.h"
#include "sandbox/sandbox.h"
#include "server/admission.h"
#include "server/call_registry.h"
#include "server/precompiled_headers.h"
#include "server/request_validator.h"
#include "server/run_record.h"

namespace cordon::server {

// Answers up to this size do not hold their slot while they are being written.
inline constexpr size_t kSmallAnswerBytes = size_t{64} << 10;

// What a call needs of the server; all of it outlives every call.
struct CallEnvironment {
  const ValidatorConfig* validator = nullptr;
  sandbox::Sandbox* sandbox = nullptr;
  Admission* admission = nullptr;
  CallRegistry* registry = nullptr;
  // Null: there are none.
  PrecompiledHeaders* headers = nullptr;
  RunListener on_run;
  absl::Duration delivery_timeout = absl::Seconds(60);
};

class ExecutionCall : public sandbox::RunObserver,
                      public std::enable_shared_from_this<ExecutionCall> {
 public:
  ExecutionCall(const CallEnvironment& environment,
                grpc::CallbackServerContext* context)
      : environment_(environment), context_(context) {}
  ~ExecutionCall() override = default;

  // Validates, waits for a slot, starts. Call it once, when the object is in a
  // shared_ptr.
  void Begin(v1::ExecuteRequest request);

  // Ends the run, or the wait for a slot, at once; the call gets `reason`. The
  // first reason stays; without effect after the run's end.
  void Stop(const absl::Status& reason);

  // From the reactor's OnCancel: the caller went away, or its deadline passed.
  void CallerLeft();

  // From the reactor's OnDone.
  void Done();

  // sandbox::RunObserver
  void OnStarted(const sandbox::Enforcement& enforcement) final;
  void OnFinished(absl::StatusOr<sandbox::Outcome> outcome) final;

 protected:
  virtual void DeliverStarted(const sandbox::Enforcement& enforcement) = 0;
  // The last call: finish the reactor with this.
  virtual void Deliver(absl::StatusOr<v1::Result> result) = 0;

  v1::Started EncodeStarted(const sandbox::Enforcement& enforcement) const;

  // Bounds how long a reader that does not read can hold the slot. Call it when
  // OnOutput returns kPause for the first time: the sandbox does not end a run
  // whose output it cannot hand over.
  void LimitStall();
  // Lets the sandbox go on after OnOutput returned kPause.
  void ResumeOutput();
  // Idempotent.
  void ReleaseSlot();

 private:
  std::string Peer();
  void OnAdmitted(absl::StatusOr<Slot> slot);
  void Launch(sandbox::StartOn thread);
  void FinishWith(absl::StatusOr<sandbox::Outcome> outcome);
  void FillRecord(const absl::StatusOr<sandbox::Outcome>& outcome);
  void CancelCallAfter(absl::Duration delay);
  void CancelCall();

  const CallEnvironment& environment_;

  // Set in Begin and OnAdmitted, before anything of the sandbox runs.
  RunRecord record_;
  std::string request_id_;
  sandbox::ExecutionSpec spec_;
  // The wall time limits of all steps.
  absl::Duration longest_run_;
  // Calls of the sandbox come one at a time.
  bool started_ = false;

  absl::Mutex mutex_;
  std::shared_ptr<Admission::Ticket> ticket_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<sandbox::Run> run_ ABSL_GUARDED_BY(mutex_);
  std::optional<Slot> slot_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> stop_reason_ ABSL_GUARDED_BY(mutex_);
  bool admission_over_ ABSL_GUARDED_BY(mutex_) = false;
  bool run_over_ ABSL_GUARDED_BY(mutex_) = false;
  // ResumeOutput came before Start had returned the run.
  bool resume_wanted_ ABSL_GUARDED_BY(mutex_) = false;

  absl::Mutex context_mutex_;
  grpc::CallbackServerContext* context_ ABSL_GUARDED_BY(context_mutex_);
  std::optional<grpc::Alarm> stall_timer_ ABSL_GUARDED_BY(context_mutex_);
};

}  // namespace cordon::server

#endif  // CORDON_SERVER_EXECUTION_CALL_H_
