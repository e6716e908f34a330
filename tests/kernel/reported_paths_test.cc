// What a report says of a path, and what it may cost to find out.

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

// Opens `name` for writing so often; prints how often that was refused.
std::string OpenOften(const std::string& name, size_t times) {
  return absl::StrCat("refused = 0\nfor i in range(", times,
                      "):\n    try: open('", name,
                      "', 'r+')\n    except OSError: refused += 1\n"
                      "print(refused)\n");
}

size_t Reported(const RecordingObserver& run) {
  return run.violations().size() + run.outcome().violations_dropped;
}

TEST(ReportedPaths, ALinksTargetIsNamed) {
  const auto run = SharedSandbox().Run(
      PythonSpec(absl::StrCat("import os\n"
                              "os.symlink('/etc/passwd', 'link')\n",
                              OpenOften("link", 64))));
  EXPECT_EQ(run->stdout_data(), "64\n");
  EXPECT_EQ(Reported(*run), 64u);
  for (const sandbox::Violation& violation : run->violations()) {
    EXPECT_EQ(violation.path, "/etc/passwd");
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
                   "os.symlink('/etc/passwd', 'link38')\n"
                   "for i in reversed(range(38)):\n"
                   "    os.symlink('./' * 2000 + f'link{i + 1}', f'link{i}')\n",
                   OpenOften("link0", 400))));
  EXPECT_EQ(run->stdout_data(), "400\n");
  ASSERT_FALSE(run->violations().empty());
  // Where the run hardly gets a processor, a tenth of its time is enough.
  const sandbox::Usage usage = run->outcome().usage;
  const bool was_slow =
      usage.wall_time > 3 * (usage.cpu_user + usage.cpu_system);
  EXPECT_TRUE(was_slow || Reported(*run) < 400u) << Reported(*run);
  EXPECT_EQ(run->violations().front().path, "/etc/passwd");
}

}  // namespace
}  // namespace cordon::testing
