// A run has no network, and reaches nobody through sockets of this host.

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"

namespace cordon::testing {
namespace {

using sandbox::ViolationKind;

struct SocketCase {
  const char* arguments;
  const char* confined;
};

TEST(NetworkAttack, NoSocketButAConnectedUnixOneExists) {
  // Family, type, protocol as real programs pass them: 0x80000 is SOCK_CLOEXEC,
  // 0x800 is SOCK_NONBLOCK.
  for (const SocketCase& socket : std::vector<SocketCase>{
           {"2, 1, 0", "EACCES"},                     // TCP
           {"2, 1 | 0x80000, 6", "EACCES"},           //
           {"2, 2 | 0x80800, 0", "EACCES"},           // UDP
           {"2, 1, 262", "EACCES"},                   // MPTCP
           {"2, 3 | 0x80000, 1", "EACCES"},           // raw ICMP
           {"2, 2, 1", "EACCES"},                     // ping
           {"2, 1, 132", "EACCES"},                   // SCTP
           {"10, 1, 0", "EACCES"},                    // the same over IPv6
           {"10, 2, 17", "EACCES"},                   //
           {"10, 3 | 0x80000, 58", "EACCES"},         //
           {"16, 3 | 0x80000, 0", "EAFNOSUPPORT"},    // netlink
           {"17, 3 | 0x80000, 768", "EAFNOSUPPORT"},  // packet
           {"38, 5, 0", "EAFNOSUPPORT"},              // the kernel's ciphers
           {"40, 1, 0", "EAFNOSUPPORT"},              // vsock
           {"31, 3, 1", "EAFNOSUPPORT"},              // Bluetooth
           {"44, 3, 0", "EAFNOSUPPORT"},              // XDP
           {"0x100000002, 1, 0", "EACCES"},  // high bits that the kernel drops
           {"1, 2, 0", "EACCES"},            // a datagram to any named socket
           {"1, 2 | 0x80800, 0", "EACCES"},  //
           {"1, 3, 0", "EACCES"},            //
       }) {
    EXPECT_EQ(Confined(absl::StrCat("call(41, ", socket.arguments, ")")),
              socket.confined)
        << socket.arguments;
  }
  for (const char* arguments :
       {"1, 1, 0", "1, 1 | 0x80800, 0", "1, 5 | 0x80000, 0"}) {
    EXPECT_EQ(Confined(absl::StrCat("call(41, ", arguments, ")")), "done")
        << arguments;
  }
  // What needs no privilege is there outside.
  for (const char* arguments : {"2, 1, 0", "2, 2 | 0x80800, 0", "1, 2, 0"}) {
    EXPECT_EQ(Free(absl::StrCat("call(41, ", arguments, ")")), "done")
        << arguments;
  }
}

TEST(NetworkAttack, EveryAttemptIsReported) {
  const auto run = SharedSandbox().Run(PythonSpec(
      Program("for arguments in ((2, 3 | 0x80000, 1), (2, 1, 262), (16, 3, 0), "
              "(1, 2 | 0x80000, 0)):\n"
              "  try: call(41, *arguments)\n"
              "  except OSError: pass")));
  ASSERT_EQ(run->violations().size(), 4u);
  for (const auto& violation : run->violations()) {
    EXPECT_EQ(violation.kind, ViolationKind::kNetwork);
    EXPECT_EQ(violation.syscall, "socket");
  }
}

TEST(NetworkAttack, PairsAreStreamsOnly) {
  for (const char* type : {"2", "2 | 0x80000", "3"}) {
    const std::string act =
        absl::StrCat("pair = (ctypes.c_int * 2)()\ncall(53, 1, ", type,
                     ", 0, ctypes.addressof(pair))");
    EXPECT_EQ(Confined(act), "EAFNOSUPPORT") << type;
    EXPECT_EQ(Free(act), "done") << type;
  }
  EXPECT_EQ(Confined("a, b = socket.socketpair()\na.send(b'x')\n"
                     "return b.recv(1).decode()"),
            "x");
}

// A listener of the server's user: a container engine, a session bus.
class Listener {
 public:
  // An abstract name begins with '@'.
  explicit Listener(const std::string& name)
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
        name_(name) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto length =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), length),
              0);
    EXPECT_EQ(listen(fd_.get(), 8), 0);
    if (name[0] != '@') chmod(name.c_str(), 0777);
  }
  ~Listener() {
    if (name_[0] != '@') unlink(name_.c_str());
  }

  bool Reached() const {
    return sandbox::UniqueFd(accept(fd_.get(), nullptr, nullptr)).valid();
  }

 private:
  const sandbox::UniqueFd fd_;
  const std::string name_;
};

// What waits in a socket is memory of the kernel's, which no process shows.
TEST(NetworkAttack, NoSocketHoldsMoreThanTheHostsDefault) {
  const std::string act =
      "def fill(size):\n"
      "    a, b = socket.socketpair()\n"
      "    if size: a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)\n"
      "    a.setblocking(False)\n"
      "    sent = 0\n"
      "    try:\n"
      "        while True: sent += a.send(b'x' * 4096)\n"
      "    except BlockingIOError: return sent\n"
      "if fill(1 << 24) < 1.5 * fill(0): return 'no more'";
  EXPECT_EQ(Free(act), "done");
  EXPECT_EQ(Confined(act), "no more");
}

TEST(NetworkAttack, AListenerOfTheHostsIsOutOfReach) {
  const std::string serial = absl::StrCat(getpid(), "-", getuid());
  for (const std::string& name : {absl::StrCat("/tmp/cordon-socket-", serial),
                                  absl::StrCat("@cordon-socket-", serial)}) {
    const Listener listener(name);
    const std::string python_name =
        name[0] == '@' ? absl::StrCat("'\\0", name.substr(1), "'")
                       : absl::StrCat("'", name, "'");
    const std::string connect = absl::StrCat(
        "socket.socket(socket.AF_UNIX).connect(", python_name, ")");
    EXPECT_EQ(Confined(connect), "ECONNREFUSED") << name;
    EXPECT_FALSE(listener.Reached()) << name;
    // An address in the call that sends.
    EXPECT_EQ(Confined(absl::StrCat("socket.socketpair()[0].sendto(b'x', ",
                                    python_name, ")")),
              "EACCES");
    EXPECT_FALSE(listener.Reached()) << name;
    EXPECT_EQ(Free(connect), "done") << name;
    EXPECT_TRUE(listener.Reached()) << name;
  }
}

TEST(NetworkAttack, NoSocketGetsAName) {
  const std::string act = "socket.socket(socket.AF_UNIX).bind('\\0cordon-own')";
  EXPECT_EQ(Confined(act), "EACCES");
  EXPECT_EQ(Free(act), "done");
}

TEST(NetworkAttack, SendingThatConnectsIsDenied) {
  const std::string act =
      "a, b = socket.socketpair()\na.send(b'x', FLAGS)\n"
      "return b.recv(1).decode()";
  const auto with = [&](const std::string& flags) {
    return std::string(act).replace(act.find("FLAGS"), 5, flags);
  };
  EXPECT_EQ(Confined(with("0")), "x");
  EXPECT_EQ(Confined(with("0x20000000")), "EACCES");  // MSG_FASTOPEN
  EXPECT_EQ(Confined("a, b = socket.socketpair()\n"
                     "a.sendmsg([b'x'], [], 0x20000000)"),
            "EACCES");
}

// A lookup asks the kernel for addresses and interfaces over netlink; it must
// fail, not die.
TEST(NetworkAttack, ALookupFailsAndTheProgramGoesOn) {
  EXPECT_EQ(Confined("try:\n"
                     "  socket.getaddrinfo('name.invalid', 80,\n"
                     "                     flags=socket.AI_ADDRCONFIG)\n"
                     "except socket.gaierror: pass\n"
                     "try: socket.if_nameindex()\n"
                     "except OSError: return 'went on'"),
            "went on");
  EXPECT_EQ(Free("socket.if_nameindex()"), "done");
}

}  // namespace
}  // namespace cordon::testing
