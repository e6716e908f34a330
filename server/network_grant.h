// What a request says of the network, in the sandbox's words.

#ifndef CORDON_SERVER_NETWORK_GRANT_H_
#define CORDON_SERVER_NETWORK_GRANT_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/cordon/v1/execution.pb.h"
#include "sandbox/spec/network.h"

namespace cordon::server {

// kNone for what is not set, and for an unknown value.
sandbox::NetworkAccess ToNetworkAccess(v1::Network network);
v1::Network ToProto(sandbox::NetworkAccess access);

// An entry of policy.allowed_hosts: ADDRESS:PORT or ADDRESS/BITS:PORT, of IPv6
// with the address or the whole prefix in brackets: "192.0.2.7:443",
// "10.0.0.0/8:80", "[2001:db8::1]:443",
// "[2001:db8::/32]:443". INVALID_ARGUMENT that says what is wrong with it, as
// the end of a sentence about it.
absl::StatusOr<sandbox::AllowedEndpoint> ParseAllowedHost(
    absl::string_view text);

}  // namespace cordon::server

#endif  // CORDON_SERVER_NETWORK_GRANT_H_
