// AwaitedRun: a run of the server's own, whose end a thread waits for.
//
//   auto run = std::make_shared<AwaitedRun>();
//   sandbox.Start(spec, run);
//   const absl::StatusOr<sandbox::Outcome>& outcome = run->Await();

#ifndef CORDON_SERVER_AWAITED_RUN_H_
#define CORDON_SERVER_AWAITED_RUN_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "sandbox/sandbox.h"

namespace cordon::server {

class AwaitedRun final : public sandbox::RunObserver {
 public:
  void OnStarted(const sandbox::Enforcement& /*enforcement*/) override {}
  sandbox::Flow OnOutput(sandbox::OutputStream stream, absl::string_view data,
                         uint64_t /*offset*/) override {
    std::string& text =
        stream == sandbox::OutputStream::kStdout ? stdout_data_ : stderr_data_;
    text.append(data.data(), data.size());
    return sandbox::Flow::kContinue;
  }
  void OnViolation(const sandbox::Violation& /*violation*/) override {}
  void OnFinished(absl::StatusOr<sandbox::Outcome> outcome) override {
    outcome_ = std::move(outcome);
    finished_.Notify();
  }

  const absl::StatusOr<sandbox::Outcome>& Await() const {
    finished_.WaitForNotification();
    return outcome_;
  }

  // After Await.
  const std::string& stdout_data() const { return stdout_data_; }
  const std::string& stderr_data() const { return stderr_data_; }

 private:
  std::string stdout_data_;
  std::string stderr_data_;
  absl::StatusOr<sandbox::Outcome> outcome_ = sandbox::Outcome();
  absl::Notification finished_;
};

}  // namespace cordon::server

#endif  // CORDON_SERVER_AWAITED_RUN_H_
