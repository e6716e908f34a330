// What the server says of its host, against what this process sees there by
// itself: what cannot be enforced is named, on every host that these tests run
// on.

#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/child_process.h"
#include "tests/support/degraded_host.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

bool Full(const v1::Enforcement::Layer& layer) {
  return layer.level() == v1::Enforcement::FULL;
}

class HostReport : public ::testing::Test {
 protected:
  HostReport() {
    grpc::ClientContext context;
    const grpc::Status status = client_.stub().GetServerInfo(
        &context, v1::GetServerInfoRequest(), &info_);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  ServerProcess server_{{}};
  TestClient client_{server_.address()};
  v1::ServerInfo info_;
};

TEST_F(HostReport, ALayerThatIsNotFullSaysWhy) {
  const v1::Enforcement& all = info_.enforcement();
  const std::vector<v1::Enforcement::Layer> layers = {
      all.filesystem(), all.network(),   all.syscalls(), all.signals(),
      all.memory(),     all.processes(), all.identity()};
  for (const v1::Enforcement::Layer& layer : layers) {
    EXPECT_NE(layer.level(), v1::Enforcement::LEVEL_UNSPECIFIED);
    EXPECT_EQ(Full(layer), layer.reason().empty()) << layer.reason();
  }
}

TEST_F(HostReport, RunsShareAUserWhereTheServerIsNotRoot) {
  EXPECT_EQ(Full(info_.enforcement().identity()), geteuid() == 0);
  const std::string user = client_.Run(BashRequest("id -u")).stdout();
  EXPECT_EQ(user == std::to_string(geteuid()) + "\n", geteuid() != 0);
}

TEST_F(HostReport, TheLandlockAbiIsTheKernels) {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0,
                           LANDLOCK_CREATE_RULESET_VERSION);
  EXPECT_EQ(info_.host().landlock_abi(), abi);
}

// A container runtime's filter hides mount; such a run is killed all the same,
// and the report has it among its candidates.
TEST_F(HostReport, AnOuterFilterIsNamedWithWhatItHides) {
  const bool outer = prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER;
  EXPECT_EQ(info_.host().outer_seccomp_filter(), outer);
  EXPECT_TRUE(outer || info_.host().masked_syscalls().empty());
  const v1::Result result = client_.Run(
      PythonRequest("import ctypes; ctypes.CDLL(None).mount(0, 0, 0, 0, 0)"));
  EXPECT_EQ(result.outcome(), v1::SYSCALL_VIOLATION) << result.message();
  ASSERT_EQ(result.violations_size(), 1);
  const v1::Violation& violation = result.violations(0);
  std::vector<std::string> named(violation.candidates().begin(),
                                 violation.candidates().end());
  named.push_back(violation.syscall());
  EXPECT_THAT(named, ::testing::Contains("mount"));
}

// Before any server serves, and without one.
TEST(HostCheck, SaysTheSameAndWhetherTheServerWouldStart) {
  const CommandOutput checked = RunCommand({"server/cordond", "--check"}, "");
  EXPECT_EQ(checked.exit_code, HostIsDegraded() ? 3 : 0);
  EXPECT_THAT(checked.stdout_data, HasSubstr("What a run gets\n"));
  EXPECT_THAT(checked.stdout_data, HasSubstr("  python          Python 3"));
  EXPECT_THAT(checked.stdout_data,
              ContainsRegex(HostIsDegraded() ? "refuses to start here"
                                             : "cordond starts here"));
  EXPECT_THAT(checked.stdout_data,
              ContainsRegex(geteuid() == 0 ? "a user +full"
                                           : "a user +partial: runs share"));
  EXPECT_EQ(RunCommand({"server/cordond", "--check", "--allow_degraded"}, "")
                .exit_code,
            0);
}

TEST_F(HostReport, EveryRunCarriesIt) {
  const v1::Result result = client_.Run(CommandRequest({"/bin/true"}));
  EXPECT_EQ(result.enforcement().SerializeAsString(),
            info_.enforcement().SerializeAsString());
}

}  // namespace
}  // namespace cordon::testing
