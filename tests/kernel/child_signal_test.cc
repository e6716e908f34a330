// The end of a child, and calls of its parent that wait for the supervisor.

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"
#include "tests/support/busy_host.h"

namespace cordon::testing {
namespace {

// The first half of each pipeline ends while the shell forks the second, and
// the shell's SIGCHLD handler has no SA_RESTART (dash, Debian's sh).
constexpr const char* kPipelines =
    "import subprocess\n"
    "loop = 'i=0; while [ $i -lt 400 ]; do echo shell | cat > /dev/null; '\n"
    "loop += 'i=$((i + 1)); done'\n"
    "shell = subprocess.run(['/bin/sh', '-c', loop], capture_output=True)\n"
    "if shell.returncode: return shell.stderr.decode()";

TEST(ChildSignalTest, AShellForksWhileItsChildrenEnd) {
  const BusyHost busy;
  EXPECT_EQ(Free(kPipelines), "done");
  EXPECT_EQ(Confined(kPipelines), "done");
}

// CPython's handlers have no SA_RESTART, and it waits for that: what a script
// does on a signal is done when the call returns. `signal_name` comes again and
// again, until this process is gone.
std::string ReadsWhile(const std::string& signal_name) {
  return absl::StrCat("signal.signal(signal.", signal_name,
                      ", lambda *_: None)\n"
                      "reader, writer = os.pipe()\n"
                      "parent = os.getpid()\n"
                      "if os.fork() == 0:\n"
                      "    os.closerange(0, 3)\n"
                      "    while os.getppid() == parent:\n"
                      "        time.sleep(0.1)\n"
                      "        os.kill(parent, signal.",
                      signal_name,
                      ")\n"
                      "    os._exit(0)\n"
                      "byte = ctypes.create_string_buffer(1)\n"
                      "call(0, reader, ctypes.addressof(byte), 1)");
}

TEST(ChildSignalTest, AnInterpretersHandlersInterruptAsEver) {
  for (const std::string signal_name : {"SIGCHLD", "SIGUSR1"}) {
    EXPECT_EQ(Free(ReadsWhile(signal_name)), "EINTR") << signal_name;
    EXPECT_EQ(Confined(ReadsWhile(signal_name)), "EINTR") << signal_name;
  }
}

TEST(ChildSignalTest, TheHandlerOfAChildsEndRuns) {
  const std::string act =
      "seen = []\n"
      "signal.signal(signal.SIGCHLD, lambda *_: seen.append(1))\n"
      "if os.fork() == 0: os._exit(0)\n"
      "while not seen: time.sleep(0.01)";
  EXPECT_EQ(Free(act), "done");
  EXPECT_EQ(Confined(act), "done");
}

// Nothing is read behind a pointer that leads nowhere, and an action that is no
// handler is left alone.
TEST(ChildSignalTest, OddActionsAreTheKernelsBusiness) {
  const std::string nowhere = "call(13, signal.SIGCHLD, 8, 0, 8)";
  EXPECT_EQ(Free(nowhere), "EFAULT");
  EXPECT_EQ(Confined(nowhere), "EFAULT");
  const std::string ignored =
      "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
      "if os.fork() == 0: os._exit(0)\n"
      "os.wait()";
  EXPECT_EQ(Free(ignored), "ECHILD");
  EXPECT_EQ(Confined(ignored), "ECHILD");
}

}  // namespace
}  // namespace cordon::testing
