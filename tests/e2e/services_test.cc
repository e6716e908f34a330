// What stands beside CodeExecution: health, reflection, channelz,
// GetServerInfo.

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "grpc/channelz/v1/channelz.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/support/child_process.h"
#include "tests/support/health_client.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

class ServicesTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new ServerProcess({"--slots=7", "--queue=9"});
  }
  static void TearDownTestSuite() { delete server_; }

  TestClient client_{server_->address()};
  static ServerProcess* server_;
};

ServerProcess* ServicesTest::server_ = nullptr;

TEST_F(ServicesTest, HealthAnswersForTheServerAndTheService) {
  HealthClient health(client_.channel());
  EXPECT_EQ(health.Check(""), Health::kServing);
  EXPECT_EQ(health.Check("cordon.v1.CodeExecution"), Health::kServing);
  EXPECT_EQ(health.Check("cordon.v1.NoSuchService"), Health::kUnknownService);
}

TEST_F(ServicesTest, TheProbeFlagAsksForHealth) {
  const std::string flag = "--probe=" + server_->address();
  EXPECT_EQ(RunCommand({"server/cordond", flag}, "").exit_code, 0);
  const CommandOutput nobody =
      RunCommand({"server/cordond", "--probe=127.0.0.1:1"}, "");
  EXPECT_EQ(nobody.exit_code, 1);
  EXPECT_NE(nobody.stderr_data, "");
}

TEST_F(ServicesTest, ReflectionListsTheServicesAndGivesTheSchema) {
  namespace reflection = grpc::reflection::v1alpha;
  const auto stub = reflection::ServerReflection::NewStub(client_.channel());
  grpc::ClientContext context;
  const auto stream = stub->ServerReflectionInfo(&context);
  reflection::ServerReflectionRequest request;
  reflection::ServerReflectionResponse response;
  request.set_list_services("");
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  std::set<std::string> services;
  for (const auto& service : response.list_services_response().service()) {
    services.insert(service.name());
  }
  EXPECT_THAT(services, ::testing::IsSupersetOf({"cordon.v1.CodeExecution",
                                                 "grpc.health.v1.Health",
                                                 "grpc.channelz.v1.Channelz"}));
  request.set_file_containing_symbol("cordon.v1.ExecuteRequest");
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  std::string schema;
  for (const std::string& file :
       response.file_descriptor_response().file_descriptor_proto()) {
    schema += file;
  }
  EXPECT_THAT(schema, HasSubstr("GetServerInfo"));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServicesTest, ChannelzKnowsTheServerAndCountsItsCalls) {
  namespace channelz = grpc::channelz::v1;
  const auto stub = channelz::Channelz::NewStub(client_.channel());
  const auto calls = [&]() -> int64_t {
    grpc::ClientContext context;
    channelz::GetServersResponse servers;
    const grpc::Status status =
        stub->GetServers(&context, channelz::GetServersRequest(), &servers);
    EXPECT_TRUE(status.ok()) << status.error_message();
    int64_t started = 0;
    for (const auto& server : servers.server()) {
      started += server.data().calls_started();
    }
    return started;
  };
  const int64_t before = calls();
  for (int i = 0; i < 5; ++i) client_.Run(CommandRequest({"/bin/true"}));
  EXPECT_GE(calls(), before + 5);
}

void ExpectComplete(const v1::Limits& limits) {
  EXPECT_GT(ToDuration(limits.cpu_time()), absl::ZeroDuration());
  EXPECT_GT(ToDuration(limits.wall_time()), absl::ZeroDuration());
  EXPECT_GT(limits.memory_bytes(), 0u);
  EXPECT_GT(limits.output_bytes(), 0u);
  EXPECT_GT(limits.file_bytes(), 0u);
  EXPECT_GT(limits.open_files(), 0u);
}

TEST_F(ServicesTest, ServerInfoIsComplete) {
  v1::ServerInfo info;
  grpc::ClientContext context;
  ASSERT_TRUE(client_.stub()
                  .GetServerInfo(&context, v1::GetServerInfoRequest(), &info)
                  .ok());
  EXPECT_NE(info.version(), "");
  EXPECT_NE(info.host().kernel(), "");
  EXPECT_GT(info.host().landlock_abi(), 0u);
  EXPECT_TRUE(info.host().seccomp_user_notification());
  EXPECT_EQ(info.slots(), 7u);
  EXPECT_EQ(info.queue_capacity(), 9u);
  EXPECT_GT(ToDuration(info.uptime()), absl::ZeroDuration());
  EXPECT_GT(info.max_request_bytes(), 0u);
  EXPECT_EQ(info.enforcement().filesystem().level(), v1::Enforcement::FULL);
  ExpectComplete(info.default_limits());
  ExpectComplete(info.ceilings());
  EXPECT_LE(info.default_limits().memory_bytes(),
            info.ceilings().memory_bytes());
}

TEST_F(ServicesTest, ServerInfoListsEveryLanguageWithItsVersion) {
  v1::ServerInfo info;
  grpc::ClientContext context;
  ASSERT_TRUE(client_.stub()
                  .GetServerInfo(&context, v1::GetServerInfoRequest(), &info)
                  .ok());
  std::set<std::string> names;
  for (const v1::Language& language : info.languages()) {
    names.insert(language.name());
    EXPECT_NE(language.version(), "") << language.unavailable_reason();
    EXPECT_EQ(language.unavailable_reason(), "") << language.name();
    EXPECT_GT(language.extensions_size(), 0) << language.name();
  }
  EXPECT_THAT(names,
              ::testing::UnorderedElementsAre("bash", "c", "c++", "python"));
}

// ------------------------------------------------------- the server's command

TEST(ServersCommand, ABadFlagIsExplainedAndExitsWithTwo) {
  for (const char* flag :
       {"--no_such_flag", "--slots=0", "--listen=nonsense", "--grace=yesterday",
        "--max_output_bytes=many", "--languages_dir=/no/such/directory"}) {
    const CommandOutput output = RunCommand({"server/cordond", flag}, "");
    EXPECT_EQ(output.exit_code, 2) << flag;
    EXPECT_THAT(output.stderr_data, HasSubstr("cordond:")) << flag;
    EXPECT_EQ(output.stdout_data, "") << flag;
  }
}

TEST(ServersCommand, AnAddressThatIsTakenIsExplainedAndExitsWithOne) {
  ServerProcess server({});
  const CommandOutput output = RunCommand(
      {"server/cordond", "--allow_degraded", "--listen=" + server.address()},
      "");
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_THAT(output.stderr_data, HasSubstr("cannot listen on"));
}

TEST(ServersCommand, HelpAndVersionSucceed) {
  const CommandOutput help = RunCommand({"server/cordond", "--help"}, "");
  EXPECT_EQ(help.exit_code, 0);
  for (const char* flag :
       {"--listen", "--slots", "--queue", "--grace", "--languages_dir",
        "--allow_degraded", "--default_wall_time", "--max_memory_bytes"}) {
    EXPECT_THAT(help.stdout_data, HasSubstr(flag));
  }
  EXPECT_THAT(RunCommand({"server/cordond", "--version"}, "").stdout_data,
              HasSubstr("cordond "));
}

}  // namespace
}  // namespace cordon::testing
