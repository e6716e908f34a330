// FakeSandbox: starts nothing; the test plays the run's part.
//
//   FakeSandbox sandbox;
//   ... a request reaches the service ...
//   std::shared_ptr<FakeRun> run = sandbox.AwaitRun();
//   run->observer->OnStarted({});
//   run->Finish(outcome);
//
// Calls to the observer are the test's to order: one at a time.

#ifndef CORDON_TESTS_UNIT_SERVER_FAKE_SANDBOX_H_
#define CORDON_TESTS_UNIT_SERVER_FAKE_SANDBOX_H_

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "sandbox/sandbox.h"

namespace cordon::server {

class FakeRun final : public sandbox::Run {
 public:
  FakeRun(sandbox::ExecutionSpec spec,
          std::shared_ptr<sandbox::RunObserver> observer,
          sandbox::StartOn thread)
      : spec(std::move(spec)), observer(std::move(observer)), thread(thread) {}

  void Cancel() override {
    absl::MutexLock lock(&mutex_);
    cancelled_ = true;
  }
  void ResumeOutput() override {
    absl::MutexLock lock(&mutex_);
    ++resumes_;
  }

  void AwaitCancel() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&cancelled_));
  }
  // Waits for the resume number `count`, the first being 1.
  void AwaitResume(int count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [this, count] { return resumes_ >= count; };
    mutex_.Await(absl::Condition(&reached));
  }
  void AwaitResumeOrCancel(int count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [this, count] {
      return cancelled_ || resumes_ >= count;
    };
    mutex_.Await(absl::Condition(&reached));
  }
  bool cancelled() {
    absl::MutexLock lock(&mutex_);
    return cancelled_;
  }

  // The last call to the observer; the run is over.
  void Finish(absl::StatusOr<sandbox::Outcome> outcome) {
    std::exchange(observer, nullptr)->OnFinished(std::move(outcome));
  }

  const sandbox::ExecutionSpec spec;
  std::shared_ptr<sandbox::RunObserver> observer;
  const sandbox::StartOn thread;

 private:
  absl::Mutex mutex_;
  bool cancelled_ = false;
  int resumes_ = 0;
};

class FakeSandbox final : public sandbox::Sandbox {
 public:
  std::shared_ptr<sandbox::Run> Start(
      sandbox::ExecutionSpec spec,
      std::shared_ptr<sandbox::RunObserver> observer,
      sandbox::StartOn thread) override {
    auto run =
        std::make_shared<FakeRun>(std::move(spec), std::move(observer), thread);
    absl::MutexLock lock(&mutex_);
    ++started_;
    runs_.push_back(run);
    return run;
  }
  const sandbox::HostFeatures& host() const override { return host_; }
  const sandbox::Enforcement& enforcement() const override {
    return enforcement_;
  }
  const std::vector<std::string>& degraded() const override {
    return degraded_;
  }
  absl::Status WarmState(const std::string& /*profile*/) override {
    return absl::UnavailableError("a fake has no templates");
  }

  // The next run in the order of their starts.
  std::shared_ptr<FakeRun> AwaitRun() {
    absl::MutexLock lock(&mutex_);
    const auto any = [this] { return !runs_.empty(); };
    mutex_.Await(absl::Condition(&any));
    auto run = runs_.front();
    runs_.pop_front();
    return run;
  }
  int started() {
    absl::MutexLock lock(&mutex_);
    return started_;
  }

  sandbox::HostFeatures host_;
  sandbox::Enforcement enforcement_;

 private:
  std::vector<std::string> degraded_;
  absl::Mutex mutex_;
  std::deque<std::shared_ptr<FakeRun>> runs_;
  int started_ = 0;
};

}  // namespace cordon::server

#endif  // CORDON_TESTS_UNIT_SERVER_FAKE_SANDBOX_H_
