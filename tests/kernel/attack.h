// One act, tried from inside a run, and outside of every sandbox as its
// control: an attack that fails inside proves something only if it succeeds
// outside.
//
//   const std::string act = "open('/etc/hostname')";
//   EXPECT_EQ(Free(act), "done");
//   EXPECT_EQ(Confined(act), "EACCES");

#ifndef CORDON_TESTS_KERNEL_ATTACK_H_
#define CORDON_TESTS_KERNEL_ATTACK_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "sandbox/base/unique_fd.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {

// A Python program that does `act`, statements that may return a value, and
// prints "done", that value, or the name of the errno. It may use
// `call(number, ...)`, a raw system call that raises OSError, and the modules
// ctypes, errno, fcntl, mmap, os, resource, signal, socket, struct, sys,
// threading, time.
std::string Program(const std::string& act);

// Whether this process is under a seccomp filter of the host's, as in a
// container. Such a filter may answer a call before ours is asked, and refuse
// what would be a control outside of a run.
bool HostFiltersCalls();

// What it prints inside a run; "killed" when that ends as a violation.
std::string Confined(const std::string& act);
// What it prints as a child of this process, with nothing in its way.
std::string Free(const std::string& act);

// A process that has nothing to do with any run, in a group of its own.
class Bystander {
 public:
  Bystander();
  ~Bystander();
  Bystander(const Bystander&) = delete;
  Bystander& operator=(const Bystander&) = delete;

  pid_t pid() const { return pid_; }
  // Whether it still answers: a signal sent before this would have ended it.
  bool Answers();
  // Waits for its end; its wait status.
  int WaitForEnd();

 private:
  pid_t pid_ = -1;
  bool reaped_ = false;
  sandbox::UniqueFd socket_;
};

// Another run of the same sandbox, which does nothing.
class OtherRun {
 public:
  OtherRun();
  ~OtherRun();
  OtherRun(const OtherRun&) = delete;
  OtherRun& operator=(const OtherRun&) = delete;

  pid_t pid() const { return pid_; }
  // Its directory, where a file "secret" is.
  const std::string& directory() const { return directory_; }
  // A signal that was sent to it before this has ended it.
  bool Runs() const;

 private:
  std::shared_ptr<RecordingObserver> observer_;
  std::shared_ptr<sandbox::Run> run_;
  pid_t pid_ = -1;
  std::string directory_;
};

}  // namespace cordon::testing

#endif  // CORDON_TESTS_KERNEL_ATTACK_H_
