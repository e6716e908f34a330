// Any calls on sockets, with any memory behind their registers and any grant ->
// what the supervisor does for them. Whatever a program makes of them: it is
// connected to what it serves itself or was granted, and bound to loopback
// addresses and to names in its own directory.
//
// The program is a process of its own, with descriptors of its own, under a
// filter that asks about these calls (seccomp_unotify(2)). It makes the calls
// of an input, one after the other, and is asked what its sockets are after
// each. A grant of everything restricts nothing, and is left out: an input
// would connect to anywhere.
//
// With --config=fuzz this is a libFuzzer target; otherwise fuzz_main.cc feeds
// it a fixed number of pseudo-random inputs.

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "sandbox/base/monotonic_clock.h"
#include "sandbox/base/notification_buffer.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/supervise/internet_address.h"
#include "sandbox/supervise/process_table.h"
#include "sandbox/supervise/socket_broker.h"
#include "tests/fuzz/asked_program.h"

namespace cordon::sandbox {
namespace {

using Name = AskedProgram::Name;

constexpr int kFirstFd = AskedProgram::kFirstFd;
constexpr int kFds = AskedProgram::kFds;
constexpr int kMaxErrno = 4095;  // MAX_ERRNO, linux/err.h

void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "socket_broker_fuzz: %s\n", what);
  std::abort();
}

// -------------------------------------------------------------------- the host

// Two servers on 127.0.0.1, one of which inputs may be granted, and a unix one.
class Host {
 public:
  Host() {
    // A socket's name has 107 bytes at most (unix(7)).
    root_ = "/tmp/f-XXXXXX";
    Check(mkdtemp(root_.data()) != nullptr, "no directory");
    Check(mkdir(run().c_str(), 0700) == 0 &&
              mkdir((run() + "/d").c_str(), 0700) == 0 &&
              symlink("..", (run() + "/up").c_str()) == 0,
          "no directory of the run");
    for (int i = 0; i < 2; ++i) {
      servers_[i].Reset(socket(AF_INET, SOCK_STREAM | kFlags, 0));
      sockaddr_in address = {};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t length = sizeof(address);
      auto* const name = reinterpret_cast<sockaddr*>(&address);
      Check(bind(servers_[i].get(), name, length) == 0 &&
                listen(servers_[i].get(), 1000) == 0 &&
                getsockname(servers_[i].get(), name, &length) == 0,
            "no server");
      ports_[i] = ntohs(address.sin_port);
    }
    named_.Reset(socket(AF_UNIX, SOCK_STREAM | kFlags, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    (root_ + "/s").copy(address.sun_path, sizeof(address.sun_path) - 1);
    Check(bind(named_.get(), reinterpret_cast<sockaddr*>(&address),
               sizeof(address)) == 0 &&
              listen(named_.get(), 1000) == 0,
          "no unix server");
  }
  ~Host() { std::filesystem::remove_all(root_); }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  std::string run() const { return root_ + "/run"; }
  uint16_t granted_port() const { return ports_[0]; }
  uint16_t forbidden_port() const { return ports_[1]; }

  void CheckUntouched() const {
    Check(accept(servers_[1].get(), nullptr, nullptr) < 0 && errno == EAGAIN,
          "a server of the host's was reached");
    Check(accept(named_.get(), nullptr, nullptr) < 0 && errno == EAGAIN,
          "a unix server of the host's was reached");
    const auto entries =
        std::distance(std::filesystem::directory_iterator(root_),
                      std::filesystem::directory_iterator());
    Check(entries == 2, "a name outside was taken");
    const UniqueFd one(accept(servers_[0].get(), nullptr, nullptr));
  }

 private:
  static constexpr int kFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;

  std::string root_;
  UniqueFd servers_[2], named_;
  uint16_t ports_[2];
};

// ---------------------------------------------------------------------- inputs

class Reader {
 public:
  Reader(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  bool AtEnd() const { return left_ == 0; }
  uint64_t Integer(int width) {
    uint64_t value = 0;
    for (int i = 0; i < width && left_ > 0; ++i, --left_) {
      value = value << 8 | *data_++;
    }
    return value;
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

// An address, its length, and bytes over it.
size_t WriteAddress(Reader& reader, const Host& host,
                    const std::set<uint16_t>& own, char* at) {
  const uint16_t last = own.empty() ? uint16_t{0} : *own.rbegin();
  const uint16_t ports[] = {0, 53, host.granted_port(), host.forbidden_port(),
                            last};
  const uint32_t addresses[] = {INADDR_LOOPBACK, INADDR_ANY,
                                INADDR_LOOPBACK + 1, 0xc0000201};
  const char* const names[] = {"n", "d/n", "up/s", "../s", "up/n", ""};
  const auto port = htons(ports[reader.Integer(1) % std::size(ports)]);
  const uint32_t address = htonl(addresses[reader.Integer(1) % 4]);
  size_t length = 0;
  switch (reader.Integer(1) % 4) {
    case 0:
    case 1: {
      sockaddr_in in = {};
      in.sin_family = AF_INET;
      in.sin_port = port;
      in.sin_addr.s_addr = address;
      std::memcpy(at, &in, length = sizeof(in));
      break;
    }
    case 2: {
      sockaddr_in6 in = {};
      in.sin6_family = AF_INET6;
      in.sin6_port = port;
      if (address == htonl(INADDR_LOOPBACK)) {
        in.sin6_addr = in6addr_loopback;
      } else if (address != INADDR_ANY) {
        in.sin6_addr.s6_addr[10] = in.sin6_addr.s6_addr[11] = 0xff;
        std::memcpy(&in.sin6_addr.s6_addr[12], &address, sizeof(address));
      }
      std::memcpy(at, &in, length = sizeof(in));
      break;
    }
    default: {
      sockaddr_un un = {};
      un.sun_family = AF_UNIX;
      const std::string name = names[reader.Integer(1) % std::size(names)];
      name.copy(un.sun_path, sizeof(un.sun_path));
      std::memcpy(at, &un, length = sizeof(un));
    }
  }
  for (uint64_t i = reader.Integer(1) % 16; i > 12; --i) {
    at[reader.Integer(1) % length] = static_cast<char>(reader.Integer(1));
  }
  return reader.Integer(1) % 8 == 7 ? reader.Integer(1) : length;
}

NetworkGrant ReadGrant(Reader& reader, const Host& host) {
  NetworkGrant grant;
  grant.access = NetworkAccess::kLoopback;
  if (reader.Integer(1) % 2 == 0) return grant;
  // Beneath 127.0.0.0/8, and never the other server.
  grant.access = NetworkAccess::kAllowList;
  for (uint64_t i = reader.Integer(1) % 3; i > 0; --i) {
    AllowedEndpoint endpoint;
    endpoint.address[10] = endpoint.address[11] = 0xff;
    endpoint.address[12] = 127;
    endpoint.address[15] = static_cast<uint8_t>(1 + reader.Integer(1) % 2);
    endpoint.prefix_bits = 128 - static_cast<int>(reader.Integer(1) % 25);
    endpoint.port = host.granted_port();
    grant.allowed.push_back(endpoint);
  }
  return grant;
}

// One call, as the filter lets it come to the supervisor.
void ReadCall(Reader& reader, const Host& host, const std::set<uint16_t>& own,
              AskedProgram::Shared& shared) {
  constexpr int64_t kCalls[] = {__NR_socket,  __NR_bind,    __NR_listen,
                                __NR_connect, __NR_connect, __NR_sendto,
                                __NR_sendmsg, __NR_dup2,    __NR_shutdown,
                                __NR_close,   __NR_sendmmsg};
  constexpr uint64_t kFastOpen = 0x20000000;  // MSG_FASTOPEN, send(2)
  constexpr int kFamilies[] = {AF_INET, AF_INET6, AF_UNIX};
  auto& a = shared.arguments;
  std::fill(std::begin(a), std::end(a), 0);
  shared.number = kCalls[reader.Integer(1) % std::size(kCalls)];
  char* const name = shared.memory;
  const uint64_t length = WriteAddress(reader, host, own, name);
  a[0] = kFirstFd + reader.Integer(1) % kFds;
  a[1] = reinterpret_cast<uint64_t>(name);
  a[2] = length;
  switch (shared.number) {
    case __NR_socket:
      a[0] = static_cast<uint64_t>(kFamilies[reader.Integer(1) % 3]);
      a[1] = SOCK_STREAM | SOCK_NONBLOCK;
      a[2] = 0;
      a[5] = reader.Integer(1);
      break;
    case __NR_dup2:
      a[1] = kFirstFd + reader.Integer(1) % kFds;
      break;
    case __NR_listen:
    case __NR_shutdown:
      a[1] = reader.Integer(1);
      break;
    case __NR_sendto:
      a[2] = reader.Integer(1);
      a[3] = kFastOpen | reader.Integer(2);
      a[4] = reinterpret_cast<uint64_t>(name);
      a[5] = length;
      break;
    case __NR_sendmsg:
    case __NR_sendmmsg: {
      const iovec piece = {name, reader.Integer(1)};
      msghdr header = {};
      header.msg_name = name;
      header.msg_namelen = static_cast<socklen_t>(length);
      header.msg_iov = reinterpret_cast<iovec*>(name + 256);
      header.msg_iovlen = reader.Integer(1) % 3;
      std::memcpy(name + 256, &piece, sizeof(piece));
      std::memcpy(name + 512, &header, sizeof(header));
      a[1] = reinterpret_cast<uint64_t>(name + 512);
      const uint64_t flags = kFastOpen | reader.Integer(2);
      a[2] = shared.number == __NR_sendmsg ? flags : 1;
      a[3] = flags;
      break;
    }
  }
  // Sometimes anything at all, in one register.
  const bool takes_pointers =
      shared.number != __NR_socket && shared.number != __NR_dup2;
  if (reader.Integer(1) % 16 == 15 && takes_pointers) {
    a[1 + reader.Integer(1) % 2] = reader.Integer(8);
  }
}

// ----------------------------------------------------------------------- a run

// That inputs come so far: what is never connected proves nothing.
struct Met {
  ~Met() {
    std::fprintf(stderr, "sockets with a name: %ld, connected: %ld\n", named,
                 connected);
  }
  long named = 0, connected = 0;
} met;

class Run {
 public:
  Run(AskedProgram& program, const Host& host, NetworkGrant grant)
      : program_(program),
        host_(host),
        grant_(std::move(grant)),
        broker_(grant_, {}, host.run(), program.pid(), &processes_) {}

  const std::set<uint16_t>& own_ports() const { return own_; }

  // A server of its own, and sockets that are nothing yet.
  void Begin() {
    constexpr int kFamilies[] = {AF_INET, AF_INET, AF_INET, AF_INET6, AF_UNIX};
    AskedProgram::Shared& shared = program_.shared();
    for (uint64_t i = 0; i < std::size(kFamilies); ++i) {
      const auto family = static_cast<uint64_t>(kFamilies[i]);
      shared.number = __NR_socket;
      const uint64_t arguments[6] = {
          family, SOCK_STREAM | SOCK_NONBLOCK, 0, 0, 0, i};
      std::copy(std::begin(arguments), std::end(arguments), shared.arguments);
      Do();
    }
    shared.number = __NR_listen;
    shared.arguments[0] = kFirstFd;
    shared.arguments[1] = 100;
    Do();
  }

  void Do() {
    NotificationBuffer buffer;
    program_.Start();
    while (program_.Asks(buffer)) Answer(buffer.notification);
    program_.TellNames();
    for (int i = 0; i < kFds; ++i) {
      CheckName(program_.shared().names[i], program_.shared().listens[i]);
    }
    for (const Name& peer : program_.shared().peers) CheckPeer(peer);
    host_.CheckUntouched();
  }

 private:
  void Answer(const seccomp_notif& call) {
    const int listener = program_.listener();
    BrokeredCall done =
        broker_.Perform(call, listener, MonotonicNow(), /*named=*/nullptr);
    Check(done.error_number >= 0 && done.error_number <= kMaxErrno,
          "not an errno");
    Check(!done.service_failed, "the service failed");
    if (done.connecting >= 0 && done.waits) {
      done = broker_.FinishConnect(done.socket, call, listener);
    } else if (done.connecting >= 0) {
      broker_.NoteSettled(done.socket);
    }
    if (done.retry_at != absl::InfiniteFuture()) done.error_number = EAGAIN;
    if (call.data.nr == __NR_socket && done.error_number == 0) return;
    Check(AnswerCall(listener, call.id, done.error_number, done.value),
          "nobody waits");
  }

  static std::optional<InternetAddress> Internet(const Name& name) {
    if (name.length == 0) return std::nullopt;
    return ParseInternetAddress(name.storage, name.length);
  }

  bool IsGranted(const InternetAddress& address) const {
    return std::any_of(grant_.allowed.begin(), grant_.allowed.end(),
                       [&address](const AllowedEndpoint& allowed) {
                         return IsAllowed(address, allowed);
                       });
  }

  // One whose connect failed, or that was disconnected, keeps a port in its
  // name that it has no more, on no address.
  void CheckName(const Name& name, int listens) {
    const auto address = Internet(name);
    if (!address.has_value() || address->port == 0) return;
    Check(address->port >= IPPORT_RESERVED, "a port of the system's");
    Check(address->IsLoopback() || (listens == 0 && address->IsAny()) ||
              (listens == 0 && address->address[12] == 127),
          "an address of the host's");
    own_.insert(address->port);
    ++met.named;
  }

  void CheckPeer(const Name& peer) const {
    const auto address = Internet(peer);
    if (!address.has_value()) return;
    Check(IsGranted(*address) ||
              (address->IsLoopback() && own_.count(address->port) > 0),
          "connected to what was not granted");
    ++met.connected;
  }

  AskedProgram& program_;
  const Host& host_;
  const NetworkGrant grant_;
  ProcessTable processes_;
  SocketBroker broker_;
  std::set<uint16_t> own_;
};

}  // namespace
}  // namespace cordon::sandbox

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cordon::sandbox;  // NOLINT: libFuzzer names the function
  static const Host host;
  static AskedProgram& program = *[] {
    Check(chdir(host.run().c_str()) == 0, "no working directory");
    return new AskedProgram;
  }();
  constexpr int kMostCalls = 24;
  Reader reader(data, size);
  for (const char* name : {"/n", "/d/n"}) unlink((host.run() + name).c_str());
  Run run(program, host, ReadGrant(reader, host));
  run.Begin();
  for (int i = 0; i < kMostCalls && !reader.AtEnd(); ++i) {
    ReadCall(reader, host, run.own_ports(), program.shared());
    run.Do();
  }
  program.CloseAll();
  return 0;
}
