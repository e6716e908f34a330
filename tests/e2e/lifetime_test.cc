// How a run ends when its caller leaves or the server does.

#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/support/child_process.h"
#include "tests/support/health_client.h"
#include "tests/support/process_view.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

// Three processes that ignore what can be ignored.
constexpr char kStubborn[] =
    "trap '' TERM INT HUP PIPE; sleep 1000 & (sleep 1000 & sleep 1000) & "
    "echo ready; while :; do sleep 1000; done";

bool HasChildren(const ServerProcess& server) {
  return !ChildrenOf(server.pid()).empty();
}

void ExpectNothingLeft(const ServerProcess& server) {
  EXPECT_TRUE(Eventually([&] { return !HasChildren(server); }));
}

TEST(Lifetime, CancellingTheCallKillsTheWholeRun) {
  ServerProcess server({});
  TestClient client(server.address());
  const auto stream = client.Execute(BashRequest(kStubborn));
  ASSERT_TRUE(stream->ReadUntilStdoutHas("ready"));
  EXPECT_TRUE(HasChildren(server));
  stream->Cancel();
  EXPECT_EQ(stream->Finish().status.error_code(), grpc::StatusCode::CANCELLED);
  ExpectNothingLeft(server);
  EXPECT_EQ(client.Run(BashRequest("exit 3")).exit_code(), 3);
}

TEST(Lifetime, TheCallsDeadlineKillsTheWholeRun) {
  ServerProcess server({});
  TestClient client(server.address());
  const auto stream = client.Execute(BashRequest(kStubborn), absl::Seconds(2));
  ASSERT_TRUE(stream->ReadUntilStdoutHas("ready"));
  EXPECT_EQ(stream->Finish().status.error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  ExpectNothingLeft(server);
}

TEST(Lifetime, CancellingRunKillsTheWholeRunToo) {
  ServerProcess server({});
  TestClient client(server.address());
  grpc::ClientContext context;
  grpc::Status status;
  v1::Result result;
  std::thread call([&] {
    status = client.stub().Run(&context, BashRequest(kStubborn), &result);
  });
  EXPECT_TRUE(Eventually([&] { return HasChildren(server); }));
  context.TryCancel();
  call.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  ExpectNothingLeft(server);
}

TEST(Lifetime, CancellingDuringTheCompileStepKillsTheCompiler) {
  ServerProcess server({});
  TestClient client(server.address());
  // Long to compile: every instantiation is a new type.
  const auto stream = client.Execute(SourceRequest(
      "c++",
      "template <int N, int M> struct F { static constexpr long value = "
      "F<N - 1, M * 2>::value + F<N - 1, M * 2 + 1>::value; };\n"
      "template <int M> struct F<0, M> { static constexpr long value = M; };\n"
      "int main() { return F<18, 1>::value & 1; }\n"));
  ASSERT_TRUE(stream->ReadUntilStarted());
  EXPECT_TRUE(Eventually([&] { return HasChildren(server); }));
  stream->Cancel();
  stream->Finish();
  ExpectNothingLeft(server);
}

TEST(Lifetime, AClientThatIsKilledTakesItsRunWithIt) {
  ServerProcess server({});
  ChildProcess client({"client/cordon", "run", "--command",
                       "--server=" + server.address(), "--", "/bin/bash", "-c",
                       kStubborn});
  ASSERT_TRUE(client.ReadUntil("ready"));
  EXPECT_TRUE(HasChildren(server));
  client.Signal(SIGKILL);
  client.WaitForExit();
  ExpectNothingLeft(server);
}

// ------------------------------------------------------------------- drain

// Sends SIGTERM and waits until the server says that it no longer serves.
void StartDrain(const ServerProcess& server, HealthClient& health) {
  EXPECT_EQ(health.Check(""), Health::kServing);
  server.Signal(SIGTERM);
  EXPECT_TRUE(
      Eventually([&] { return health.Check("") == Health::kNotServing; }));
}

TEST(Lifetime, ADrainLetsRunningWorkFinish) {
  ServerProcess server({"--grace=60s"});
  TestClient client(server.address());
  HealthClient health(client.channel());
  const auto stream =
      client.Execute(BashRequest("echo ready; sleep 2; echo done; exit 6"));
  ASSERT_TRUE(stream->ReadUntilStdoutHas("ready"));
  StartDrain(server, health);
  EXPECT_EQ(health.Check("cordon.v1.CodeExecution"), Health::kNotServing);
  v1::Result refused;
  const grpc::Status status =
      client.TryRun(CommandRequest({"/bin/true"}), &refused);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE)
      << status.error_message();
  const StreamRecord record = stream->Finish();
  EXPECT_EQ(record.stdout_data, "ready\ndone\n");
  EXPECT_EQ(record.result().exit_code(), 6);
  const int wait_status = server.WaitForExit();
  EXPECT_TRUE(WIFEXITED(wait_status));
  EXPECT_EQ(WEXITSTATUS(wait_status), 0);
}

TEST(Lifetime, ADrainEndsWhatOutlivesTheGrace) {
  ServerProcess server({"--grace=500ms"});
  TestClient client(server.address());
  const auto stream = client.Execute(BashRequest(kStubborn));
  ASSERT_TRUE(stream->ReadUntilStdoutHas("ready"));
  server.Signal(SIGTERM);
  const StreamRecord record = stream->Finish();
  EXPECT_EQ(record.status.error_code(), grpc::StatusCode::UNAVAILABLE)
      << record.status.error_message();
  EXPECT_EQ(record.stdout_data, "ready\n");
  const int wait_status = server.WaitForExit();
  EXPECT_TRUE(WIFEXITED(wait_status));
  EXPECT_EQ(WEXITSTATUS(wait_status), 0);
}

TEST(Lifetime, ADrainRefusesWhatWaitsInTheQueue) {
  ServerProcess server({"--slots=1", "--queue=4", "--grace=60s"});
  TestClient client(server.address());
  const auto running =
      client.Execute(BashRequest("echo ready; sleep 2; exit 6"));
  ASSERT_TRUE(running->ReadUntilStdoutHas("ready"));
  const auto waiting = client.Execute(CommandRequest({"/bin/true"}));
  HealthClient health(client.channel());
  StartDrain(server, health);
  EXPECT_EQ(waiting->Finish().status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(running->Finish().result().exit_code(), 6);
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST(Lifetime, ASecondSignalEndsRunningWorkAtOnce) {
  ServerProcess server({"--grace=1000s"});
  TestClient client(server.address());
  HealthClient health(client.channel());
  const auto stream = client.Execute(BashRequest(kStubborn));
  ASSERT_TRUE(stream->ReadUntilStdoutHas("ready"));
  StartDrain(server, health);
  server.Signal(SIGTERM);
  EXPECT_EQ(stream->Finish().status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(server.WaitForExit(), 0);
}

TEST(Lifetime, AnIdleServerStopsAtOnceAndLeavesNoRunDirectory) {
  ServerProcess server({"--grace=1000s"});
  TestClient client(server.address());
  EXPECT_EQ(client.Run(CommandRequest({"/bin/true"})).outcome(), v1::EXITED);
  server.Signal(SIGINT);
  EXPECT_EQ(server.WaitForExit(), 0);
}

}  // namespace
}  // namespace cordon::testing
