#include "tests/support/test_client.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"

namespace cordon::testing {
namespace {

// A call that hangs fails its test before the test's own time is over.
constexpr absl::Duration kPatience = absl::Minutes(2);

std::chrono::system_clock::time_point DeadlineAfter(absl::Duration delay) {
  return absl::ToChronoTime(absl::Now() + delay);
}

}  // namespace

v1::ExecuteRequest CommandRequest(const std::vector<std::string>& argv) {
  v1::ExecuteRequest request;
  for (const std::string& argument : argv) {
    request.mutable_command()->add_argv(argument);
  }
  return request;
}

v1::ExecuteRequest BashRequest(const std::string& script) {
  return CommandRequest({"/bin/bash", "-c", script});
}

v1::ExecuteRequest PythonRequest(const std::string& code) {
  return CommandRequest({"/usr/bin/python3", "-c", code});
}

v1::ExecuteRequest SourceRequest(const std::string& language,
                                 const std::string& code) {
  v1::ExecuteRequest request;
  request.mutable_source()->set_language(language);
  request.mutable_source()->set_code(code);
  return request;
}

void SetDuration(google::protobuf::Duration* to, absl::Duration value) {
  to->set_seconds(value / absl::Seconds(1));
  to->set_nanos(value % absl::Seconds(1) / absl::Nanoseconds(1));
}

absl::Duration ToDuration(const google::protobuf::Duration& value) {
  return absl::Seconds(value.seconds()) + absl::Nanoseconds(value.nanos());
}

bool ReadDetail(const grpc::Status& status, google::protobuf::Message* detail) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return false;
  for (const google::protobuf::Any& any : details.details()) {
    if (any.UnpackTo(detail)) return true;
  }
  return false;
}

v1::ExecuteRequest RequestTooLargeToWait() {
  v1::ExecuteRequest request = CommandRequest({"/bin/true"});
  request.set_stdin(std::string(2 * kQueueBytes, 'x'));
  return request;
}

int RequestsThatWait(const grpc::Status& refusal) {
  EXPECT_EQ(refusal.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  const std::string message = refusal.error_message();
  const std::vector<std::string> words =
      absl::StrSplit(message, absl::ByAnyChar(" ,("));
  const auto requests = std::find(words.begin(), words.end(), "requests");
  int number = -1;
  if (requests == words.begin() || requests == words.end() ||
      !absl::SimpleAtoi(*(requests - 1), &number)) {
    ADD_FAILURE() << "it does not say how many wait: " << message;
  }
  return number;
}

v1::Result StreamRecord::result() const {
  EXPECT_TRUE(status.ok()) << status.error_message();
  if (events.empty() || !events.back().has_result()) {
    ADD_FAILURE() << "the stream does not end with a result";
    return v1::Result();
  }
  return events.back().result();
}

ExecuteStream::ExecuteStream(v1::CodeExecution::Stub& stub,
                             const v1::ExecuteRequest& request,
                             absl::Duration deadline) {
  context_.set_deadline(DeadlineAfter(deadline));
  reader_ = stub.Execute(&context_, request);
}

ExecuteStream::~ExecuteStream() {
  if (finished_) return;
  Cancel();
  Finish();
}

bool ExecuteStream::Next(v1::ExecuteResponse* response) {
  if (!reader_->Read(response)) return false;
  record_.events.push_back(*response);
  if (response->has_output()) {
    v1::Output& output = *record_.events.back().mutable_output();
    std::string& kept = output.stream() == v1::STDOUT ? record_.stdout_data
                                                      : record_.stderr_data;
    EXPECT_FALSE(output.data().empty());
    kept.append(output.data());
  }
  return true;
}

bool ExecuteStream::ReadUntilStdoutHas(const std::string& text) {
  v1::ExecuteResponse response;
  while (!absl::StrContains(record_.stdout_data, text)) {
    if (!Next(&response)) return false;
  }
  return true;
}

bool ExecuteStream::ReadUntilStarted() {
  v1::ExecuteResponse response;
  while (record_.events.empty()) {
    if (!Next(&response)) return false;
  }
  return record_.events.front().has_started();
}

StreamRecord ExecuteStream::Finish() {
  v1::ExecuteResponse response;
  while (Next(&response)) {
  }
  record_.status = reader_->Finish();
  finished_ = true;
  return std::move(record_);
}

TestClient::TestClient(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  channel_ = grpc::CreateCustomChannel(
      address, grpc::InsecureChannelCredentials(), arguments);
  stub_ = v1::CodeExecution::NewStub(channel_);
}

grpc::Status TestClient::TryRun(const v1::ExecuteRequest& request,
                                v1::Result* result) {
  grpc::ClientContext context;
  context.set_deadline(DeadlineAfter(kPatience));
  return stub_->Run(&context, request, result);
}

v1::Result TestClient::Run(const v1::ExecuteRequest& request) {
  v1::Result result;
  const grpc::Status status = TryRun(request, &result);
  EXPECT_TRUE(status.ok()) << status.error_code() << ": "
                           << status.error_message();
  return result;
}

v1::ServerInfo TestClient::Info() {
  grpc::ClientContext context;
  v1::ServerInfo info;
  const grpc::Status status =
      stub_->GetServerInfo(&context, v1::GetServerInfoRequest(), &info);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return info;
}

std::unique_ptr<ExecuteStream> TestClient::Execute(
    const v1::ExecuteRequest& request, absl::Duration deadline) {
  return std::make_unique<ExecuteStream>(*stub_, request, deadline);
}

StreamRecord TestClient::Stream(const v1::ExecuteRequest& request) {
  return Execute(request)->Finish();
}

}  // namespace cordon::testing
