// A program with pipes, for tests that run a command of the project.
//
//   CommandOutput output = RunCommand({"client/cordon", "info"}, "");
//   EXPECT_EQ(output.exit_code, 0);

#ifndef CORDON_TESTS_SUPPORT_CHILD_PROCESS_H_
#define CORDON_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "sandbox/base/unique_fd.h"

namespace cordon::testing {

struct CommandOutput {
  // 128 + N after signal N.
  int exit_code = -1;
  std::string stdout_data;
  std::string stderr_data;
};

// Runs to the end. `argv[0]` is a path; standard input holds `stdin_data`.
CommandOutput RunCommand(const std::vector<std::string>& argv,
                         const std::string& stdin_data);

// One under way, with standard output in a pipe and standard error discarded.
class ChildProcess {
 public:
  explicit ChildProcess(const std::vector<std::string>& argv);
  // Kills it when it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Reads standard output until it holds `text`; false when it ends first.
  bool ReadUntil(const std::string& text);
  void Signal(int signal) const;
  // As CommandOutput::exit_code.
  int WaitForExit();

 private:
  pid_t pid_ = -1;
  bool exited_ = false;
  sandbox::UniqueFd stdout_;
  std::string read_;
};

}  // namespace cordon::testing

#endif  // CORDON_TESTS_SUPPORT_CHILD_PROCESS_H_
