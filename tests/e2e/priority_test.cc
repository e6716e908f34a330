// The server's own part in what a run weighs beside others, after it has given
// up what it does not need.

#include <sys/resource.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

// It prints how much nicer the program is than this process, and so than the
// server: as soon as that is not 0, or after `seconds`.
v1::ExecuteRequest NicenessBeside(int children, int seconds) {
  v1::ExecuteRequest request = PythonRequest(absl::StrCat(
      "import os, time\n"
      "for i in range(",
      children,
      "):\n"
      "  if os.fork() == 0:\n"
      "    while True: pass\n"
      "niceness = lambda: os.getpriority(os.PRIO_PROCESS, 0) - ",
      getpriority(PRIO_PROCESS, 0), "\nend = time.time() + ", seconds,
      "\n"
      "while niceness() == 0 and time.time() < end: pass\n"
      "print(niceness())"));
  request.mutable_limits()->set_processes(100);
  SetDuration(request.mutable_limits()->mutable_cpu_time(), absl::Seconds(60));
  SetDuration(request.mutable_limits()->mutable_wall_time(), absl::Seconds(60));
  return request;
}

TEST(Priority, AServerThatHasRestrictedItselfLowersACrowds) {
  const ServerProcess server({});
  TestClient client(server.address());
  EXPECT_EQ(client.Run(NicenessBeside(/*children=*/2, /*seconds=*/1)).stdout(),
            "0\n");
  const v1::Result crowd =
      client.Run(NicenessBeside(/*children=*/90, /*seconds=*/20));
  EXPECT_EQ(crowd.outcome(), v1::EXITED) << crowd.message();
  EXPECT_NE(crowd.stdout(), "0\n");
}

}  // namespace
}  // namespace cordon::testing
