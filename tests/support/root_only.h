// For what only root can do, in a test that runs as any user:
//
//   if (OnlyRootCan("own files of another uid")) return;
//
// As another user it says so in a line of the log, which tests/hosts/run lists
// and counts: what was not tested on a host is known by name.

#ifndef CORDON_TESTS_SUPPORT_ROOT_ONLY_H_
#define CORDON_TESTS_SUPPORT_ROOT_ONLY_H_

#include <unistd.h>

#include <cstdio>

#include "gtest/gtest.h"

namespace cordon::testing {

// Whether this process is not root, and the rest of the test is to be left out.
inline bool OnlyRootCan(const char* what) {
  if (geteuid() == 0) return false;
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::printf("root only: %s.%s: %s\n", test->test_suite_name(), test->name(),
              what);
  std::fflush(stdout);
  return true;
}

}  // namespace cordon::testing

#endif  // CORDON_TESTS_SUPPORT_ROOT_ONLY_H_
