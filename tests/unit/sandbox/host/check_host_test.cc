#include "sandbox/host/check_host.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

HostFeatures GoodHost() {
  HostFeatures host;
  host.kernel = "Linux 6.12.1";
  host.landlock_abi = 6;
  host.seccomp_user_notification = true;
  host.pidfd = true;
  host.close_range = true;
  host.child_memory_readable = true;
  host.can_switch_identity = true;
  return host;
}

TEST(AssessHostTest, AGoodHostLacksNothing) {
  for (const int abi : {6, 7, 8, 100}) {
    HostFeatures host = GoodHost();
    host.landlock_abi = abi;
    const HostAssessment assessment = AssessHost(host);
    EXPECT_THAT(assessment.missing, IsEmpty()) << abi;
    EXPECT_THAT(assessment.indispensable, IsEmpty()) << abi;
    EXPECT_THAT(assessment.degraded, IsEmpty()) << abi;
    EXPECT_THAT(assessment.notes, IsEmpty()) << abi;
    EXPECT_EQ(assessment.enforcement.filesystem.level, EnforcementLevel::kFull);
    EXPECT_EQ(assessment.enforcement.network.level, EnforcementLevel::kFull);
    EXPECT_EQ(assessment.enforcement.syscalls.level, EnforcementLevel::kFull);
    EXPECT_EQ(assessment.enforcement.signals.level, EnforcementLevel::kFull);
    EXPECT_EQ(assessment.enforcement.identity.level, EnforcementLevel::kFull);
  }
}

TEST(AssessHostTest, WhatIsNotFullSaysWhyInOneLine) {
  for (int abi = 0; abi <= 7; ++abi) {
    for (const bool feature : {false, true}) {
      HostFeatures host = GoodHost();
      host.landlock_abi = abi;
      host.can_switch_identity = feature;
      host.seccomp_user_notification = feature;
      const Enforcement enforcement = AssessHost(host).enforcement;
      for (const LayerEnforcement& layer :
           {enforcement.filesystem, enforcement.network, enforcement.syscalls,
            enforcement.signals, enforcement.memory, enforcement.processes,
            enforcement.identity}) {
        EXPECT_EQ(layer.reason.empty(), layer.level == EnforcementLevel::kFull);
        EXPECT_EQ(layer.reason.find('\n'), std::string::npos);
      }
    }
  }
}

struct MissingCase {
  const char* name;
  void (*take_away)(HostFeatures*);
  const char* missing;
  // Whether the server must refuse to start whatever it is told.
  bool indispensable;
};

TEST(AssessHostTest, EachMissingFeatureIsNamed) {
  for (const MissingCase& row : {
           MissingCase{"no Landlock",
                       [](HostFeatures* host) { host->landlock_abi = 0; },
                       "Landlock ABI 6 (Linux 6.12)", false},
           MissingCase{"old Landlock",
                       [](HostFeatures* host) { host->landlock_abi = 2; },
                       "this kernel (Linux 6.12.1) has ABI 2", false},
           MissingCase{"nearly",
                       [](HostFeatures* host) { host->landlock_abi = 5; },
                       "this kernel (Linux 6.12.1) has ABI 5", false},
           MissingCase{"no notification",
                       [](HostFeatures* host) {
                         host->seccomp_user_notification = false;
                       },
                       "seccomp user notification", true},
           MissingCase{"no pidfd",
                       [](HostFeatures* host) { host->pidfd = false; }, "pidfd",
                       true},
           MissingCase{"no close_range",
                       [](HostFeatures* host) { host->close_range = false; },
                       "close_range", true},
       }) {
    HostFeatures host = GoodHost();
    row.take_away(&host);
    const HostAssessment assessment = AssessHost(host);
    EXPECT_THAT(assessment.missing,
                ElementsAre(AllOf(HasSubstr(row.missing), HasSubstr(": use "))))
        << row.name;
    EXPECT_EQ(assessment.indispensable.empty(), !row.indispensable) << row.name;
    // What can be given up says what giving it up means.
    EXPECT_EQ(assessment.degraded.empty(), row.indispensable) << row.name;
  }
}

TEST(AssessHostTest, WithoutLandlockItSaysThatFilesAreNotConfinedAtAll) {
  HostFeatures host = GoodHost();
  host.landlock_abi = 0;
  const HostAssessment assessment = AssessHost(host);
  EXPECT_THAT(assessment.degraded,
              testing::Contains(HasSubstr("files are not confined at all")));
  EXPECT_EQ(assessment.enforcement.filesystem.level, EnforcementLevel::kNone);
}

TEST(AssessHostTest, EverythingMissingIsListedAtOnce) {
  const HostAssessment assessment = AssessHost(HostFeatures());
  EXPECT_EQ(assessment.missing.size(), 4u);
  EXPECT_EQ(assessment.indispensable.size(), 3u);
}

TEST(AssessHostTest, MaskedCallsAreANoteAndNoLessEnforced) {
  HostFeatures host = GoodHost();
  host.outer_seccomp_filter = true;
  host.masked_syscalls = {165, 272};
  const HostAssessment assessment = AssessHost(host);
  EXPECT_THAT(assessment.missing, IsEmpty());
  EXPECT_THAT(assessment.notes, ElementsAre(HasSubstr("hides 2 of")));
  EXPECT_EQ(assessment.enforcement.syscalls.level, EnforcementLevel::kFull);
}

TEST(AssessHostTest, ASharedUserIsPartialIdentity) {
  HostFeatures host = GoodHost();
  host.can_switch_identity = false;
  const HostAssessment assessment = AssessHost(host);
  EXPECT_THAT(assessment.missing, IsEmpty());
  EXPECT_EQ(assessment.enforcement.identity.level, EnforcementLevel::kPartial);
}

}  // namespace
}  // namespace cordon::sandbox
