// Runs that are forks of a template.

#include <gtest/gtest.h>

#include <string>

#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::OutcomeKind;

SandboxFixture& Warm() {
  static SandboxFixture fixture({.warm_profiles = {PythonProfile({"json"})}});
  return fixture;
}

TEST(Warm, AProgramRuns) {
  ASSERT_TRUE(Warm().sandbox().WarmState("python").ok())
      << Warm().sandbox().WarmState("python");
  for (int i = 0; i < 20; ++i) {
    const auto run = Warm().Run(WarmSpec("print('hello')"));
    EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
    EXPECT_EQ(run->stdout_data(), "hello\n");
    EXPECT_EQ(run->stderr_data(), "");
    EXPECT_TRUE(run->outcome().usage.warm);
  }
}

}  // namespace
}  // namespace cordon::testing
