// Runs a test body in a child that has given up root, so that permissions
// count.
//
//   EXPECT_EQ(RunUnprivileged([] { ...; return true; }), ChildResult::kTrue);

#ifndef CORDON_TESTS_UNIT_SANDBOX_WORKSPACE_IN_CHILD_H_
#define CORDON_TESTS_UNIT_SANDBOX_WORKSPACE_IN_CHILD_H_

#include <grp.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "gtest/gtest.h"

namespace cordon::sandbox {

enum class ChildResult { kTrue, kFalse, kFailed };

// A uid that owns nothing. When the tests do not run as root, the child simply
// keeps the user that they have.
inline constexpr uid_t kNobodysUid = 54321;

inline ChildResult RunUnprivileged(const std::function<bool()>& body) {
  fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return ChildResult::kFailed;
  if (child == 0) {
    if (geteuid() == 0 &&
        (setgroups(0, nullptr) != 0 ||
         setresgid(kNobodysUid, kNobodysUid, kNobodysUid) != 0 ||
         setresuid(kNobodysUid, kNobodysUid, kNobodysUid) != 0)) {
      _exit(2);
    }
    const bool result = body();
    fflush(nullptr);
    _exit(::testing::Test::HasFailure() ? 2 : result ? 0 : 1);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
    return ChildResult::kFailed;
  }
  switch (WEXITSTATUS(status)) {
    case 0:
      return ChildResult::kTrue;
    case 1:
      return ChildResult::kFalse;
    default:
      return ChildResult::kFailed;
  }
}

}  // namespace cordon::sandbox

#endif  // CORDON_TESTS_UNIT_SANDBOX_WORKSPACE_IN_CHILD_H_
