#include "sandbox/policy/seccomp/syscall_policy.h"

#include <cerrno>
#include <cstdint>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

constexpr uint64_t kHighGarbage = uint64_t{0xdeadbeef} << 32;

absl::Status StatusOf(const SyscallRow& row) {
  return SyscallPolicy::Create(Violate(), {row}).status();
}

SyscallRow RowWithTest(const ArgumentTest& test) {
  return {7, {{{test}, Allow()}}, Violate(), ""};
}

TEST(ArgumentTestTest, A32BitTestIgnoresTheHighHalf) {
  EXPECT_TRUE(Equals32(0, 5).Holds({5}));
  EXPECT_TRUE(Equals32(0, 5).Holds({5 | kHighGarbage}));
  EXPECT_FALSE(Equals32(0, 5).Holds({6}));
}

TEST(ArgumentTestTest, A64BitTestReadsTheHighHalf) {
  EXPECT_TRUE(Equals64(4, 0).Holds({0, 0, 0, 0, 0, 1}));
  EXPECT_FALSE(Equals64(4, 0).Holds({0, 0, 0, 0, kHighGarbage, 0}));
}

TEST(ArgumentTestTest, AMaskHidesTheOtherBits) {
  EXPECT_TRUE(MaskedEquals32(1, 0xf, 3).Holds({0, 0x80003}));
  EXPECT_FALSE(MaskedEquals32(1, 0xf, 3).Holds({0, 0x80001}));
}

TEST(ArgumentTestTest, AnyBitSetNeedsOneBitOfTheMask) {
  EXPECT_TRUE(AnyBitSet32(2, 0x30).Holds({0, 0, 0x10}));
  EXPECT_FALSE(AnyBitSet32(2, 0x30).Holds({0, 0, 0x0f | kHighGarbage}));
}

TEST(SyscallPolicyTest, TheFirstRuleThatHoldsDecides) {
  SyscallRow row;
  row.number = 7;
  row.rules = {{{Equals32(0, 1), Equals32(1, 1)}, Allow()},
               {{Equals32(0, 1)}, Refuse(EPERM)},
               {{Equals32(0, 1)}, Violate()}};
  row.otherwise = Deny(EACCES, ViolationKind::kNetwork);
  const auto policy = SyscallPolicy::Create(Violate(), {row});
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(policy->Evaluate(7, {1, 1}), Allow());
  EXPECT_EQ(policy->Evaluate(7, {1, 2}), Refuse(EPERM));
  EXPECT_EQ(policy->Evaluate(7, {2, 1}), Deny(EACCES, ViolationKind::kNetwork));
}

TEST(SyscallPolicyTest, ANumberWithoutARowGetsTheDefault) {
  const auto policy =
      SyscallPolicy::Create(Refuse(ENOSYS), {{7, {}, Allow(), ""}});
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(policy->Evaluate(6, {}), Refuse(ENOSYS));
  EXPECT_EQ(policy->Evaluate(7, {}), Allow());
  EXPECT_EQ(policy->Evaluate(8, {}), Refuse(ENOSYS));
  EXPECT_EQ(policy->Evaluate(-1, {}), Refuse(ENOSYS));
  EXPECT_EQ(policy->Find(6), nullptr);
  EXPECT_EQ(policy->Find(7)->number, 7);
}

TEST(SyscallPolicyTest, RowsAreSortedByNumber) {
  const auto policy = SyscallPolicy::Create(
      Violate(), {{9, {}, Allow(), ""}, {7, {}, Allow(), ""}});
  ASSERT_TRUE(policy.ok());
  EXPECT_THAT(policy->rows(),
              testing::ElementsAre(testing::Field(&SyscallRow::number, 7),
                                   testing::Field(&SyscallRow::number, 9)));
}

TEST(SyscallPolicyTest, TwoRowsOfANumberAreInvalid) {
  const absl::Status status =
      SyscallPolicy::Create(Violate(),
                            {{7, {}, Allow(), ""}, {7, {}, Violate(), ""}})
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), testing::HasSubstr("7"));
}

TEST(SyscallPolicyTest, AMalformedRowIsInvalid) {
  EXPECT_TRUE(StatusOf(RowWithTest(Equals32(5, 1))).ok());
  EXPECT_FALSE(StatusOf(RowWithTest(Equals32(6, 1))).ok());
  EXPECT_FALSE(StatusOf(RowWithTest(Equals32(-1, 1))).ok());
  EXPECT_FALSE(StatusOf({-1, {}, Allow(), ""}).ok());

  ArgumentTest wide = Equals32(0, 1);
  wide.value = uint64_t{1} << 32;
  EXPECT_FALSE(StatusOf(RowWithTest(wide)).ok());
  wide.width = ArgumentWidth::k64;
  EXPECT_TRUE(StatusOf(RowWithTest(wide)).ok());
}

TEST(SyscallPolicyTest, AnErrnoThatNoProgramWouldSeeIsInvalid) {
  EXPECT_TRUE(StatusOf({7, {}, Refuse(4095), ""}).ok());
  EXPECT_FALSE(StatusOf({7, {}, Refuse(4096), ""}).ok());
  EXPECT_FALSE(StatusOf({7, {}, Refuse(-1), ""}).ok());
  EXPECT_FALSE(StatusOf({7, {}, Deny(-1, ViolationKind::kNetwork), ""}).ok());
  EXPECT_FALSE(SyscallPolicy::Create(Refuse(4096), {}).ok());
}

TEST(SyscallPolicyTest, OnlyARefusalMayPretendSuccess) {
  EXPECT_TRUE(StatusOf({7, {}, Pretend(), ""}).ok());
  EXPECT_FALSE(StatusOf({7, {}, Deny(0, ViolationKind::kNetwork), ""}).ok());
}

}  // namespace
}  // namespace cordon::sandbox
