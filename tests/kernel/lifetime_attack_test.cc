// When a run's result is told, no process of it is left, whatever it was doing.
// The shapes that processes_attack_test and supervision_test do not have, and
// those at ends that the program does not choose.

#include <signal.h>

#include <cerrno>
#include <memory>
#include <sstream>
#include <string>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"

namespace cordon::testing {
namespace {

using sandbox::OutcomeKind;
using sandbox::OutputStream;

// Each says "up" when it is what its name says, and never ends by itself.
struct Shape {
  const char* name;
  const char* act;
};

constexpr Shape kShapes[] = {
    {"a daemon that closed everything",
     "r, w = os.pipe()\n"
     "if os.fork() == 0:\n"
     "  if os.fork() == 0:\n"
     "    os.write(w, b'x')\n"
     "    os.closerange(0, 64)\n"
     "    time.sleep(1000)\n"
     "  os._exit(0)\n"
     "os.read(r, 1)\n"
     "print('up', os.getpid(), flush=True)\n"
     "time.sleep(1000)"},
    {"a stopped child",
     "child = os.fork()\n"
     "if child == 0: os.kill(os.getpid(), signal.SIGSTOP)\n"
     "os.waitpid(child, os.WUNTRACED)\n"
     "print('up', os.getpid(), flush=True)\n"
     "time.sleep(1000)"},
    {"a holder of the pipes that writes",
     "pid = os.getpid()\n"
     "if os.fork() == 0:\n"
     "  print('up', pid, flush=True)\n"
     "  while True:\n"
     "    os.write(2, b'.'); time.sleep(0.001)\n"
     "time.sleep(1000)"},
    {"a vfork that never executes",
     "pid = os.getpid()\n"
     "if call(58) == 0:\n"
     "  print('up', pid, flush=True)\n"
     "  while True: time.sleep(1000)"},
    {"a process that is always a new one",
     "pid = os.getpid()\n"
     "if os.fork() == 0:\n"
     "  print('up', pid, flush=True)\n"
     "  while True:\n"
     "    if os.fork() != 0: os._exit(0)\n"
     "time.sleep(1000)"},
    {"a small fork loop",
     "pid = os.getpid()\n"
     "if os.fork() == 0:\n"
     "  print('up', pid, flush=True)\n"
     "  signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
     "  while True:\n"
     "    if os.fork() == 0:\n"
     "      time.sleep(0.02)\n"
     "      os._exit(0)\n"
     "    time.sleep(0.002)\n"
     "time.sleep(1000)"},
};

// Zombies count too (kill(2)).
bool GroupIsThere(pid_t pgid) { return kill(-pgid, 0) == 0; }

struct Started {
  std::shared_ptr<RecordingObserver> observer;
  std::shared_ptr<sandbox::Run> run;
  pid_t group = -1;
};

Started Start(const Shape& shape, absl::Duration wall_time) {
  Started started;
  started.observer = std::make_shared<RecordingObserver>();
  sandbox::ExecutionSpec spec = PythonSpec(Program(shape.act));
  spec.program.limits.wall_time = wall_time;
  started.run =
      SharedSandbox().sandbox().Start(std::move(spec), started.observer);
  EXPECT_TRUE(started.observer->WaitForOutput(OutputStream::kStdout, "\n"))
      << shape.name;
  std::string word;
  std::istringstream(started.observer->stdout_data()) >> word >> started.group;
  EXPECT_GT(started.group, 1) << shape.name;
  return started;
}

TEST(LifetimeAttack, NothingOutlivesACancelledRun) {
  for (const Shape& shape : kShapes) {
    const Started started = Start(shape, absl::Minutes(1));
    EXPECT_TRUE(GroupIsThere(started.group)) << shape.name;
    started.run->Cancel();
    started.observer->WaitForEnd();
    EXPECT_FALSE(GroupIsThere(started.group)) << shape.name;
  }
}

TEST(LifetimeAttack, NothingOutlivesItsWallTime) {
  for (const Shape& shape : kShapes) {
    const Started started = Start(shape, absl::Milliseconds(700));
    started.observer->WaitForEnd();
    EXPECT_FALSE(GroupIsThere(started.group)) << shape.name;
    EXPECT_EQ(started.observer->outcome().kind, OutcomeKind::kWallTimeLimit)
        << shape.name;
  }
}

TEST(LifetimeAttack, NothingOutlivesAFirstProcessThatIsKilled) {
  for (const Shape& shape : kShapes) {
    const Started started = Start(shape, absl::Minutes(1));
    EXPECT_TRUE(GroupIsThere(started.group)) << shape.name;
    ASSERT_EQ(kill(started.group, SIGKILL), 0);
    started.observer->WaitForEnd();
    EXPECT_FALSE(GroupIsThere(started.group)) << shape.name;
    EXPECT_EQ(started.observer->outcome().kind, OutcomeKind::kSignaled)
        << shape.name;
  }
}

}  // namespace
}  // namespace cordon::testing
