// What a run tries on processes that are not its own: the server, whatever else
// runs as the same user, another run.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"

namespace cordon::testing {
namespace {

using sandbox::OutcomeKind;
using sandbox::ViolationKind;

// Each sets for TARGET what holds already, or what does no harm.
std::vector<std::string> Settings() {
  return {
      "resource.prlimit(TARGET, resource.RLIMIT_CORE, (0, 0))",
      "os.sched_setaffinity(TARGET, os.sched_getaffinity(TARGET))",
      "os.sched_setscheduler(TARGET, os.SCHED_OTHER, os.sched_param(0))",
      "os.sched_setparam(TARGET, os.sched_param(0))",
      "os.setpriority(os.PRIO_PROCESS, TARGET, "
      "os.getpriority(os.PRIO_PROCESS, TARGET))",
      // ioprio_set(IOPRIO_WHO_PROCESS, best effort, 4)
      "call(251, 1, TARGET, (2 << 13) | 4)",
  };
}

std::string On(const std::string& act, const std::string& target) {
  return absl::StrReplaceAll(act, {{"TARGET", target}});
}

TEST(ProcessesAttack, SettingsOfTheServerAreOutOfReach) {
  const std::string server = absl::StrCat(getpid());
  for (const std::string& act : Settings()) {
    EXPECT_EQ(Free(On(act, server)), "done") << act;
    EXPECT_EQ(Confined(On(act, server)), "EPERM") << act;
    EXPECT_EQ(Confined(On(act, "os.getppid()")), "EPERM") << act;
  }
}

TEST(ProcessesAttack, SettingsOfAnotherProcessAreOutOfReach) {
  Bystander bystander;
  const std::string target = absl::StrCat(bystander.pid());
  for (const std::string& act : Settings()) {
    EXPECT_EQ(Free(On(act, target)), "done") << act;
    EXPECT_EQ(Confined(On(act, target)), "EPERM") << act;
  }
}

TEST(ProcessesAttack, SettingsOfAnotherRunAreOutOfReach) {
  OtherRun other;
  for (const std::string& act : Settings()) {
    EXPECT_EQ(Confined(On(act, absl::StrCat(other.pid()))), "EPERM") << act;
  }
  EXPECT_TRUE(other.Runs());
}

TEST(ProcessesAttack, SettingsOfTheRunsOwnProcessesAreItsOwn) {
  for (const std::string& act : Settings()) {
    EXPECT_EQ(Confined(On(act, "0")), "done") << act;
    EXPECT_EQ(Confined(On(act, "os.getpid()")), "done") << act;
    EXPECT_EQ(Confined(absl::StrCat("child = os.fork()\n"
                                    "if child == 0: time.sleep(1000)\n",
                                    On(act, "child"))),
              "done")
        << act;
  }
}

TEST(ProcessesAttack, AnAttemptIsReported) {
  const auto run = SharedSandbox().Run(
      PythonSpec(Program(On(Settings()[0], "os.getppid()"))));
  ASSERT_EQ(run->violations().size(), 1u);
  EXPECT_EQ(run->violations()[0].kind, ViolationKind::kProcess);
  EXPECT_EQ(run->violations()[0].syscall, "prlimit64");
}

TEST(ProcessesAttack, ThePriorityOfGroupsAndUsersIsRefused) {
  EXPECT_EQ(Confined("os.setpriority(os.PRIO_USER, os.getuid(), 1)"), "EPERM");
  EXPECT_EQ(
      Confined("os.setpriority(os.PRIO_PGRP, os.getpgid(os.getppid()), 1)"),
      "EPERM");
  EXPECT_EQ(Confined("os.setpriority(os.PRIO_PROCESS, 0, 1)"), "done");
}

TEST(ProcessesAttack, TheServersProcDirectoryIsClosed) {
  for (const char* file :
       {"mem", "environ", "cmdline", "maps", "stat", "status", "cwd/."}) {
    const std::string act = absl::StrCat(
        "os.close(os.open(f'/proc/{os.getppid()}/", file, "', os.O_RDONLY))");
    EXPECT_EQ(Free(act), "done") << file;
    EXPECT_THAT(Confined(act), ::testing::AnyOf("EACCES", "ENOENT")) << file;
  }
  for (const char* directory : {"/proc", "/proc/{os.getppid()}/fd",
                                "/proc/{os.getppid()}/task", "/proc/self/fd"}) {
    const std::string act = absl::StrCat("os.listdir(f'", directory, "')");
    EXPECT_EQ(Free(act), "done") << directory;
    EXPECT_EQ(Confined(act), "EACCES") << directory;
  }
}

TEST(ProcessesAttack, AnotherRunsCommandLineIsClosed) {
  OtherRun other;
  for (const char* file : {"cmdline", "environ", "mem", "maps"}) {
    const std::string act =
        absl::StrCat("os.open('/proc/", other.pid(), "/", file, "', 0)");
    EXPECT_EQ(Confined(act), "EACCES") << file;
  }
}

TEST(ProcessesAttack, SteeringAnotherProcessEndsTheRun) {
  Bystander bystander;
  const std::string target = absl::StrCat(bystander.pid());
  for (const char* act : {
           "call(101, 0x4206, TARGET, 0, 0)",         // ptrace, PTRACE_SEIZE
           "call(310, TARGET, 0, 0, 0, 0, 0)",        // process_vm_readv
           "call(311, TARGET, 0, 0, 0, 0, 0)",        // process_vm_writev
           "call(312, os.getpid(), TARGET, 0, 0, 0)"  // kcmp
       }) {
    // A container's own filter lets these pass, or not.
    EXPECT_THAT(Free(On(act, target)),
                ::testing::AnyOf("done", HostFiltersCalls() ? "EPERM" : "done"))
        << act;
    EXPECT_EQ(Confined(On(act, target)), "killed") << act;
  }
}

// ------------------------------------------------------- leaving, and staying
// on

TEST(ProcessesAttack, NewNamespacesEndTheRun) {
  const std::vector<const char*> acts = {
      "call(272, 0x10000000)",  // unshare, CLONE_NEWUSER
      "if call(56, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0) == 0: os._exit(0)",
      "if call(56, 0x20000000 | signal.SIGCHLD, 0, 0, 0, 0) == 0: os._exit(0)"};
  for (const char* act : acts) EXPECT_EQ(Confined(act), "killed") << act;
  EXPECT_EQ(
      Confined("if call(56, signal.SIGCHLD, 0, 0, 0, 0) == 0: os._exit(0)"),
      "done");
  // Its flags are behind a pointer.
  EXPECT_EQ(Confined("call(435, 0, 88)"), "ENOSYS");
}

TEST(ProcessesAttack, LeavingTheGroupIsRefused) {
  for (const char* act :
       {"os.setpgid(0, 0)", "os.setsid()", "os.setpgid(0, os.getppid())"}) {
    const std::string in_a_child = absl::StrCat(
        "r, w = os.pipe()\n"
        "if os.fork() == 0:\n"
        "  try: ",
        act,
        "; os.write(w, b'left')\n"
        "  except OSError as e: os.write(w, "
        "errno.errorcode[e.errno].encode())\n"
        "  os._exit(0)\n"
        "return os.read(r, 10).decode()");
    EXPECT_EQ(Confined(in_a_child), "EPERM") << act;
    if (std::string(act) != "os.setpgid(0, os.getppid())") {
      EXPECT_EQ(Free(in_a_child), "left") << act;
    }
  }
}

// Everything of the run that is still there: its processes carry `mark` as
// their argument.
bool AnyProcessMarked(const std::string& mark) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::stringstream arguments;
    arguments << std::ifstream(entry.path() / "cmdline").rdbuf();
    if (arguments.str().find(mark) != std::string::npos) return true;
  }
  return false;
}

// `act` makes a child that goes on for ever; the run's end must be its end.
void ExpectNothingSurvives(const std::string& act) {
  static int serial = 0;
  const std::string mark = absl::StrCat("mark-", getpid(), "-", serial++, "-");
  sandbox::ExecutionSpec spec = PythonSpec(Program(act));
  spec.program.argv.push_back(mark);
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited) << run->stderr_data();
  EXPECT_EQ(run->stdout_data(), "done\n");
  EXPECT_FALSE(AnyProcessMarked(mark)) << act;
}

TEST(ProcessesAttack, TheSearchForSurvivorsFindsThem) {
  auto observer = std::make_shared<RecordingObserver>();
  sandbox::ExecutionSpec spec =
      PythonSpec(Program("print('up', flush=True)\ntime.sleep(1000)"));
  const std::string mark = absl::StrCat("mark-", getpid(), "-control-");
  spec.program.argv.push_back(mark);
  const auto run = SharedSandbox().sandbox().Start(spec, observer);
  ASSERT_TRUE(observer->WaitForOutput(sandbox::OutputStream::kStdout, "up"));
  EXPECT_TRUE(AnyProcessMarked(mark));
  run->Cancel();
  observer->WaitForEnd();
  EXPECT_FALSE(AnyProcessMarked(mark));
}

TEST(ProcessesAttack, AChildOutlivesNothing) {
  ExpectNothingSurvives("if os.fork() == 0: time.sleep(1000)");
}

TEST(ProcessesAttack, ADaemonOutlivesNothing) {
  ExpectNothingSurvives(
      "child = os.fork()\n"
      "if child == 0:\n"
      "  if os.fork() == 0:\n"
      "    for s in range(1, 65):\n"
      "      try: signal.signal(s, signal.SIG_IGN)\n"
      "      except (OSError, ValueError): pass\n"
      "    os.close(0); os.close(1); os.close(2)\n"
      "    os.kill(os.getpid(), signal.SIGSTOP)\n"
      "    time.sleep(1000)\n"
      "  os._exit(0)\n"
      "os.waitpid(child, 0)");
}

// With CLONE_PARENT it is the server's child; the signal that it asks for at
// its end would be sent to the server.
TEST(ProcessesAttack, AChildOfTheServersOutlivesNothingAndSignalsNobody) {
  constexpr char kCloneParent[] =
      "if call(56, 0x8000 | signal.SIGTERM, 0, 0, 0, 0) == 0: ";
  ExpectNothingSurvives(absl::StrCat(kCloneParent, "time.sleep(1000)"));
  ExpectNothingSurvives(absl::StrCat(kCloneParent, "os._exit(0)"));
}

TEST(ProcessesAttack, AVforkThatNeverExecutesEndsWithTheWallTime) {
  // The parent is asleep in the kernel until the child is gone.
  sandbox::ExecutionSpec spec =
      PythonSpec(Program("if call(58) == 0:\n"
                         "  print('child', flush=True)\n"
                         "  while True: time.sleep(1000)"));
  spec.program.limits.wall_time = absl::Seconds(1);
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kWallTimeLimit);
  EXPECT_EQ(run->stdout_data(), "child\n");
}

TEST(ProcessesAttack, AStoppedProgramEndsWithTheWallTime) {
  sandbox::ExecutionSpec spec =
      BashSpec("echo before; kill -STOP $$; echo after");
  spec.program.limits.wall_time = absl::Seconds(1);
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kWallTimeLimit);
  EXPECT_EQ(run->stdout_data(), "before\n");
}

TEST(ProcessesAttack, ARunWithoutItsFirstThreadIsStillARun) {
  const std::string last_words =
      "main = threading.main_thread()\n"
      "def last():\n"
      "  time.sleep(0.05)\n"
      "  os.write(1, b'last words\\n')\n"
      "  call(231, 7)\n"  // exit_group
      "threading.Thread(target=last).start()\n"
      "call(60, 0)";  // exit, of this thread only
  auto run = SharedSandbox().Run(PythonSpec(Program(last_words)));
  EXPECT_EQ(run->stdout_data(), "last words\n");
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  EXPECT_EQ(run->outcome().exit_code, 7);

  sandbox::ExecutionSpec spec = PythonSpec(
      Program("threading.Thread(target=lambda: time.sleep(1000)).start()\n"
              "call(60, 0)"));
  spec.program.limits.wall_time = absl::Seconds(1);
  EXPECT_EQ(SharedSandbox().Run(spec)->outcome().kind,
            OutcomeKind::kWallTimeLimit);
}

TEST(ProcessesAttack, AThreadThatExecutesAnotherProgramIsTheRun) {
  const auto run = SharedSandbox().Run(PythonSpec(Program(
      "thread = threading.Thread(target=lambda: os.execv('/bin/bash', ['bash', "
      "'-c', 'sleep 0.1; echo replaced; exit 9']))\n"
      "thread.start()\n"
      "thread.join()")));
  EXPECT_EQ(run->stdout_data(), "replaced\n");
  EXPECT_EQ(run->outcome().exit_code, 9);
}

// -------------------------------------------------- blinding the supervisor

TEST(ProcessesAttack, AFilterOfTheProgramsOwnIsNotInstalled) {
  // A filter that allows everything: what is refused is the installation.
  const std::string program =
      "code = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, "
      "0x7fff0000))\n"
      "program = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', 1, "
      "ctypes.addressof(code)))\n"
      "libc.prctl(38, 1, 0, 0, 0)\n";
  const std::string by_seccomp =
      program + "call(317, 1, 0, ctypes.addressof(program))";
  const std::string by_prctl =
      program + "call(157, 22, 2, ctypes.addressof(program))";
  EXPECT_EQ(Free(by_seccomp), "done");
  EXPECT_EQ(Free(by_prctl), "done");
  EXPECT_EQ(Confined(by_seccomp), "ENOSYS");
  EXPECT_EQ(Confined(by_prctl), "EINVAL");
}

TEST(ProcessesAttack, PrctlsThatBlindTheSupervisorAreRefused) {
  for (const char* act : {"call(157, 4, 0, 0, 0, 0)",             // DUMPABLE
                          "call(157, 36, 1, 0, 0, 0)",            // SUBREAPER
                          "call(157, 0x59616d61, -1, 0, 0, 0)"})  // PTRACER
  {
    EXPECT_EQ(Confined(act), "EPERM") << act;
  }
  EXPECT_EQ(Free("call(157, 4, 0, 0, 0, 0)"), "done");
  EXPECT_EQ(Free("call(157, 36, 1, 0, 0, 0)"), "done");
  EXPECT_EQ(Confined("call(157, 4, 1, 0, 0, 0)"), "done");
  EXPECT_EQ(Confined("call(157, 15, b'name')"), "done");
}

TEST(ProcessesAttack, TheCallsOfOtherArchitecturesEndTheRun) {
  // getpid: of x32; by the gate of i386, in code that is made here.
  EXPECT_EQ(Confined("call(0x40000000 | 39)"), "killed");
  const std::string gate =
      "code = mmap.mmap(-1, 4096, prot=7)\n"
      "code.write(bytes.fromhex('b814000000cd80c3'))\n"
      "address = ctypes.addressof(ctypes.c_char.from_buffer(code))\n"
      "return 'done' if ctypes.CFUNCTYPE(ctypes.c_int)(address)() > 0 else "
      "'no'";
  if (Free(gate) == "done") {
    EXPECT_EQ(Confined(gate), "killed");
  }
  // The same code with getpid's own gate.
  EXPECT_EQ(
      Confined("code = mmap.mmap(-1, 4096, prot=7)\n"
               "code.write(bytes.fromhex('b8270000000f05c3'))\n"
               "address = ctypes.addressof(ctypes.c_char.from_buffer(code))\n"
               "return 'done' if ctypes.CFUNCTYPE(ctypes.c_int)(address)() "
               "== os.getpid() else 'no'"),
      "done");
}

TEST(ProcessesAttack, KernelInterfacesBeyondTheTableAreClosed) {
  EXPECT_EQ(Confined("call(323, 1)"), "killed");              // userfaultfd
  EXPECT_EQ(Confined("call(321, 0, 0, 0)"), "killed");        // bpf
  EXPECT_EQ(Confined("call(298, 0, 0, 0, 0, 0)"), "killed");  // perf_event_open
  EXPECT_EQ(Confined("call(250, 0, 0)"), "killed");           // keyctl
  EXPECT_EQ(Confined("call(425, 8, 0)"), "ENOSYS");           // io_uring_setup
  // No such call. The kernel's answer is also that of a container's filter,
  // which comes first.
  EXPECT_EQ(Confined("call(999)"), HostFiltersCalls() ? "ENOSYS" : "killed");
  EXPECT_EQ(Confined("assert call(39) == os.getpid()"), "done");
}

}  // namespace
}  // namespace cordon::testing
