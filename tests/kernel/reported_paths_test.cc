// What a report says of a path, and what it may cost to find out.

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

// Opens `name` for writing 64 times; prints how often that was refused.
std::string OpenOften(const std::string& name) {
  return absl::StrCat(
      "refused = 0\n"
      "for i in range(64):\n"
      "    try: open('",
      name,
      "', 'r+')\n"
      "    except PermissionError: refused += 1\n"
      "print(refused)\n");
}

TEST(ReportedPaths, ALinksTargetIsNamed) {
  const auto run = SharedSandbox().Run(
      PythonSpec(absl::StrCat("import os\n"
                              "os.symlink('/etc/hostname', 'link')\n",
                              OpenOften("link"))));
  EXPECT_EQ(run->stdout_data(), "64\n");
  ASSERT_EQ(run->violations().size(), 64u);
  for (const sandbox::Violation& violation : run->violations()) {
    EXPECT_EQ(violation.path, "/etc/hostname");
  }
}

// 38 links, each to the next by way of two thousand times ".", the last one to
// a file outside: a walk of milliseconds, for the price of one call. The kernel
// follows 40 (path_resolution(7)). The loop that walks for the report is other
// runs' as well, so it does that for a while only, and then takes the path as
// it is written: a file of the run's own. What is refused stays the same.
TEST(ReportedPaths, AMazeOfLinksIsFollowedForAWhile) {
  const auto run = SharedSandbox().Run(PythonSpec(
      absl::StrCat("import os\n"
                   "os.symlink('/etc/hostname', 'link38')\n"
                   "for i in reversed(range(38)):\n"
                   "    os.symlink('./' * 2000 + f'link{i + 1}', f'link{i}')\n",
                   OpenOften("link0"))));
  EXPECT_EQ(run->stdout_data(), "64\n");
  ASSERT_FALSE(run->violations().empty());
  EXPECT_LT(run->violations().size(), 64u);
  EXPECT_EQ(run->violations().front().path, "/etc/hostname");
}

}  // namespace
}  // namespace cordon::testing
