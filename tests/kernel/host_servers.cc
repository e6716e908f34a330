#include "tests/kernel/host_servers.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cordon::testing {
namespace {

bool HasConnection(const sandbox::UniqueFd& listener) {
  pollfd ready = {.fd = listener.get(), .events = POLLIN, .revents = 0};
  return poll(&ready, 1, 0) == 1;
}

}  // namespace

Listener::Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(fd_.get(), 1024), 0);
  getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
}

std::string Listener::address() const {
  return absl::StrCat("127.0.0.1:", port_);
}

bool Listener::WasReached() const { return HasConnection(fd_); }

std::string NameOutside(const char* what) {
  return absl::StrCat("/tmp/cordon-", what, "-", getpid(), "-", getuid());
}

HostSocket::HostSocket(const std::string& path)
    : path_(path), fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  EXPECT_EQ(
      bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)),
      0)
      << path;
  EXPECT_EQ(listen(fd_.get(), 100), 0);
  EXPECT_EQ(chmod(path.c_str(), 0777), 0);
}

HostSocket::~HostSocket() { unlink(path_.c_str()); }

bool HostSocket::WasReached() const { return HasConnection(fd_); }

}  // namespace cordon::testing
