// Reads and executions outside the view: Landlock refuses them, and an audited
// run reports them as well.

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"

namespace cordon::testing {
namespace {

using sandbox::AuditScope;
using sandbox::ExecutionSpec;
using sandbox::FileMode;
using sandbox::Outcome;
using sandbox::OutcomeKind;
using sandbox::Violation;
using sandbox::ViolationAction;
using sandbox::ViolationKind;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ExecutionSpec Audited(ExecutionSpec spec) {
  spec.audit = AuditScope::kAll;
  return spec;
}

// "REFUSED" for a refused call.
constexpr const char* kTry =
    "import os\n"
    "def read(path, flags=os.O_RDONLY, **relative):\n"
    "    try: os.close(os.open(path, flags, **relative)); print('READ')\n"
    "    except PermissionError: print('REFUSED')\n"
    "def execute(path):\n"
    "    try: os.execv(path, ['x'])\n"
    "    except PermissionError: print('REFUSED')\n";

ExecutionSpec Trying(const std::string& act) {
  return PythonSpec(absl::StrCat(kTry, act));
}

auto Denied(const std::string& call, const std::string& path) {
  return AllOf(Field(&Violation::kind, ViolationKind::kFilesystem),
               Field(&Violation::syscall, call), Field(&Violation::path, path),
               Field(&Violation::action, ViolationAction::kDeny),
               Field(&Violation::error_number, EACCES));
}

TEST(AuditAttack, AReadOutsideIsReported) {
  const auto run = SharedSandbox().Run(Audited(Trying("read('/etc/shadow')")));
  EXPECT_EQ(run->stdout_data(), "REFUSED\n");
  EXPECT_THAT(run->outcome().violations,
              ElementsAre(Denied("openat", "/etc/shadow")));
}

TEST(AuditAttack, OnlyWhenItIsAskedFor) {
  const auto run = SharedSandbox().Run(Trying("read('/etc/shadow')"));
  EXPECT_EQ(run->stdout_data(), "REFUSED\n");
  EXPECT_THAT(run->outcome().violations, IsEmpty());
}

TEST(AuditAttack, AReadInsideIsNot) {
  const auto run = SharedSandbox().Run(Audited(
      Trying("open('own', 'w').close(); read('own'); read('/etc/passwd')\n"
             "read('/usr'); read('/dev/null')")));
  EXPECT_EQ(run->stdout_data(), "READ\nREAD\nREAD\nREAD\n")
      << run->stderr_data();
  EXPECT_THAT(run->outcome().violations, IsEmpty());
}

TEST(AuditAttack, WhatDoesNotExistIsNoBreach) {
  const auto run = SharedSandbox().Run(
      Audited(PythonSpec("import os\n"
                         "for path in '/nowhere', '/etc/nothing/here':\n"
                         "    try: os.open(path, os.O_RDONLY)\n"
                         "    except OSError: print('NO')")));
  EXPECT_EQ(run->stdout_data(), "NO\nNO\n");
  EXPECT_THAT(run->outcome().violations, IsEmpty());
}

TEST(AuditAttack, WaysToTheSameFile) {
  const auto run = SharedSandbox().Run(
      Audited(Trying("os.symlink('/etc/shadow', 'link'); read('link')\n"
                     "read('/usr/../etc/./shadow')\n"
                     "etc = os.open('/etc', os.O_PATH)\n"
                     "read('shadow', dir_fd=etc)\n"
                     "os.chdir('/etc'); read('shadow')")));
  EXPECT_EQ(run->stdout_data(), "REFUSED\nREFUSED\nREFUSED\nREFUSED\n")
      << run->stderr_data();
  const auto shadow = Denied("openat", "/etc/shadow");
  EXPECT_THAT(run->outcome().violations,
              ElementsAre(shadow, shadow, shadow, shadow));
}

TEST(AuditAttack, WaysThroughProc) {
  const auto run = SharedSandbox().Run(
      Audited(Trying("read('/proc/self/../../etc/shadow')\n"
                     "read('/proc/self/root/etc/shadow')\n"
                     "read('/proc/%d/task/%d/root/etc/shadow' %\n"
                     "     (os.getpid(), os.getpid()))\n"
                     "held = os.open('/etc/shadow', os.O_PATH)\n"
                     "read('/proc/self/fd/%d' % held)")));
  EXPECT_EQ(run->stdout_data(), "REFUSED\nREFUSED\nREFUSED\nREFUSED\n")
      << run->stderr_data();
  const auto shadow = Denied("openat", "/etc/shadow");
  EXPECT_THAT(run->outcome().violations,
              ElementsAre(shadow, shadow, shadow, shadow));
}

TEST(AuditAttack, TheOldOpenIsTheSame) {
  const auto run = SharedSandbox().Run(Audited(
      PythonSpec("import ctypes\n"
                 "print(ctypes.CDLL(None).syscall(2, b'/etc/shadow', 0))")));
  EXPECT_EQ(run->stdout_data(), "-1\n");
  EXPECT_THAT(run->outcome().violations,
              ElementsAre(Denied("open", "/etc/shadow")));
}

TEST(AuditAttack, ADirectoryIsReadToo) {
  const auto run = SharedSandbox().Run(
      Audited(PythonSpec("import os\ntry: os.listdir('/root')\n"
                         "except PermissionError: print('REFUSED')")));
  EXPECT_EQ(run->stdout_data(), "REFUSED\n");
  EXPECT_THAT(run->outcome().violations,
              ElementsAre(Denied("openat", "/root")));
}

TEST(AuditAttack, OtherProcessesAreOutside) {
  const auto run = SharedSandbox().Run(Audited(
      Trying("read('/proc/1/environ'); read('/proc/self/environ')\n"
             "read('/proc/%d/environ' % os.getpid()); read('/proc/mounts')")));
  EXPECT_EQ(run->stdout_data(), "REFUSED\nREFUSED\nREFUSED\nREFUSED\n");
  EXPECT_THAT(run->outcome().violations,
              ElementsAre(Denied("openat", "/proc/1/environ")));
}

TEST(AuditAttack, TheRequestCanEndTheRun) {
  ExecutionSpec spec =
      Audited(Trying("print('before', flush=True)\nread('/etc/shadow')\n"
                     "print('after')"));
  spec.on_violation.filesystem = ViolationAction::kTerminate;
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kFilesystemViolation);
  EXPECT_EQ(run->stdout_data(), "before\n");
  ASSERT_EQ(run->outcome().violations.size(), 1);
  EXPECT_EQ(run->outcome().violations[0].path, "/etc/shadow");
}

TEST(AuditAttack, AnExecutionOutsideIsReported) {
  char path[] = "/tmp/cordon-audited-XXXXXX";
  const sandbox::UniqueFd program(mkstemp(path));
  ASSERT_TRUE(program.valid());
  ASSERT_EQ(fchmod(program.get(), 0755), 0);
  const auto run = SharedSandbox().Run(
      Audited(Trying(absl::StrCat("execute('", path, "')"))));
  unlink(path);
  EXPECT_EQ(run->stdout_data(), "REFUSED\n");
  EXPECT_THAT(run->outcome().violations, ElementsAre(Denied("execve", path)));
}

TEST(AuditAttack, ExecutionsInsideAreNot) {
  ExecutionSpec spec = Audited(BashSpec("./own; /bin/true; ls > /dev/null"));
  spec.files = {{"own", "#!/bin/sh\necho executed\n", FileMode::kExecutable}};
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->stdout_data(), "executed\n") << run->stderr_data();
  EXPECT_THAT(run->outcome().violations, IsEmpty());
}

// cordon's own execve, of each directory of PATH, is asked about as well.
TEST(AuditAttack, AProgramIsFoundInItsPath) {
  ExecutionSpec spec = Audited(CommandSpec({"true"}));
  spec.path_directories = {"/nowhere", "/usr/lib", "/usr/bin"};
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited)
      << run->outcome().message;
  EXPECT_EQ(run->outcome().exit_code, 0);
  EXPECT_THAT(run->outcome().violations, IsEmpty());
}

TEST(AuditAttack, AProgramThatCannotBeStartedSaysSo) {
  const auto missing = SharedSandbox().Run(Audited(CommandSpec({"no-such"})));
  EXPECT_EQ(missing->outcome().kind, OutcomeKind::kStartFailed);
  EXPECT_THAT(missing->outcome().message, HasSubstr("not found"));
}

TEST(AuditAttack, CompilersProduceNoReport) {
  ExecutionSpec spec = Audited(CommandSpec({"./program"}));
  spec.files = {{"main.cc",
                 "#include <iostream>\nint main() { std::cout << \"ran\\n\"; }",
                 FileMode::kRegular}};
  spec.compile =
      CommandSpec({"/usr/bin/g++", "main.cc", "-o", "program"}).program;
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->stdout_data(), "ran\n") << run->outcome().message;
  EXPECT_THAT(run->outcome().violations, IsEmpty());
  ASSERT_NE(run->outcome().compilation, nullptr);
  EXPECT_THAT(run->outcome().compilation->outcome.violations, IsEmpty());
}

TEST(AuditAttack, BenignProgramsProduceNoReport) {
  for (const char* program :
       {"import ssl, sqlite3, multiprocessing, asyncio, tempfile, decimal",
        "import subprocess; subprocess.run(['ls', '-l'])",
        "import platform, locale, pwd; platform.platform(); "
        "pwd.getpwuid(0)"}) {
    const auto run = SharedSandbox().Run(Audited(PythonSpec(program)));
    EXPECT_EQ(run->outcome().exit_code, 0) << run->stderr_data();
    EXPECT_THAT(run->outcome().violations, IsEmpty()) << program;
  }
  const auto shell = SharedSandbox().Run(Audited(
      BashSpec("id; uname -a; echo b a | tr ' ' '\\n' | sort; mktemp -d; "
               "date; nproc; awk 'BEGIN { print 1 }'; sed s/a/b/ /dev/null")));
  EXPECT_THAT(shell->outcome().violations, IsEmpty());
}

}  // namespace
}  // namespace cordon::testing
