// What is left of a server that was killed: nothing. Its runs are of every
// shape that is hard to end, and the control is the same death while the keeper
// cannot act.

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/child_process.h"
#include "tests/support/degraded_host.h"
#include "tests/support/health_client.h"
#include "tests/support/process_view.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A run that says "up ID" with the id of its process group when it is what its
// name says.
struct Shape {
  const char* name;
  const char* code;
};

constexpr char kPrelude[] =
    "import ctypes, os, signal, sys, time\n"
    "libc = ctypes.CDLL(None)\n"
    "def up(): os.write(1, b'up %d\\n' % os.getpgid(0))\n"
    "def hold():\n"
    "  while True: time.sleep(1000)\n";

constexpr Shape kSleeper = {"a sleeper", "up(); hold()\n"};

// Their first process dies with the server; these are what is left of them.
// Once nobody answers for their clones (seccomp_unotify(2)) they make no more.
constexpr Shape kShapes[] = {
    {"a daemon",
     "r, w = os.pipe()\n"
     "if os.fork() == 0:\n"
     "  if os.fork() == 0:\n"
     "    try: os.setsid()\n"
     "    except OSError: pass\n"
     "    os.write(w, b'x')\n"
     "    os.closerange(0, 64)\n"
     "    hold()\n"
     "  os._exit(0)\n"
     "os.read(r, 1); up(); hold()\n"},
    {"a stopped process",
     "child = os.fork()\n"
     "if child == 0:\n"
     "  os.kill(os.getpid(), signal.SIGSTOP)\n"
     "  hold()\n"
     "os.waitpid(child, os.WUNTRACED); up(); hold()\n"},
    {"a process that ignores every signal",
     "r, w = os.pipe()\n"
     "if os.fork() == 0:\n"
     "  for s in range(1, 65):\n"
     "    try: signal.signal(s, signal.SIG_IGN)\n"
     "    except (OSError, ValueError): pass\n"
     "  signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
     "  os.write(w, b'x')\n"
     "  hold()\n"
     "os.read(r, 1); up(); hold()\n"},
    {"a holder of the pipes",
     "r, w = os.pipe()\n"
     "if os.fork() == 0:\n"
     "  os.write(w, b'x')\n"
     "  while True:\n"
     "    try: os.write(2, b'still here\\n'); time.sleep(0.01)\n"
     "    except OSError: pass\n"
     "os.read(r, 1); up(); hold()\n"},
    {"a vfork that never executes",
     "signal.signal(signal.SIGPIPE, signal.SIG_IGN)\n"
     "if libc.syscall(58) == 0:\n"
     "  up()\n"
     "  while True: time.sleep(1000)\n"},
    {"a process that is always a new one",
     "if os.fork() == 0:\n"
     "  up()\n"
     "  while True:\n"
     "    time.sleep(0.001)\n"
     "    try: child = os.fork()\n"
     "    except OSError: hold()\n"
     "    if child != 0: os._exit(0)\n"
     "hold()\n"},
    {"a small fork loop",
     "if os.fork() == 0:\n"
     "  signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
     "  up()\n"
     "  while True:\n"
     "    try: child = os.fork()\n"
     "    except OSError: hold()\n"
     "    if child == 0: time.sleep(0.05); os._exit(0)\n"
     "    time.sleep(0.005)\n"
     "hold()\n"},
};

struct LiveRun {
  std::string name;
  std::unique_ptr<ExecuteStream> stream;
  pid_t group = -1;
};

LiveRun Start(TestClient& client, const Shape& shape) {
  LiveRun run = {
      shape.name,
      client.Execute(PythonRequest(absl::StrCat(kPrelude, shape.code))), -1};
  EXPECT_TRUE(run.stream->ReadUntilStdoutHas("\n")) << shape.name;
  const std::string line = run.stream->record().stdout_data;
  std::istringstream(line.substr(line.find(' '))) >> run.group;
  EXPECT_GT(run.group, 1) << shape.name;
  return run;
}

std::vector<LiveRun> StartAll(TestClient& client) {
  std::vector<LiveRun> runs;
  for (const Shape& shape : kShapes) runs.push_back(Start(client, shape));
  return runs;
}

// Not even a zombie is left (kill(2)).
bool IsGone(pid_t pid_or_group) {
  return kill(pid_or_group, 0) != 0 && errno == ESRCH;
}

void ExpectGone(const std::vector<LiveRun>& runs) {
  for (const LiveRun& run : runs) {
    EXPECT_TRUE(Eventually([&] { return IsGone(-run.group); })) << run.name;
  }
}

void KillServer(ServerProcess& server) {
  server.Signal(SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(server.WaitForExit()));
}

const std::vector<std::string> kFlags = {"--slots=16"};

TEST(Keeper, NoProcessOfARunOutlivesAKilledServer) {
  ServerProcess server(kFlags);
  TestClient client(server.address());
  std::vector<LiveRun> runs = StartAll(client);
  runs.push_back(Start(client, kSleeper));
  for (const LiveRun& run : runs) EXPECT_FALSE(IsGone(-run.group)) << run.name;
  KillServer(server);
  ExpectGone(runs);
  server.Restart();
  TestClient next(server.address());
  EXPECT_EQ(next.Run(BashRequest("exit 3")).exit_code(), 3);
}

TEST(Keeper, WhileItCannotActTheyDo) {
  ServerProcess server(kFlags);
  TestClient client(server.address());
  const std::vector<LiveRun> runs = StartAll(client);
  const pid_t keeper = KeeperOf(server.pid());
  ASSERT_GT(keeper, 1);
  ASSERT_EQ(kill(keeper, SIGSTOP), 0);
  KillServer(server);
  for (const LiveRun& run : runs) {
    // The first process ends with the server, and the group goes on without it.
    EXPECT_TRUE(Eventually([&] { return IsGone(run.group); })) << run.name;
    EXPECT_FALSE(IsGone(-run.group)) << run.name;
  }
  ASSERT_EQ(kill(keeper, SIGCONT), 0);
  ExpectGone(runs);
  EXPECT_TRUE(Eventually([&] { return IsGone(keeper); }));
}

TEST(Keeper, ItEndsWithAServerThatIsAskedToStop) {
  ServerProcess server({});
  const pid_t keeper = KeeperOf(server.pid());
  ASSERT_GT(keeper, 1);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 0);
  EXPECT_TRUE(Eventually([&] { return IsGone(keeper); }));
}

TEST(Keeper, AKilledOneIsReplacedAndTheNextOneKeeps) {
  ServerProcess server(kFlags);
  TestClient client(server.address());
  const std::vector<LiveRun> runs = StartAll(client);
  const pid_t first = KeeperOf(server.pid());
  ASSERT_EQ(kill(first, SIGKILL), 0);
  pid_t next = -1;
  EXPECT_TRUE(Eventually([&] {
    next = KeeperOf(server.pid());
    return next > 1 && next != first;
  }));
  HealthClient health(client.channel());
  EXPECT_EQ(health.Check(""), Health::kServing);
  EXPECT_EQ(client.Run(BashRequest("exit 3")).exit_code(), 3);
  for (const LiveRun& run : runs) EXPECT_FALSE(IsGone(-run.group)) << run.name;
  KillServer(server);
  ExpectGone(runs);
  EXPECT_TRUE(Eventually([&] { return IsGone(next); }));
}

// ------------------------------------------------------------------ restart

std::set<std::string> RunDirectories(const ServerProcess& server) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(
           server.state_directory() + "/runs")) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

std::vector<std::string> InBoth(const std::set<std::string>& a,
                                const std::set<std::string>& b) {
  std::vector<std::string> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(),
                        std::back_inserter(both));
  return both;
}

TEST(Keeper, TheNextStartRemovesEveryDirectoryOfTheEarlierOne) {
  ServerProcess server(kFlags);
  TestClient client(server.address());
  const std::vector<LiveRun> runs = [&] {
    std::vector<LiveRun> started;
    for (const Shape& shape : {
             Shape{
                 "a directory without rights",
                 "os.mkdir('a'); os.mkdir('a/b'); open('a/b/f', 'w').close()\n"
                 "os.chmod('a/b', 0); os.chmod('a', 0); os.chmod('.', 0)\n"
                 "up(); hold()\n"},
             Shape{"a deep directory",
                   "for _ in range(3000):\n"
                   "  os.mkdir('d' * 50); os.chdir('d' * 50)\n"
                   "open('f', 'w').close()\n"
                   "up(); hold()\n"},
             Shape{"odd names and links",
                   "os.mkdir(b'\\xff\\n*'); os.symlink('/etc', 'etc')\n"
                   "os.symlink('..', 'up'); os.mkfifo('-rf')\n"
                   "up(); hold()\n"},
             Shape{"a directory that somebody fills",
                   "if os.fork() == 0:\n"
                   "  up()\n"
                   "  n = 0\n"
                   "  while True:\n"
                   "    n += 1; os.mkdir('x%d' % n)\n"
                   "    open('x%d/f' % n, 'w').close(); time.sleep(0.001)\n"
                   "hold()\n"},
         }) {
      started.push_back(Start(client, shape));
    }
    return started;
  }();
  const std::set<std::string> before = RunDirectories(server);
  EXPECT_GE(before.size(), runs.size());
  KillServer(server);
  EXPECT_EQ(InBoth(before, RunDirectories(server)).size(), before.size());
  server.Restart();
  EXPECT_THAT(InBoth(before, RunDirectories(server)), IsEmpty());
  ExpectGone(runs);
}

// The state directory is locked until the keeper has done its work: what is
// removed has no writer left.
TEST(Keeper, TheNextStartWaitsForTheRunsOfTheEarlierOne) {
  // Without control groups: a start of any other server ends what it finds in
  // those of a dead one.
  ServerProcess server({"--cgroups=never"});
  TestClient client(server.address());
  const LiveRun run = Start(client, kShapes[0]);
  const pid_t keeper = KeeperOf(server.pid());
  ASSERT_EQ(kill(keeper, SIGSTOP), 0);
  KillServer(server);
  const CommandOutput refused =
      // One that is not refused would serve for ever.
      RunCommand(
          {"/usr/bin/timeout", "30", "server/cordond", "--listen=127.0.0.1:0",
           "--state_dir=" + server.state_directory()},
          "");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.stderr_data, HasSubstr("in use"));
  EXPECT_FALSE(IsGone(-run.group));
  ASSERT_EQ(kill(keeper, SIGCONT), 0);
  server.Restart();
  EXPECT_TRUE(Eventually([&] { return IsGone(-run.group); }));
}

// ---------------------------------------------------------- self-protection

std::string StatusField(const std::filesystem::path& task,
                        const std::string& name) {
  std::ifstream status(task / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(name + ":\t", 0) == 0) return line.substr(name.size() + 2);
  }
  return "";
}

TEST(SelfProtection, EveryThreadOfTheServerIsWithoutPrivileges) {
  ServerProcess server({});
  // CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID, SYS_PTRACE, SYS_NICE.
  constexpr uint64_t kUsed = 0x8800eb;
  int threads = 0;
  for (const auto& task : std::filesystem::directory_iterator(
           absl::StrCat("/proc/", server.pid(), "/task"))) {
    ++threads;
    EXPECT_EQ(StatusField(task.path(), "NoNewPrivs"), "1");
    for (const char* set : {"CapPrm", "CapEff", "CapInh", "CapAmb"}) {
      uint64_t held = ~uint64_t{0};
      ASSERT_TRUE(absl::SimpleHexAtoi(StatusField(task.path(), set), &held));
      EXPECT_EQ(held & ~kUsed, 0u) << set;
    }
  }
  EXPECT_GT(threads, 1);
  uint64_t own = 0;
  ASSERT_TRUE(absl::SimpleHexAtoi(StatusField("/proc/self", "CapEff"), &own));
  EXPECT_TRUE((own & ~kUsed) != 0 || geteuid() != 0);
}

TEST(SelfProtection, WhatItEnforcesOnItselfIsReported) {
  if (NeedsLandlock(6, "confine the server in full")) return;
  ServerProcess server({});
  TestClient client(server.address());
  grpc::ClientContext context;
  v1::ServerInfo info;
  ASSERT_TRUE(client.stub().GetServerInfo(&context, {}, &info).ok());
  EXPECT_EQ(info.service().level(), v1::Enforcement::FULL);
  EXPECT_EQ(info.service().reason(), "");
}

}  // namespace
}  // namespace cordon::testing
