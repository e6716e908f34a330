// Internet addresses of system calls: a sockaddr's bytes, as a value.
//
// Contract: stateless.

#ifndef CORDON_SANDBOX_SUPERVISE_INTERNET_ADDRESS_H_
#define CORDON_SANDBOX_SUPERVISE_INTERNET_ADDRESS_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <optional>
#include <string>

#include "sandbox/spec/network.h"

namespace cordon::sandbox {

struct InternetAddress {
  // AF_INET or AF_INET6, as the socket's family wants it.
  int family = AF_INET;
  IpAddress address = {};
  uint16_t port = 0;
  // sin6_scope_id of link-local ones (ipv6(7)).
  uint32_t scope = 0;

  // 127.0.0.1 or ::1, in either family.
  bool IsLoopback() const;
  // 0.0.0.0 or ::, which is this host as well when it is connected to.
  bool IsAny() const;
  // Of IPv4, in either family.
  bool IsMapped() const;

  // "127.0.0.1:80", "[::1]:80".
  std::string ToString() const;
  // As a system call takes it; the length.
  socklen_t Store(sockaddr_storage& storage) const;
};

// nullopt: not of these families, or too short.
std::optional<InternetAddress> ParseInternetAddress(
    const sockaddr_storage& storage, size_t length);

// The loopback address of a family.
InternetAddress LoopbackOf(int family, uint16_t port);

bool IsAllowed(const InternetAddress& address, const AllowedEndpoint& allowed);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_INTERNET_ADDRESS_H_
