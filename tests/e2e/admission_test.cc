// Slots, the queue in front of them, and many callers at once.

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "tests/support/process_view.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

// A run that holds its slot until it is cancelled.
class Holder {
 public:
  explicit Holder(TestClient& client)
      : stream_(client.Execute(BashRequest("echo held; sleep 1000"))) {
    EXPECT_TRUE(stream_->ReadUntilStdoutHas("held"));
  }
  void Release() { stream_.reset(); }

 private:
  std::unique_ptr<ExecuteStream> stream_;
};

// A server with one slot, and one place to wait for small requests.
std::vector<std::string> OneSlotOnePlace() {
  return {"--slots=1", "--queue=1",
          "--queue_bytes=" + std::to_string(kQueueBytes)};
}

int RequestsThatWaitAt(TestClient& client) {
  v1::Result result;
  return RequestsThatWait(client.TryRun(RequestTooLargeToWait(), &result));
}

// `request`, waiting on a server of OneSlotOnePlace whose slot is taken and
// where nothing else waits.
struct Queued {
  Queued(TestClient& client, const v1::ExecuteRequest& request)
      : stream(client.Execute(request)) {
    EXPECT_TRUE(Eventually([&] { return RequestsThatWaitAt(client) == 1; }));
  }
  std::unique_ptr<ExecuteStream> stream;
};

TEST(Admission, TheThirdRequestOfAServerWithOneSlotAndOnePlaceIsRefused) {
  ServerProcess server(OneSlotOnePlace());
  TestClient client(server.address());
  Holder holder(client);
  Queued queued(client, BashRequest("echo queued"));
  v1::Result result;
  const grpc::Status status =
      client.TryRun(CommandRequest({"/bin/true"}), &result);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(ReadDetail(status, &retry)) << status.error_message();
  EXPECT_GT(ToDuration(retry.retry_delay()), absl::ZeroDuration());
  holder.Release();
  const StreamRecord record = queued.stream->Finish();
  EXPECT_EQ(record.stdout_data, "queued\n");
  EXPECT_EQ(client.Run(BashRequest("exit 2")).exit_code(), 2);
}

TEST(Admission, WithoutAQueueTheSecondRequestIsRefused) {
  ServerProcess server({"--slots=1", "--queue=0"});
  TestClient client(server.address());
  Holder holder(client);
  v1::Result result;
  EXPECT_EQ(client.TryRun(CommandRequest({"/bin/true"}), &result).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  holder.Release();
  EXPECT_TRUE(Eventually([&] {
    return client.TryRun(CommandRequest({"/bin/true"}), &result).ok();
  }));
}

TEST(Admission, QueueTimeIsReportedAndCountsAgainstNoLimit) {
  ServerProcess server(OneSlotOnePlace());
  TestClient client(server.address());
  Holder holder(client);
  constexpr absl::Duration kLimit = absl::Seconds(2);
  v1::ExecuteRequest request = BashRequest("echo in time");
  SetDuration(request.mutable_limits()->mutable_wall_time(), kLimit);
  Queued queued(client, request);
  // Not to synchronise: the point is that more time passes than the limit.
  absl::SleepFor(kLimit + absl::Milliseconds(100));
  holder.Release();
  const StreamRecord record = queued.stream->Finish();
  const v1::Result result = record.result();
  EXPECT_EQ(result.outcome(), v1::EXITED) << result.message();
  EXPECT_EQ(record.stdout_data, "in time\n");
  EXPECT_GE(ToDuration(result.usage().queue_time()), kLimit);
  EXPECT_LT(ToDuration(result.usage().wall_time()), kLimit);
  EXPECT_EQ(ToDuration(record.events.front().started().queue_time()),
            ToDuration(result.usage().queue_time()));
}

TEST(Admission, ARequestThatIsCancelledInTheQueueLeavesItsPlace) {
  ServerProcess server(OneSlotOnePlace());
  TestClient client(server.address());
  Holder holder(client);
  {
    Queued queued(client, BashRequest("echo never"));
    queued.stream->Cancel();
    EXPECT_EQ(queued.stream->Finish().status.error_code(),
              grpc::StatusCode::CANCELLED);
  }
  // The server hears of it in its own time. From then on the place is free: the
  // next one waits instead of being refused.
  ASSERT_TRUE(Eventually([&] { return RequestsThatWaitAt(client) == 0; }));
  Queued queued(client, BashRequest("echo next"));
  holder.Release();
  EXPECT_EQ(queued.stream->Finish().stdout_data, "next\n");
}

TEST(Admission, ARequestThatIsRefusedStartsNothing) {
  ServerProcess server({"--slots=1", "--queue=0"});
  TestClient client(server.address());
  Holder holder(client);
  const size_t children = ChildrenOf(server.pid()).size();
  v1::Result result;
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(client.TryRun(BashRequest("sleep 1000"), &result).ok());
  }
  EXPECT_EQ(ChildrenOf(server.pid()).size(), children);
}

TEST(Admission, TwoHundredCallersAtOnceEachGetTheirOwn) {
  ServerProcess server({"--slots=32", "--queue=1000"});
  constexpr int kCallers = 200;
  std::atomic<int> good{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      TestClient client(server.address());
      const std::string id = "caller-" + std::to_string(i);
      v1::ExecuteRequest request =
          BashRequest("cat; cat name; echo $ID; echo $0 >&2; exit $CODE");
      request.mutable_command()->add_argv(id);
      request.set_stdin(id + "\n");
      request.set_request_id(id);
      (*request.mutable_environment())["ID"] = id;
      (*request.mutable_environment())["CODE"] = std::to_string(i % 100);
      v1::File* file = request.add_files();
      file->set_path("name");
      file->set_content(id + "\n");
      request.add_output_files("name");
      const v1::Result result = client.Run(request);
      EXPECT_EQ(result.stdout(), id + "\n" + id + "\n" + id + "\n");
      EXPECT_EQ(result.stderr(), id + "\n");
      EXPECT_EQ(result.exit_code(), i % 100);
      EXPECT_EQ(result.request_id(), id);
      EXPECT_EQ(result.files_size(), 1);
      if (result.files_size() == 1) {
        EXPECT_EQ(result.files(0).content(), id + "\n");
      }
      if (result.stdout() == id + "\n" + id + "\n" + id + "\n") ++good;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(good, kCallers);
  EXPECT_TRUE(Eventually([&] { return ChildrenOf(server.pid()).empty(); }));
}

}  // namespace
}  // namespace cordon::testing
