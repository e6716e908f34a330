// Races on calls that a program makes once more, at the supervisor's word, with
// its threads held meanwhile (sandbox/supervise/call_redirects.h).

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"
#include "tests/kernel/directory_race.h"
#include "tests/kernel/race.h"
#include "tests/kernel/virtual_run.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::OutcomeKind;

// ------------------------------------------------------------------ programs

// A program of the host's that everybody may execute, outside of every view.
// It exits with 1, and the run's own in its place with 7.
class HostProgram {
 public:
  HostProgram() : path_(directory_.path() + "/victim") {
    if (!directory_.made()) return;
    std::error_code error;
    std::filesystem::copy_file("/bin/false", path_, error);
    EXPECT_FALSE(error) << error.message();
    EXPECT_EQ(chmod(path_.c_str(), 0755), 0);
  }
  ~HostProgram() { unlink(path_.c_str()); }
  HostProgram(const HostProgram&) = delete;
  HostProgram& operator=(const HostProgram&) = delete;

  const std::string& directory() const { return directory_.path(); }
  const std::string& path() const { return path_; }
  // Not where this user can make none: then there is nothing to execute.
  bool made() const { return directory_.made(); }

 private:
  const HostDirectory directory_;
  const std::string path_;
};

Race ExecutingRace(const HostProgram& outside) {
  Race race = DirectoryRace(outside.directory(), "victim");
  race.declarations +=
      "#include <sys/wait.h>\n"
      "static char path[64] = VICTIM;\n"
      // vfork(2): the other thread goes on in the same memory.
      "static int execute(const char* name) {\n"
      "  char* arguments[] = {\"x\", \"y\", 0}; int status = 0;\n"
      "  const pid_t child = vfork();\n"
      "  if (child == 0) { execv(name, arguments); _exit(3); }\n"
      "  while (child > 0 && waitpid(child, &status, 0) < 0) {}\n"
      "  return WEXITSTATUS(status); }\n"
      "static void script(const char* name, const char* interpreter) {\n"
      "  FILE* f = fopen(name, \"w\"); fprintf(f, \"#!%s\\n\", interpreter);\n"
      "  fclose(f); chmod(name, 0700); }\n";
  race.setup = "if (argc > 1) return 7;\n" + race.setup +
               "unlink(VICTIM);\n"
               "if (link(\"/box/race\", VICTIM)) return 4;\n";
  return race;
}

void ExpectRaced(const Race& race) {
  const auto run = RunSwapping(race);
  EXPECT_EQ(run->stdout_data(), kRaced)
      << run->stderr_data() << run->outcome().message;
}

// The directory of the program, or of a script's interpreter.
TEST(VirtualFilesystemRace, NoProgramOutsideIsExecuted) {
  const HostProgram outside;
  Race race = ExecutingRace(outside);
  race.setup += "script(\"/box/script\", VICTIM);\n";
  race.kinds = 2;
  race.body =
      "const int code = execute(kind == 0 ? VICTIM : \"/box/script\");\n"
      "did += code == 7; reached += code == 1;";
  ExpectRaced(race);
  // It would be, by anybody else.
  if (outside.made()) {
    EXPECT_EQ(Free(absl::StrCat("import subprocess\nreturn subprocess.call(['",
                                outside.path(), "'])")),
              "1");
  }
}

// The path in memory, and a script's first line.
TEST(VirtualFilesystemRace, WhatIsExecutedChangesMeanwhile) {
  const HostProgram outside;
  Race race = ExecutingRace(outside);
  race.setup +=
      "script(\"/tmp/turns\", VICTIM);\n"
      "script(\"/tmp/others\", OUTSIDE \"/victim\");\n";
  race.other =
      "strcpy(path, OUTSIDE \"/victim\"); pause_();\n"
      "strcpy(path, VICTIM); pause_();";
  race.kinds = 2;
  race.body =
      "const int code = execute(kind == 0 ? path : \"/tmp/turns\");\n"
      "did += code == 7; reached += code == 1;";
  const auto run = RunSwapping(race, {"turns", "others"});
  EXPECT_EQ(run->stdout_data(), kRaced)
      << run->stderr_data() << run->outcome().message;
}

// Where a run may go is not the supervisor's to say, but for the processes of
// others.
TEST(VirtualFilesystemRace, AnothersWorkingDirectoryIsNotEntered) {
  struct stat here;
  ASSERT_EQ(stat(".", &here), 0);
  Race race = DirectoryRace(absl::StrCat("/proc/", getpid()), "own");
  race.setup += "mkdir(\"/tmp/dir/cwd\", 0700);\n";
  race.body = absl::StrCat(
      "struct stat s = {0}; const int r = chdir(\"/tmp/dir/cwd\");\n"
      "stat(\".\", &s); chdir(\"/\"); did += r == 0;\n"
      "reached += r == 0 && s.st_ino == ",
      here.st_ino, " && s.st_dev == ", here.st_dev, ";");
  ExpectRaced(race);
  EXPECT_EQ(Free(absl::StrCat("os.chdir('/proc/", getpid(), "/cwd')")), "done");
}

// ------------------------------------------------------------- held threads

// A signal's handler runs where the redirected call keeps its path.
TEST(VirtualFilesystemRace, HandlersOfSignalsWhileCallsAreRedirected) {
  ExecutionSpec spec = CommandSpec({"./storm"});
  spec.files = {
      {"storm.c",
       "#include <signal.h>\n#include <stdio.h>\n#include <string.h>\n"
       "#include <sys/stat.h>\n#include <sys/time.h>\n"
       "#include <sys/wait.h>\n#include <time.h>\n#include <unistd.h>\n"
       "static volatile long handled;\n"
       "static void handle(int s) {\n"
       "  char use[20000]; memset(use, 'x', sizeof(use));\n"
       "  __asm__ volatile(\"\" :: \"r\"(use) : \"memory\"); ++handled; }\n"
       "int main(int argc, char** argv) {\n"
       "  if (argc > 1) return argc == 3 && !strcmp(argv[2], \"y\") ? 7 : 1;\n"
       "  signal(SIGALRM, handle); mkdir(\"/tmp/d\", 0700);\n"
       "  if (link(\"storm\", \"/tmp/storm\")) return 2;\n"
       "  struct itimerval t = {{0, 300}, {0, 300}};\n"
       "  setitimer(ITIMER_REAL, &t, 0);\n"
       "  long wrong = 0; struct timespec b, n;\n"
       "  clock_gettime(CLOCK_MONOTONIC, &b);\n"
       "  do {\n"
       "    wrong += chdir(\"/tmp/d\") != 0; wrong += chdir(\"/box\") != 0;\n"
       "    pid_t c = fork(); int status = 7 << 8;\n"
       "    if (c == 0) { setitimer(ITIMER_REAL, &t, 0);\n"
       "      char* a[] = {\"x\", \"x\", \"y\", 0}; execv(\"/tmp/storm\", a);\n"
       "      _exit(3); }\n"
       "    while (c > 0 && waitpid(c, &status, 0) < 0) {}\n"
       "    wrong += WIFEXITED(status) && WEXITSTATUS(status) != 7;\n"
       "    clock_gettime(CLOCK_MONOTONIC, &n);\n"
       "  } while (n.tv_sec < b.tv_sec + 3);\n"
       "  printf(\"%ld %d\\n\", wrong, handled > 100);\n"
       "}\n",
       sandbox::FileMode::kRegular}};
  spec.compile =
      CommandSpec({"/usr/bin/gcc", "-O1", "-w", "storm.c", "-o", "storm"})
          .program;
  const auto run = RunVirtual(spec);
  EXPECT_EQ(run->stdout_data(), "0 1\n")
      << run->stderr_data() << run->outcome().message;
}

// Threads that are held, killed, stopped and replaced while they are.
TEST(VirtualFilesystemRace, ProgramsThatEndWhileTheyAreRedirected) {
  const auto run = RunTools(
      "os.mkdir('/tmp/d')\n"
      "import random, shutil, subprocess\n"
      "shutil.copy('/bin/true', '/tmp/true')\n"
      "def storm():\n"
      "    while True: os.chdir('/tmp/d'); os.chdir('/box')\n"
      "end = time.monotonic() + 3; ended = went = 0\n"
      "while time.monotonic() < end:\n"
      "    child = os.fork()\n"
      "    if child == 0:\n"
      "        for _ in range(2): threading.Thread(target=storm).start()\n"
      "        time.sleep(random.random() / 500)\n"
      "        if random.random() < .5: os.execv('/tmp/true', ['x'])\n"
      "        time.sleep(60)\n"
      "    time.sleep(random.random() / 100)\n"
      "    if random.random() < .3: os.kill(child, signal.SIGSTOP)\n"
      "    if random.random() < .3: os.kill(child, signal.SIGCONT)\n"
      "    if random.random() < .7: time.sleep(.01); os.kill(child, 9)\n"
      "    else:\n"
      "        time.sleep(.02); os.kill(child, 9)\n"
      "    status = os.waitpid(child, 0)[1]\n"
      "    ended += status == 9; went += status == 0\n"
      "print(ended > 0, went > 0, subprocess.run(['/tmp/true']).returncode,"
      " flush=True)\n"
      "for _ in range(8): threading.Thread(target=storm).start()\n"
      "time.sleep(.2); os._exit(7)\n");
  EXPECT_EQ(run->stdout_data(), "True True 0\n") << run->stderr_data();
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited)
      << run->outcome().message;
  EXPECT_EQ(run->outcome().exit_code, 7);
}

// Whoever attaches to a thread waits while another thread of that process
// executes a program, which waits in turn for threads that are held. What a
// program does of this costs nobody else.
TEST(VirtualFilesystemRace, ThreadsThatAreHeldWhileAnotherExecutesAProgram) {
  ExecutionSpec spec = CommandSpec({"./knot"});
  spec.files = {
      {"knot.c",
       "#include <pthread.h>\n#include <signal.h>\n#include <sys/wait.h>\n"
       "#include <unistd.h>\n"
       "static void* change(void* unused) {\n"
       "  for (;;) { chdir(\"/tmp\"); chdir(\"/box\"); } }\n"
       "static void* replace(void* unused) { usleep(300);\n"
       "  char* a[] = {\"true\", 0}; execv(\"/bin/true\", a); return 0; }\n"
       "int main(void) {\n"
       "  for (int i = 0;; ++i) {\n"
       "    if (i >= 4) wait(0);\n"
       "    if (fork() == 0) { pthread_t t; int n;\n"
       "      for (n = 0; n < 8; ++n) pthread_create(&t, 0, change, 0);\n"
       "      for (n = 0; n < 2; ++n) pthread_create(&t, 0, replace, 0);\n"
       "      change(0); } } }\n",
       sandbox::FileMode::kRegular}};
  spec.compile = CommandSpec({"/usr/bin/gcc", "-O1", "-w", "-pthread", "knot.c",
                              "-o", "knot"})
                     .program;
  spec.program.limits.wall_time = absl::Minutes(2);
  spec.program.limits.cpu_time = absl::Minutes(4);
  spec.filesystem = sandbox::Filesystem::kVirtual;
  auto knot = std::make_shared<RecordingObserver>();
  const std::shared_ptr<sandbox::Run> run =
      SharedSandbox().sandbox().Start(std::move(spec), knot);
  // Of either kind, on every loop.
  for (int i = 0; i < 40; ++i) {
    const auto other = RunVirtual(BashSpec("cd /tmp; pwd"));
    EXPECT_EQ(other->stdout_data(), "/tmp\n") << other->outcome().message;
    const auto plain = SharedSandbox().Run(CommandSpec({"/bin/true"}));
    EXPECT_EQ(plain->outcome().kind, OutcomeKind::kExited);
  }
  EXPECT_TRUE(absl::IsUnknown(knot->result().status()));  // It goes on.
  run->Cancel();
  knot->WaitForEnd();
  EXPECT_TRUE(absl::IsCancelled(knot->result().status()))
      << knot->result().status();
}

// The thread that executes a program takes over the first thread's id, while
// that one is held: nobody is told (ptrace(2)).
TEST(VirtualFilesystemRace, FirstThreadsThatAreHeldWhileAnotherExecutes) {
  ExecutionSpec spec = CommandSpec({"./knot"});
  spec.files = {
      {"knot.c",
       "#include <pthread.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
       "#include <sys/wait.h>\n#include <time.h>\n#include <unistd.h>\n"
       "static void* change(void* unused) { for (;;) chdir(\"/tmp\"); }\n"
       "static void* replace(void* unused) { usleep(300 + rand() % 2000);\n"
       "  execl(\"/bin/true\", \"true\", (char*)0); _exit(3); }\n"
       "int main(void) {\n"
       "  int gone = 0, status;\n"
       "  for (time_t end = time(0) + 3; time(0) < end; ++gone) {\n"
       "    srand(gone);\n"
       "    if (fork() == 0) { pthread_t t; int n;\n"
       "      for (n = 0; n < 3; ++n) pthread_create(&t, 0, change, 0);\n"
       "      pthread_create(&t, 0, replace, 0);\n"
       "      change(0); }\n"
       "    wait(&status); if (status != 0) break; }\n"
       "  printf(\"%d\\n\", gone > 0); return 0; }\n",
       sandbox::FileMode::kRegular}};
  spec.compile = CommandSpec({"/usr/bin/gcc", "-O1", "-w", "-pthread", "knot.c",
                              "-o", "knot"})
                     .program;
  const auto run = RunVirtual(std::move(spec));
  EXPECT_EQ(run->stdout_data(), "1\n") << run->outcome().message;
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited)
      << run->outcome().message;
}

}  // namespace
}  // namespace cordon::testing
