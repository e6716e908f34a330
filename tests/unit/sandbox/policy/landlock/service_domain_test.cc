#include "sandbox/policy/landlock/service_domain.h"

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sandbox/policy/landlock/abi_table.h"

namespace cordon::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kAllThatWrite =
    kFsWriteFile | kFsTruncate | kFsRemoveDir | kFsRemoveFile | kFsMakeChar |
    kFsMakeDir | kFsMakeReg | kFsMakeSock | kFsMakeFifo | kFsMakeBlock |
    kFsMakeSym | kFsRefer | kFsIoctlDev;

ServiceWork Work() {
  ServiceWork work;
  work.runs.read_execute = {"/usr"};
  work.runs.read = {"/etc/passwd"};
  work.runs.read_write = {"/dev/null"};
  work.listen_port = 50051;
  return work;
}

uint64_t AccessTo(const LandlockPlan& plan, const std::string& path) {
  uint64_t access = 0;
  for (const LandlockRule& rule : plan.rules) {
    if (rule.path == path) access |= rule.allowed_access;
  }
  return access;
}

TEST(ServiceDomainTest, RunsKeepWhatTheirViewsGive) {
  const LandlockPlan service = PlanServiceDomain(Work(), 7);
  const LandlockPlan run = PlanLandlock(Work().runs, 7);
  for (const LandlockRule& rule : run.rules) {
    EXPECT_EQ(AccessTo(service, rule.path), rule.allowed_access) << rule.path;
  }
  EXPECT_EQ(service.workspace_access, run.workspace_access);
  EXPECT_EQ(service.handled_access_fs, run.handled_access_fs);
}

TEST(ServiceDomainTest, NothingOfItsOwnIsWritten) {
  const LandlockPlan plan = PlanServiceDomain(Work(), 7);
  for (const LandlockRule& rule : plan.rules) {
    if (rule.path == "/dev/null") continue;
    EXPECT_EQ(rule.allowed_access & kAllThatWrite, 0u) << rule.path;
  }
  EXPECT_EQ(AccessTo(plan, "/proc"), kFsReadFile | kFsReadDir);
}

TEST(ServiceDomainTest, ATemporaryStateDirectoryCanBeRemovedAndNoMore) {
  ServiceWork work = Work();
  work.removes_directories_in = {"/tmp"};
  EXPECT_EQ(AccessTo(PlanServiceDomain(work, 7), "/tmp"), kFsRemoveDir);
  EXPECT_EQ(AccessTo(PlanServiceDomain(Work(), 7), "/tmp"), 0u);
}

TEST(ServiceDomainTest, ItConnectsNowhereAndBindsItsPort) {
  const LandlockPlan plan = PlanServiceDomain(Work(), 7);
  EXPECT_EQ(plan.handled_access_net, kNetBindTcp | kNetConnectTcp);
  EXPECT_THAT(plan.bind_ports, ElementsAre(50051));
}

TEST(ServiceDomainTest, OneThatConnectsForRunsIsNotKeptFromIt) {
  ServiceWork work = Work();
  work.connects = true;
  EXPECT_EQ(PlanServiceDomain(work, 7).handled_access_net, 0u);
}

TEST(ServiceDomainTest, APortThatTheKernelWillChooseLeavesBindingFree) {
  ServiceWork work = Work();
  work.listen_port.reset();
  const LandlockPlan plan = PlanServiceDomain(work, 7);
  EXPECT_EQ(plan.handled_access_net, kNetConnectTcp);
  EXPECT_THAT(plan.bind_ports, IsEmpty());
}

TEST(ServiceDomainTest, ItSignalsItsRunsOnly) {
  EXPECT_EQ(PlanServiceDomain(Work(), 6).scoped,
            kScopeSignal | kScopeAbstractUnixSocket);
}

TEST(ServiceDomainTest, ARuleNamesNothingThatTheAbiDoesNotKnow) {
  for (int abi = 0; abi <= kNewestKnownLandlockAbi; ++abi) {
    ServiceWork work = Work();
    work.removes_directories_in = {"/tmp"};
    const LandlockPlan plan = PlanServiceDomain(work, abi);
    for (const LandlockRule& rule : plan.rules) {
      EXPECT_EQ(rule.allowed_access & ~plan.handled_access_fs, 0u)
          << abi << " " << rule.path;
    }
    EXPECT_EQ(plan.bind_ports.empty(), abi < kLandlockAbiTcp) << abi;
  }
}

TEST(ServiceDomainTest, OnlyAServerThatWritesToProgramsWritesBeneathProc) {
  const auto writes_beneath_proc = [](const ServiceWork& work) {
    const LandlockPlan plan = PlanServiceDomain(work, 6);
    return std::any_of(plan.rules.begin(), plan.rules.end(),
                       [](const LandlockRule& rule) {
                         return rule.path.substr(0, 5) == "/proc" &&
                                (rule.allowed_access & kFsWriteFile) != 0;
                       });
  };
  ServiceWork work = Work();
  EXPECT_FALSE(writes_beneath_proc(work));
  work.writes_to_programs = true;
  EXPECT_TRUE(writes_beneath_proc(work));
}

TEST(ServiceDomainTest, BelowAbi2ItConfinesNothingAndSaysSo) {
  for (const int abi : {0, 1}) {
    const LandlockPlan plan = PlanServiceDomain(Work(), abi);
    EXPECT_EQ(plan.abi, 0);
    EXPECT_EQ(plan.handled_access_fs, 0u);
    EXPECT_THAT(plan.rules, IsEmpty());
    EXPECT_EQ(ServiceEnforcement(abi).level, EnforcementLevel::kNone);
    EXPECT_NE(ServiceEnforcement(abi).reason, "");
  }
}

TEST(ServiceDomainTest, EachAbiBelow6NamesWhatItLacks) {
  EXPECT_THAT(ServiceEnforcement(2).reason, HasSubstr("truncate"));
  EXPECT_THAT(ServiceEnforcement(3).reason, HasSubstr("TCP"));
  EXPECT_THAT(ServiceEnforcement(4).reason, HasSubstr("ioctl"));
  EXPECT_THAT(ServiceEnforcement(5).reason, HasSubstr("signals"));
  for (int abi = 2; abi < 6; ++abi) {
    EXPECT_EQ(ServiceEnforcement(abi).level, EnforcementLevel::kPartial);
  }
  for (const int abi : {6, 7, 8}) {
    EXPECT_EQ(ServiceEnforcement(abi).level, EnforcementLevel::kFull);
    EXPECT_EQ(ServiceEnforcement(abi).reason, "");
  }
}

}  // namespace
}  // namespace cordon::sandbox
