#include "client/size_and_duration.h"

#include <cstdint>
#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace cordon::client {
namespace {

TEST(ParseSizeTest, SuffixesArePowersOf1024) {
  EXPECT_EQ(ParseSize("1").value(), 1u);
  EXPECT_EQ(ParseSize("4096").value(), 4096u);
  EXPECT_EQ(ParseSize("1K").value(), 1024u);
  EXPECT_EQ(ParseSize("256M").value(), 256u << 20);
  EXPECT_EQ(ParseSize("256m").value(), 256u << 20);
  EXPECT_EQ(ParseSize("3G").value(), uint64_t{3} << 30);
  EXPECT_EQ(ParseSize("2T").value(), uint64_t{2} << 40);
}

TEST(ParseSizeTest, TheLargestSizeIsWithinSixtyFourBits) {
  EXPECT_EQ(ParseSize("18446744073709551615").value(),
            std::numeric_limits<uint64_t>::max());
  EXPECT_FALSE(ParseSize("18446744073709551616").ok());
  EXPECT_TRUE(ParseSize("16777215T").ok());
  EXPECT_FALSE(ParseSize("16777216T").ok());
}

TEST(ParseSizeTest, EverythingElseIsRefused) {
  for (const char* text : {"", "M", "-1", "+1", " 1", "1 ", "1.5G", "1MB", "1X",
                           "0x10", "0", "0M", "one"}) {
    EXPECT_FALSE(ParseSize(text).ok()) << '"' << text << '"';
  }
}

TEST(ParseCountTest, ACountIsAWholeNumberAboveZero) {
  EXPECT_EQ(ParseCount("64").value(), 64u);
  EXPECT_EQ(ParseCount("4294967295").value(), 4294967295u);
  for (const char* text : {"", "0", "-1", "4294967296", "1K", "1.0"}) {
    EXPECT_FALSE(ParseCount(text).ok()) << '"' << text << '"';
  }
}

TEST(ParseDurationTest, UnitsAndPlainSecondsAreTaken) {
  EXPECT_EQ(ParseDuration("500ms").value(), absl::Milliseconds(500));
  EXPECT_EQ(ParseDuration("2s").value(), absl::Seconds(2));
  EXPECT_EQ(ParseDuration("1m").value(), absl::Minutes(1));
  EXPECT_EQ(ParseDuration("1m30s").value(), absl::Seconds(90));
  EXPECT_EQ(ParseDuration("0.5h").value(), absl::Minutes(30));
  EXPECT_EQ(ParseDuration("7").value(), absl::Seconds(7));
  EXPECT_EQ(ParseDuration("1.5").value(), absl::Milliseconds(1500));
}

TEST(ParseDurationTest, EverythingElseIsRefused) {
  for (const char* text : {"", "s", "-2s", "2x", "inf", "-inf", "0", "0s", ".",
                           "1..5", "99999999999999s", "two"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << '"' << text << '"';
  }
}

TEST(FormatTest, WhatIsFormattedParsesToTheSame) {
  EXPECT_EQ(SizeText(uint64_t{256} << 20), "256M");
  EXPECT_EQ(SizeText(1000), "1000");
  EXPECT_EQ(SizeText(1536), "1536");
  EXPECT_EQ(SizeText(0), "0");
  EXPECT_EQ(DurationText(absl::Seconds(10)), "10s");
  EXPECT_EQ(DurationText(absl::Minutes(2)), "2m");
  EXPECT_EQ(DurationText(absl::Hours(1)), "1h");
  EXPECT_EQ(DurationText(absl::Seconds(90)), "1m30s");
  EXPECT_EQ(DurationText(absl::Minutes(90)), "1h30m");
  EXPECT_EQ(DurationText(absl::Milliseconds(500)), "500ms");
  EXPECT_EQ(DurationText(absl::ZeroDuration()), "0");
}

TEST(ProtoDurationTest, NanosecondsSurvive) {
  const google::protobuf::Duration proto = ToProto(absl::Milliseconds(1500));
  EXPECT_EQ(proto.seconds(), 1);
  EXPECT_EQ(proto.nanos(), 500000000);
  EXPECT_EQ(FromProto(proto), absl::Milliseconds(1500));
}

}  // namespace
}  // namespace cordon::client
