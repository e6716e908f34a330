// A loopback network of a run's own, where the host allows it; elsewhere a run
// is told that it has the host's.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/network/private_networks.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::EnforcementLevel;
using sandbox::ExecutionSpec;
using sandbox::NetworkAccess;
using sandbox::OutcomeKind;
using sandbox::OutputStream;
using sandbox::PrivateNetworks;
using sandbox::UniqueFd;
using ::testing::HasSubstr;

SandboxFixture& Fixture() {
  static SandboxFixture fixture({.own_networks = true});
  return fixture;
}

// A port that nobody has now.
int FreePort() {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

int Connect(const UniqueFd& fd, int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return connect(fd.get(), reinterpret_cast<sockaddr*>(&address),
                 sizeof(address)) == 0
             ? 0
             : errno;
}

int ConnectFromTheHost(int port) {
  return Connect(UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
                 port);
}

ExecutionSpec Loopback(const std::string& act) {
  ExecutionSpec spec = PythonSpec(absl::StrCat(
      "import errno, os, socket, sys, threading, time\n"
      "def attempt(act):\n"
      "    try: print(act(), flush=True)\n"
      "    except OSError as e: print(errno.errorcode[e.errno],"
      " flush=True)\n"
      "def listen(port, host='127.0.0.1', family=socket.AF_INET):\n"
      "    s = socket.socket(family); s.bind((host, port))\n"
      "    s.listen(); return s\n"
      "def talk(s, family=socket.AF_INET):\n"
      "    c = socket.socket(family); c.connect(s.getsockname())\n"
      "    a = s.accept()[0]; a.sendall(b'mine')\n"
      "    return c.recv(9).decode()\n",
      act));
  spec.network.access = NetworkAccess::kLoopback;
  spec.program.limits.wall_time = absl::Seconds(30);
  return spec;
}

// The one that listens on `port` until it is cancelled.
class Server {
 public:
  explicit Server(int port)
      : observer_(std::make_shared<RecordingObserver>()),
        run_(Fixture().sandbox().Start(
            Loopback(absl::StrCat("s = listen(", port,
                                  ")\nprint('listens', flush=True)\n"
                                  "s.accept(); print('reached')")),
            observer_)) {
    EXPECT_TRUE(observer_->WaitForOutput(OutputStream::kStdout, "listens"));
  }
  ~Server() {
    run_->Cancel();
    observer_->WaitForEnd();
  }
  std::string said() const { return observer_->stdout_data(); }

 private:
  const std::shared_ptr<RecordingObserver> observer_;
  const std::shared_ptr<sandbox::Run> run_;
};

TEST(PrivateNetwork, TwoRunsListenOnTheSamePort) {
  const int port = FreePort();
  const Server server(port);
  const auto run = Fixture().Run(
      Loopback(absl::StrCat("attempt(lambda: talk(listen(", port, ")))")));
  const auto& network = run->outcome().enforcement.network;
  if (Fixture().has_networks()) {
    EXPECT_EQ(run->stdout_data(), "mine\n") << run->stderr_data();
    EXPECT_EQ(network.level, Fixture().sandbox().enforcement().network.level);
    EXPECT_THAT(network.reason, ::testing::Not(HasSubstr("the host's")));
  } else {
    EXPECT_EQ(run->stdout_data(), "EADDRINUSE\n");
    EXPECT_EQ(network.level, EnforcementLevel::kPartial);
    EXPECT_THAT(network.reason, HasSubstr("loopback ports are the host's"));
  }
  EXPECT_EQ(server.said(), "listens\n");
}

TEST(PrivateNetwork, TheHostReachesOnlyWhatIsInItsOwn) {
  const int port = FreePort();
  const Server server(port);
  EXPECT_EQ(ConnectFromTheHost(port),
            Fixture().has_networks() ? ECONNREFUSED : 0);
}

TEST(PrivateNetwork, EveryKindOfServer) {
  const auto run = Fixture().Run(Loopback(
      "print(talk(listen(0)))\n"
      "six = socket.AF_INET6\n"
      "if socket.has_ipv6 and os.path.exists('/proc/meminfo'):\n"
      "    try: print(talk(listen(0, '::1', six), six))\n"
      "    except OSError: print('mine')\n"
      "import asyncio\n"
      "async def main():\n"
      "    async def serve(r, w):\n"
      "        w.write(b'async'); await w.drain(); w.close()\n"
      "    s = await asyncio.start_server(serve, '127.0.0.1', 0)\n"
      "    r, w = await asyncio.open_connection(*s.sockets[0].getsockname())\n"
      "    print((await r.read()).decode()); w.close()\n"
      "asyncio.run(main())\n"
      "s = listen(0)\n"
      "if os.fork() == 0:\n"
      "    c = socket.create_connection(s.getsockname())\n"
      "    c.sendall(b'child'); os._exit(0)\n"
      "print(s.accept()[0].recv(9).decode())\n"));
  EXPECT_EQ(run->stdout_data(), "mine\nmine\nasync\nchild\n")
      << run->stderr_data();
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
}

// And no breach of it goes unreported.
TEST(PrivateNetwork, NothingElseIsReached) {
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size),
            0);
  ASSERT_EQ(listen(listener.get(), 8), 0);
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  const int port = ntohs(address.sin_port);
  EXPECT_EQ(ConnectFromTheHost(port), 0) << "the control";
  const auto run = Fixture().Run(Loopback(absl::StrCat(
      "attempt(lambda: socket.create_connection(('127.0.0.1', ", port,
      ")))\nattempt(lambda: socket.create_connection(('192.0.2.1', 80), 1))")));
  EXPECT_EQ(run->stdout_data(), "ECONNREFUSED\nEACCES\n");
  EXPECT_EQ(run->outcome().violations.size(), 2);
}

// Of those that the owner of a network has over it (capabilities(7)): SO_MARK,
// IP_TRANSPARENT, TCP_REPAIR, IPT_SO_SET_REPLACE and IPT_SO_GET_INFO.
TEST(PrivateNetwork, ARunHasNoRightsOverIt) {
  const auto run = Fixture().Run(
      Loopback("s = socket.socket()\n"
               "attempt(lambda: s.setsockopt(socket.SOL_SOCKET, 36, 1))\n"
               "attempt(lambda: s.setsockopt(socket.SOL_IP, 19, 1))\n"
               "attempt(lambda: s.setsockopt(socket.SOL_TCP, 19, 1))\n"
               "attempt(lambda: s.setsockopt(socket.SOL_IP, 64, b'x' * 100))\n"
               "attempt(lambda: s.getsockopt(socket.SOL_IP, 64, 84))\n"
               "attempt(lambda: s.setsockopt(socket.SOL_TCP, "
               "socket.TCP_NODELAY, 1))\n"));
  EXPECT_EQ(run->stdout_data(), "EPERM\nEPERM\nEPERM\nEPERM\nEPERM\nNone\n")
      << run->stderr_data();
}

size_t OpenDescriptors() {
  return static_cast<size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                    std::filesystem::directory_iterator()));
}

TEST(PrivateNetwork, NothingOfItStays) {
  const auto one = [] {
    EXPECT_EQ(Fixture().Run(Loopback("print(talk(listen(0)))"))->stdout_data(),
              "mine\n");
  };
  for (int i = 0; i < 8; ++i) one();
  const size_t before = OpenDescriptors();
  for (int i = 0; i < 40; ++i) one();
  // What is kept ready for the next runs comes and goes.
  EXPECT_LE(OpenDescriptors(), before + 24);
}

// The two processes, by themselves.
TEST(PrivateNetworks, ASocketIsInItsNetwork) {
  const auto networks = PrivateNetworks::Start();
  if (!Fixture().has_networks()) {
    EXPECT_EQ(networks.status().code(), absl::StatusCode::kFailedPrecondition);
    return;
  }
  ASSERT_TRUE(networks.ok()) << networks.status();
  const auto one = (*networks)->Make();
  const auto other = (*networks)->Make();
  ASSERT_TRUE(one.ok() && other.ok());
  const UniqueFd server =
      (*networks)->OpenSocket(*one, AF_INET, SOCK_STREAM, 0);
  ASSERT_TRUE(server.valid());
  ASSERT_EQ(listen(server.get(), 8), 0);
  sockaddr_in address = {};
  socklen_t size = sizeof(address);
  getsockname(server.get(), reinterpret_cast<sockaddr*>(&address), &size);
  const int port = ntohs(address.sin_port);
  const auto from = [&](const UniqueFd& network) {
    return Connect((*networks)->OpenSocket(network, AF_INET, SOCK_STREAM, 0),
                   port);
  };
  EXPECT_EQ(from(*one), 0);
  EXPECT_EQ(from(*other), ECONNREFUSED);
  EXPECT_EQ(ConnectFromTheHost(port), ECONNREFUSED);
  EXPECT_FALSE((*networks)->OpenSocket(*one, 9999, SOCK_STREAM, 0).valid());
  EXPECT_EQ(errno, EAFNOSUPPORT);
}

// The fixture has made this process the reaper of orphans: of what was started
// since, these are its own.
pid_t NewestChildNamed(const std::string& name) {
  pid_t newest = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    pid_t pid;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    std::ostringstream status;
    status << std::ifstream(entry.path() / "status").rdbuf();
    if (absl::StartsWith(status.str(), absl::StrCat("Name:\t", name, "\n")) &&
        absl::StrContains(status.str(),
                          absl::StrCat("\nPPid:\t", getpid(), "\n"))) {
      newest = std::max(newest, pid);
    }
  }
  return newest;
}

// Also of those that do not answer: nobody waits longer than a second.
TEST(PrivateNetworks, ThatTheyAreGoneIsSaid) {
  if (!Fixture().has_networks()) return;  // As above.
  for (const int signal : {SIGKILL, SIGSTOP}) {
    for (const std::string name : {"cordon-sockets", "cordon-networks"}) {
      const auto networks = PrivateNetworks::Start();
      ASSERT_TRUE(networks.ok());
      const auto network = (*networks)->Make();
      ASSERT_TRUE(network.ok());
      const auto opens = [&] {
        return (*networks)
            ->OpenSocket(*network, AF_INET, SOCK_STREAM, 0)
            .valid();
      };
      EXPECT_TRUE(opens());
      const pid_t helper = NewestChildNamed(name);
      ASSERT_GT(helper, 1);
      kill(helper, signal);
      if (name == "cordon-sockets") {
        EXPECT_FALSE(opens());
        EXPECT_EQ(errno, EIO);
      } else {
        EXPECT_FALSE((*networks)->Make().ok());
      }
      EXPECT_FALSE((*networks)->usable());
      // Neither is asked any more.
      EXPECT_FALSE(opens());
      EXPECT_FALSE((*networks)->Make().ok());
      kill(helper, SIGKILL);
    }
  }
}

}  // namespace
}  // namespace cordon::testing
