// Requests that the server refuses, and how it says so.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using Problems = std::map<std::string, std::string>;

class ValidationTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new ServerProcess({}); }
  static void TearDownTestSuite() { delete server_; }

  grpc::Status StatusOf(const v1::ExecuteRequest& request) {
    v1::Result result;
    const grpc::Status run = client_.TryRun(request, &result);
    const grpc::Status stream = client_.Stream(request).status;
    EXPECT_EQ(run.error_code(), stream.error_code());
    EXPECT_EQ(run.error_message(), stream.error_message());
    EXPECT_EQ(run.error_details(), stream.error_details());
    return run;
  }

  // Field to description, of a request that must be refused.
  Problems ProblemsOf(const v1::ExecuteRequest& request) {
    const grpc::Status status = StatusOf(request);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT)
        << status.error_message();
    google::rpc::BadRequest bad_request;
    EXPECT_TRUE(ReadDetail(status, &bad_request));
    Problems problems;
    for (const auto& violation : bad_request.field_violations()) {
      problems[violation.field()] += violation.description();
      EXPECT_FALSE(violation.description().empty());
    }
    return problems;
  }

  TestClient client_{server_->address()};
  static ServerProcess* server_;
};

ServerProcess* ValidationTest::server_ = nullptr;

v1::ExecuteRequest Good() { return CommandRequest({"/bin/true"}); }

void AddFile(v1::ExecuteRequest& request, const std::string& path) {
  request.add_files()->set_path(path);
}

std::vector<std::string> FieldsOf(const Problems& problems) {
  std::vector<std::string> fields;
  for (const auto& [field, description] : problems) fields.push_back(field);
  return fields;
}

TEST_F(ValidationTest, AGoodRequestOfEveryFieldPasses) {
  v1::ExecuteRequest request = BashRequest("cat dir/a; cat; echo $NAME");
  AddFile(request, "dir/a");
  AddFile(request, "dir/b");
  (*request.mutable_environment())["NAME"] = "value";
  request.set_stdin("in");
  request.add_output_files("dir/*");
  request.set_output_mode(v1::OUTPUT_MODE_KEEP_HEAD);
  SetDuration(request.mutable_limits()->mutable_cpu_time(), absl::Seconds(5));
  SetDuration(request.mutable_limits()->mutable_wall_time(), absl::Seconds(60));
  request.mutable_limits()->set_memory_bytes(uint64_t{256} << 20);
  request.mutable_limits()->set_output_bytes(1000);
  request.mutable_limits()->set_file_bytes(1 << 20);
  request.mutable_limits()->set_open_files(64);
  request.mutable_policy()->set_network(v1::NETWORK_NONE);
  request.mutable_policy()->set_audit(v1::AUDIT_WRITES);
  request.set_request_id("good-1");
  request.set_label("a label");
  const v1::Result result = client_.Run(request);
  EXPECT_EQ(result.outcome(), v1::EXITED);
  EXPECT_EQ(result.stdout(), "invalue\n");
}

TEST_F(ValidationTest, AnEmptyRequestSaysWhatIsMissing) {
  EXPECT_THAT(
      ProblemsOf(v1::ExecuteRequest()),
      ::testing::ElementsAre(::testing::Pair("program", HasSubstr("command"))));
}

TEST_F(ValidationTest, EveryBadFieldIsListedAtOnce) {
  v1::ExecuteRequest request;
  request.mutable_source()->set_language("cobol");
  request.mutable_source()->add_args(std::string("a\0b", 3));
  AddFile(request, "/absolute");
  AddFile(request, "a/../../climbs");
  AddFile(request, "");
  AddFile(request, "twice");
  AddFile(request, "twice");
  AddFile(request, "twice/beneath");
  AddFile(request, std::string("nul\0", 4));
  (*request.mutable_environment())["A=B"] = "x";
  (*request.mutable_environment())["NUL"] = std::string("\0", 1);
  request.set_working_directory("../up");
  request.add_output_files("/etc/passwd");
  request.add_output_files("../../x");
  SetDuration(request.mutable_limits()->mutable_cpu_time(), absl::Hours(1000));
  SetDuration(request.mutable_limits()->mutable_wall_time(), -absl::Seconds(1));
  request.mutable_limits()->set_memory_bytes(uint64_t{1} << 60);
  request.mutable_limits()->set_output_bytes(uint64_t{1} << 60);
  request.mutable_limits()->set_file_bytes(uint64_t{1} << 60);
  request.mutable_limits()->set_open_files(1 << 30);
  request.set_request_id("not\nprintable");
  request.set_label(std::string(129, 'x'));
  request.set_output_mode(static_cast<v1::OutputMode>(77));
  request.mutable_policy()->set_network(static_cast<v1::Network>(77));
  request.mutable_policy()->set_audit(static_cast<v1::Audit>(77));
  request.mutable_policy()->mutable_on_violation()->set_process(
      static_cast<v1::ViolationAction>(77));
  EXPECT_THAT(
      FieldsOf(ProblemsOf(request)),
      ::testing::UnorderedElementsAre(
          "source.language", "source.args[0]", "files[0].path", "files[1].path",
          "files[2].path", "files[4].path", "files[5].path", "files[6].path",
          "environment[\"A=B\"]", "environment[\"NUL\"]", "working_directory",
          "output_files[0]", "output_files[1]", "limits.cpu_time",
          "limits.wall_time", "limits.memory_bytes", "limits.output_bytes",
          "limits.file_bytes", "limits.open_files", "request_id", "label",
          "output_mode", "policy.network", "policy.audit",
          "policy.on_violation.process"));
}

TEST_F(ValidationTest, AnUnknownLanguageNamesTheKnownOnes) {
  EXPECT_THAT(ProblemsOf(SourceRequest("cobol", ""))["source.language"],
              AllOf(HasSubstr("cobol"), HasSubstr("python"), HasSubstr("bash"),
                    HasSubstr("c++")));
}

TEST_F(ValidationTest, ALimitAboveItsCeilingNamesTheCeiling) {
  v1::ServerInfo info;
  grpc::ClientContext context;
  ASSERT_TRUE(client_.stub()
                  .GetServerInfo(&context, v1::GetServerInfoRequest(), &info)
                  .ok());
  v1::ExecuteRequest request = Good();
  const uint64_t ceiling = info.ceilings().memory_bytes();
  request.mutable_limits()->set_memory_bytes(ceiling);
  EXPECT_EQ(client_.Run(request).outcome(), v1::EXITED);
  request.mutable_limits()->set_memory_bytes(ceiling + 1);
  EXPECT_THAT(ProblemsOf(request)["limits.memory_bytes"],
              HasSubstr(std::to_string(ceiling)));
}

TEST_F(ValidationTest, EachBadFieldAloneIsNamedAndNothingElseIs) {
  using Change = std::function<void(v1::ExecuteRequest&)>;
  const std::vector<std::pair<std::string, Change>> cases = {
      {"command.argv", [](auto& r) { r.mutable_command()->clear_argv(); }},
      {"command.argv[0]",
       [](auto& r) { r.mutable_command()->set_argv(0, ""); }},
      {"command.argv[1]",
       [](auto& r) { r.mutable_command()->add_argv(std::string("\0", 1)); }},
      {"files[0].path", [](auto& r) { AddFile(r, "a//b"); }},
      {"files[0].path", [](auto& r) { AddFile(r, "./a"); }},
      {"files[0].path", [](auto& r) { AddFile(r, ".."); }},
      {"files[0].path", [](auto& r) { AddFile(r, "a/"); }},
      {"files[0].path", [](auto& r) { AddFile(r, std::string(300, 'n')); }},
      {"environment[\"\"]",
       [](auto& r) { (*r.mutable_environment())[""] = "x"; }},
      {"working_directory", [](auto& r) { r.set_working_directory("/tmp"); }},
      {"working_directory",
       [](auto& r) {
         AddFile(r, "file");
         r.set_working_directory("file");
       }},
      {"output_files[0]", [](auto& r) { r.add_output_files(""); }},
      {"limits.wall_time",
       [](auto& r) {
         r.mutable_limits()->mutable_wall_time()->set_nanos(2000000000);
       }},
      {"request_id", [](auto& r) { r.set_request_id(std::string(129, 'x')); }},
  };
  for (const auto& [field, change] : cases) {
    v1::ExecuteRequest request = Good();
    change(request);
    EXPECT_THAT(FieldsOf(ProblemsOf(request)), ::testing::ElementsAre(field));
  }
}

TEST_F(ValidationTest, AFileMayNotTakeTheNameOfTheSource) {
  v1::ExecuteRequest request = SourceRequest("python", "print(1)");
  AddFile(request, "main.py");
  EXPECT_THAT(ProblemsOf(request)["files[0].path"], HasSubstr("source.code"));
  request.mutable_files(0)->set_path("other.py");
  EXPECT_EQ(client_.Run(request).stdout(), "1\n");
}

TEST_F(ValidationTest, AHostileNumberOfBadFieldsStillGivesAReadableAnswer) {
  v1::ExecuteRequest request = Good();
  for (int i = 0; i < 1000; ++i) AddFile(request, "/absolute");
  EXPECT_FALSE(ProblemsOf(request).empty());
}

TEST_F(ValidationTest, AFieldOfANewerSchemaIsNamed) {
  v1::ExecuteRequest request = Good();
  request.GetReflection()->MutableUnknownFields(&request)->AddVarint(999, 1);
  const grpc::Status status = StatusOf(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(status.error_message(), HasSubstr("unknown field 999"));
}

TEST_F(ValidationTest, AMessageLargerThanTheServerAcceptsIsRefused) {
  v1::ExecuteRequest request = Good();
  request.set_stdin(std::string(65 << 20, 'x'));
  v1::Result result;
  EXPECT_EQ(client_.TryRun(request, &result).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(client_.Run(Good()).outcome(), v1::EXITED);
}

}  // namespace
}  // namespace cordon::testing
