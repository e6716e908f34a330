// A gRPC client for end-to-end tests: requests in one line, results and streams
// that a test can look into.
//
//   TestClient client(server.address());
//   v1::Result result = client.Run(BashRequest("echo hello"));
//   EXPECT_EQ(result.outcome(), v1::EXITED);
//
// Every client has a connection of its own, and accepts messages of any size.

#ifndef CORDON_TESTS_SUPPORT_TEST_CLIENT_H_
#define CORDON_TESTS_SUPPORT_TEST_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/message.h"
#include "grpcpp/grpcpp.h"
#include "proto/cordon/v1/execution.grpc.pb.h"

namespace cordon::testing {

v1::ExecuteRequest CommandRequest(const std::vector<std::string>& argv);
// `bash -c script`.
v1::ExecuteRequest BashRequest(const std::string& script);
// `python3 -c code`.
v1::ExecuteRequest PythonRequest(const std::string& code);
v1::ExecuteRequest SourceRequest(const std::string& language,
                                 const std::string& code);

void SetDuration(google::protobuf::Duration* to, absl::Duration value);
absl::Duration ToDuration(const google::protobuf::Duration& value);

// Whether the status carries a google.rpc detail of `detail`'s type; fills it.
bool ReadDetail(const grpc::Status& status, google::protobuf::Message* detail);

// For asking how many requests wait: one that is itself too large to wait, on a
// server whose queue holds kQueueBytes and whose slots are taken. It is
// refused, always, and so never takes the place of those that it asks about.
inline constexpr uint64_t kQueueBytes = 64 << 10;
v1::ExecuteRequest RequestTooLargeToWait();
// What its refusal tells; fails the test when that is something else.
int RequestsThatWait(const grpc::Status& refusal);

// Everything that one Execute streamed.
struct StreamRecord {
  grpc::Status status;
  std::vector<v1::ExecuteResponse> events;
  std::string stdout_data;
  std::string stderr_data;

  // The last event, which must be a result: fails the test otherwise.
  v1::Result result() const;
};

// One Execute under way. Used by one thread, except Cancel.
class ExecuteStream {
 public:
  ExecuteStream(v1::CodeExecution::Stub& stub,
                const v1::ExecuteRequest& request, absl::Duration deadline);
  // Cancels what still runs.
  ~ExecuteStream();

  // False at the end of the stream.
  bool Next(v1::ExecuteResponse* response);
  // Reads on until stdout holds `text`; false when the stream ends first.
  bool ReadUntilStdoutHas(const std::string& text);
  bool ReadUntilStarted();
  void Cancel() { context_.TryCancel(); }
  // Reads to the end.
  StreamRecord Finish();
  // What was read so far.
  const StreamRecord& record() const { return record_; }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::ExecuteResponse>> reader_;
  StreamRecord record_;
  bool finished_ = false;
};

class TestClient {
 public:
  explicit TestClient(const std::string& address);

  grpc::Status TryRun(const v1::ExecuteRequest& request, v1::Result* result);
  // Fails the test when the call does.
  v1::Result Run(const v1::ExecuteRequest& request);
  v1::ServerInfo Info();
  std::unique_ptr<ExecuteStream> Execute(
      const v1::ExecuteRequest& request,
      absl::Duration deadline = absl::Minutes(2));
  // To the end.
  StreamRecord Stream(const v1::ExecuteRequest& request);

  v1::CodeExecution::Stub& stub() { return *stub_; }
  const std::shared_ptr<grpc::Channel>& channel() { return channel_; }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::CodeExecution::Stub> stub_;
};

}  // namespace cordon::testing

#endif  // CORDON_TESTS_SUPPORT_TEST_CLIENT_H_
