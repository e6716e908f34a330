#include "sandbox/supervise/crowd_priority.h"

#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

TEST(CrowdNiceness, AFewAreNobodysCrowd) {
  EXPECT_EQ(CrowdNiceness(0, 2), 0);
  EXPECT_EQ(CrowdNiceness(1, 2), 0);
  EXPECT_EQ(CrowdNiceness(24, 2), 0);
  EXPECT_EQ(CrowdNiceness(96, 16), 0);
}

TEST(CrowdNiceness, TheMoreTheyAreTheLessTheyWeighTogether) {
  EXPECT_EQ(CrowdNiceness(48, 2), 6);
  EXPECT_EQ(CrowdNiceness(100, 2), 12);
  EXPECT_EQ(CrowdNiceness(256, 2), 19);
  EXPECT_EQ(CrowdNiceness(256, 16), 8);
}

TEST(CrowdNiceness, NothingIsBelowTheLowestPriority) {
  EXPECT_EQ(CrowdNiceness(1 << 20, 1), 19);
  EXPECT_EQ(CrowdNiceness(UINT32_MAX, 0), 19);
}

}  // namespace
}  // namespace cordon::sandbox
