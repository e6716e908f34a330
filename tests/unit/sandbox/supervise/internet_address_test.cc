#include "sandbox/supervise/internet_address.h"

#include <arpa/inet.h>

#include <cstring>
#include <string>

#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

InternetAddress Ipv4(const char* text, uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET, text, &address.sin_addr), 1);
  sockaddr_storage storage = {};
  std::memcpy(&storage, &address, sizeof(address));
  return *ParseInternetAddress(storage, sizeof(address));
}

InternetAddress Ipv6(const char* text, uint16_t port) {
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
  sockaddr_storage storage = {};
  std::memcpy(&storage, &address, sizeof(address));
  return *ParseInternetAddress(storage, sizeof(address));
}

TEST(InternetAddressTest, WhatIsStoredIsWhatWasParsed) {
  for (const InternetAddress& address :
       {Ipv4("192.0.2.7", 80), Ipv6("2001:db8::1", 443)}) {
    sockaddr_storage storage;
    const socklen_t length = address.Store(storage);
    const auto again = ParseInternetAddress(storage, length);
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->ToString(), address.ToString());
    EXPECT_EQ(again->family, address.family);
  }
}

TEST(InternetAddressTest, OneThatIsTooShortIsNone) {
  sockaddr_storage storage = {};
  storage.ss_family = AF_INET;
  EXPECT_FALSE(
      ParseInternetAddress(storage, sizeof(sockaddr_in) - 1).has_value());
  storage.ss_family = AF_INET6;
  EXPECT_FALSE(
      ParseInternetAddress(storage, sizeof(sockaddr_in6) - 1).has_value());
  storage.ss_family = AF_UNIX;
  EXPECT_FALSE(ParseInternetAddress(storage, sizeof(storage)).has_value());
}

TEST(InternetAddressTest, LoopbackIsOneAddressInEachFamily) {
  EXPECT_TRUE(Ipv4("127.0.0.1", 1).IsLoopback());
  EXPECT_TRUE(Ipv6("::1", 1).IsLoopback());
  EXPECT_TRUE(Ipv6("::ffff:127.0.0.1", 1).IsLoopback());
  EXPECT_FALSE(Ipv4("127.0.0.2", 1).IsLoopback());
  EXPECT_FALSE(Ipv6("::2", 1).IsLoopback());
  EXPECT_TRUE(LoopbackOf(AF_INET, 1).IsLoopback());
  EXPECT_TRUE(LoopbackOf(AF_INET6, 1).IsLoopback());
}

TEST(InternetAddressTest, AnyIsOneAddressInEachFamily) {
  EXPECT_TRUE(Ipv4("0.0.0.0", 1).IsAny());
  EXPECT_TRUE(Ipv6("::", 1).IsAny());
  EXPECT_TRUE(Ipv6("::ffff:0.0.0.0", 1).IsAny());
  EXPECT_FALSE(Ipv4("0.0.0.1", 1).IsAny());
}

TEST(InternetAddressTest, AsPeopleWriteThem) {
  EXPECT_EQ(Ipv4("192.0.2.7", 80).ToString(), "192.0.2.7:80");
  EXPECT_EQ(Ipv6("2001:db8::1", 80).ToString(), "[2001:db8::1]:80");
  EXPECT_EQ(Ipv6("::ffff:192.0.2.7", 80).ToString(), "192.0.2.7:80");
}

TEST(IsAllowedTest, APrefixOfAnyLength) {
  const InternetAddress address = Ipv4("10.1.255.4", 80);
  const auto allowed = [](const char* text, int bits, uint16_t port) {
    return AllowedEndpoint{Ipv4(text, 1).address, 96 + bits, port};
  };
  EXPECT_TRUE(IsAllowed(address, allowed("10.1.255.4", 32, 80)));
  EXPECT_TRUE(IsAllowed(address, allowed("10.1.255.5", 31, 80)));
  EXPECT_FALSE(IsAllowed(address, allowed("10.1.255.6", 31, 80)));
  EXPECT_TRUE(IsAllowed(address, allowed("10.1.128.0", 17, 80)));
  EXPECT_FALSE(IsAllowed(address, allowed("10.1.0.0", 17, 80)));
  EXPECT_TRUE(IsAllowed(address, allowed("0.0.0.0", 0, 80)));
  EXPECT_FALSE(IsAllowed(address, allowed("0.0.0.0", 0, 81)));
  EXPECT_FALSE(IsAllowed(Ipv6("2001:db8::1", 80), allowed("0.0.0.0", 0, 80)));
  EXPECT_TRUE(
      IsAllowed(Ipv6("::ffff:10.1.2.3", 80), allowed("10.0.0.0", 8, 80)));
  EXPECT_TRUE(IsAllowed(Ipv6("2001:db8:1::1", 80),
                        {Ipv6("2001:db8::", 1).address, 32, 80}));
  EXPECT_FALSE(IsAllowed(Ipv6("2001:db9::1", 80),
                         {Ipv6("2001:db8::", 1).address, 32, 80}));
}

}  // namespace
}  // namespace cordon::sandbox
