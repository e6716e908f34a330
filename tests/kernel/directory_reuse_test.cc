// Directories of runs are used again; nothing of one run reaches the next.

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::OutcomeKind;

// More than are kept in stock, so that one that was given back comes again.
constexpr int kRuns = 30;

void ExpectCleanRuns(const std::string& after) {
  std::set<std::string> names;
  for (int i = 0; i < kRuns; ++i) {
    const auto run = SharedSandbox().Run(
        BashSpec("pwd; stat -c '%a' .; ls -A; echo x > file && cat file"));
    ASSERT_EQ(run->outcome().kind, OutcomeKind::kExited) << after;
    ASSERT_EQ(run->outcome().exit_code, 0) << after << run->stderr_data();
    const std::string output = run->stdout_data();
    const size_t end = output.find('\n');
    EXPECT_EQ(output.substr(end), "\n700\nx\n") << after;
    EXPECT_TRUE(names.insert(output.substr(0, end)).second)
        << after << ": a name was used twice";
  }
}

TEST(DirectoryReuse, WhatARunLeavesDoesNotReachTheNext) {
  for (const std::string act : {
           "true",
           "echo secret > left",
           "mkdir -p left/deep && echo secret > left/deep/file",
           "chmod 000 .",
           "chmod 777 .",
           "chmod +t .",
           "ln -s /etc/passwd link; mkfifo fifo",
           "for i in $(seq 100); do echo x > $i; done",
           "echo x > left; chmod 000 left; chmod 500 .",
       }) {
    for (int i = 0; i < 3; ++i) {
      const auto run = SharedSandbox().Run(BashSpec(act));
      ASSERT_EQ(run->outcome().exit_code, 0) << act << run->stderr_data();
    }
    ExpectCleanRuns(act);
  }
}

TEST(DirectoryReuse, ADirectoryThatItsRunRemovedIsNotHandedOut) {
  const auto run =
      SharedSandbox().Run(BashSpec("rmdir \"$PWD\" 2>/dev/null; echo done"));
  EXPECT_EQ(run->stdout_data(), "done\n");
  ExpectCleanRuns("rmdir");
}

}  // namespace
}  // namespace cordon::testing
