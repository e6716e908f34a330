#include "client/printable.h"

#include <string>

#include "gtest/gtest.h"

namespace cordon::client {
namespace {

TEST(PrintableTest, PlainTextAndLettersOfAnyLanguageStay) {
  EXPECT_EQ(Printable("/etc/shadow"), "/etc/shadow");
  EXPECT_EQ(Printable("gr\u00fc\u00df \u4f60\u597d \U0001F600"),
            "gr\u00fc\u00df \u4f60\u597d \U0001F600");
}

TEST(PrintableTest, WhatMovesACursorIsEscaped) {
  EXPECT_EQ(Printable("a\nb\x1b[2J\r\x7f"), "a\\x0ab\\x1b[2J\\x0d\\x7f");
  EXPECT_EQ(Printable(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(Printable("\u009b2J"), "\\xc2\\x9b2J");
}

TEST(PrintableTest, BytesThatAreNotUtf8AreEscaped) {
  EXPECT_EQ(Printable("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(Printable("\xc3"), "\\xc3");
}

TEST(IsUtf8Test, FollowsRfc3629) {
  for (const char* good : {"", "a", "\xc3\xbc", "\xe2\x82\xac", "\xed\x9f\xbf",
                           "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const char* bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
        "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "a\xc3",
        "\xe2\x82", "\xc3("}) {
    EXPECT_FALSE(IsUtf8(bad)) << Printable(bad);
  }
}

}  // namespace
}  // namespace cordon::client
