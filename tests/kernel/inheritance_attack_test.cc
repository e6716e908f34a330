// What a program inherits from the server: nothing but what is documented. This
// process is given away everything first, and a child without a sandbox shows
// that it would be inherited.

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"
#include "tests/support/root_only.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

class InheritanceAttack : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    setenv("CORDON_TEST_SECRET", "secret", 1);
    signal(SIGUSR1, SIG_IGN);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    // Before the sandbox's threads exist, so that they inherit it.
    sigprocmask(SIG_BLOCK, &blocked, nullptr);
    umask(0077);
    // Descriptors without close-on-exec, low and high.
    ASSERT_GE(open("/etc/passwd", O_RDONLY), 0);
    ASSERT_EQ(fcntl(0, F_DUPFD, 500), 500);
  }
};

TEST_F(InheritanceAttack, ThreeDescriptors) {
  const std::string act =
      "found = []\n"
      "for f in range(1024):\n"
      "  try: fcntl.fcntl(f, fcntl.F_GETFD); found.append(f)\n"
      "  except OSError: pass\n"
      "return found";
  EXPECT_EQ(Confined(act), "[0, 1, 2]");
  EXPECT_THAT(Free(act), HasSubstr("500"));
}

TEST_F(InheritanceAttack, NoIgnoredAndNoBlockedSignals) {
  EXPECT_EQ(SharedSandbox().Run(BashSpec("trap -p"))->stdout_data(), "");
  EXPECT_THAT(Free("import subprocess\nreturn subprocess.run(['bash', '-c', "
                   "'trap -p'], capture_output=True).stdout.decode()"),
              HasSubstr("SIGUSR1"));
  const std::string blocked =
      "return len(signal.pthread_sigmask(signal.SIG_BLOCK, []))";
  EXPECT_EQ(Confined(blocked), "0");
  EXPECT_EQ(Free(blocked), "1");
}

TEST_F(InheritanceAttack, NothingOfTheServersEnvironment) {
  const auto run = SharedSandbox().Run(CommandSpec({"/usr/bin/env"}));
  const std::vector<std::string> lines =
      absl::StrSplit(run->stdout_data(), '\n', absl::SkipEmpty());
  EXPECT_THAT(lines,
              UnorderedElementsAre(StartsWith("PATH="), StartsWith("LANG="),
                                   StartsWith("HOME="), StartsWith("TMPDIR=")));
  EXPECT_EQ(Free("return os.environ['CORDON_TEST_SECRET']"), "secret");
}

TEST_F(InheritanceAttack, NotTheUmask) {
  EXPECT_EQ(Confined("return oct(os.umask(0))"), "0o22");
  EXPECT_EQ(Free("return oct(os.umask(0))"), "0o77");
}

TEST_F(InheritanceAttack, NeitherSessionNorTerminal) {
  EXPECT_EQ(Confined("return os.getsid(0) == os.getpgid(0) == os.getpid()"),
            "True");
  EXPECT_EQ(Free("return os.getsid(0) == os.getpid()"), "False");
  EXPECT_EQ(Confined("return [os.isatty(f) for f in (0, 1, 2)]"),
            "[False, False, False]");
  EXPECT_EQ(Confined("os.tcgetpgrp(1)"), "ENOTTY");
}

TEST_F(InheritanceAttack, NoCapabilityAndNoNewOnes) {
  // capget: header of version 3 and two times three words.
  const std::string capabilities =
      "header = ctypes.create_string_buffer(struct.pack('Ii', 0x20080522, 0))\n"
      "data = ctypes.create_string_buffer(24)\n"
      "call(125, ctypes.addressof(header), ctypes.addressof(data))\n"
      "return data.raw == bytes(24)";
  EXPECT_EQ(Confined(capabilities), "True");
  EXPECT_EQ(Confined("return call(157, 39, 0, 0, 0, 0)"), "1");
  EXPECT_EQ(Confined("os.setuid(0)"), "EPERM");
  if (OnlyRootCan("have a capability outside of a run, as the control")) return;
  EXPECT_EQ(Free(capabilities), "False");
}

TEST_F(InheritanceAttack, LimitsOnlyGoDown) {
  EXPECT_EQ(Confined("resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))"),
            "done");
  for (const char* limit :
       {"RLIMIT_NOFILE", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_CORE",
        "RLIMIT_CPU", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_MSGQUEUE"}) {
    EXPECT_EQ(
        Confined(absl::StrCat("hard = resource.getrlimit(resource.", limit,
                              ")[1]\n"
                              "assert hard >= 0, 'unlimited'\n"
                              "try: resource.setrlimit(resource.",
                              limit,
                              ", (hard + 1, hard + 1))\n"
                              "except ValueError: return 'refused'")),
        "refused")
        << limit;
  }
  EXPECT_EQ(Confined("os.nice(-1)"), "EPERM");
  EXPECT_EQ(Confined("os.nice(1)"), "done");
  EXPECT_EQ(Confined("os.sched_setscheduler(0, os.SCHED_FIFO, "
                     "os.sched_param(1))"),
            "EPERM");
}

// The program's standard error is the program's.
TEST_F(InheritanceAttack, ASilentProgramIsSilent) {
  const auto run = SharedSandbox().Run(CommandSpec({"/bin/true"}));
  EXPECT_EQ(run->stdout_data(), "");
  EXPECT_EQ(run->stderr_data(), "");
}

size_t OpenDescriptors() {
  return static_cast<size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                    std::filesystem::directory_iterator()));
}

size_t RunDirectories() {
  return static_cast<size_t>(std::distance(
      std::filesystem::directory_iterator(SharedSandbox().state_directory() +
                                          "/runs"),
      std::filesystem::directory_iterator()));
}

// Every way for a run to end, many times over.
TEST_F(InheritanceAttack, ARunLeavesNothingInTheServer) {
  sandbox::ExecutionSpec input = CommandSpec({"/bin/cat"});
  input.program.stdin_data = std::string(1 << 20, 'x');
  sandbox::ExecutionSpec flood = BashSpec("while :; do echo x; done");
  flood.program.limits.output_bytes = 1000;
  sandbox::ExecutionSpec failed = BashSpec("exit 0");
  failed.compile = BashSpec("exit 1").program;
  const std::vector<sandbox::ExecutionSpec> specs = {
      BashSpec("echo x > file"),
      CommandSpec({"no-such-program"}),
      input,
      flood,
      failed,
      PythonSpec(Program("call(101)")),
      BashSpec("sleep 1000 &")};
  const auto run_all = [&] {
    for (const sandbox::ExecutionSpec& spec : specs) SharedSandbox().Run(spec);
  };
  run_all();
  // Directories are removed, and the stock of new ones is filled up, off the
  // way of the result: what stays the same for a while is the resting state.
  const auto settled = [](size_t descriptors, size_t directories) {
    for (int i = 0; i < 1000; ++i) {
      if (OpenDescriptors() == descriptors && RunDirectories() == directories) {
        return true;
      }
      absl::SleepFor(absl::Milliseconds(10));
    }
    return false;
  };
  absl::SleepFor(absl::Seconds(1));
  const size_t descriptors = OpenDescriptors();
  const size_t directories = RunDirectories();
  for (int i = 0; i < 20; ++i) run_all();
  EXPECT_TRUE(settled(descriptors, directories))
      << OpenDescriptors() - descriptors << " more descriptors, "
      << RunDirectories() - directories << " more directories";
}

}  // namespace
}  // namespace cordon::testing
