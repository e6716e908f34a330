// Ways past the limits of the tree: the number of processes and threads, and
// the signals that say of a run how it ended.

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::Outcome;
using sandbox::OutcomeKind;
using sandbox::OutputStream;
using sandbox::ViolationAction;
using sandbox::ViolationKind;
using ::testing::HasSubstr;

// ------------------------------------------------------------------ processes

// Processes and threads in process group `pgid`, from /proc, by nobody's word
// but the kernel's: field 5 of proc_pid_stat(5) is the group, 20 the threads.
int TasksOf(pid_t pgid) {
  int tasks = 0;
  DIR* proc = opendir("/proc");
  while (const dirent* entry = readdir(proc)) {
    pid_t pid;
    if (!absl::SimpleAtoi(entry->d_name, &pid) || getpgid(pid) != pgid) {
      continue;
    }
    std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
    std::string text;
    std::getline(file, text);
    const size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) continue;
    std::istringstream fields(text.substr(name_end + 2));
    std::string field;
    for (int i = 3; i <= 20 && fields >> field; ++i) {
    }
    int threads = 0;
    if (absl::SimpleAtoi(field, &threads)) tasks += threads;
  }
  closedir(proc);
  return tasks;
}

struct Watched {
  std::shared_ptr<RecordingObserver> run;
  int peak = 0;
};

// Runs a program that begins with printing its pid and a newline, and looks at
// its group again and again.
Watched Watch(ExecutionSpec spec) {
  Watched watched;
  watched.run = std::make_shared<RecordingObserver>();
  const auto run = SharedSandbox().sandbox().Start(spec, watched.run);
  EXPECT_TRUE(watched.run->WaitForOutput(OutputStream::kStdout, "\n"));
  pid_t pgid = 0;
  const std::string text = watched.run->stdout_data();
  EXPECT_TRUE(absl::SimpleAtoi(text.substr(0, text.find('\n')), &pgid)) << text;
  std::atomic<bool> over = false;
  std::thread observer([&] {
    while (!over) watched.peak = std::max(watched.peak, TasksOf(pgid));
  });
  watched.run->WaitForEnd();
  over = true;
  observer.join();
  return watched;
}

ExecutionSpec WithProcesses(ExecutionSpec spec, uint32_t processes) {
  spec.program.limits.processes = processes;
  spec.program.limits.wall_time = absl::Seconds(20);
  return spec;
}

// A C program: `body` is main's, after its pid was printed.
ExecutionSpec CSpec(const std::string& body) {
  ExecutionSpec spec = CommandSpec({"./program"});
  spec.files = {
      {"main.c",
       absl::StrCat("#define _GNU_SOURCE\n"
                    "#include <errno.h>\n#include <fcntl.h>\n"
                    "#include <pthread.h>\n#include <sched.h>\n"
                    "#include <signal.h>\n#include <stdio.h>\n"
                    "#include <stdlib.h>\n#include <sys/mman.h>\n"
                    "#include <sys/syscall.h>\n#include <sys/wait.h>\n"
                    "#include <time.h>\n#include <unistd.h>\n"
                    "static double now(void) {\n"
                    "  struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t);\n"
                    "  return t.tv_sec + t.tv_nsec / 1e9;\n"
                    "}\n"
                    "static void* idle(void* p) { pause(); return p; }\n"
                    "int main(void) {\n"
                    "  printf(\"%d\\n\", (int)getpid()); fflush(stdout);\n"
                    "  double end = now() + 1.5;\n",
                    body, "\n}\n"),
       sandbox::FileMode::kRegular}};
  spec.compile =
      CommandSpec({"/usr/bin/gcc", "-pthread", "main.c", "-o", "program"})
          .program;
  return spec;
}

// The bombs go on for a second and a half, at the limit most of that.
const char* const kForkBomb =
    "while (now() < end) if (fork() < 0) sched_yield();\n"
    "kill(0, SIGKILL);";
const char* const kVforkBomb =
    "while (now() < end) { fork(); pid_t p = vfork(); if (p == 0) _exit(0); }\n"
    "kill(0, SIGKILL);";
const char* const kChurningBomb =
    "signal(SIGCHLD, SIG_IGN);\n"
    "while (now() < end) { if (fork() == 0 && now() * 1e6 / 7 > 0 &&\n"
    "  ((long)(now() * 1e6)) % 3) _exit(0); }\n"
    "kill(0, SIGKILL);";
const char* const kThreadBomb =
    "pthread_attr_t a; pthread_attr_init(&a);\n"
    "pthread_attr_setstacksize(&a, 65536);\n"
    "fork(); fork();\n"
    "while (now() < end) { pthread_t t; pthread_create(&t, &a, idle, 0); }\n"
    "kill(0, SIGKILL);";
// Threads that end at once while others are made, in several processes.
const char* const kChurningThreads =
    "pthread_attr_t a; pthread_attr_init(&a);\n"
    "pthread_attr_setstacksize(&a, 65536);\n"
    "pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);\n"
    "fork(); fork(); fork();\n"
    "while (now() < end) { pthread_t t;\n"
    "  pthread_create(&t, &a, (void* (*)(void*))pthread_exit, 0);\n"
    "  if (now() > end - 0.5) pthread_create(&t, &a, idle, 0); }\n"
    "kill(0, SIGKILL);";
// Children of the server's, and flags that do not go together.
const char* const kCloneBomb =
    "while (now() < end) {\n"
    "  syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);\n"
    "  syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0);\n"
    "  syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0);\n"
    "  syscall(SYS_fork);\n"
    "}\n"
    "kill(0, SIGKILL);";

TEST(ProcessLimit, NoBombPassesIt) {
  for (const char* bomb : {kForkBomb, kVforkBomb, kChurningBomb, kThreadBomb,
                           kChurningThreads, kCloneBomb}) {
    const Watched watched = Watch(WithProcesses(CSpec(bomb), 20));
    EXPECT_LE(watched.peak, 20) << bomb;
    // The control: it went as far as it could.
    EXPECT_GE(watched.peak, 15) << bomb;
    EXPECT_GE(watched.run->violations().size(), 1u) << bomb;
    EXPECT_LE(watched.run->outcome().usage.peak_processes, 20u);
  }
}

TEST(ProcessLimit, TheShellsBombIsRefusedAndTheRunGoesOn) {
  const Watched watched = Watch(WithProcesses(
      BashSpec("echo $$; bomb() { bomb | bomb & }; bomb 2>/dev/null\n"
               "sleep 1; echo still here"),
      32));
  EXPECT_LE(watched.peak, 32);
  EXPECT_EQ(watched.run->outcome().kind, OutcomeKind::kExited)
      << watched.run->outcome().message;
  EXPECT_GE(watched.run->violations().size(), 1u);
}

TEST(ProcessLimit, ARefusalIsEagainAndRecorded) {
  const std::string program =
      "import os, errno, time\n"
      "made = 0\n"
      "try:\n"
      "  while made < 40:\n"
      "    if os.fork() == 0: time.sleep(1000)\n"
      "    made += 1\n"
      "except OSError as e: print(errno.errorcode[e.errno], end=' ')\n"
      "print(made)";
  auto run = SharedSandbox().Run(WithProcesses(PythonSpec(program), 10));
  EXPECT_EQ(run->stdout_data(), "EAGAIN 9\n") << run->stderr_data();
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
  ASSERT_EQ(run->violations().size(), 1u);
  EXPECT_EQ(run->violations()[0].kind, ViolationKind::kProcess);
  EXPECT_EQ(run->violations()[0].action, ViolationAction::kDeny);
  EXPECT_EQ(run->violations()[0].error_number, EAGAIN);
  EXPECT_THAT(run->violations()[0].syscall, HasSubstr("clone"));
  EXPECT_EQ(run->outcome().usage.peak_processes, 10u);

  run = SharedSandbox().Run(WithProcesses(PythonSpec(program), 41));
  EXPECT_EQ(run->stdout_data(), "40\n");
  EXPECT_EQ(run->violations().size(), 0u);
}

TEST(ProcessLimit, ARequestCanMakeItEndTheRun) {
  ExecutionSpec spec =
      WithProcesses(BashSpec("(sleep 9) & (sleep 9) & (sleep 9) & wait"), 2);
  spec.on_violation.process = ViolationAction::kTerminate;
  const Outcome outcome = SharedSandbox().Run(spec)->outcome();
  EXPECT_EQ(outcome.kind, OutcomeKind::kSyscallViolation);
  EXPECT_THAT(outcome.message, HasSubstr("2 processes"));
}

TEST(ProcessLimit, ThreadsCount) {
  const std::string program =
      "import threading, time\n"
      "n = 0\n"
      "try:\n"
      "  for n in range(30):\n"
      "    threading.Thread(target=lambda: time.sleep(1000),\n"
      "                     daemon=True).start()\n"
      "  print('all')\n"
      "except RuntimeError: print(n)";
  EXPECT_EQ(
      SharedSandbox().Run(WithProcesses(PythonSpec(program), 8))->stdout_data(),
      "7\n");
  EXPECT_EQ(SharedSandbox()
                .Run(WithProcesses(PythonSpec(program), 31))
                ->stdout_data(),
            "all\n");
}

TEST(ProcessLimit, AZombieCounts) {
  const std::string program =
      "import os, errno\n"
      "n = 0\n"
      "try:\n"
      "  for n in range(20):\n"
      "    if os.fork() == 0: os._exit(0)\n"
      "except OSError: pass\n"
      "print(n)";
  EXPECT_EQ(
      SharedSandbox().Run(WithProcesses(PythonSpec(program), 5))->stdout_data(),
      "4\n");
}

// Not falsely tight: what has ended and was waited for gives its place back.
TEST(ProcessLimit, AThousandProcessesInTurnFitALimitOfFour) {
  const auto run = SharedSandbox().Run(WithProcesses(
      BashSpec("for ((i = 0; i < 1000; ++i)); do /bin/true | /bin/true || "
               "exit 1; done; echo all"),
      4));
  EXPECT_EQ(run->stdout_data(), "all\n") << run->stderr_data();
  EXPECT_EQ(run->violations().size(), 0u);
}

TEST(ProcessLimit, ThreadsThatAreJoinedFitTheirLimit) {
  const auto run = SharedSandbox().Run(WithProcesses(
      CSpec("for (int i = 0; i < 2000; ++i) {\n"
            "  pthread_t t;\n"
            "  if (pthread_create(&t, 0, (void* (*)(void*))getpid, 0) != 0)\n"
            "    return 1;\n"
            "  pthread_join(t, 0);\n"
            "}\n"
            "return 0;"),
      3));
  EXPECT_EQ(run->outcome().exit_code, 0) << run->stderr_data();
  EXPECT_EQ(run->violations().size(), 0u);
}

// A parent that waits in vfork is not counted for a child that exists.
TEST(ProcessLimit, AVforkThatWaitsTakesOnePlace) {
  const auto run = SharedSandbox().Run(
      WithProcesses(CSpec("for (int i = 0; i < 200; ++i) {\n"
                          "  pid_t p = vfork();\n"
                          "  if (p < 0) return 1;\n"
                          "  if (p == 0) {\n"
                          "    pid_t q = syscall(SYS_fork);\n"
                          "    if (q < 0) _exit(1);\n"
                          "    if (q == 0) syscall(SYS_exit_group, 0);\n"
                          "    int s; waitpid(q, &s, 0);\n"
                          "    _exit(0);\n"
                          "  }\n"
                          "  int s; waitpid(p, &s, 0);\n"
                          "  if (s != 0) return 2;\n"
                          "}\n"
                          "return 0;"),
                    3));
  EXPECT_EQ(run->outcome().exit_code, 0);
  EXPECT_EQ(run->violations().size(), 0u);
}

TEST(ProcessLimit, AnotherRunIsServedWhileABombGoesOn) {
  auto observer = std::make_shared<RecordingObserver>();
  const auto bomb = SharedSandbox().sandbox().Start(
      WithProcesses(PythonSpec("import os\n"
                               "print(1, flush=True)\n"
                               "while True:\n"
                               "  try: os.fork()\n"
                               "  except OSError: pass"),
                    64),
      observer);
  ASSERT_TRUE(observer->WaitForOutput(OutputStream::kStdout, "1"));
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(SharedSandbox().Run(BashSpec("echo $(echo up)"))->stdout_data(),
              "up\n");
  }
  bomb->Cancel();
  observer->WaitForEnd();
}

// ------------------------------------------ signals that say how a run ended

TEST(KernelsSignals, NoProgramSendsThem) {
  const std::string info =
      "info = ctypes.create_string_buffer(struct.pack('iii', SIGNAL, 0, -1), "
      "128)\n";
  const std::vector<std::string> ways = {
      "os.kill(os.getpid(), SIGNAL)",
      "call(200, threading.get_native_id(), SIGNAL)",
      "call(234, os.getpid(), threading.get_native_id(), SIGNAL)",
      info + "call(129, os.getpid(), SIGNAL, ctypes.addressof(info))",
      info +
          "call(297, os.getpid(), threading.get_native_id(), SIGNAL, "
          "ctypes.addressof(info))",
  };
  for (const std::string& way : ways) {
    for (const char* signal : {"31", "25"}) {
      EXPECT_EQ(Confined(absl::StrReplaceAll(way, {{"SIGNAL", signal}})),
                "EPERM")
          << way << signal;
    }
    const auto run = SharedSandbox().Run(
        PythonSpec(Program(absl::StrReplaceAll(way, {{"SIGNAL", "15"}}))));
    EXPECT_EQ(run->outcome().kind, OutcomeKind::kSignaled) << way;
    EXPECT_EQ(run->outcome().signal, 15) << way;
  }
  // To the whole run nobody sends any.
  EXPECT_EQ(Confined("os.kill(0, 31)"), "EPERM");
  EXPECT_EQ(Confined("os.kill(0, 25)"), "EPERM");
}

TEST(KernelsSignals, NoneComesByAnotherWay) {
  EXPECT_EQ(Confined("call(56, 31, 0, 0, 0, 0)"), "EINVAL");
  EXPECT_EQ(Confined("call(56, 25, 0, 0, 0, 0)"), "EINVAL");
  EXPECT_EQ(Confined("fcntl.fcntl(0, 10, 31)"), "EINVAL");
  EXPECT_EQ(Confined("call(157, 59, 1, 0, 0, 0)"), "EINVAL");
  EXPECT_EQ(Confined("if call(56, 17, 0, 0, 0, 0) == 0: os._exit(0)"), "done");
}

// Of a timer, whose signal is behind a pointer, and of a limit of the
// program's own: it may be, so it is nobody's limit.
TEST(KernelsSignals, AFileLimitOfTheProgramsOwnIsNotTheRuns) {
  for (const char* act :
       {"event = ctypes.create_string_buffer(struct.pack('qii', 0, 25, 0), "
        "64)\n"
        "timer = ctypes.c_int()\n"
        "call(222, 1, ctypes.addressof(event), ctypes.addressof(timer))\n"
        "value = ctypes.create_string_buffer(struct.pack('qqqq', 0, 0, 0, "
        "1000))\n"
        "call(223, timer.value, 0, ctypes.addressof(value), 0)\n"
        "time.sleep(1000)",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "os.write(os.open('f', os.O_CREAT | os.O_RDWR), b'x' * 10)\n"
        "os.write(os.open('f', os.O_APPEND | os.O_RDWR), b'x' * 10)"}) {
    const auto run = SharedSandbox().Run(PythonSpec(Program(act)));
    EXPECT_EQ(run->outcome().kind, OutcomeKind::kSignaled) << act;
    EXPECT_EQ(run->outcome().signal, 25) << act << run->stderr_data();
  }
  ExecutionSpec spec = BashSpec("head -c 8000000 /dev/zero > f; kill -9 $$");
  spec.program.argv = {"/usr/bin/dd", "if=/dev/zero", "of=f", "count=90000"};
  spec.program.limits.file_bytes = 1 << 20;
  EXPECT_EQ(SharedSandbox().Run(spec)->outcome().kind, OutcomeKind::kDiskLimit);
}

// ---------------------------------------- calls of another calling convention

constexpr char kI386Getpid[] =
    "code = mmap.mmap(-1, 4096, prot=7)\n"
    "code.write(bytes.fromhex('b814000000cd80c3'))\n"
    "address = ctypes.addressof(ctypes.c_char.from_buffer(code))\n"
    "ctypes.CFUNCTYPE(ctypes.c_int)(address)()\n";

TEST(ForeignCalls, AChildsEndsTheRunAndIsNamed) {
  const std::string in_a_child =
      "child = os.fork()\n"
      "if child == 0:\n"
      "  ACT\n"
      "  os._exit(0)\n"
      "os.waitpid(child, 0)";
  struct Case {
    std::string act;
    std::string name;
  };
  std::vector<Case> cases = {{"call(0x40000000 | 39)", "x32_getpid"},
                             {"call(0x40000000 | 57)", "x32_fork"}};
  if (Free(absl::StrCat(kI386Getpid, "return 'done'")) == "done") {
    cases.push_back({absl::StrReplaceAll(kI386Getpid, {{"\n", "\n  "}}),
                     "i386_syscall_20"});
    cases.push_back(
        {absl::StrReplaceAll(kI386Getpid, {{"\n", "\n  "}, {"b814", "b802"}}),
         "i386_syscall_2"});
  }
  for (const Case& attack : cases) {
    const auto run = SharedSandbox().Run(PythonSpec(
        Program(absl::StrReplaceAll(in_a_child, {{"ACT", attack.act}}))));
    EXPECT_EQ(run->outcome().kind, OutcomeKind::kSyscallViolation)
        << attack.name << run->stderr_data();
    ASSERT_EQ(run->violations().size(), 1u) << attack.name;
    EXPECT_EQ(run->violations()[0].syscall, attack.name);
    EXPECT_EQ(run->violations()[0].action, ViolationAction::kTerminate);
  }
  EXPECT_EQ(Confined(absl::StrReplaceAll(in_a_child, {{"ACT", "call(39)"}})),
            "done");
}

}  // namespace
}  // namespace cordon::testing
