// For what a kernel is too old for, in a test that runs on any host:
//
//   if (NeedsLandlock(6, "keep signals inside")) return;
//
// On a host that was said to be degraded (CORDON_TEST_DEGRADED is set), and
// where the kernel's Landlock is older, it says so in a line of the log, which
// tests/hosts/run lists and counts. On every other host nothing is left out: a
// test that needs more than the kernel has fails.

#ifndef CORDON_TESTS_SUPPORT_DEGRADED_HOST_H_
#define CORDON_TESTS_SUPPORT_DEGRADED_HOST_H_

#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "gtest/gtest.h"

namespace cordon::testing {

// Whether servers and sandboxes of tests are to go on without what is missing.
inline bool HostIsDegraded() {
  return std::getenv("CORDON_TEST_DEGRADED") != nullptr;
}

// Whether the rest of the test is to be left out.
inline bool NeedsLandlock(int abi, const char* what) {
  const long kernels = syscall(SYS_landlock_create_ruleset, nullptr, 0,
                               LANDLOCK_CREATE_RULESET_VERSION);
  if (!HostIsDegraded() || kernels >= abi) return false;
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::printf("Landlock ABI %d only: %s.%s: %s\n", abi, test->test_suite_name(),
              test->name(), what);
  std::fflush(stdout);
  return true;
}

}  // namespace cordon::testing

#endif  // CORDON_TESTS_SUPPORT_DEGRADED_HOST_H_
