// Ways past a granted network: to others' ports on this host, to addresses that
// were not granted, to names that others could reach.

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sandbox/base/unique_fd.h"
#include "tests/kernel/host_servers.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::AllowedEndpoint;
using sandbox::ExecutionSpec;
using sandbox::NetworkAccess;
using sandbox::OutcomeKind;
using sandbox::OutputStream;
using sandbox::UniqueFd;
using sandbox::Violation;
using sandbox::ViolationAction;
using sandbox::ViolationKind;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kTools =
    "import ctypes, errno, os, signal, socket, struct, sys, threading, time\n"
    "def attempt(act):\n"
    "    try: act(); print('DONE')\n"
    "    except OSError as error: print(errno.errorcode[error.errno])\n"
    "def connect(address, family=socket.AF_INET):\n"
    "    attempt(lambda: socket.socket(family).connect(address))\n"
    "def serve(address=('127.0.0.1', 0), family=socket.AF_INET):\n"
    "    server = socket.socket(family)\n"
    "    server.bind(address)\n"
    "    server.listen()\n"
    "    return server\n"
    "# How many messages were sent, and of the first how much; or an errno.\n"
    "def send_first_of_many(s, port):\n"
    "    word = ctypes.c_uint64; buffer = ctypes.create_string_buffer\n"
    "    name = buffer(struct.pack('=H', 2) + struct.pack('!H', int(port)) +\n"
    "                  bytes((127, 0, 0, 1)) + bytes(8), 16)\n"
    "    data = buffer(b'many')\n"
    "    vector = (word * 2)(ctypes.addressof(data), 4)\n"
    "    header = (word * 8)(ctypes.addressof(name), 16,\n"
    "                        ctypes.addressof(vector), 1)\n"
    "    libc = ctypes.CDLL(None, use_errno=True)\n"
    "    sent = libc.sendmmsg(s.fileno(), header, 1, 0x20000000)\n"
    "    if sent < 0: return errno.errorcode[ctypes.get_errno()]\n"
    "    return [sent, header[7]]\n";

ExecutionSpec With(NetworkAccess access, ExecutionSpec spec) {
  spec.network.access = access;
  spec.program.limits.wall_time = absl::Seconds(30);
  return spec;
}

ExecutionSpec Loopback(const std::string& act) {
  return With(NetworkAccess::kLoopback, PythonSpec(kTools + act));
}

AllowedEndpoint Endpoint(std::vector<uint8_t> ipv4, int bits, uint16_t port) {
  AllowedEndpoint endpoint;
  endpoint.address[10] = endpoint.address[11] = 0xff;
  std::copy(ipv4.begin(), ipv4.end(), endpoint.address.begin() + 12);
  endpoint.prefix_bits = 96 + bits;
  endpoint.port = port;
  return endpoint;
}

auto Denied(const std::string& call, const std::string& address, int error) {
  return AllOf(Field(&Violation::kind, ViolationKind::kNetwork),
               Field(&Violation::syscall, call),
               Field(&Violation::address, address),
               Field(&Violation::action, ViolationAction::kDeny),
               Field(&Violation::error_number, error));
}

// ------------------------------------------------------------------ loopback

TEST(LoopbackNetwork, ARunReachesItsOwnServer) {
  const auto run = SharedSandbox().Run(
      Loopback("server = serve()\n"
               "def answer():\n"
               "    while True:\n"
               "        peer = server.accept()[0]\n"
               "        peer.sendall(peer.recv(100).upper()); peer.close()\n"
               "threading.Thread(target=answer, daemon=True).start()\n"
               "for i in range(20):\n"
               "    client = socket.create_connection(server.getsockname())\n"
               "    client.sendall(b'question')\n"
               "    assert client.recv(100) == b'QUESTION'\n"
               "    assert client.recv(100) == b''\n"
               "print('DONE')"));
  EXPECT_EQ(run->stdout_data(), "DONE\n") << run->stderr_data();
  EXPECT_THAT(run->outcome().violations, IsEmpty());
  EXPECT_EQ(run->outcome().enforcement.network.level,
            sandbox::EnforcementLevel::kPartial);
}

TEST(LoopbackNetwork, OtherProcessesOfTheRunReachItToo) {
  const auto run = SharedSandbox().Run(
      Loopback("server = serve()\n"
               "if os.fork() == 0:\n"
               "    client = socket.create_connection(server.getsockname())\n"
               "    client.sendall(b'child'); os._exit(0)\n"
               "print(server.accept()[0].recv(100))"));
  EXPECT_EQ(run->stdout_data(), "b'child'\n") << run->stderr_data();
}

TEST(LoopbackNetwork, WithoutTheGrantThereIsNoSocket) {
  const auto run =
      SharedSandbox().Run(PythonSpec(absl::StrCat(kTools, "attempt(serve)")));
  EXPECT_EQ(run->stdout_data(), "EACCES\n");
}

TEST(LoopbackNetworkAttack, AServerOfTheHostIsOutOfReach) {
  const Listener listener;
  const auto run = SharedSandbox().Run(
      Loopback(absl::StrCat("connect(('127.0.0.1', ", listener.port(), "))")));
  EXPECT_EQ(run->stdout_data(), "ECONNREFUSED\n");
  EXPECT_FALSE(listener.WasReached());
  EXPECT_THAT(run->outcome().violations,
              ElementsAre(Denied("connect", listener.address(), ECONNREFUSED)));
}

TEST(LoopbackNetworkAttack, OtherWordsForItAreTheSame) {
  const Listener listener;
  const auto run = SharedSandbox().Run(Loopback(absl::StrReplaceAll(
      "server = serve()\n"
      "connect(('0.0.0.0', PORT)); connect(('127.0.0.2', PORT))\n"
      "if socket.has_ipv6:\n"
      "    connect(('::ffff:127.0.0.1', PORT), socket.AF_INET6)\n"
      "    connect(('::', PORT), socket.AF_INET6)\n"
      "    connect(('::ffff:0.0.0.0', PORT), socket.AF_INET6)\n",
      {{"PORT", absl::StrCat(listener.port())}})));
  EXPECT_THAT(run->stdout_data(), ::testing::Not(HasSubstr("DONE")))
      << run->stderr_data();
  EXPECT_THAT(run->stdout_data(), HasSubstr("ECONNREFUSED"));
  EXPECT_FALSE(listener.WasReached());
}

TEST(LoopbackNetworkAttack, AnotherRunsServerIsOutOfReach) {
  const auto other = std::make_shared<RecordingObserver>();
  const auto handle = SharedSandbox().sandbox().Start(
      Loopback("server = serve()\nprint(server.getsockname()[1], flush=True)\n"
               "server.settimeout(20); server.accept(); print('REACHED')"),
      other);
  ASSERT_TRUE(other->WaitForOutput(OutputStream::kStdout, "\n"));
  const auto run = SharedSandbox().Run(
      Loopback(absl::StrCat("connect(('127.0.0.1', ", other->stdout_data(),
                            "))\nattempt(lambda: serve(('127.0.0.1', ",
                            other->stdout_data(), ")))")));
  handle->Cancel();
  other->WaitForEnd();
  EXPECT_EQ(run->stdout_data(), "ECONNREFUSED\nEADDRINUSE\n");
  EXPECT_THAT(other->stdout_data(), ::testing::Not(HasSubstr("REACHED")));
}

// Its listener is not closed, but listens no more: the port is anybody's. The
// test takes it, as any other process could.
TEST(LoopbackNetworkAttack, APortThatItGaveUpIsNotItsOwn) {
  for (const char* give_up :
       {"server.shutdown(socket.SHUT_RD)",
        "ctypes.CDLL(None).connect(server.fileno(), struct.pack('16x'), 16)"}) {
    const auto run = std::make_shared<RecordingObserver>();
    ExecutionSpec spec = Loopback(absl::StrReplaceAll(
        "server = serve(); address = server.getsockname()\n"
        "connect(address)\n"
        "GIVE_UP\n"
        "print(address[1]); print('PORT', flush=True); time.sleep(0.3)\n"
        "end = time.time() + 2\n"
        "while time.time() < end: connect(address)\n",
        {{"GIVE_UP", give_up}}));
    spec.program.limits.wall_time = absl::Seconds(20);
    const auto handle = SharedSandbox().sandbox().Start(spec, run);
    ASSERT_TRUE(run->WaitForOutput(OutputStream::kStdout, "PORT"));
    int port = 0;
    const std::vector<std::string> lines =
        absl::StrSplit(run->stdout_data(), '\n');
    for (const std::string& line : lines) {
      int number = 0;
      if (absl::SimpleAtoi(line, &number)) port = number;
    }
    ASSERT_NE(port, 0);
    const UniqueFd taker(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    const int yes = 1;
    setsockopt(taker.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    ASSERT_EQ(bind(taker.get(), reinterpret_cast<sockaddr*>(&address),
                   sizeof(address)),
              0)
        << give_up << ": the port is still taken";
    ASSERT_EQ(listen(taker.get(), 100), 0);
    run->WaitForEnd();
    pollfd ready = {.fd = taker.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&ready, 1, 0), 0) << give_up;
    EXPECT_THAT(run->stdout_data(), HasSubstr("DONE\n")) << "the control";
    EXPECT_THAT(run->stdout_data(), HasSubstr("ECONNREFUSED\n"));
  }
}

TEST(LoopbackNetworkAttack, APacketTakesNoOtherRoute) {
  const auto run = SharedSandbox().Run(Loopback(
      "six = socket.AF_INET6 if socket.has_ipv6 else socket.AF_INET\n"
      "try: s = socket.socket(six)\n"
      "except OSError: s = socket.socket()\n"
      "for level, option in (41, 57), (41, 5), (41, 6), (41, 54), (41, 59),\\\n"
      "                     (0, 4):\n"
      "    attempt(lambda: s.setsockopt(level, option, bytes(24)))"));
  EXPECT_EQ(run->stdout_data(),
            "ENOPROTOOPT\nENOPROTOOPT\nENOPROTOOPT\nENOPROTOOPT\n"
            "ENOPROTOOPT\nENOPROTOOPT\n");
}

TEST(LoopbackNetworkAttack, AConnectionHoldsLittleMemory) {
  const auto run = SharedSandbox().Run(Loopback(
      "server = serve(); client = socket.create_connection("
      "server.getsockname())\n"
      "peer = server.accept()[0]\n"
      "attempt(lambda: peer.setsockopt(socket.SOL_SOCKET, 18, 1 << 30))\n"
      "client.setblocking(False); sent = 0\n"
      "try:\n"
      "    while True: sent += client.send(bytes(1 << 16))\n"
      "except BlockingIOError: print(sent < 1 << 20)"));
  EXPECT_EQ(run->stdout_data(), "ENOPROTOOPT\nTrue\n") << run->stderr_data();
}

TEST(LoopbackNetworkAttack, PrivilegedPortsAreNotTheRuns) {
  const auto run = SharedSandbox().Run(
      Loopback("attempt(lambda: serve(('127.0.0.1', 53)))"));
  EXPECT_EQ(run->stdout_data(), "EACCES\n");
}

// Threads that die while they wait leave nothing behind that grows.
TEST(LoopbackNetworkAttack, CallersThatDieWhileTheyWait) {
  const auto run = SharedSandbox().Run(Loopback(
      "full = socket.socket(); full.bind(('127.0.0.1', 0)); full.listen(0)\n"
      "held = [socket.socket() for _ in range(3)]\n"
      "for one in held:\n"
      "    one.setblocking(False); one.connect_ex(full.getsockname())\n"
      "for _ in range(200):\n"
      "    child = os.fork()\n"
      "    if child == 0:\n"
      "        socket.socket().connect(full.getsockname()); os._exit(0)\n"
      "    time.sleep(0.005); os.kill(child, signal.SIGKILL)\n"
      "    os.waitpid(child, 0)\n"
      "server = serve(); connect(server.getsockname())"));
  EXPECT_EQ(run->stdout_data(), "DONE\n") << run->stderr_data();
}

TEST(LoopbackNetworkAttack, NothingBeyondTheHostIsReached) {
  const auto run = SharedSandbox().Run(
      Loopback("connect(('192.0.2.1', 80))\n"
               "attempt(lambda: socket.socket().bind(('192.0.2.1', 0)))"));
  EXPECT_EQ(run->stdout_data(), "EACCES\nEACCES\n");
  EXPECT_THAT(run->outcome().violations,
              ElementsAre(Denied("connect", "192.0.2.1:80", EACCES),
                          Denied("bind", "192.0.2.1:0", EACCES)));
}

TEST(LoopbackNetworkAttack, ABreachCanEndTheRun) {
  ExecutionSpec spec = Loopback("connect(('192.0.2.1', 80)); print('after')");
  spec.on_violation.network = ViolationAction::kTerminate;
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kNetworkViolation);
  EXPECT_EQ(run->stdout_data(), "");
}

TEST(LoopbackNetworkAttack, NothingBeyondTheHostReachesIn) {
  const auto run = SharedSandbox().Run(
      Loopback("print(serve(('', 0)).getsockname()[0])\n"
               "unnamed = socket.socket(); unnamed.listen()\n"
               "print(unnamed.getsockname()[0])"));
  EXPECT_EQ(run->stdout_data(), "127.0.0.1\n127.0.0.1\n");
}

TEST(LoopbackNetworkAttack, OtherKindsOfSocketsAreNotGranted) {
  const auto run = SharedSandbox().Run(Loopback(
      "for kind, protocol in (2, 0), (3, 1), (1, 262), (1, 132), (5, 132):\n"
      "    attempt(lambda: socket.socket(socket.AF_INET, kind, protocol))\n"
      "attempt(lambda: socket.socket(socket.AF_NETLINK, 3, 0))"));
  EXPECT_EQ(run->stdout_data(),
            "EACCES\nEACCES\nEACCES\nEACCES\nEACCES\nEAFNOSUPPORT\n");
}

TEST(LoopbackNetworkAttack, NoPortIsSharedAndNoConnectIsHidden) {
  const Listener listener;
  const auto run = SharedSandbox().Run(Loopback(absl::StrReplaceAll(
      "s = socket.socket()\n"
      "attempt(lambda: s.setsockopt(socket.SOL_SOCKET, 15, 1))\n"
      "attempt(lambda: s.setsockopt(socket.IPPROTO_TCP, 30, 1))\n"
      "attempt(lambda: s.sendto(b'x', 0x20000000, ('127.0.0.1', PORT)))\n"
      "attempt(lambda: s.sendto(b'x', 0, ('127.0.0.1', PORT)))\n"
      "attempt(lambda: s.sendmsg([b'x'], [], 0x20000000,\n"
      "                          ('127.0.0.1', PORT)))\n"
      "attempt(lambda: s.sendto(b'x', 0x20000000, ('192.0.2.1', 80)))\n"
      "print(send_first_of_many(s, 'PORT'))",
      {{"PORT", absl::StrCat(listener.port())}})));
  EXPECT_EQ(run->stdout_data(),
            "ENOPROTOOPT\nENOPROTOOPT\nECONNREFUSED\nEPIPE\nECONNREFUSED\n"
            "EACCES\nECONNREFUSED\n")
      << run->stderr_data();
  EXPECT_FALSE(listener.WasReached());
  EXPECT_THAT(
      run->outcome().violations,
      ElementsAre(Denied("sendto", listener.address(), ECONNREFUSED),
                  Denied("sendmsg", listener.address(), ECONNREFUSED),
                  Denied("sendto", "192.0.2.1:80", EACCES),
                  Denied("sendmmsg", listener.address(), ECONNREFUSED)));
}

// As on a host whose kernel has no cookie of the server's yet (tcp(7)).
TEST(LoopbackNetwork, FastOpenReachesItsOwnServer) {
  const auto run = SharedSandbox().Run(Loopback(
      "server = serve(); address = server.getsockname()\n"
      "def met(): return server.accept()[0].recv(100)\n"
      "def client(): return socket.socket()\n"
      "s = client(); print(s.sendto(b'one', 0x20000000, address), met())\n"
      "s.send(b' more'); attempt(lambda: s.sendto(b'x', 0x20000000, address))\n"
      "s = client()\n"
      "print(s.sendmsg([b't', b'', b'wo'], [], 0x20000000, address), met())\n"
      "s = client(); print(send_first_of_many(s, address[1]), met())\n"
      "s = client(); print(s.sendto(b'', 0x20000000, address))\n"
      "server.accept()\n"
      "s = client(); s.setblocking(False)\n"
      "attempt(lambda: s.sendto(b'x', 0x20000000, address))\n"
      "peer = server.accept()[0]; s.setblocking(True); s.send(b'later')\n"
      "print(peer.recv(100)); s.close(); print(peer.recv(100))\n"
      "s = client()\n"
      "attempt(lambda: s.sendto(b'x', 0x20000000 | socket.MSG_DONTWAIT, "
      "address))\n"
      "s = client(); print(s.sendto(b'x' * 300000, 0x20000000, address) == "
      "4096)"
      "\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "for address, length in (0, 0), (0, 16), (8, 16):\n"
      "    s = client()\n"
      "    print(libc.sendto(s.fileno(), b'x', 1, 0x20000000,\n"
      "                      ctypes.c_void_p(address), length),\n"
      "          errno.errorcode[ctypes.get_errno()])\n"
      "pair = socket.socketpair()[0]\n"
      "attempt(lambda: pair.send(b'x', 0x20000000))\n"));
  EXPECT_EQ(run->stdout_data(),
            "3 b'one'\nEISCONN\n3 b'two'\n[1, 4] b'many'\n0\n"
            "EINPROGRESS\nb'later'\nb''\nEINPROGRESS\nTrue\n"
            "-1 EINVAL\n-1 EINVAL\n-1 EFAULT\nENOTSUP\n")
      << run->stderr_data();
  EXPECT_THAT(run->outcome().violations, IsEmpty());
}

TEST(LoopbackNetworkAttack, ANamedUnixSocketStaysOutOfReach) {
  const UniqueFd server(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string name = absl::StrCat("/tmp/cordon-socket-", getpid());
  name.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(server.get(), reinterpret_cast<sockaddr*>(&address),
                 sizeof(address)),
            0);
  ASSERT_EQ(listen(server.get(), 5), 0);
  const auto run = SharedSandbox().Run(
      Loopback(absl::StrCat("connect('", name, "', socket.AF_UNIX)")));
  unlink(name.c_str());
  EXPECT_EQ(run->stdout_data(), "ECONNREFUSED\n");
  pollfd ready = {.fd = server.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&ready, 1, 0), 0);
}

TEST(LoopbackNetwork, AClosedServerRefusesAndItsPortIsFree) {
  const auto run = SharedSandbox().Run(Loopback(
      "for _ in range(5):\n"
      "    server = socket.socket()\n"
      "    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
      "    server.bind(('127.0.0.1', 0)); server.listen()\n"
      "    address = server.getsockname()\n"
      "    connect(address); server.close(); connect(address)\n"
      "    attempt(lambda: serve(address).close())"));
  std::string expected;
  for (int i = 0; i < 5; ++i)
    absl::StrAppend(&expected, "DONE\nECONNREFUSED\nDONE\n");
  EXPECT_EQ(run->stdout_data(), expected) << run->stderr_data();
  EXPECT_THAT(run->outcome().violations, IsEmpty());
}

TEST(LoopbackNetwork, AConnectThatDoesNotBlockAndOneThatIsInterrupted) {
  const auto run = SharedSandbox().Run(Loopback(
      "server = serve()\n"
      "client = socket.socket(); client.setblocking(False)\n"
      "try: client.connect(server.getsockname())\n"
      "except BlockingIOError: pass\n"
      "server.accept()\n"
      "assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0\n"
      "assert not client.getblocking()\n"
      // Of a backlog that is full, a connect waits until the alarm.
      "full = socket.socket(); full.bind(('127.0.0.1', 0)); full.listen(0)\n"
      "waiting = [socket.socket() for _ in range(3)]\n"
      "for one in waiting: one.setblocking(False)\n"
      "for one in waiting: one.connect_ex(full.getsockname())\n"
      "def alarm(*_): raise TimeoutError\n"
      "signal.signal(signal.SIGALRM, alarm)\n"
      "signal.setitimer(signal.ITIMER_REAL, 0.3)\n"
      "late = socket.socket()\n"
      "try: late.connect(full.getsockname()); print('CONNECTED')\n"
      "except TimeoutError: print('ALARM')"));
  EXPECT_EQ(run->stdout_data(), "ALARM\n") << run->stderr_data();
}

TEST(LoopbackNetwork, AServerOfBothFamilies) {
  const auto run = SharedSandbox().Run(
      Loopback("if not socket.has_ipv6: print('DONE\\nDONE'); sys.exit()\n"
               "try: server = socket.socket(socket.AF_INET6)\n"
               "except OSError: print('DONE\\nDONE'); sys.exit()\n"
               "server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)\n"
               "server.bind(('::', 0)); server.listen()\n"
               "port = server.getsockname()[1]\n"
               "connect(('127.0.0.1', port))\n"
               "connect(('::1', port), socket.AF_INET6)"));
  EXPECT_EQ(run->stdout_data(), "DONE\nDONE\n") << run->stderr_data();
  EXPECT_THAT(run->outcome().violations, IsEmpty());
}

TEST(LoopbackNetwork, ASecondConnectSaysHowTheFirstWent) {
  const auto run = SharedSandbox().Run(
      Loopback("server = serve(); address = server.getsockname()\n"
               "client = socket.socket(); client.setblocking(False)\n"
               "print(client.connect_ex(address) in (0, errno.EINPROGRESS))\n"
               "time.sleep(0.1)\n"
               "print(client.connect_ex(address) in (0, errno.EISCONN))\n"
               "peer = server.accept()[0]\n"
               "client.close(); print(peer.recv(1))"));
  EXPECT_EQ(run->stdout_data(), "True\nTrue\nb''\n") << run->stderr_data();
}

TEST(LoopbackNetwork, AServerOfAThreadWhoseMainThreadHasEnded) {
  const auto run = SharedSandbox().Run(
      Loopback("def rest():\n"
               "    time.sleep(0.2)\n"
               "    server = serve(); other = serve(); other.close()\n"
               "    for _ in range(5): connect(server.getsockname())\n"
               "    sys.stdout.flush(); os._exit(0)\n"
               "threading.Thread(target=rest).start()\n"
               "ctypes.CDLL(None).syscall(60, 0)"));
  EXPECT_EQ(run->stdout_data(), "DONE\nDONE\nDONE\nDONE\nDONE\n")
      << run->stderr_data();
}

TEST(LoopbackNetwork, ManySocketsThatAreClosedAgain) {
  const auto run = SharedSandbox().Run(
      Loopback("for _ in range(1000): socket.socket().close()\n"
               "held = []\n"
               "try:\n"
               "    for _ in range(1000): held.append(socket.socket())\n"
               "except OSError as error: print(errno.errorcode[error.errno])\n"
               "held.clear(); attempt(serve)"));
  EXPECT_EQ(run->stdout_data(), "EMFILE\nDONE\n") << run->stderr_data();
}

// ---------------------------------------------------------------- allow list

TEST(AllowListNetwork, WhatIsOnTheListIsReachedAndNothingElse) {
  const Listener allowed;
  const Listener other;
  ExecutionSpec spec =
      With(NetworkAccess::kAllowList,
           PythonSpec(absl::StrCat(kTools, "connect(('127.0.0.1', ",
                                   allowed.port(), "))\nconnect(('127.0.0.1', ",
                                   other.port(), "))\nconnect(('192.0.2.1', ",
                                   allowed.port(), "))")));
  spec.network.allowed = {Endpoint({127, 0, 0, 1}, 32, allowed.port())};
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->stdout_data(), "DONE\nECONNREFUSED\nEACCES\n");
  EXPECT_TRUE(allowed.WasReached());
  EXPECT_FALSE(other.WasReached());
  EXPECT_THAT(
      run->outcome().violations,
      ElementsAre(Denied("connect", other.address(), ECONNREFUSED),
                  Denied("connect", absl::StrCat("192.0.2.1:", allowed.port()),
                         EACCES)));
}

TEST(AllowListNetwork, APrefixIsAllBeneathIt) {
  const Listener listener;
  for (const int bits : {8, 0}) {
    ExecutionSpec spec =
        With(NetworkAccess::kAllowList,
             PythonSpec(absl::StrCat(kTools, "connect(('127.0.0.1', ",
                                     listener.port(), "))")));
    spec.network.allowed = {Endpoint({127, 9, 9, 9}, bits, listener.port())};
    EXPECT_EQ(SharedSandbox().Run(spec)->stdout_data(), "DONE\n") << bits;
  }
  ExecutionSpec spec =
      With(NetworkAccess::kAllowList,
           PythonSpec(absl::StrCat(kTools, "connect(('127.0.0.1', ",
                                   listener.port(), "))")));
  spec.network.allowed = {Endpoint({126, 0, 0, 0}, 8, listener.port())};
  EXPECT_EQ(SharedSandbox().Run(spec)->stdout_data(), "ECONNREFUSED\n");
}

// ---------------------------------------------------------------------- full

TEST(FullNetwork, EverythingIsReached) {
  const Listener listener;
  const auto run = SharedSandbox().Run(With(
      NetworkAccess::kFull,
      PythonSpec(absl::StrCat(
          kTools, "connect(('127.0.0.1', ", listener.port(),
          "))\na, b = (socket.socket(type=socket.SOCK_DGRAM) for _ in 'ab')\n"
          "b.bind(('127.0.0.1', 0)); a.sendto(b'one', b.getsockname())\n"
          "a.connect(b.getsockname()); a.send(b'two')\n"
          "print(b.recv(9), b.recv(9))\n"
          "print(serve(('0.0.0.0', 0)).getsockname()[0])\n"
          "socket.getaddrinfo('127.0.0.1', 80)"))));
  EXPECT_EQ(run->stdout_data(), "DONE\nb'one' b'two'\n0.0.0.0\n")
      << run->stderr_data();
  EXPECT_TRUE(listener.WasReached());
  EXPECT_THAT(run->outcome().violations, IsEmpty());
  EXPECT_EQ(run->outcome().enforcement.network.level,
            sandbox::EnforcementLevel::kNone);
}

// Nobody but the program keeps the connection open.
TEST(FullNetwork, FastOpenIsAConnection) {
  const auto run = SharedSandbox().Run(With(
      NetworkAccess::kFull,
      PythonSpec(absl::StrCat(
          kTools,
          "server = serve(); s = socket.socket()\n"
          "print(s.sendto(b'x', 0x20000000, server.getsockname()))\n"
          "peer = server.accept()[0]; s.close()\n"
          "print(peer.recv(9), peer.recv(9))\n"
          "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
          "attempt(lambda: u.sendto(b'x', 0x20000000, ('127.0.0.1', 9)))"))));
  EXPECT_EQ(run->stdout_data(), "1\nb'x' b''\nENOTSUP\n") << run->stderr_data();
}

TEST(FullNetwork, ListeningAgainIsNoError) {
  const auto run = SharedSandbox().Run(
      With(NetworkAccess::kFull,
           PythonSpec(absl::StrCat(kTools, "s = serve()\nattempt(s.listen)"))));
  EXPECT_EQ(run->stdout_data(), "DONE\n");
}

TEST(FullNetwork, ACompilerHasNone) {
  const Listener listener;
  ExecutionSpec spec = With(NetworkAccess::kFull, CommandSpec({"/bin/true"}));
  spec.compile = PythonSpec(absl::StrCat(kTools, "connect(('127.0.0.1', ",
                                         listener.port(), "))"))
                     .program;
  const auto run = SharedSandbox().Run(spec);
  ASSERT_NE(run->outcome().compilation, nullptr);
  EXPECT_THAT(run->outcome().compilation->stdout_data, HasSubstr("EACCES"));
  EXPECT_FALSE(listener.WasReached());
}

}  // namespace
}  // namespace cordon::testing
