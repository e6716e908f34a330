#include "server/host_report.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sandbox/host/check_host.h"

namespace cordon::server {
namespace {

using sandbox::EnforcementLevel;
using ::testing::HasSubstr;
using ::testing::Not;

HostReport GoodReport() {
  HostReport report;
  report.host.kernel = "Linux 6.12";
  report.host.landlock_abi = 6;
  report.host.seccomp_user_notification = true;
  report.host.pidfd = true;
  report.host.close_range = true;
  report.host.child_memory_readable = true;
  report.host.can_switch_identity = true;
  report.host.cgroup_version = 2;
  report.enforcement = sandbox::AssessHost(report.host).enforcement;
  report.service.level = EnforcementLevel::kFull;
  Language python;
  python.config.set_name("python");
  python.version = "Python 3.11.2";
  report.languages.push_back(python);
  return report;
}

TEST(HostReportTest, AHostWithEverythingHasNothingToChange) {
  const HostReport report = GoodReport();
  const std::string text = HostReportText(report);
  EXPECT_TRUE(WouldServe(report));
  EXPECT_THAT(text, HasSubstr("Linux 6.12\n"));
  EXPECT_THAT(text, HasSubstr("ABI 6\n"));
  EXPECT_THAT(text, HasSubstr("version 2\n"));
  EXPECT_THAT(text, HasSubstr("python          Python 3.11.2\n"));
  EXPECT_THAT(text, Not(HasSubstr("What is missing here")));
  EXPECT_THAT(text, Not(HasSubstr("Worth knowing")));
  EXPECT_THAT(text, ::testing::EndsWith("cordond starts here.\n"));
}

TEST(HostReportTest, WhoseTheLoopbackNetworkIsIsSaid) {
  HostReport report = GoodReport();
  EXPECT_THAT(HostReportText(report),
              HasSubstr("loopback        a network of its own"));
  report.no_networks = "a user namespace: Operation not permitted";
  EXPECT_THAT(
      HostReportText(report),
      HasSubstr("loopback        the host's, if it may have one: a user "
                "namespace: Operation not permitted\n"));
  EXPECT_TRUE(WouldServe(report));
}

TEST(HostReportTest, WhatIsMissingIsNamedWithWhatToDo) {
  HostReport report = GoodReport();
  report.host.landlock_abi = 2;
  report.enforcement = sandbox::AssessHost(report.host).enforcement;
  EXPECT_FALSE(WouldServe(report));
  EXPECT_THAT(HostReportText(report),
              HasSubstr("What is missing here\n  - Landlock ABI 6 (Linux 6.12) "
                        "is needed"));
  EXPECT_THAT(HostReportText(report), HasSubstr("cordond refuses to start"));
  report.allow_degraded = true;
  EXPECT_TRUE(WouldServe(report));
  EXPECT_THAT(HostReportText(report), HasSubstr("--allow_degraded is given"));
}

TEST(HostReportTest, AServerThatCannotRestrictItselfDoesNotStart) {
  HostReport report = GoodReport();
  report.service = {EnforcementLevel::kNone, "sixteen domains already"};
  EXPECT_FALSE(WouldServe(report));
  EXPECT_THAT(HostReportText(report), HasSubstr("- sixteen domains already"));
}

TEST(HostReportTest, AdviceIsForWhatIsThere) {
  HostReport report = GoodReport();
  report.host.cgroup_version = 0;
  report.no_cgroups = "no writable one";
  EXPECT_THAT(HostReportText(report), HasSubstr("none: no writable one\n"));
  EXPECT_THAT(HostReportText(report), HasSubstr("Delegate=yes"));
  EXPECT_THAT(HostReportText(report), Not(HasSubstr("seccomp profile")));
  report.host.outer_seccomp_filter = true;
  report.host.masked_syscalls = {165};
  EXPECT_THAT(HostReportText(report), HasSubstr("deploy/seccomp.json"));
  EXPECT_TRUE(WouldServe(report));
}

TEST(HostReportTest, ALanguageThatIsNotThereSaysWhy) {
  HostReport report = GoodReport();
  report.languages.front().unavailable_reason = "not found";
  EXPECT_THAT(HostReportText(report), HasSubstr("unavailable: not found\n"));
}

}  // namespace
}  // namespace cordon::server
