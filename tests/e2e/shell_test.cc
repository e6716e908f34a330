// The system's shell, under a server that has restricted itself.

#include "gtest/gtest.h"
#include "tests/support/busy_host.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

// Each fork waits for the server, and the first half of a pipeline ends while
// the second is forked (sandbox/supervise/child_signal.h).
TEST(Shell, ForksOnABusyHost) {
  const ServerProcess server({});
  TestClient client(server.address());
  const BusyHost busy;
  v1::ExecuteRequest request = CommandRequest(
      {"/bin/sh", "-c",
       "i=0; while [ $i -lt 400 ]; do echo shell | cat > piped; i=$((i + 1)); "
       "done; echo $i"});
  SetDuration(request.mutable_limits()->mutable_cpu_time(), absl::Seconds(60));
  SetDuration(request.mutable_limits()->mutable_wall_time(), absl::Seconds(60));
  const v1::Result result = client.Run(request);
  EXPECT_EQ(result.outcome(), v1::EXITED) << result.message();
  EXPECT_EQ(result.exit_code(), 0);
  EXPECT_EQ(result.stdout(), "400\n");
  EXPECT_EQ(result.stderr(), "");
}

}  // namespace
}  // namespace cordon::testing
