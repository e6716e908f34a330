#include "server/network_grant.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace cordon::server {
namespace {

constexpr int kBitsOfIpv4 = 32;
constexpr int kBitsOfIpv6 = 128;

// In network order; the number of its bits, or 0: it is no address.
int ParseAddress(const std::string& text, sandbox::IpAddress& address) {
  if (inet_pton(AF_INET6, text.c_str(), address.data()) == 1) {
    return kBitsOfIpv6;
  }
  constexpr size_t kMappedPrefixBytes = 12;
  address = {};
  address[10] = address[11] = 0xff;
  return inet_pton(AF_INET, text.c_str(),
                   address.data() + kMappedPrefixBytes) == 1
             ? kBitsOfIpv4
             : 0;
}

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

}  // namespace

sandbox::NetworkAccess ToNetworkAccess(v1::Network network) {
  switch (network) {
    case v1::NETWORK_LOOPBACK:
      return sandbox::NetworkAccess::kLoopback;
    case v1::NETWORK_ALLOW_LIST:
      return sandbox::NetworkAccess::kAllowList;
    case v1::NETWORK_FULL:
      return sandbox::NetworkAccess::kFull;
    default:
      return sandbox::NetworkAccess::kNone;
  }
}

v1::Network ToProto(sandbox::NetworkAccess access) {
  switch (access) {
    case sandbox::NetworkAccess::kNone:
      return v1::NETWORK_NONE;
    case sandbox::NetworkAccess::kLoopback:
      return v1::NETWORK_LOOPBACK;
    case sandbox::NetworkAccess::kAllowList:
      return v1::NETWORK_ALLOW_LIST;
    case sandbox::NetworkAccess::kFull:
      return v1::NETWORK_FULL;
  }
  return v1::NETWORK_UNSPECIFIED;
}

absl::StatusOr<sandbox::AllowedEndpoint> ParseAllowedHost(
    absl::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) {
    return Bad("has no port: write ADDRESS:PORT or ADDRESS/BITS:PORT");
  }
  sandbox::AllowedEndpoint endpoint;
  uint32_t port = 0;
  if (!absl::SimpleAtoi(text.substr(colon + 1), &port) || port == 0 ||
      port > UINT16_MAX) {
    return Bad("has no port between 1 and 65535 after its last colon");
  }
  endpoint.port = static_cast<uint16_t>(port);
  absl::string_view host = text.substr(0, colon);
  const bool in_brackets =
      absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  const size_t slash = host.find('/');
  const int bits_of_address =
      ParseAddress(std::string(host.substr(0, slash)), endpoint.address);
  if (bits_of_address == 0) {
    return Bad(
        "does not begin with an IPv4 address, or an IPv6 address in brackets: "
        "names are not resolved, because a run cannot resolve them either");
  }
  if ((bits_of_address == kBitsOfIpv6) != in_brackets) {
    return Bad(
        "has an IPv6 address that is not in brackets, or another that "
        "is");
  }
  if (slash == absl::string_view::npos) return endpoint;
  int bits = -1;
  if (!absl::SimpleAtoi(host.substr(slash + 1), &bits) || bits < 0 ||
      bits > bits_of_address) {
    return Bad(absl::StrCat("has a prefix that is not between 0 and ",
                            bits_of_address, " bits long"));
  }
  endpoint.prefix_bits = kBitsOfIpv6 - bits_of_address + bits;
  return endpoint;
}

}  // namespace cordon::server
