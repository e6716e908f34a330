// The address that the server listens on.

#ifndef CORDON_SERVER_LISTEN_ADDRESS_H_
#define CORDON_SERVER_LISTEN_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"

namespace cordon::server {

struct ListenAddress {
  // Without the brackets of an IPv6 address.
  std::string host;
  std::string port;
};

// "HOST:PORT" or "[IPV6]:PORT"; INVALID_ARGUMENT for anything else.
absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text);

// "HOST:PORT", with an IPv6 address in brackets.
std::string ToText(const ListenAddress& address);

// Whether only this host can connect to it.
bool IsLoopback(const ListenAddress& address);

// Why a server cannot listen there, found by trying: OK when it can. gRPC only
// says that it could not.
absl::Status TryToListen(const ListenAddress& address);

}  // namespace cordon::server

#endif  // CORDON_SERVER_LISTEN_ADDRESS_H_
