// Runs code in a child under a seccomp filter, with a listener that records
// what the kernel reports and decides nothing else.
//
//   FilteredRun run = RunFiltered(
//       filter, {}, [] { return RawSyscall(165, {}); },
//       [](const seccomp_data&) { return Answer::Fail(EPERM); });
//   // run.notified[0].nr == 165, run.result == -EPERM
//
// The child is forked from the test, so `body` may do what is safe after fork
// in a single-threaded process.

#ifndef CORDON_TESTS_KERNEL_SECCOMP_HARNESS_H_
#define CORDON_TESTS_KERNEL_SECCOMP_HARNESS_H_

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "sandbox/policy/seccomp/syscall_policy.h"

namespace cordon::sandbox {

using Filter = std::vector<sock_filter>;

// What the listener answers.
struct Answer {
  static Answer Continue() { return {}; }
  static Answer Fail(int error_number) { return {error_number}; }

  int error_number = 0;
};

struct FilteredRun {
  // In order of arrival.
  std::vector<seccomp_data> notified;
  // Whether `body` returned.
  bool returned = false;
  // What it returned.
  long result = 0;
  // waitpid(2).
  int wait_status = 0;
};

// Installs `outer`, when it is not empty, and then `filter`; runs `body`;
// returns when the child and all its descendants have ended. A child that
// neither ends nor makes a reported call for a minute is killed.
FilteredRun RunFiltered(const Filter& filter, const Filter& outer,
                        absl::FunctionRef<long()> body,
                        absl::FunctionRef<Answer(const seccomp_data&)> answer);

// The registers of a reported call.
SyscallArguments ArgumentsOf(const seccomp_data& call);

// The system call's result, or -errno.
long RawSyscall(int number, const SyscallArguments& arguments);

struct ProgramRun {
  FilteredRun run;
  // What the program wrote to its standard output and error.
  std::string output;
};

// Runs a program in `directory` under a filter.
ProgramRun RunProgram(const Filter& filter, const std::string& directory,
                      const std::vector<std::string>& argv,
                      absl::FunctionRef<Answer(const seccomp_data&)> answer);

// The same under the filter of `policy`. What the policy denies or calls a
// violation fails and is recorded; what it asks goes on.
ProgramRun RunProgram(const SyscallPolicy& policy, const std::string& directory,
                      const std::vector<std::string>& argv);

}  // namespace cordon::sandbox

#endif  // CORDON_TESTS_KERNEL_SECCOMP_HARNESS_H_
