// The end of a child, and calls of its parent that wait for the supervisor.

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/kernel/attack.h"

namespace cordon::testing {
namespace {

// Threads of this process that keep every processor busy: the supervisor is
// slow then to take a question.
class BusyHost {
 public:
  BusyHost() {
    for (unsigned i = 0; i < 2 * std::thread::hardware_concurrency(); ++i) {
      threads_.emplace_back([this] {
        while (!stopping_.load(std::memory_order_relaxed)) {
        }
      });
    }
  }
  ~BusyHost() {
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  BusyHost(const BusyHost&) = delete;
  BusyHost& operator=(const BusyHost&) = delete;

 private:
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;
};

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

// CPython's handlers have no SA_RESTART. The pipe stays empty until long after
// the last signal; the first may come before the read on a busy host.
std::string ReadsWhile(const std::string& signals_come) {
  return "reader, writer = os.pipe()\n"
         "if os.fork() == 0:\n"
         "    time.sleep(2)\n"
         "    os.write(writer, b'x')\n"
         "    os._exit(0)\n" +
         signals_come +
         "byte = ctypes.create_string_buffer(1)\n"
         "call(0, reader, ctypes.addressof(byte), 1)";
}

TEST(ChildSignalTest, TheHandlerOfAChildsEndInterruptsNoRead) {
  const std::string act = ReadsWhile(
      "signal.signal(signal.SIGCHLD, lambda *_: None)\n"
      "for i in range(1, 6):\n"
      "    if os.fork() == 0:\n"
      "        time.sleep(0.2 * i)\n"
      "        os._exit(0)\n");
  EXPECT_EQ(Free(act), "EINTR");
  EXPECT_EQ(Confined(act), "done");
}

TEST(ChildSignalTest, OtherHandlersInterruptAsEver) {
  const std::string act = ReadsWhile(
      "signal.signal(signal.SIGALRM, lambda *_: None)\n"
      "signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)\n");
  EXPECT_EQ(Free(act), "EINTR");
  EXPECT_EQ(Confined(act), "EINTR");
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
