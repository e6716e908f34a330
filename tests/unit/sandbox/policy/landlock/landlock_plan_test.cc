#include "sandbox/policy/landlock/landlock_plan.h"

#include <linux/landlock.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sandbox/policy/landlock/abi_table.h"
#include "sandbox/sandbox.h"

namespace cordon::sandbox {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

// Our numbers against the kernel's header, as far as it goes.
TEST(AbiTableTest, NumbersAreTheKernels) {
  EXPECT_EQ(kFsExecute, LANDLOCK_ACCESS_FS_EXECUTE);
  EXPECT_EQ(kFsWriteFile, LANDLOCK_ACCESS_FS_WRITE_FILE);
  EXPECT_EQ(kFsReadFile, LANDLOCK_ACCESS_FS_READ_FILE);
  EXPECT_EQ(kFsReadDir, LANDLOCK_ACCESS_FS_READ_DIR);
  EXPECT_EQ(kFsRemoveDir, LANDLOCK_ACCESS_FS_REMOVE_DIR);
  EXPECT_EQ(kFsRemoveFile, LANDLOCK_ACCESS_FS_REMOVE_FILE);
  EXPECT_EQ(kFsMakeChar, LANDLOCK_ACCESS_FS_MAKE_CHAR);
  EXPECT_EQ(kFsMakeDir, LANDLOCK_ACCESS_FS_MAKE_DIR);
  EXPECT_EQ(kFsMakeReg, LANDLOCK_ACCESS_FS_MAKE_REG);
  EXPECT_EQ(kFsMakeSock, LANDLOCK_ACCESS_FS_MAKE_SOCK);
  EXPECT_EQ(kFsMakeFifo, LANDLOCK_ACCESS_FS_MAKE_FIFO);
  EXPECT_EQ(kFsMakeBlock, LANDLOCK_ACCESS_FS_MAKE_BLOCK);
  EXPECT_EQ(kFsMakeSym, LANDLOCK_ACCESS_FS_MAKE_SYM);
  EXPECT_EQ(kFsRefer, LANDLOCK_ACCESS_FS_REFER);
}

struct AbiCase {
  int abi;
  uint64_t filesystem;
  uint64_t network;
  uint64_t scopes;
};

// Written out as masks, from the kernel's documentation: the table must not be
// tested with its own constants.
TEST(AbiTableTest, EachAbiHasItsRightsAndNoOthers) {
  for (const AbiCase& expected : {
           AbiCase{-1, 0, 0, 0},
           AbiCase{0, 0, 0, 0},
           AbiCase{1, 0x1fff, 0, 0},
           AbiCase{2, 0x3fff, 0, 0},
           AbiCase{3, 0x7fff, 0, 0},
           AbiCase{4, 0x7fff, 0x3, 0},
           AbiCase{5, 0xffff, 0x3, 0},
           AbiCase{6, 0xffff, 0x3, 0x3},
           AbiCase{7, 0xffff, 0x3, 0x3},
           AbiCase{8, 0xffff, 0x3, 0x3},
           AbiCase{1000, 0xffff, 0x3, 0x3},
       }) {
    const LandlockRights rights = LandlockRightsOf(expected.abi);
    EXPECT_EQ(rights.filesystem, expected.filesystem) << expected.abi;
    EXPECT_EQ(rights.network, expected.network) << expected.abi;
    EXPECT_EQ(rights.scopes, expected.scopes) << expected.abi;
  }
}

TEST(AbiTableTest, FilesTakeOnlyTheRightsOfFiles) {
  EXPECT_EQ(FileRightsOf(~uint64_t{0}), 0xC007u);
  EXPECT_EQ(FileRightsOf(kFsReadFile | kFsReadDir), kFsReadFile);
}

TEST(AbiTableTest, KernelsAreNamed) {
  EXPECT_EQ(KernelWithLandlockAbi(6), "6.12");
  EXPECT_EQ(KernelWithLandlockAbi(1), "5.13");
  EXPECT_EQ(KernelWithLandlockAbi(99), "");
}

FileView SmallView() {
  FileView view;
  view.read_execute = {"/usr"};
  view.read = {"/etc/passwd"};
  view.read_write = {"/dev/null"};
  return view;
}

TEST(LandlockPlanTest, EverythingTheAbiKnowsIsHandled) {
  for (int abi = 0; abi <= 9; ++abi) {
    const LandlockPlan plan = PlanLandlock(SmallView(), abi);
    const LandlockRights rights = LandlockRightsOf(abi);
    EXPECT_EQ(plan.abi, std::min(abi, 7));
    EXPECT_EQ(plan.handled_access_fs, rights.filesystem);
    EXPECT_EQ(plan.handled_access_net, rights.network);
    EXPECT_EQ(plan.scoped, rights.scopes);
    EXPECT_EQ(plan.rules.size(), abi == 0 ? 0u : 3u);
    for (const LandlockRule& rule : plan.rules) {
      EXPECT_EQ(rule.allowed_access & ~plan.handled_access_fs, 0u) << abi;
      EXPECT_NE(rule.allowed_access, 0u);
    }
    EXPECT_EQ(plan.workspace_access & ~plan.handled_access_fs, 0u);
  }
}

TEST(LandlockPlanTest, EachListGivesItsRights) {
  const LandlockPlan plan = PlanLandlock(SmallView(), 7);
  ASSERT_EQ(plan.rules.size(), 3u);
  EXPECT_EQ(plan.rules[0].path, "/usr");
  EXPECT_EQ(plan.rules[0].allowed_access,
            kFsExecute | kFsReadFile | kFsReadDir);
  EXPECT_EQ(plan.rules[1].path, "/etc/passwd");
  EXPECT_EQ(plan.rules[1].allowed_access, kFsReadFile | kFsReadDir);
  EXPECT_EQ(plan.rules[2].path, "/dev/null");
  EXPECT_EQ(FileRightsOf(plan.rules[2].allowed_access),
            kFsReadFile | kFsWriteFile | kFsTruncate);
}

TEST(LandlockPlanTest, NoRuleGivesDevicesOrTheirIoctls) {
  const LandlockPlan plan = PlanLandlock(SmallView(), 7);
  constexpr uint64_t kNever = kFsMakeChar | kFsMakeBlock | kFsIoctlDev;
  for (const LandlockRule& rule : plan.rules) {
    EXPECT_EQ(rule.allowed_access & kNever, 0u) << rule.path;
  }
  EXPECT_EQ(plan.workspace_access, 0xffffu & ~kNever);
}

TEST(LandlockPlanTest, TheReportSaysWhatAnAbiLacks) {
  struct Case {
    int abi;
    EnforcementLevel filesystem, network, signals;
  };
  constexpr auto kFull = EnforcementLevel::kFull;
  constexpr auto kPartial = EnforcementLevel::kPartial;
  constexpr auto kNone = EnforcementLevel::kNone;
  for (const Case& expected : {
           Case{0, kNone, kPartial, kPartial},
           Case{1, kPartial, kPartial, kPartial},
           Case{2, kPartial, kPartial, kPartial},
           Case{3, kPartial, kPartial, kPartial},
           Case{4, kPartial, kPartial, kPartial},
           Case{5, kFull, kPartial, kPartial},
           Case{6, kFull, kFull, kFull},
           Case{7, kFull, kFull, kFull},
           Case{8, kFull, kFull, kFull},
       }) {
    const LandlockPlan plan = PlanLandlock(SmallView(), expected.abi);
    EXPECT_EQ(plan.filesystem.level, expected.filesystem) << expected.abi;
    EXPECT_EQ(plan.network.level, expected.network) << expected.abi;
    EXPECT_EQ(plan.signals.level, expected.signals) << expected.abi;
    for (const LayerEnforcement& layer :
         {plan.filesystem, plan.network, plan.signals}) {
      EXPECT_EQ(layer.reason.empty(), layer.level == kFull) << expected.abi;
      EXPECT_EQ(layer.reason.find('\n'), std::string::npos);
    }
  }
}

TEST(LandlockPlanTest, WithoutLandlockNothingIsPlannedAndTheReportSaysSo) {
  const LandlockPlan plan = PlanLandlock(SmallView(), 0);
  EXPECT_EQ(plan.handled_access_fs, 0u);
  EXPECT_THAT(plan.rules, testing::IsEmpty());
  EXPECT_THAT(plan.filesystem.reason, HasSubstr("no Landlock"));
}

TEST(DefaultFileViewTest, HoldsNoTreeThatTellsOnOthers) {
  const FileView view = DefaultFileView();
  for (const auto* paths : {&view.read_execute, &view.read, &view.read_write}) {
    for (const char* forbidden :
         {"/", "/etc", "/proc", "/proc/self", "/dev", "/dev/shm", "/home",
          "/root", "/tmp", "/var", "/run", "/sys", "/etc/shadow", "/opt"}) {
      EXPECT_THAT(*paths, Not(Contains(forbidden)));
    }
  }
  for (const std::string& path : view.read_write) {
    EXPECT_THAT(path, testing::StartsWith("/dev/"));
  }
}

}  // namespace
}  // namespace cordon::sandbox
