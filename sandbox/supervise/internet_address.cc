#include "sandbox/supervise/internet_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace cordon::sandbox {
namespace {

constexpr size_t kMappedPrefixBytes = 12;
constexpr IpAddress kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr IpAddress kLoopback4 = {0, 0, 0,    0,    0,   0, 0, 0,
                                  0, 0, 0xff, 0xff, 127, 0, 0, 1};
constexpr IpAddress kLoopback6 = {0, 0, 0, 0, 0, 0, 0, 0,
                                  0, 0, 0, 0, 0, 0, 0, 1};
constexpr IpAddress kAny4 = kMappedPrefix;
constexpr IpAddress kAny6 = {};

}  // namespace

bool InternetAddress::IsLoopback() const {
  return address == kLoopback4 || address == kLoopback6;
}

bool InternetAddress::IsAny() const {
  return address == kAny4 || address == kAny6;
}

bool InternetAddress::IsMapped() const {
  return std::equal(kMappedPrefix.begin(),
                    kMappedPrefix.begin() + kMappedPrefixBytes,
                    address.begin());
}

std::string InternetAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (IsMapped()) {
    inet_ntop(AF_INET, address.data() + kMappedPrefixBytes, text, sizeof(text));
    return absl::StrCat(text, ":", port);
  }
  inet_ntop(AF_INET6, address.data(), text, sizeof(text));
  return absl::StrCat("[", text, "]:", port);
}

socklen_t InternetAddress::Store(sockaddr_storage& storage) const {
  std::memset(&storage, 0, sizeof(storage));
  if (family == AF_INET) {
    sockaddr_in v4 = {};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.data() + kMappedPrefixBytes,
                sizeof(v4.sin_addr));
    std::memcpy(&storage, &v4, sizeof(v4));
    return sizeof(v4);
  }
  sockaddr_in6 v6 = {};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  v6.sin6_scope_id = scope;
  std::memcpy(&v6.sin6_addr, address.data(), address.size());
  std::memcpy(&storage, &v6, sizeof(v6));
  return sizeof(v6);
}

std::optional<InternetAddress> ParseInternetAddress(
    const sockaddr_storage& storage, size_t length) {
  InternetAddress parsed;
  if (storage.ss_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in v4;
    std::memcpy(&v4, &storage, sizeof(v4));
    parsed.family = AF_INET;
    parsed.address = kMappedPrefix;
    std::memcpy(parsed.address.data() + kMappedPrefixBytes, &v4.sin_addr,
                sizeof(v4.sin_addr));
    parsed.port = ntohs(v4.sin_port);
    return parsed;
  }
  if (storage.ss_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &storage, sizeof(v6));
    parsed.family = AF_INET6;
    std::memcpy(parsed.address.data(), &v6.sin6_addr, parsed.address.size());
    parsed.port = ntohs(v6.sin6_port);
    parsed.scope = v6.sin6_scope_id;
    return parsed;
  }
  return std::nullopt;
}

InternetAddress LoopbackOf(int family, uint16_t port) {
  return {.family = family,
          .address = family == AF_INET ? kLoopback4 : kLoopback6,
          .port = port};
}

bool IsAllowed(const InternetAddress& address, const AllowedEndpoint& allowed) {
  if (address.port != allowed.port) return false;
  int bits = allowed.prefix_bits;
  for (size_t i = 0; i < address.address.size() && bits > 0; ++i, bits -= 8) {
    const int unused = std::max(0, 8 - bits);
    const int mask = 0xff << unused & 0xff;
    if ((address.address[i] & mask) != (allowed.address[i] & mask)) {
      return false;
    }
  }
  return true;
}

}  // namespace cordon::sandbox
