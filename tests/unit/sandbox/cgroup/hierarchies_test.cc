#include "sandbox/cgroup/hierarchies.h"

#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

constexpr char kV1Mounts[] =
    "23 2 0:21 / /sys rw,nosuid - sysfs sysfs rw\n"
    "31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup "
    "rw,cpu,cpuacct\n"
    "33 30 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    "34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

TEST(FindHierarchies, VersionOneIsOneDirectoryForEachController) {
  const auto found = FindHierarchies(kV1Mounts,
                                     "8:pids:/\n4:memory:/a/b\n"
                                     "2:cpu,cpuacct:/c\n0::/u\n");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->version, CgroupVersion::kV1);
  EXPECT_EQ(found->memory, "/sys/fs/cgroup/memory/a/b");
  EXPECT_EQ(found->cpu, "/sys/fs/cgroup/cpu,cpuacct/c");
  EXPECT_EQ(found->pids, "/sys/fs/cgroup/pids");
}

TEST(FindHierarchies, VersionTwoIsOneDirectory) {
  const auto found =
      FindHierarchies("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
                      "0::/system.slice/cordon.service\n");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->version, CgroupVersion::kV2);
  EXPECT_EQ(found->memory, "/sys/fs/cgroup/system.slice/cordon.service");
  EXPECT_EQ(found->memory, found->cpu);
  EXPECT_EQ(found->memory, found->pids);
}

// A container sees its own group as the root of the mount.
TEST(FindHierarchies, AMountThatShowsAPartLeavesItsRootOut) {
  const std::string group = "/docker/0123";
  const auto found = FindHierarchies(
      "31 30 0:27 /docker/0123 /sys/fs/cgroup/memory ro - cgroup cgroup "
      "rw,memory\n"
      "32 30 0:28 /docker/0123 /sys/fs/cgroup/cpuacct ro - cgroup cgroup "
      "rw,cpuacct\n"
      "33 30 0:29 /docker/0123 /sys/fs/cgroup/pids ro - cgroup cgroup "
      "rw,pids\n",
      "8:pids:" + group + "\n4:memory:" + group + "/x\n2:cpuacct:" + group +
          "\n");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->memory, "/sys/fs/cgroup/memory/x");
  EXPECT_EQ(found->cpu, "/sys/fs/cgroup/cpuacct");
}

TEST(FindHierarchies, AMountThatShowsAnotherPartIsNotUsed) {
  EXPECT_EQ(FindHierarchies("30 23 0:26 /other /sys/fs/cgroup rw - cgroup2 "
                            "cgroup2 rw\n",
                            "0::/mine\n")
                .status()
                .code(),
            absl::StatusCode::kNotFound);
}

TEST(FindHierarchies, AControllerThatIsNotMountedIsNamed) {
  const auto found = FindHierarchies(
      "31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "32 30 0:28 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n",
      "8:pids:/\n4:memory:/\n2:cpuacct:/\n");
  EXPECT_EQ(found.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(found.status().message().find("pids"), std::string::npos);
}

TEST(FindHierarchies, GarbageIsNotAHierarchy) {
  for (const char* text :
       {"", "\n\n", " - ", "a - b", "::::", "1 2 3 4 5 6 - "}) {
    EXPECT_FALSE(FindHierarchies(text, text).ok()) << text;
    EXPECT_FALSE(FindHierarchies(kV1Mounts, text).ok()) << text;
  }
}

}  // namespace
}  // namespace cordon::sandbox
