// What of the network a run may reach: plain values.

#ifndef CORDON_SANDBOX_SPEC_NETWORK_H_
#define CORDON_SANDBOX_SPEC_NETWORK_H_

#include <array>
#include <cstdint>
#include <vector>

namespace cordon::sandbox {

// Each includes those before it.
enum class NetworkAccess {
  // An internet socket cannot be made.
  kNone,
  // TCP on the loopback addresses 127.0.0.1 and ::1, to ports that the run
  // itself listens on.
  kLoopback,
  // And TCP to the addresses of a list.
  kAllowList,
  // And TCP and UDP to and from anywhere.
  kFull,
};

// As in6_addr(5); of IPv4 the mapped one, ::ffff:a.b.c.d.
using IpAddress = std::array<uint8_t, 16>;

// All ports beneath a prefix that are `port`.
struct AllowedEndpoint {
  IpAddress address = {};
  // 0 to 128; of IPv4 96 more than in CIDR notation.
  int prefix_bits = 128;
  uint16_t port = 0;
};

struct NetworkGrant {
  NetworkAccess access = NetworkAccess::kNone;
  // With kAllowList.
  std::vector<AllowedEndpoint> allowed;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SPEC_NETWORK_H_
