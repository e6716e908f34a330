// The service behind a real gRPC server on loopback, with a scripted sandbox.

#include "server/execution_service.h"

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/error_info.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "sandbox/base/errno_status.h"
#include "tests/support/process_view.h"
#include "tests/support/test_client.h"
#include "tests/unit/server/fake_sandbox.h"

namespace cordon::server {
namespace {

using ::testing::HasSubstr;

// Long enough that it never passes in a test that goes well.
constexpr absl::Duration kNever = absl::Minutes(5);

ServiceOptions Options() {
  ServiceOptions options;
  options.validator.languages = *LanguageSet::Make({BuiltinLanguageFiles()});
  options.admission = {.slots = 1, .queue_capacity = 1};
  options.delivery_timeout = kNever;
  return options;
}

v1::ExecuteRequest Request() {
  v1::ExecuteRequest request;
  request.mutable_command()->add_argv("/bin/true");
  return request;
}

class ExecutionServiceTest : public ::testing::Test {
 protected:
  void Serve(ServiceOptions options) {
    service_ =
        std::make_unique<ExecutionService>(std::move(options), &sandbox_);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    // Small windows, so that a stalled reader is felt soon; and a connection of
    // its own for each test.
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 65535);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = v1::CodeExecution::NewStub(grpc::CreateCustomChannel(
        "127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials(),
        arguments));
  }

  void TearDown() override {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  struct Answer {
    grpc::Status status;
    v1::Result result;
  };
  std::future<Answer> RunAsync(v1::ExecuteRequest request,
                               std::shared_ptr<grpc::ClientContext> context =
                                   std::make_shared<grpc::ClientContext>()) {
    return std::async(std::launch::async, [this, request, context] {
      Answer answer;
      answer.status = stub_->Run(context.get(), request, &answer.result);
      return answer;
    });
  }

  FakeSandbox sandbox_;
  std::unique_ptr<ExecutionService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::CodeExecution::Stub> stub_;
};

template <typename Detail>
Detail DetailOf(const grpc::Status& status) {
  google::rpc::Status details;
  Detail detail;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.details_size(), 1);
  if (details.details_size() == 1) details.details(0).UnpackTo(&detail);
  return detail;
}

TEST_F(ExecutionServiceTest, RunCollectsTheStreams) {
  Serve(Options());
  v1::ExecuteRequest request = Request();
  request.set_request_id("mine");
  auto answer = RunAsync(request);
  auto run = sandbox_.AwaitRun();
  EXPECT_EQ(run->spec.program.argv[0], "/bin/true");
  EXPECT_EQ(run->spec.request_id, "mine");
  run->observer->OnStarted({});
  run->observer->OnOutput(sandbox::OutputStream::kStdout, "he", 0);
  run->observer->OnOutput(sandbox::OutputStream::kStderr, "oops", 0);
  run->observer->OnOutput(sandbox::OutputStream::kStdout, "llo", 2);
  sandbox::Outcome outcome;
  outcome.exit_code = 3;
  run->Finish(outcome);
  const Answer got = answer.get();
  ASSERT_TRUE(got.status.ok()) << got.status.error_message();
  EXPECT_EQ(got.result.outcome(), v1::EXITED);
  EXPECT_EQ(got.result.exit_code(), 3);
  EXPECT_EQ(got.result.stdout(), "hello");
  EXPECT_EQ(got.result.stderr(), "oops");
  EXPECT_EQ(got.result.request_id(), "mine");
  EXPECT_TRUE(got.result.usage().has_queue_time());
}

TEST_F(ExecutionServiceTest, TheServerChoosesARequestId) {
  Serve(Options());
  auto answer = RunAsync(Request());
  sandbox_.AwaitRun()->Finish(sandbox::Outcome());
  EXPECT_THAT(answer.get().result.request_id(), ::testing::StartsWith("run-"));
}

TEST_F(ExecutionServiceTest, ExecuteStreamsEachEventInOrder) {
  Serve(Options());
  grpc::ClientContext context;
  auto reader = stub_->Execute(&context, Request());
  auto run = sandbox_.AwaitRun();
  v1::ExecuteResponse response;
  run->observer->OnStarted({});
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_TRUE(response.started().has_queue_time());
  // Each event is read before the next one happens: nothing is held back.
  run->observer->OnOutput(sandbox::OutputStream::kStdout, "one", 0);
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.output().data(), "one");
  run->observer->OnViolation({});
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_TRUE(response.has_violation());
  run->observer->OnOutput(sandbox::OutputStream::kStderr, "two", 0);
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.output().stream(), v1::STDERR);
  run->Finish(sandbox::Outcome());
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.result().outcome(), v1::EXITED);
  EXPECT_TRUE(response.result().stdout().empty());
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(ExecutionServiceTest, AResultWithoutAStartIsStillStarted) {
  Serve(Options());
  grpc::ClientContext context;
  auto reader = stub_->Execute(&context, Request());
  sandbox::Outcome outcome;
  outcome.kind = sandbox::OutcomeKind::kStartFailed;
  sandbox_.AwaitRun()->Finish(outcome);
  v1::ExecuteResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_TRUE(response.has_started());
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.result().outcome(), v1::START_FAILED);
}

TEST_F(ExecutionServiceTest, AnInvalidRequestNeverReachesTheSandbox) {
  Serve(Options());
  v1::ExecuteRequest request = Request();
  request.add_files()->set_path("/etc/passwd");
  const Answer got = RunAsync(request).get();
  EXPECT_EQ(got.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(
      DetailOf<google::rpc::BadRequest>(got.status).field_violations(0).field(),
      "files[0].path");
  grpc::ClientContext context;
  auto reader = stub_->Execute(&context, request);
  v1::ExecuteResponse response;
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(sandbox_.started(), 0);
}

TEST_F(ExecutionServiceTest, AFailureOfTheServiceIsInternalWithItsStep) {
  Serve(Options());
  auto answer = RunAsync(Request());
  sandbox_.AwaitRun()->Finish(sandbox::ErrnoToStatus(ENOSPC, "mkdirat"));
  const grpc::Status status = answer.get().status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  EXPECT_EQ(info.reason(), "SANDBOX_STEP_FAILED");
  EXPECT_EQ(info.metadata().at("step"), "mkdirat");
}

TEST_F(ExecutionServiceTest, AFullQueueIsResourceExhausted) {
  Serve(Options());
  auto first = RunAsync(Request());
  auto run = sandbox_.AwaitRun();
  // One of these two waits, the other finds the queue full.
  std::vector<std::future<Answer>> others;
  others.push_back(RunAsync(Request()));
  others.push_back(RunAsync(Request()));
  run->Finish(sandbox::Outcome());
  EXPECT_TRUE(first.get().status.ok());
  int refused = 0;
  // Whether the second came before the first was done is the scheduler's
  // choice.
  std::thread rest([this] {
    while (auto run = sandbox_.AwaitRun()) {
      const bool last = run->spec.request_id == "last";
      run->Finish(sandbox::Outcome());
      if (last) return;
    }
  });
  for (auto& other : others) {
    const Answer got = other.get();
    if (got.status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
      ++refused;
      EXPECT_TRUE(
          DetailOf<google::rpc::RetryInfo>(got.status).has_retry_delay());
    }
  }
  EXPECT_LE(refused, 1);
  v1::ExecuteRequest last = Request();
  last.set_request_id("last");
  EXPECT_TRUE(RunAsync(last).get().status.ok());
  rest.join();
}

// The thread of a run that ends has others to look after.
TEST_F(ExecutionServiceTest, OnlyARunThatDidNotWaitBeginsOnItsCallsThread) {
  ServiceOptions options = Options();
  options.admission.queue_bytes = cordon::testing::kQueueBytes;
  Serve(std::move(options));
  auto first = RunAsync(Request());
  auto run = sandbox_.AwaitRun();
  EXPECT_EQ(run->thread, sandbox::StartOn::kCallersThread);
  auto second = RunAsync(Request());
  ASSERT_TRUE(cordon::testing::Eventually([&] {
    return cordon::testing::RequestsThatWait(
               RunAsync(cordon::testing::RequestTooLargeToWait())
                   .get()
                   .status) == 1;
  }));
  run->Finish(sandbox::Outcome());
  run = sandbox_.AwaitRun();
  EXPECT_EQ(run->thread, sandbox::StartOn::kSandboxThread);
  run->Finish(sandbox::Outcome());
  EXPECT_TRUE(first.get().status.ok());
  EXPECT_TRUE(second.get().status.ok());
}

TEST_F(ExecutionServiceTest, NoQueueRefusesWhileASlotIsBusy) {
  ServiceOptions options = Options();
  options.admission.queue_capacity = 0;
  Serve(std::move(options));
  auto first = RunAsync(Request());
  auto run = sandbox_.AwaitRun();
  EXPECT_EQ(RunAsync(Request()).get().status.error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  run->Finish(sandbox::Outcome());
  EXPECT_TRUE(first.get().status.ok());
  // The control: one after the other, each finds the slot free.
  for (int i = 0; i < 20; ++i) {
    auto next = RunAsync(Request());
    sandbox_.AwaitRun()->Finish(sandbox::Outcome());
    EXPECT_TRUE(next.get().status.ok());
  }
}

TEST_F(ExecutionServiceTest, CancellingTheCallKillsTheRun) {
  Serve(Options());
  auto context = std::make_shared<grpc::ClientContext>();
  auto answer = RunAsync(Request(), context);
  auto run = sandbox_.AwaitRun();
  EXPECT_FALSE(run->cancelled());
  context->TryCancel();
  run->AwaitCancel();
  run->Finish(absl::CancelledError("killed"));
  EXPECT_EQ(answer.get().status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(service_->AwaitIdle(kNever));
}

TEST_F(ExecutionServiceTest, PassingTheDeadlineKillsTheRun) {
  Serve(Options());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(200));
  auto reader = stub_->Execute(&context, Request());
  auto run = sandbox_.AwaitRun();
  run->observer->OnStarted({});
  run->AwaitCancel();
  run->Finish(absl::CancelledError("killed"));
  v1::ExecuteResponse response;
  while (reader->Read(&response)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(service_->AwaitIdle(kNever));
}

// The caller is told at once, and the server in its own time: a request that it
// has not yet seen, or not yet dropped, would still run when the slot is free.
TEST_F(ExecutionServiceTest, ARequestCancelledInTheQueueNeverRuns) {
  ServiceOptions options = Options();
  options.admission.queue_bytes = cordon::testing::kQueueBytes;
  Serve(std::move(options));
  const auto waiting = [this] {
    return cordon::testing::RequestsThatWait(
        RunAsync(cordon::testing::RequestTooLargeToWait()).get().status);
  };
  auto first = RunAsync(Request());
  auto run = sandbox_.AwaitRun();
  auto context = std::make_shared<grpc::ClientContext>();
  auto second = RunAsync(Request(), context);
  ASSERT_TRUE(cordon::testing::Eventually([&] { return waiting() == 1; }));
  context->TryCancel();
  EXPECT_EQ(second.get().status.error_code(), grpc::StatusCode::CANCELLED);
  ASSERT_TRUE(cordon::testing::Eventually([&] { return waiting() == 0; }));
  run->Finish(sandbox::Outcome());
  EXPECT_TRUE(first.get().status.ok());
  EXPECT_TRUE(service_->AwaitIdle(kNever));
  EXPECT_EQ(sandbox_.started(), 1);
}

TEST_F(ExecutionServiceTest, AStalledReaderPausesTheProgram) {
  Serve(Options());
  grpc::ClientContext context;
  auto reader = stub_->Execute(&context, Request());
  auto run = sandbox_.AwaitRun();
  run->observer->OnStarted({});
  const std::string chunk(64 << 10, 'x');
  uint64_t offset = 0;
  int resumes = 0;
  // What the transport takes by itself, then kPause. A resume may come in
  // between while it still takes some.
  const auto write_until_paused = [&] {
    while (run->observer->OnOutput(sandbox::OutputStream::kStdout, chunk,
                                   offset) == sandbox::Flow::kContinue) {
      offset += chunk.size();
      if (offset > (uint64_t{64} << 20)) return false;
    }
    offset += chunk.size();
    return true;
  };
  ASSERT_TRUE(write_until_paused()) << "the server takes output without bound";
  // The reader goes on, and so does the program.
  v1::ExecuteResponse response;
  uint64_t read = 0;
  std::thread reading([&] {
    while (reader->Read(&response)) {
      if (!response.has_output()) continue;
      EXPECT_EQ(response.output().offset(), read);
      read += response.output().data().size();
    }
  });
  for (int round = 0; round < 50; ++round) {
    run->AwaitResume(++resumes);
    ASSERT_TRUE(write_until_paused());
  }
  run->AwaitResume(++resumes);
  run->Finish(sandbox::Outcome());
  reading.join();
  EXPECT_EQ(read, offset);
  EXPECT_TRUE(response.has_result());
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(ExecutionServiceTest, AReaderThatStallsAtTheEndLosesItsSlot) {
  ServiceOptions options = Options();
  options.delivery_timeout = absl::Milliseconds(50);
  Serve(std::move(options));
  grpc::ClientContext context;
  auto reader = stub_->Execute(&context, Request());
  auto run = sandbox_.AwaitRun();
  run->observer->OnStarted({});
  sandbox::Outcome outcome;
  outcome.files = {{"big", std::string(16 << 20, 'x'), ""}};
  run->Finish(outcome);
  // The first call is never read; its slot serves the second.
  auto second = RunAsync(Request());
  sandbox_.AwaitRun()->Finish(sandbox::Outcome());
  EXPECT_TRUE(second.get().status.ok());
  EXPECT_TRUE(service_->AwaitIdle(kNever));
}

TEST_F(ExecutionServiceTest, AReaderThatNeverReadsIsCancelledAfterTheLimits) {
  ServiceOptions options = Options();
  options.delivery_timeout = absl::Milliseconds(50);
  Serve(std::move(options));
  v1::ExecuteRequest request = Request();
  request.mutable_limits()->mutable_wall_time()->set_nanos(1000000);
  grpc::ClientContext context;
  auto reader = stub_->Execute(&context, request);
  auto run = sandbox_.AwaitRun();
  run->observer->OnStarted({});
  const std::string chunk(64 << 10, 'x');
  int pauses = 0;
  // The sandbox goes on for as long as the transport takes the output by
  // itself; the run does not end by itself, because its output is not taken.
  while (!run->cancelled()) {
    if (run->observer->OnOutput(sandbox::OutputStream::kStdout, chunk, 0) ==
        sandbox::Flow::kPause) {
      run->AwaitResumeOrCancel(++pauses);
    }
  }
  run->Finish(absl::CancelledError("killed"));
  EXPECT_TRUE(service_->AwaitIdle(kNever));
  auto second = RunAsync(Request());
  sandbox_.AwaitRun()->Finish(sandbox::Outcome());
  EXPECT_TRUE(second.get().status.ok());
}

TEST_F(ExecutionServiceTest, ALargeResultArrives) {
  Serve(Options());
  auto answer = RunAsync(Request());
  sandbox::Outcome outcome;
  outcome.files = {{"big", std::string(16 << 20, 'x'), ""}};
  sandbox_.AwaitRun()->Finish(outcome);
  const Answer got = answer.get();
  ASSERT_TRUE(got.status.ok()) << got.status.error_message();
  EXPECT_EQ(got.result.files(0).content().size(), size_t{16} << 20);
}

TEST_F(ExecutionServiceTest, DrainingAnswersWaitingAndNewRequests) {
  Serve(Options());
  auto first = RunAsync(Request());
  auto run = sandbox_.AwaitRun();
  auto second = RunAsync(Request());
  service_->StopAdmitting();
  EXPECT_EQ(second.get().status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(RunAsync(Request()).get().status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(service_->AwaitIdle(absl::ZeroDuration()));
  // What runs may finish.
  run->Finish(sandbox::Outcome());
  EXPECT_TRUE(first.get().status.ok());
  EXPECT_TRUE(service_->AwaitIdle(kNever));
}

TEST_F(ExecutionServiceTest, EndingTheCallsKillsAndAnswersUnavailable) {
  Serve(Options());
  auto first = RunAsync(Request());
  auto run = sandbox_.AwaitRun();
  service_->StopAdmitting();
  service_->EndCalls();
  run->AwaitCancel();
  run->Finish(absl::CancelledError("killed"));
  const grpc::Status status = first.get().status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("shutting down"));
  EXPECT_TRUE(service_->AwaitIdle(kNever));
}

TEST_F(ExecutionServiceTest, ManyCallsAtOnceEachGetTheirOwnAnswer) {
  constexpr int kCalls = 200;
  ServiceOptions options = Options();
  options.admission = {.slots = 8, .queue_capacity = kCalls};
  Serve(std::move(options));
  std::thread runs([this] {
    for (int i = 0; i < kCalls; ++i) {
      auto run = sandbox_.AwaitRun();
      run->observer->OnStarted({});
      run->observer->OnOutput(sandbox::OutputStream::kStdout,
                              run->spec.request_id, 0);
      run->Finish(sandbox::Outcome());
    }
  });
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < kCalls; ++i) {
    v1::ExecuteRequest request = Request();
    request.set_request_id("call-" + std::to_string(i));
    answers.push_back(RunAsync(request));
  }
  for (int i = 0; i < kCalls; ++i) {
    const Answer got = answers[i].get();
    ASSERT_TRUE(got.status.ok()) << got.status.error_message();
    EXPECT_EQ(got.result.stdout(), "call-" + std::to_string(i));
  }
  runs.join();
  EXPECT_TRUE(service_->AwaitIdle(kNever));
}

TEST_F(ExecutionServiceTest, GetServerInfoTellsLanguagesLimitsAndHost) {
  sandbox_.host_.kernel = "Linux 6.1";
  sandbox_.host_.landlock_abi = 2;
  sandbox_.host_.masked_syscalls = {165};
  Serve(Options());
  grpc::ClientContext context;
  v1::ServerInfo info;
  ASSERT_TRUE(
      stub_->GetServerInfo(&context, v1::GetServerInfoRequest(), &info).ok());
  EXPECT_EQ(info.languages_size(), 4);
  EXPECT_EQ(info.host().kernel(), "Linux 6.1");
  EXPECT_EQ(info.host().landlock_abi(), 2u);
  ASSERT_EQ(info.host().masked_syscalls_size(), 1);
  EXPECT_EQ(info.host().masked_syscalls(0), "mount");
  EXPECT_EQ(info.slots(), 1u);
  EXPECT_EQ(info.queue_capacity(), 1u);
  EXPECT_TRUE(info.has_uptime());
  EXPECT_GT(info.ceilings().memory_bytes(), 0u);
}

TEST_F(ExecutionServiceTest, EveryCallIsReportedOnce) {
  std::promise<RunRecord> promise;
  ServiceOptions options = Options();
  options.on_run = [&promise](const RunRecord& record) {
    promise.set_value(record);
  };
  Serve(std::move(options));
  v1::ExecuteRequest request = Request();
  request.set_label("experiment 7");
  auto answer = RunAsync(request);
  sandbox::Outcome outcome;
  outcome.kind = sandbox::OutcomeKind::kSignaled;
  outcome.signal = 11;
  sandbox_.AwaitRun()->Finish(outcome);
  const RunRecord record = promise.get_future().get();
  EXPECT_EQ(record.label, "experiment 7");
  EXPECT_EQ(record.program, "/bin/true");
  EXPECT_TRUE(record.status.ok());
  EXPECT_EQ(record.outcome, sandbox::OutcomeKind::kSignaled);
  EXPECT_EQ(record.signal, 11);
  EXPECT_TRUE(answer.get().status.ok());
}

}  // namespace
}  // namespace cordon::server
