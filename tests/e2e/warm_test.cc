// Python's runs as forks, as a client of the server sees them.

#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/process_view.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

v1::Result RunPython(TestClient& client, v1::Start start) {
  v1::ExecuteRequest request = SourceRequest("python", "print(6 * 7)");
  request.mutable_policy()->set_start(start);
  v1::Result result = client.Run(request);
  EXPECT_EQ(result.outcome(), v1::EXITED);
  EXPECT_EQ(result.stdout(), "42\n");
  return result;
}

v1::Language PythonOf(TestClient& client) {
  const v1::ServerInfo info = client.Info();
  for (const v1::Language& language : info.languages()) {
    if (language.name() == "python") return language;
  }
  return {};
}

TEST(WarmStart, IsTheDefaultAndTheRequestsToRefuse) {
  ServerProcess server({});
  TestClient client(server.address());
  for (int i = 0; i < 10; ++i) {
    // A fork that is not there in time is not waited for.
    EXPECT_TRUE(Eventually([&] {
      return RunPython(client, v1::START_UNSPECIFIED).usage().warm();
    }));
    EXPECT_FALSE(RunPython(client, v1::START_COLD).usage().warm());
  }
  EXPECT_GT(PythonOf(client).warm().modules_size(), 0);
  EXPECT_EQ(PythonOf(client).warm().unavailable_reason(), "");
}

TEST(WarmStart, IsTheServersToRefuse) {
  ServerProcess server({"--warm=never"});
  TestClient client(server.address());
  EXPECT_FALSE(RunPython(client, v1::START_UNSPECIFIED).usage().warm());
  EXPECT_NE(PythonOf(client).warm().unavailable_reason(), "");
  EXPECT_EQ(TemplatesOf(server.pid()), std::vector<pid_t>());
}

v1::Result RunCode(TestClient& client, const std::string& code,
                   v1::Start start) {
  v1::ExecuteRequest request = SourceRequest("python", code);
  request.mutable_policy()->set_start(start);
  return client.Run(request);
}

TEST(WarmStart, IsNotForAProgramThatCouldTell) {
  ServerProcess server({});
  TestClient client(server.address());
  const std::vector<std::string> programs = {
      "import sys\nprint(sorted(sys.modules))",
      "import gc\nprint(gc.get_freeze_count())",
      "import collections\nprint(isinstance([], collections.abc.Sequence))",
      "import re\n"
      "class D:\n"
      "  def __init__(self, n): self.n = n\n"
      "  def __del__(self): print(self.n)\n"
      "all = [D(i) for i in range(3)]\n",
      "import dataclasses, json\n"
      "@dataclasses.dataclass\n"
      "class P:\n"
      "  x: int\n"
      "def g(n):\n"
      "  try: yield n\n"
      "  finally: print('close', n)\n"
      "a = g(1); next(a)\n"
      "all = [P(i) for i in range(1000)]\n"
      "b = g(2); next(b)\n"
      "def f(): pass\n"};
  for (const std::string& code : programs) {
    SCOPED_TRACE(code);
    // The control: one that does not name what it does can tell.
    const std::string hidden = absl::StrCat(
        "exec(bytes.fromhex('", absl::BytesToHexString(code), "'))");
    const v1::Result executed = RunCode(client, hidden, v1::START_COLD);
    EXPECT_TRUE(Eventually([&] {
      const v1::Result forked = RunCode(client, hidden, v1::START_UNSPECIFIED);
      return forked.usage().warm() && forked.stdout() != executed.stdout();
    }));
    const v1::Result anew = RunCode(client, code, v1::START_COLD);
    for (int i = 0; i < 5; ++i) {
      const v1::Result usual = RunCode(client, code, v1::START_UNSPECIFIED);
      EXPECT_FALSE(usual.usage().warm());
      EXPECT_EQ(usual.stdout(), anew.stdout());
      EXPECT_EQ(usual.exit_code(), anew.exit_code());
    }
  }
}

TEST(WarmStart, ATemplateThatIsKilledMidwayIsNoRunsMatter) {
  ServerProcess server({});
  TestClient client(server.address());
  for (int i = 0; i < 8; ++i) {
    for (const pid_t one : TemplatesOf(server.pid())) kill(one, SIGKILL);
    RunPython(client, v1::START_UNSPECIFIED);
  }
  EXPECT_TRUE(Eventually(
      [&] { return RunPython(client, v1::START_UNSPECIFIED).usage().warm(); }));
}

// Not even a zombie is left (kill(2)).
bool IsGone(pid_t pid_or_group) {
  return kill(pid_or_group, 0) != 0 && errno == ESRCH;
}

TEST(WarmStart, NothingOfItOutlivesAKilledServer) {
  ServerProcess server({});
  TestClient client(server.address());
  const std::string code =
      "import os, time\n"
      "if os.fork() == 0 and os.fork() == 0: time.sleep(1000)\n"
      "print('group', os.getpgrp(), flush=True)\ntime.sleep(1000)";
  auto stream = client.Execute(SourceRequest("python", code));
  ASSERT_TRUE(stream->ReadUntilStdoutHas("\n"));
  const std::string line = stream->record().stdout_data;
  pid_t group = -1;
  std::istringstream(line.substr(line.find(' '))) >> group;
  ASSERT_GT(group, 1);
  std::vector<pid_t> ahead = TemplatesOf(server.pid());
  ASSERT_EQ(ahead.size(), 1u);
  for (const pid_t child : ArmedChildrenOf(server.pid())) {
    ahead.push_back(child);
  }
  EXPECT_FALSE(IsGone(-group));
  server.Signal(SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(server.WaitForExit()));
  EXPECT_TRUE(Eventually([&] { return IsGone(-group); }));
  for (const pid_t child : ahead) {
    EXPECT_TRUE(Eventually([&] { return IsGone(child); }));
  }
}

}  // namespace
}  // namespace cordon::testing
