// Signals that a run tries to send beyond itself.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"
#include "tests/support/degraded_host.h"

namespace cordon::testing {
namespace {

using sandbox::OutcomeKind;
using ::testing::AnyOf;

std::string On(const std::string& act, pid_t target) {
  return absl::StrReplaceAll(act, {{"TARGET", absl::StrCat(target)}});
}

// Each sends SIGNAL to TARGET; a queued one carries a siginfo of its sender's.
std::vector<std::string> Senders(const std::string& signal) {
  const std::string info =
      absl::StrCat("info = ctypes.create_string_buffer(struct.pack('iii', ",
                   signal, ", 0, -1), 128)\n");
  std::vector<std::string> acts = {
      "call(62, TARGET, SIGNAL)",
      "call(200, TARGET, SIGNAL)",
      "call(234, TARGET, TARGET, SIGNAL)",
      info + "call(129, TARGET, SIGNAL, ctypes.addressof(info))",
      info + "call(297, TARGET, TARGET, SIGNAL, ctypes.addressof(info))",
  };
  for (std::string& act : acts) {
    act = absl::StrReplaceAll(act, {{"SIGNAL", signal}});
  }
  return acts;
}

TEST(SignalsAttack, TheServerGetsNone) {
  for (const std::string& act : Senders("0")) {
    EXPECT_EQ(Free(On(act, getpid())), "done") << act;
    EXPECT_EQ(Confined(On(act, getpid())), "EPERM") << act;
  }
}

TEST(SignalsAttack, AnotherProcessGetsNone) {
  for (const std::string& act : Senders("9")) {
    Bystander bystander;
    EXPECT_EQ(Confined(On(act, bystander.pid())), "EPERM") << act;
    EXPECT_TRUE(bystander.Answers()) << act;
    EXPECT_EQ(Free(On(act, bystander.pid())), "done") << act;
    EXPECT_EQ(WTERMSIG(bystander.WaitForEnd()), SIGKILL) << act;
  }
}

TEST(SignalsAttack, AnotherRunGetsNone) {
  OtherRun other;
  for (const std::string& act : Senders("9")) {
    EXPECT_EQ(Confined(On(act, other.pid())), "EPERM") << act;
  }
  EXPECT_EQ(Confined(On("os.killpg(TARGET, 9)", other.pid())), "EPERM");
  EXPECT_TRUE(other.Runs());
}

TEST(SignalsAttack, AnotherGroupGetsNone) {
  Bystander bystander;
  const std::string act = On("os.killpg(TARGET, 9)", bystander.pid());
  EXPECT_EQ(Confined(act), "EPERM");
  EXPECT_TRUE(bystander.Answers());
  EXPECT_EQ(Free(act), "done");
  EXPECT_EQ(WTERMSIG(bystander.WaitForEnd()), SIGKILL);
}

TEST(SignalsAttack, KillEveryoneReachesTheRunOnly) {
  // Before, the supervisor refuses it.
  if (testing::NeedsLandlock(6, "send a signal to all of the run")) return;
  Bystander bystander;
  OtherRun other;
  EXPECT_EQ(Confined("child = os.fork()\n"
                     "if child == 0: time.sleep(1000)\n"
                     "os.kill(-1, 9)\n"
                     "return os.WTERMSIG(os.waitpid(child, 0)[1])"),
            "9");
  EXPECT_TRUE(bystander.Answers());
  EXPECT_TRUE(other.Runs());
}

TEST(SignalsAttack, TheRunSignalsItsOwn) {
  for (const std::string& act : Senders("9")) {
    EXPECT_EQ(
        Confined(absl::StrCat("child = os.fork()\n"
                              "if child == 0: time.sleep(1000)\n",
                              absl::StrReplaceAll(act, {{"TARGET", "child"}}),
                              "\nreturn os.WTERMSIG(os.waitpid(child, 0)[1])")),
        "9")
        << act;
  }
}

// The run is one group: timeout(1), which signals its own when the time is
// over, would end the shell that waits for it.
TEST(SignalsAttack, NoProgramSignalsTheWholeRun) {
  EXPECT_EQ(Confined("os.kill(0, 15)"), "EPERM");
  EXPECT_EQ(Free("os.setpgid(0, 0)\nos.kill(0, 0)"), "done");
  const auto run = SharedSandbox().Run(BashSpec(
      "timeout 0.1 sleep 1000; echo $?; timeout -s KILL 0.1 sleep 1000; echo "
      "$?"));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  EXPECT_EQ(run->stdout_data(), "124\n137\n");
}

// The kernel sends the signal, later, on behalf of whoever set the owner.
TEST(SignalsAttack, TheOwnerOfADescriptorGetsNoSignalOutside) {
  const std::string act =
      "a, b = socket.socketpair()\n"
      "try: fcntl.fcntl(a, fcntl.F_SETOWN, TARGET)\n"
      "except OSError: pass\n"
      "try: fcntl.fcntl(a, fcntl.F_SETSIG, signal.SIGTERM)\n"
      "except OSError: pass\n"
      "fcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC)\n"
      "b.send(b'x')";
  Bystander bystander;
  EXPECT_EQ(Confined(On(act, bystander.pid())), "done");
  EXPECT_TRUE(bystander.Answers());
  EXPECT_EQ(Free(On(act, bystander.pid())), "done");
  EXPECT_EQ(WTERMSIG(bystander.WaitForEnd()), SIGTERM);
}

TEST(SignalsAttack, ATimerSignalsItsOwnProcessOnly) {
  // timer_create with SIGEV_THREAD_ID: the kernel refuses another's thread.
  const std::string act =
      "event = ctypes.create_string_buffer(struct.pack('Qiii', 0, 9, 4, "
      "TARGET),"
      " 64)\n"
      "timer = ctypes.c_int()\n"
      "call(222, 0, ctypes.addressof(event), ctypes.addressof(timer))";
  EXPECT_EQ(Confined(On(act, getpid())), "EINVAL");
  EXPECT_EQ(Confined(absl::StrReplaceAll(act, {{"TARGET", "os.getpid()"}})),
            "done");
}

// A handle on a process cannot be had in the first place.
TEST(SignalsAttack, HandlesOnProcessesAreRefused) {
  const std::string act = absl::StrCat("os.pidfd_open(", getpid(), ")");
  EXPECT_EQ(Free(act), "done");
  EXPECT_EQ(Confined(act), "ENOSYS");
}

TEST(SignalsAttack, ASignalHandlerDoesNotDisturbAnAnsweredCall) {
  // A timer every millisecond while calls are answered by the supervisor.
  EXPECT_EQ(Confined("signal.signal(signal.SIGALRM, lambda *_: None)\n"
                     "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n"
                     "for i in range(2000):\n"
                     "  os.close(os.open('file', os.O_CREAT | os.O_WRONLY))\n"
                     "signal.setitimer(signal.ITIMER_REAL, 0)"),
            "done");
}

}  // namespace
}  // namespace cordon::testing
