// Ordinary programs under the real filter: nothing of what they do is a breach,
// and they work.

#include <sys/wait.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "sandbox/policy/seccomp/syscall_table_x86_64.h"
#include "tests/kernel/seccomp_harness.h"

namespace cordon::sandbox {
namespace {

struct Program {
  const char* name;
  // Run by bash -e in an empty directory.
  const char* script;
};

void PrintTo(const Program& program, std::ostream* out) {
  *out << program.name;
}

std::string MakeDirectory() {
  std::string path = testing::TempDir() + "/seccomp.XXXXXX";
  EXPECT_NE(mkdtemp(path.data()), nullptr);
  return path;
}

std::vector<std::string> ReportedNames(const ProgramRun& program) {
  std::vector<std::string> names;
  for (const seccomp_data& call : program.run.notified) {
    names.emplace_back(SyscallName(call.nr));
  }
  return names;
}

class SeccompProgramsTest : public testing::TestWithParam<Program> {};

TEST_P(SeccompProgramsTest, WorksWithoutABreach) {
  for (const SignalScope signals :
       {SignalScope::kByLandlock, SignalScope::kBySupervisor}) {
    const ProgramRun program =
        RunProgram(DefaultPolicy({.signals = signals}), MakeDirectory(),
                   {"bash", "-ec", GetParam().script});
    EXPECT_TRUE(WIFEXITED(program.run.wait_status) &&
                WEXITSTATUS(program.run.wait_status) == 0)
        << program.run.wait_status << "\n"
        << program.output;
    EXPECT_THAT(ReportedNames(program), testing::IsEmpty()) << program.output;
  }
}

constexpr Program kPrograms[] = {
    {"List", "ls -laR /usr/lib/python3 > out; ls --color=always -l /"},
    {"Copy",
     "mkdir a; echo x > a/f; ln -s f a/l; cp -a a b; cp --reflink=auto a/f c; "
     "mv b d; test \"$(cat d/l)\" = x; rm -r a d"},
    {"Modes",
     "umask 027; touch f; chmod 600 f; chown $(id -u) f; touch -d yesterday f; "
     "stat f; truncate -s 100 f; sync f"},
    {"Fifo", "mkfifo p; echo hello > p & test \"$(cat p)\" = hello"},
    {"Archive",
     "mkdir a; seq 100 > a/f; tar -czf a.tgz a; rm -r a; tar -xpf a.tgz; "
     "test -s a/f; gzip -k a/f; gunzip -c a/f.gz | cmp - a/f"},
    // timeout(1) cannot make its own process group, and goes on.
    {"Timeout", "timeout 60 echo hello; nice -n 5 true; nohup true"},
    {"Limits", "ulimit -n 64; ulimit -c 0; ulimit -a; (ulimit -t 5; true)"},
    {"Jobs",
     "sleep 60 & kill $!; wait || true; trap 'echo t' USR1; kill -USR1 "
     "$$; read -t 0.01 < /dev/zero || true"},
    {"Text",
     "seq 1000 | sort -rn | split -l 100 - part; cat part* | sort -n | "
     "uniq | awk '{s+=$1} END {print s}' | grep 500500; seq 9 | tac; "
     "dd if=/dev/zero of=f bs=4k count=4 conv=fsync; fallocate -l 8k f"},
    {"Processors",
     "nproc; getconf _NPROCESSORS_ONLN; uname -a; id; date; "
     "hostname; env; df . || true; chrt -p 0 || true; taskset -p "
     "0 || true; ionice || true"},
    {"Make",
     "printf 'all: a b\\na b:\\n\\techo $@ > $@\\n' > Makefile; make -j2; "
     "test -s a -a -s b; make"},
    {"C",
     "echo 'int main(void){return 0;}' > a.c; gcc -O2 -pipe -o a a.c; ./a"},
    {"Cpp",
     "printf '#include <iostream>\\n#include <thread>\\nint main(){std::thread "
     "t([]{std::cout<<1;});t.join();}' > a.cc; g++ -std=c++20 -pthread -o a "
     "a.cc; test $(./a) = 1"},
    {"PythonBasics",
     "python3 -c 'import os, sys, tempfile, shutil, random, json, time\n"
     "with tempfile.TemporaryDirectory(dir=\".\") as d:\n"
     "  open(d + \"/f\", \"w\").write(\"x\"); shutil.copytree(d, \"copy\")\n"
     "os.sched_getaffinity(0); os.getloadavg(); os.nice(1)\n"
     "time.sleep(0.001); os.umask(0); os.getpriority(os.PRIO_PROCESS, 0)\n"
     "os.truncate(\"copy/f\", 0); os.utime(\"copy/f\"); "
     "os.listxattr(\"copy/f\")'"},
    {"PythonProcesses",
     "python3 -c 'import subprocess, signal, os, resource, threading, "
     "multiprocessing\n"
     "assert subprocess.run([\"echo\", \"x\"], capture_output=True).stdout\n"
     "signal.setitimer(signal.ITIMER_REAL, 1000); signal.alarm(0)\n"
     "signal.pthread_kill(threading.get_ident(), 0)\n"
     "os.kill(os.getpid(), 0)\n"
     "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
     "t = threading.Thread(target=print); t.start(); t.join()\n"
     "p = multiprocessing.get_context(\"fork\").Process(target=print)\n"
     "p.start(); p.join(); assert p.exitcode == 0'"},
    {"PythonEventLoop",
     "python3 -c 'import asyncio\n"
     "async def main():\n"
     "  p = await asyncio.create_subprocess_exec(\"echo\", \"x\", "
     "stdout=asyncio.subprocess.PIPE)\n"
     "  assert (await p.communicate())[0] == b\"x\\n\"\n"
     "  await asyncio.sleep(0.001)\n"
     "asyncio.run(main())'"},
    {"PythonUsers", "python3 -c 'import pwd; pwd.getpwuid(0)'; id nobody"},
    {"Perl",
     "perl -e 'alarm 100; my $p = fork // die; exit 0 unless $p; "
     "waitpid $p, 0; open F, \">\", \"f\"; flock F, 2; print F $$; "
     "utime 1, 1, \"f\"; exit($? >> 8)'"},
};

INSTANTIATE_TEST_SUITE_P(, SeccompProgramsTest, testing::ValuesIn(kPrograms),
                         [](const auto& info) -> std::string {
                           return info.param.name;
                         });

// The control: a breach of a program is seen.
TEST(SeccompProgramsControlTest, ABreachIsReported) {
  const ProgramRun program =
      RunProgram(DefaultPolicy({}), MakeDirectory(),
                 {"python3", "-c",
                  "import ctypes; ctypes.CDLL(None).ptrace(16, 0, 0, 0)"});
  EXPECT_THAT(ReportedNames(program), testing::ElementsAre("ptrace"));
}

TEST(SeccompProgramsControlTest, ANetworkBreachIsReportedAndSurvived) {
  const ProgramRun program =
      RunProgram(DefaultPolicy({}), MakeDirectory(),
                 {"python3", "-c",
                  "import socket\n"
                  "try: socket.socket()\n"
                  "except PermissionError: print('denied')"});
  EXPECT_THAT(ReportedNames(program), testing::ElementsAre("socket"));
  EXPECT_EQ(program.output, "denied\n");
}

}  // namespace
}  // namespace cordon::sandbox
