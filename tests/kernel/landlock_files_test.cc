#include <dirent.h>
#include <sys/sysmacros.h>

#include "gtest/gtest.h"
#include "tests/kernel/landlock_child.h"
#include "tests/support/degraded_host.h"
#include "tests/support/root_only.h"

namespace cordon::sandbox {
namespace {

int OpenTo(const std::string& path, int flags) {
  return Try(open(path.c_str(), flags | O_CLOEXEC, 0600));
}

class LandlockFilesTest : public ::testing::Test {
 protected:
  int Free(const std::function<int()>& act) {
    return site_.Run(Confinement::kNone, act);
  }
  int Confined(const std::function<int()>& act) {
    return site_.Run(Confinement::kRun, act);
  }
  std::string Own(const std::string& name) { return site_.run() + "/" + name; }
  std::string Other(const std::string& name) {
    return site_.other() + "/" + name;
  }

  LandlockSite site_;
};

TEST_F(LandlockFilesTest, AFileOutsideTheViewCannotBeRead) {
  for (const std::string& path :
       {Other("file"), std::string("/etc/hostname"),
        std::string("/proc/1/cmdline"), std::string("/proc/self/status"),
        std::string("/proc/self/environ"), std::string("/proc/mounts")}) {
    if (access(path.c_str(), R_OK) != 0) continue;
    const auto act = [&] { return OpenTo(path, O_RDONLY); };
    EXPECT_EQ(Free(act), 0) << path;
    EXPECT_EQ(Confined(act), EACCES) << path;
  }
}

TEST_F(LandlockFilesTest, ADirectoryOutsideTheViewCannotBeListed) {
  for (const std::string& path :
       {site_.other(), std::string("/"), std::string("/etc"),
        std::string("/proc"), std::string("/dev"), std::string("/tmp")}) {
    const auto act = [&] { return OpenTo(path, O_RDONLY | O_DIRECTORY); };
    EXPECT_EQ(Free(act), 0) << path;
    EXPECT_EQ(Confined(act), EACCES) << path;
  }
}

TEST_F(LandlockFilesTest, TheViewCanBeRead) {
  for (const std::string path :
       {"/etc/passwd", "/bin/sh", "/usr", "/proc/cpuinfo", "/proc/meminfo",
        "/proc/stat", "/proc/sys/vm/overcommit_memory",
        "/sys/devices/system/cpu/online", "/dev/urandom", "/dev/zero"}) {
    EXPECT_EQ(Confined([&] { return OpenTo(path, O_RDONLY); }), 0) << path;
  }
}

TEST_F(LandlockFilesTest, WritingIsForTheWorkspaceAndAFewDevices) {
  for (const std::string path : {"/dev/null", "/dev/full"}) {
    EXPECT_EQ(Confined([&] { return OpenTo(path, O_RDWR); }), 0) << path;
  }
  // As a shell's "> /dev/null" does it.
  EXPECT_EQ(Confined([] {
              return OpenTo("/dev/null", O_WRONLY | O_CREAT | O_TRUNC);
            }),
            0);
  const auto own = [&] { return OpenTo(Own("new"), O_RDWR | O_CREAT); };
  EXPECT_EQ(Confined(own), 0);
  const auto other = [&] { return OpenTo(Other("new"), O_RDWR | O_CREAT); };
  EXPECT_EQ(Confined(other), EACCES);
  EXPECT_EQ(Free(other), 0);
  for (const std::string& path :
       {Other("file"), std::string("/etc/passwd"),
        std::string("/proc/sys/vm/overcommit_memory")}) {
    if (access(path.c_str(), W_OK) != 0) continue;
    const auto act = [&] { return OpenTo(path, O_WRONLY); };
    EXPECT_EQ(Free(act), 0) << path;
    EXPECT_EQ(Confined(act), EACCES) << path;
  }
}

TEST_F(LandlockFilesTest, TruncationIsWriting) {
  if (testing::NeedsLandlock(3, "refuse truncate(2)")) return;
  const auto other = [&] { return Try(truncate(Other("file").c_str(), 0)); };
  EXPECT_EQ(Confined(other), EACCES);
  EXPECT_EQ(Free(other), 0);
  EXPECT_EQ(Confined([&] { return Try(truncate(Own("file").c_str(), 0)); }), 0);
}

TEST_F(LandlockFilesTest, TheWorkspaceTakesEveryKindOfFileButDevices) {
  EXPECT_EQ(Confined([&] { return Try(mkdir(Own("d").c_str(), 0700)); }), 0);
  EXPECT_EQ(Confined([&] { return Try(symlink("x", Own("l").c_str())); }), 0);
  EXPECT_EQ(Confined([&] { return Try(mkfifo(Own("p").c_str(), 0600)); }), 0);
  EXPECT_EQ(Confined([&] {
              return Try(mknod(Own("s").c_str(), S_IFSOCK | 0600, 0));
            }),
            0);
  EXPECT_EQ(Confined([&] {
              return Try(rename(Own("file").c_str(), Own("d/moved").c_str()));
            }),
            0);
  EXPECT_EQ(Confined([&] {
              return Try(link(Own("d/moved").c_str(), Own("hard").c_str()));
            }),
            0);
  EXPECT_EQ(Confined([&] { return Try(unlink(Own("hard").c_str())); }), 0);
  const auto device = [&](mode_t type, const char* name, dev_t number) {
    return [=, this] {
      return Try(mknod(Own(name).c_str(), type | 0600, number));
    };
  };
  // Character device 0:0, overlayfs's whiteout, anybody may make; there are
  // kernels whose Landlock takes it for a regular file.
  if (testing::OnlyRootCan("make a device")) return;
  EXPECT_EQ(Confined(device(S_IFCHR, "char", makedev(1, 3))), EACCES);
  EXPECT_EQ(Free(device(S_IFCHR, "char", makedev(1, 3))), 0);
  EXPECT_EQ(Confined(device(S_IFBLK, "block", makedev(1, 3))), EACCES);
  EXPECT_EQ(Free(device(S_IFBLK, "block", makedev(1, 3))), 0);
}

TEST_F(LandlockFilesTest, FilesCannotBeMovedOrLinkedIntoTheWorkspace) {
  const auto move = [&] {
    return Try(rename(Other("file").c_str(), Own("stolen").c_str()));
  };
  const auto hard = [&] {
    return Try(link(Other("file").c_str(), Own("stolen").c_str()));
  };
  // The file would gain rights by it; moving it also takes it away from there.
  EXPECT_EQ(Confined(hard), EXDEV);
  EXPECT_EQ(Confined(move), EACCES);
  EXPECT_EQ(Free(move), 0);
}

TEST_F(LandlockFilesTest, ALinkOutOfTheWorkspaceOpensNothing) {
  ASSERT_EQ(symlink(Other("file").c_str(), Own("link").c_str()), 0);
  const auto act = [&] { return OpenTo(Own("link"), O_RDONLY); };
  EXPECT_EQ(Free(act), 0);
  EXPECT_EQ(Confined(act), EACCES);
}

TEST_F(LandlockFilesTest, OnlyTheViewAndTheWorkspaceAreExecutable) {
  const auto execute = [](const std::string& path) {
    return [path] {
      char* argv[] = {const_cast<char*>("true"), nullptr};
      return Try(execv(path.c_str(), argv));
    };
  };
  for (const std::string& path : {Own("true"), Other("true")}) {
    ASSERT_EQ(system(("cp /bin/true " + path).c_str()), 0);
  }
  EXPECT_EQ(Confined(execute("/bin/true")), 0);
  EXPECT_EQ(Confined(execute(Own("true"))), 0);
  EXPECT_EQ(Confined(execute(Other("true"))), EACCES);
  EXPECT_EQ(Free(execute(Other("true"))), 0);
}

// A rule belongs to the inode, not to the name.
TEST_F(LandlockFilesTest, ARenamedWorkspaceStaysTheWorkspace) {
  const std::string renamed = site_.other() + "/renamed";
  ASSERT_EQ(rename(site_.run().c_str(), renamed.c_str()), 0);
  EXPECT_EQ(Confined([&] { return OpenTo(renamed + "/file", O_RDWR); }), 0);
  EXPECT_EQ(Confined([&] { return OpenTo(Other("file"), O_RDWR); }), EACCES);
}

TEST(ViewRulesetTest, AbsentPathsAreLeftOutAndNamed) {
  FileView view;
  view.read = {"/etc/passwd", "/no/such/path", "/etc/passwd/below-a-file"};
  auto rulesets = ViewRuleset::Open(view, ProbeLandlockAbi());
  ASSERT_TRUE(rulesets.ok()) << rulesets.status();
  EXPECT_EQ(
      rulesets->absent(),
      std::vector<std::string>({"/no/such/path", "/etc/passwd/below-a-file"}));
}

TEST(ViewRulesetTest, ARelativePathIsAnError) {
  FileView view;
  view.read = {"etc/passwd"};
  EXPECT_TRUE(absl::IsInvalidArgument(
      ViewRuleset::Open(view, ProbeLandlockAbi()).status()));
}

// What an older kernel would be asked for, this one takes as well.
TEST(ViewRulesetTest, EveryAbiUpToTheKernelsMakesARuleset) {
  const UniqueFd workspace(open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC));
  ASSERT_GE(ProbeLandlockAbi(), 1);
  for (int abi = 1; abi <= ProbeLandlockAbi(); ++abi) {
    auto rulesets = ViewRuleset::Open(DefaultFileView(), abi);
    ASSERT_TRUE(rulesets.ok()) << abi << ": " << rulesets.status();
    auto ruleset = rulesets->Create({workspace.get()});
    ASSERT_TRUE(ruleset.ok()) << abi << ": " << ruleset.status();
    EXPECT_TRUE(ruleset->valid());
    EXPECT_EQ(fcntl(ruleset->get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  }
}

TEST(ViewRulesetTest, WithoutLandlockThereIsNoRuleset) {
  auto rulesets = ViewRuleset::Open(DefaultFileView(), 0);
  ASSERT_TRUE(rulesets.ok());
  auto ruleset = rulesets->Create({-1});
  ASSERT_TRUE(ruleset.ok());
  EXPECT_FALSE(ruleset->valid());
}

}  // namespace
}  // namespace cordon::sandbox
