#include "server/network_grant.h"

#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cordon::server {
namespace {

using ::testing::HasSubstr;

TEST(ParseAllowedHostTest, AnIpv4Address) {
  const auto endpoint = ParseAllowedHost("192.0.2.7:443");
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  EXPECT_EQ(endpoint->address, (sandbox::IpAddress{0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                                   0xff, 0xff, 192, 0, 2, 7}));
  EXPECT_EQ(endpoint->prefix_bits, 128);
  EXPECT_EQ(endpoint->port, 443);
}

TEST(ParseAllowedHostTest, AnIpv4Prefix) {
  const auto endpoint = ParseAllowedHost("10.0.0.0/8:65535");
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  EXPECT_EQ(endpoint->prefix_bits, 96 + 8);
  EXPECT_EQ(endpoint->port, 65535);
}

TEST(ParseAllowedHostTest, Ipv6IsInBrackets) {
  const auto address = ParseAllowedHost("[2001:db8::1]:80");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->address[0], 0x20);
  EXPECT_EQ(address->address[15], 1);
  EXPECT_EQ(address->prefix_bits, 128);
  const auto prefix = ParseAllowedHost("[2001:db8::/32]:80");
  ASSERT_TRUE(prefix.ok()) << prefix.status();
  EXPECT_EQ(prefix->prefix_bits, 32);
}

TEST(ParseAllowedHostTest, WhatIsWrongIsSaid) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "no port"},
      {"192.0.2.7", "no port"},
      {"192.0.2.7:", "no port between"},
      {"192.0.2.7:0", "no port between"},
      {"192.0.2.7:65536", "no port between"},
      {"192.0.2.7:http", "no port between"},
      {"example.org:443", "names are not resolved"},
      {":443", "names are not resolved"},
      {"192.0.2:443", "names are not resolved"},
      {"2001:db8::1:80", "in brackets"},
      {"[192.0.2.7]:80", "in brackets"},
      {"[2001:db8::1:80", "in brackets"},
      {"10.0.0.0/33:80", "between 0 and 32"},
      {"10.0.0.0/:80", "between 0 and 32"},
      {"10.0.0.0/-1:80", "between 0 and 32"},
      {"[::/129]:80", "between 0 and 128"},
  };
  for (const auto& [text, problem] : cases) {
    const auto endpoint = ParseAllowedHost(text);
    ASSERT_FALSE(endpoint.ok()) << text;
    EXPECT_TRUE(absl::IsInvalidArgument(endpoint.status()));
    EXPECT_THAT(std::string(endpoint.status().message()), HasSubstr(problem))
        << text;
  }
}

TEST(NetworkAccessTest, EachValueHasAName) {
  for (const v1::Network network : {v1::NETWORK_NONE, v1::NETWORK_LOOPBACK,
                                    v1::NETWORK_ALLOW_LIST, v1::NETWORK_FULL}) {
    EXPECT_EQ(ToProto(ToNetworkAccess(network)), network);
  }
  EXPECT_EQ(ToNetworkAccess(v1::NETWORK_UNSPECIFIED),
            sandbox::NetworkAccess::kNone);
}

}  // namespace
}  // namespace cordon::server
