// Servers of the host's, which no run has made and none may reach.

#ifndef CORDON_TESTS_KERNEL_HOST_SERVERS_H_
#define CORDON_TESTS_KERNEL_HOST_SERVERS_H_

#include <cstdint>
#include <string>

#include "sandbox/base/unique_fd.h"

namespace cordon::testing {

// On 127.0.0.1.
class Listener {
 public:
  Listener();

  uint16_t port() const { return port_; }
  std::string address() const;
  // Whether somebody has connected.
  bool WasReached() const;

 private:
  sandbox::UniqueFd fd_;
  uint16_t port_ = 0;
};

// A name that nobody else uses, in a directory where everybody may make one.
std::string NameOutside(const char* what);

// A unix socket that everybody may connect to.
class HostSocket {
 public:
  explicit HostSocket(const std::string& path);
  ~HostSocket();
  HostSocket(const HostSocket&) = delete;
  HostSocket& operator=(const HostSocket&) = delete;

  const std::string& path() const { return path_; }
  bool WasReached() const;

 private:
  const std::string path_;
  const sandbox::UniqueFd fd_;
};

}  // namespace cordon::testing

#endif  // CORDON_TESTS_KERNEL_HOST_SERVERS_H_
