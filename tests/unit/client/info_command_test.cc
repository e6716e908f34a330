#include "client/info_command.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "client/descriptor.h"
#include "client/exit_codes.h"
#include "client/info_text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/client/fake_service.h"

namespace cordon::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

v1::ServerInfo ExampleInfo() {
  v1::ServerInfo info;
  info.set_version("1.2.3");
  info.mutable_uptime()->set_seconds(75);
  info.mutable_host()->set_kernel("Linux 6.1.0");
  info.mutable_host()->set_landlock_abi(7);
  info.mutable_host()->set_seccomp_user_notification(true);
  info.set_slots(8);
  info.set_queue_capacity(64);
  info.set_max_request_bytes(64 << 20);
  info.set_max_network(v1::NETWORK_LOOPBACK);
  v1::Language& python = *info.add_languages();
  python.set_name("python");
  python.add_aliases("python3");
  python.add_aliases("py");
  python.add_extensions("py");
  python.set_version("Python 3.11.2");
  python.mutable_default_limits()->set_memory_bytes(512 << 20);
  v1::Language& ruby = *info.add_languages();
  ruby.set_name("ruby");
  ruby.set_unavailable_reason("/usr/bin/ruby is not there");
  info.mutable_default_limits()->mutable_cpu_time()->set_seconds(10);
  info.mutable_ceilings()->mutable_cpu_time()->set_seconds(120);
  info.mutable_enforcement()->mutable_filesystem()->set_level(
      v1::Enforcement::FULL);
  info.mutable_enforcement()->mutable_memory()->set_level(
      v1::Enforcement::PARTIAL);
  info.mutable_enforcement()->mutable_memory()->set_reason("per process");
  return info;
}

TEST(InfoTextTest, ThePageIsAligned) {
  EXPECT_EQ(InfoText("localhost:50051", ExampleInfo()),
            R"(cordon 1.2.3 at localhost:50051, up 1m15s
  kernel                Linux 6.1.0
  Landlock              ABI 7
  seccomp notification  yes
  cgroups               none writable by the server
  outer seccomp filter  no
  runs at once          8, and 64 more may wait
  largest request       64M
  network of a run      none or loopback

Languages
  python  python3, py  .py  Python 3.11.2; --memory=512M
  ruby    -            -    unavailable: /usr/bin/ruby is not there

Limits of a run
                                       default  ceiling
  CPU time             --cpu           10s      2m
  wall time            --wall          -        -
  memory               --memory        -        -
  output, each stream  --output-limit  -        -
  one file             --file-size     -        -
  disk                 --disk          -        -
  open files           --open-files    -        -
  processes            --processes     -        -

What is enforced
  filesystem  full
  network     unknown
  syscalls    unknown
  signals     unknown
  memory      partial  per process
  processes   unknown
  identity    unknown
  service     unknown
)");
}

class InfoCommandTest : public testing::Test {
 protected:
  InfoCommandTest() {
    EXPECT_EQ(pipe2(out_, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(error_, O_CLOEXEC), 0);
    flags_.server = service_.address();
    service_.info = ExampleInfo();
  }

  int Run() {
    const int code =
        InfoCommand(flags_, {0, out_[1], error_[1]}, cancellation_);
    close(out_[1]);
    close(error_[1]);
    text_ = ReadAll(out_[0]).value();
    sentence_ = ReadAll(error_[0]).value();
    close(out_[0]);
    close(error_[0]);
    return code;
  }

  FakeService service_;
  InfoFlags flags_;
  Cancellation cancellation_;
  int out_[2];
  int error_[2];
  std::string text_;
  std::string sentence_;
};

TEST_F(InfoCommandTest, ThePageIsPrinted) {
  EXPECT_EQ(Run(), 0);
  EXPECT_THAT(text_, StartsWith("cordon 1.2.3 at 127.0.0.1:"));
  EXPECT_EQ(sentence_, "");
}

TEST_F(InfoCommandTest, JsonIsOneDocument) {
  flags_.format = OutputFormat::kJson;
  EXPECT_EQ(Run(), 0);
  EXPECT_THAT(text_, AllOf(StartsWith("{\n"), HasSubstr("\"landlockAbi\": 7"),
                           HasSubstr("\"unavailableReason\"")));
}

TEST_F(InfoCommandTest, AServerThatIsNotThereIsNamed) {
  flags_.server = "127.0.0.1:1";
  EXPECT_EQ(Run(), static_cast<int>(ExitCode::kUnavailable));
  EXPECT_THAT(sentence_,
              StartsWith("cordon: no server answers at 127.0.0.1:1"));
}

TEST_F(InfoCommandTest, AFailedCallHasItsCode) {
  service_.info_status = grpc::Status(grpc::INTERNAL, "broken");
  EXPECT_EQ(Run(), static_cast<int>(ExitCode::kServiceFailed));
  EXPECT_THAT(sentence_, HasSubstr("broken"));
}

}  // namespace
}  // namespace cordon::client
