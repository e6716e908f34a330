// Runs with a file system of their own, and what of the host's they must not
// reach, for attacks and races.
//
//   const HostFile outside("outside");
//   const auto run = RunTools("attempt(lambda: read('/tmp/x'))");

#ifndef CORDON_TESTS_KERNEL_VIRTUAL_RUN_H_
#define CORDON_TESTS_KERNEL_VIRTUAL_RUN_H_

#include <memory>
#include <string>

#include "sandbox/sandbox.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {

// A file of the host's in /tmp, which everybody may read and write.
class HostFile {
 public:
  explicit HostFile(const char* what);
  ~HostFile();
  HostFile(const HostFile&) = delete;
  HostFile& operator=(const HostFile&) = delete;

  const std::string& path() const { return path_; }
  std::string content() const;

 private:
  const std::string path_;
};

// Functions for a Python program. `attempt` prints "DONE x" with what the act
// returned, or the name of the errno.
extern const char kTools[];

// Runs to the end, in a minute at least.
std::shared_ptr<RecordingObserver> RunVirtual(sandbox::ExecutionSpec spec);
// The same of a Python program, after kTools.
std::shared_ptr<RecordingObserver> RunTools(const std::string& act);

}  // namespace cordon::testing

#endif  // CORDON_TESTS_KERNEL_VIRTUAL_RUN_H_
