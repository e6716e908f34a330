// Every outcome of the contract, reached for real, with what it carries.

#include <errno.h>
#include <signal.h>

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/cordon/v1/violation_errno.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMebibyte = uint64_t{1} << 20;

class OutcomesTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new ServerProcess({}); }
  static void TearDownTestSuite() { delete server_; }

  TestClient client_{server_->address()};
  static ServerProcess* server_;
};

ServerProcess* OutcomesTest::server_ = nullptr;

// ------------------------------------------------------------- the program

TEST_F(OutcomesTest, ExitCodesFromZeroTo255AreTheProgramsOwn) {
  for (const int code : {0, 1, 2, 42, 126, 127, 128, 137, 255}) {
    const v1::Result result =
        client_.Run(BashRequest("exit " + std::to_string(code)));
    EXPECT_EQ(result.outcome(), v1::EXITED);
    EXPECT_EQ(result.exit_code(), code);
    EXPECT_EQ(result.signal(), 0);
    EXPECT_EQ(result.violations_size(), 0);
    EXPECT_FALSE(result.message().empty());
  }
}

TEST_F(OutcomesTest, ASignalOfTheProgramsOwnIsSignaled) {
  for (const int number : {SIGSEGV, SIGABRT, SIGTERM, SIGKILL, SIGPIPE}) {
    const v1::Result result = client_.Run(
        BashRequest("echo before; kill -" + std::to_string(number) + " $$"));
    EXPECT_EQ(result.outcome(), v1::SIGNALED) << number;
    EXPECT_EQ(result.signal(), number);
    EXPECT_EQ(result.stdout(), "before\n");
  }
}

TEST_F(OutcomesTest, UsageIsTheRunsOwn) {
  const v1::Result result = client_.Run(
      PythonRequest("import sys, time\n"
                    "x = bytearray(b'x' * (64 << 20))\n"
                    "end = time.process_time() + 0.3\n"
                    "while time.process_time() < end: pass\n"
                    "print('out'); print('error', file=sys.stderr)"));
  EXPECT_EQ(result.outcome(), v1::EXITED) << result.message();
  const v1::Usage& usage = result.usage();
  const absl::Duration cpu =
      ToDuration(usage.cpu_user()) + ToDuration(usage.cpu_system());
  EXPECT_GE(cpu, absl::Milliseconds(300));
  EXPECT_GE(ToDuration(usage.wall_time()), absl::Milliseconds(300));
  EXPECT_GE(usage.peak_memory_bytes(), 64 * kMebibyte);
  EXPECT_LT(usage.peak_memory_bytes(), 512 * kMebibyte);
  EXPECT_GE(usage.peak_processes(), 1u);
  EXPECT_EQ(usage.stdout_bytes(), 4u);
  EXPECT_EQ(usage.stderr_bytes(), 6u);
  // The control: a program that does nothing uses next to nothing.
  const v1::Result control = client_.Run(CommandRequest({"/bin/true"}));
  EXPECT_LT(ToDuration(control.usage().cpu_user()), absl::Milliseconds(300));
  EXPECT_LT(control.usage().peak_memory_bytes(), 64 * kMebibyte);
}

TEST_F(OutcomesTest, TheServersOwnMemoryIsNotTheProgramsPeak) {
  v1::ExecuteRequest large = BashRequest("cat > /dev/null");
  large.set_stdin(std::string(30 * kMebibyte, 'x'));
  ASSERT_EQ(client_.Run(large).outcome(), v1::EXITED);
  for (const char* script : {"true", "sleep 1"}) {
    EXPECT_LT(client_.Run(BashRequest(script)).usage().peak_memory_bytes(),
              32 * kMebibyte);
  }
  EXPECT_GT(client_.Run(PythonRequest("x = bytearray(b'x' * (300 << 20))"))
                .usage()
                .peak_memory_bytes(),
            300 * kMebibyte);
}

TEST_F(OutcomesTest, EveryResultSaysWhatWasEnforced) {
  const v1::Enforcement enforcement =
      client_.Run(CommandRequest({"/bin/true"})).enforcement();
  EXPECT_EQ(enforcement.filesystem().level(), v1::Enforcement::FULL)
      << enforcement.filesystem().reason();
  EXPECT_EQ(enforcement.network().level(), v1::Enforcement::FULL)
      << enforcement.network().reason();
  for (const auto* layer :
       {&enforcement.filesystem(), &enforcement.network(),
        &enforcement.syscalls(), &enforcement.signals(), &enforcement.memory(),
        &enforcement.processes(), &enforcement.identity()}) {
    EXPECT_NE(layer->level(), v1::Enforcement::LEVEL_UNSPECIFIED);
    EXPECT_EQ(layer->level() == v1::Enforcement::FULL, layer->reason().empty());
  }
}

// ------------------------------------------------------------- not started

// Relative directories of a PATH are not searched: what is left is nothing.
TEST_F(OutcomesTest, APathWithoutDirectoriesFindsNothing) {
  for (const char* path : {"", "x", ":", "x:y/z"}) {
    v1::ExecuteRequest request = CommandRequest({"true"});
    (*request.mutable_environment())["PATH"] = path;
    const v1::Result result = client_.Run(request);
    EXPECT_EQ(result.outcome(), v1::START_FAILED) << path;
    EXPECT_THAT(result.message(), HasSubstr("not found")) << path;
    (*request.mutable_environment())["PATH"] = "x:/usr/bin";
    EXPECT_EQ(client_.Run(request).outcome(), v1::EXITED);
  }
}

TEST_F(OutcomesTest, AProgramThatIsNotThereFailsToStart) {
  for (const char* name : {"no-such-program", "/usr/bin/no-such-program",
                           "./no-such-program", "/etc/shadow/x"}) {
    const v1::Result result = client_.Run(CommandRequest({name}));
    EXPECT_EQ(result.outcome(), v1::START_FAILED) << name;
    EXPECT_THAT(result.message(), HasSubstr(name));
    EXPECT_EQ(result.stdout() + result.stderr(), "") << "it is the program's";
  }
  EXPECT_EQ(client_.Run(CommandRequest({"true"})).outcome(), v1::EXITED);
}

v1::ExecuteRequest ScriptRequest(const std::string& content, bool executable) {
  v1::ExecuteRequest request = CommandRequest({"./script"});
  v1::File* file = request.add_files();
  file->set_path("script");
  file->set_content(content);
  file->set_executable(executable);
  return request;
}

TEST_F(OutcomesTest, AFileThatIsNotExecutableFailsToStart) {
  const std::string script = "#!/bin/bash\nexit 5\n";
  const v1::Result result =
      client_.Run(ScriptRequest(script, /*executable=*/false));
  EXPECT_EQ(result.outcome(), v1::START_FAILED);
  EXPECT_THAT(result.message(), HasSubstr("script"));
  const v1::Result control =
      client_.Run(ScriptRequest(script, /*executable=*/true));
  EXPECT_EQ(control.outcome(), v1::EXITED) << control.message();
  EXPECT_EQ(control.exit_code(), 5);
}

TEST_F(OutcomesTest, AScriptWithoutItsInterpreterFailsToStart) {
  const v1::Result result = client_.Run(
      ScriptRequest("#!/no/such/interpreter\n", /*executable=*/true));
  EXPECT_EQ(result.outcome(), v1::START_FAILED);
  EXPECT_THAT(result.message(), HasSubstr("interpreter"));
}

TEST_F(OutcomesTest, AFileInNoExecutableFormatFailsToStart) {
  EXPECT_EQ(
      client_.Run(ScriptRequest("just text\n", /*executable=*/true)).outcome(),
      v1::START_FAILED);
}

TEST_F(OutcomesTest, SourceThatDoesNotCompileCarriesTheCompilersWords) {
  const v1::Result result =
      client_.Run(SourceRequest("c++", "int main() { return nonsense; }\n"));
  EXPECT_EQ(result.outcome(), v1::COMPILE_FAILED);
  EXPECT_EQ(result.compilation().outcome(), v1::EXITED);
  EXPECT_NE(result.compilation().exit_code(), 0);
  EXPECT_THAT(result.compilation().stderr(), HasSubstr("nonsense"));
  EXPECT_EQ(result.stdout() + result.stderr(), "");
  const v1::Result control =
      client_.Run(SourceRequest("c++", "int main() { return 7; }\n"));
  EXPECT_EQ(control.outcome(), v1::EXITED) << control.message();
  EXPECT_EQ(control.exit_code(), 7);
  EXPECT_EQ(control.compilation().outcome(), v1::EXITED);
  EXPECT_EQ(control.compilation().exit_code(), 0);
}

// ------------------------------------------------------------------ limits

TEST_F(OutcomesTest, CpuTimeIsALimitOfItsOwn) {
  v1::ExecuteRequest request = BashRequest("echo before; while :; do :; done");
  SetDuration(request.mutable_limits()->mutable_cpu_time(),
              absl::Milliseconds(300));
  const v1::Result result = client_.Run(request);
  EXPECT_EQ(result.outcome(), v1::CPU_TIME_LIMIT);
  EXPECT_EQ(result.stdout(), "before\n");
  EXPECT_THAT(result.message(), HasSubstr("300ms"));
}

TEST_F(OutcomesTest, WallTimeIsALimitOfItsOwn) {
  v1::ExecuteRequest request = BashRequest("echo before; sleep 1000");
  SetDuration(request.mutable_limits()->mutable_wall_time(),
              absl::Milliseconds(400));
  const v1::Result result = client_.Run(request);
  EXPECT_EQ(result.outcome(), v1::WALL_TIME_LIMIT);
  EXPECT_EQ(result.stdout(), "before\n");
  EXPECT_EQ(result.signal(), SIGKILL);
  EXPECT_THAT(result.message(), HasSubstr("400ms"));
}

TEST_F(OutcomesTest, MemoryIsALimitOfItsOwn) {
  v1::ExecuteRequest request = PythonRequest(
      "print('before', flush=True)\n"
      "x = []\n"
      "while True: x.append(bytearray(b'x' * (1 << 20)))");
  request.mutable_limits()->set_memory_bytes(128 * kMebibyte);
  const v1::Result result = client_.Run(request);
  EXPECT_EQ(result.outcome(), v1::MEMORY_LIMIT) << result.message();
  EXPECT_EQ(result.stdout(), "before\n");
  v1::ExecuteRequest control =
      PythonRequest("x = bytearray(b'x' * (32 << 20))");
  control.mutable_limits()->set_memory_bytes(128 * kMebibyte);
  EXPECT_EQ(client_.Run(control).outcome(), v1::EXITED);
}

TEST_F(OutcomesTest, OutputIsALimitOfEachStream) {
  for (const char* script : {"while :; do echo 0123456789; done",
                             "while :; do echo 0123456789 >&2; done"}) {
    v1::ExecuteRequest request = BashRequest(script);
    request.mutable_limits()->set_output_bytes(1000);
    const v1::Result result = client_.Run(request);
    EXPECT_EQ(result.outcome(), v1::OUTPUT_LIMIT);
    EXPECT_EQ(result.stdout().size() + result.stderr().size(), 1000u);
    EXPECT_NE(result.stdout_truncated(), result.stderr_truncated());
  }
  v1::ExecuteRequest both =
      BashRequest("head -c 1000 /dev/zero; head -c 1000 /dev/zero >&2");
  both.mutable_limits()->set_output_bytes(1000);
  EXPECT_EQ(client_.Run(both).outcome(), v1::EXITED);
}

TEST_F(OutcomesTest, TheSizeOfAFileIsADiskLimit) {
  v1::ExecuteRequest request =
      CommandRequest({"/bin/dd", "if=/dev/zero", "of=big", "bs=1M", "count=8"});
  request.mutable_limits()->set_file_bytes(4 * kMebibyte);
  EXPECT_EQ(client_.Run(request).outcome(), v1::DISK_LIMIT);
  request.mutable_limits()->set_file_bytes(8 * kMebibyte);
  EXPECT_EQ(client_.Run(request).outcome(), v1::EXITED);
}

TEST_F(OutcomesTest, TheDiskOfARunIsALimitOfItsOwn) {
  v1::ExecuteRequest request = BashRequest(
      "for i in 1 2 3 4; do head -c 10000000 /dev/zero > f$i; done");
  request.mutable_limits()->set_disk_bytes(64 * kMebibyte);
  EXPECT_EQ(client_.Run(request).outcome(), v1::EXITED);
  request.mutable_limits()->set_disk_bytes(16 * kMebibyte);
  const v1::Result result = client_.Run(request);
  EXPECT_EQ(result.outcome(), v1::DISK_LIMIT);
  EXPECT_THAT(result.message(), HasSubstr("its limit is 16 MiB"));
}

TEST_F(OutcomesTest, AProcessTooManyIsRefusedAndRecorded) {
  v1::ExecuteRequest request = PythonRequest(
      "import os, time\n"
      "try:\n"
      "  if os.fork() == 0: time.sleep(1000)\n"
      "  print('one')\n"
      "  if os.fork() == 0: time.sleep(1000)\n"
      "  print('two')\n"
      "except OSError as e: print(e.errno)");
  request.mutable_limits()->set_processes(3);
  v1::Result result = client_.Run(request);
  EXPECT_EQ(result.stdout(), "one\ntwo\n");
  EXPECT_LE(result.usage().peak_processes(), 3u);
  request.mutable_limits()->set_processes(2);
  result = client_.Run(request);
  EXPECT_EQ(result.stdout(), "one\n11\n");
  EXPECT_EQ(result.outcome(), v1::EXITED);
  ASSERT_EQ(result.violations_size(), 1);
  EXPECT_EQ(result.violations(0).kind(), v1::Violation::PROCESS);
  EXPECT_EQ(result.violations(0).action(), v1::Violation::DENIED);
  EXPECT_EQ(v1::ErrnoOf(result.violations(0)), EAGAIN);
}

TEST_F(OutcomesTest, TheFirstCauseWins) {
  // Past its output, then past its time.
  v1::ExecuteRequest request =
      BashRequest("trap '' TERM; head -c 5000 /dev/zero; while :; do :; done");
  request.mutable_limits()->set_output_bytes(1000);
  SetDuration(request.mutable_limits()->mutable_cpu_time(), absl::Seconds(1));
  EXPECT_EQ(client_.Run(request).outcome(), v1::OUTPUT_LIMIT);
}

// ---------------------------------------------------------------- breaches

// syscall(SYS_ptrace, 16, 77, 88, 99): PTRACE_ATTACH.
constexpr char kPtrace[] =
    "import ctypes, os\n"
    "print('before', flush=True)\n"
    "libc = ctypes.CDLL(None, use_errno=True)\n"
    "r = libc.syscall(101, 16, 77, 88, 99)\n"
    "print(r, ctypes.get_errno())\n";

TEST_F(OutcomesTest, ASyscallBreachEndsTheRunAndNamesTheCall) {
  const v1::Result result = client_.Run(PythonRequest(kPtrace));
  EXPECT_EQ(result.outcome(), v1::SYSCALL_VIOLATION);
  EXPECT_EQ(result.stdout(), "before\n");
  EXPECT_THAT(result.message(), HasSubstr("ptrace"));
  ASSERT_EQ(result.violations_size(), 1);
  const v1::Violation& violation = result.violations(0);
  EXPECT_EQ(violation.kind(), v1::Violation::SYSCALL);
  EXPECT_EQ(violation.action(), v1::Violation::TERMINATED);
  EXPECT_EQ(violation.syscall(), "ptrace");
  EXPECT_EQ(violation.syscall_number(), 101);
  ASSERT_EQ(violation.arguments_size(), 6);
  EXPECT_EQ(violation.arguments(0), 16u);
  EXPECT_EQ(violation.arguments(1), 77u);
  EXPECT_EQ(violation.arguments(2), 88u);
  EXPECT_EQ(violation.arguments(3), 99u);
  EXPECT_GT(violation.process_id(), 0);
  EXPECT_GT(ToDuration(violation.offset()), absl::ZeroDuration());
  EXPECT_LE(ToDuration(violation.offset()),
            ToDuration(result.usage().wall_time()));
}

TEST_F(OutcomesTest, ASyscallBreachCanBeDeniedInstead) {
  v1::ExecuteRequest request = PythonRequest(kPtrace);
  request.mutable_policy()->mutable_on_violation()->set_syscall(
      v1::VIOLATION_ACTION_DENY);
  const v1::Result result = client_.Run(request);
  EXPECT_EQ(result.outcome(), v1::EXITED) << result.message();
  EXPECT_EQ(result.stdout(), "before\n-1 1\n");
  ASSERT_EQ(result.violations_size(), 1);
  EXPECT_EQ(result.violations(0).action(), v1::Violation::DENIED);
  EXPECT_EQ(v1::ErrnoOf(result.violations(0)), EPERM);
}

TEST_F(OutcomesTest, TheProcessIdOfABreachIsWhatTheProgramSees) {
  v1::ExecuteRequest request =
      PythonRequest(std::string(kPtrace) + "print(os.getpid())");
  request.mutable_policy()->mutable_on_violation()->set_syscall(
      v1::VIOLATION_ACTION_DENY);
  const v1::Result result = client_.Run(request);
  ASSERT_EQ(result.violations_size(), 1);
  EXPECT_THAT(
      result.stdout(),
      HasSubstr("\n" + std::to_string(result.violations(0).process_id()) +
                "\n"));
}

TEST_F(OutcomesTest, AWriteOutsideIsDeniedRecordedAndTheRunGoesOn) {
  const v1::Result result = client_.Run(BashRequest(
      "echo x > inside && echo kept; echo x > /etc/passwd || echo refused"));
  EXPECT_EQ(result.outcome(), v1::EXITED);
  EXPECT_EQ(result.stdout(), "kept\nrefused\n");
  ASSERT_EQ(result.violations_size(), 1);
  const v1::Violation& violation = result.violations(0);
  EXPECT_EQ(violation.kind(), v1::Violation::FILESYSTEM);
  EXPECT_EQ(violation.action(), v1::Violation::DENIED);
  EXPECT_EQ(violation.path(), "/etc/passwd");
  EXPECT_EQ(violation.syscall(), "openat");
  EXPECT_EQ(v1::ErrnoOf(violation), EACCES);
}

TEST_F(OutcomesTest, AWriteOutsideEndsTheRunWhenTheRequestSaysSo) {
  v1::ExecuteRequest request =
      BashRequest("echo before; echo x > /etc/passwd; echo after");
  request.mutable_policy()->mutable_on_violation()->set_filesystem(
      v1::VIOLATION_ACTION_TERMINATE);
  const v1::Result result = client_.Run(request);
  EXPECT_EQ(result.outcome(), v1::FILESYSTEM_VIOLATION);
  EXPECT_EQ(result.stdout(), "before\n");
  ASSERT_EQ(result.violations_size(), 1);
  EXPECT_EQ(result.violations(0).action(), v1::Violation::TERMINATED);
  EXPECT_EQ(result.violations(0).path(), "/etc/passwd");
  v1::ExecuteRequest control = BashRequest("echo x > inside; echo after");
  *control.mutable_policy() = request.policy();
  EXPECT_EQ(client_.Run(control).stdout(), "after\n");
}

constexpr char kSocket[] =
    "import socket\n"
    "print('before', flush=True)\n"
    "try: socket.socket(socket.AF_INET, socket.SOCK_STREAM)\n"
    "except OSError as e: print('errno', e.errno)\n";

TEST_F(OutcomesTest, AnInternetSocketIsDeniedRecordedAndTheRunGoesOn) {
  const v1::Result result = client_.Run(PythonRequest(kSocket));
  EXPECT_EQ(result.outcome(), v1::EXITED);
  ASSERT_EQ(result.violations_size(), 1);
  const v1::Violation& violation = result.violations(0);
  EXPECT_EQ(violation.kind(), v1::Violation::NETWORK);
  EXPECT_EQ(violation.action(), v1::Violation::DENIED);
  EXPECT_EQ(violation.syscall(), "socket");
  EXPECT_EQ(violation.address(), "AF_INET");
  EXPECT_EQ(result.stdout(),
            "before\nerrno " + std::to_string(v1::ErrnoOf(violation)) + "\n");
}

TEST_F(OutcomesTest, AnInternetSocketEndsTheRunWhenTheRequestSaysSo) {
  v1::ExecuteRequest request = PythonRequest(kSocket);
  request.mutable_policy()->mutable_on_violation()->set_network(
      v1::VIOLATION_ACTION_TERMINATE);
  const v1::Result result = client_.Run(request);
  EXPECT_EQ(result.outcome(), v1::NETWORK_VIOLATION);
  EXPECT_EQ(result.stdout(), "before\n");
  v1::ExecuteRequest control =
      PythonRequest("import socket\nsocket.socketpair()\nprint('pair')");
  *control.mutable_policy() = request.policy();
  EXPECT_EQ(client_.Run(control).stdout(), "pair\n");
}

TEST_F(OutcomesTest, ReachingForTheServersProcessIsAProcessBreach) {
  const std::string code =
      "import os, resource\n"
      "def attempt(pid):\n"
      "  try: print('limit', resource.prlimit(pid, resource.RLIMIT_CPU, "
      "(900, 900)))\n"
      "  except PermissionError: print('refused')\n";
  const v1::Result result =
      client_.Run(PythonRequest(code + "attempt(os.getppid())"));
  EXPECT_EQ(result.outcome(), v1::EXITED) << result.message();
  EXPECT_EQ(result.stdout(), "refused\n") << result.stderr();
  ASSERT_EQ(result.violations_size(), 1);
  EXPECT_EQ(result.violations(0).kind(), v1::Violation::PROCESS);
  EXPECT_EQ(result.violations(0).action(), v1::Violation::DENIED);
  const v1::Result control = client_.Run(PythonRequest(
      "import resource\n"
      "print(resource.prlimit(0, resource.RLIMIT_NOFILE) > (0, 0))"));
  EXPECT_EQ(control.stdout(), "True\n") << control.stderr();
  EXPECT_EQ(control.violations_size(), 0);
}

TEST_F(OutcomesTest, ViolationsPastTheServersNumberAreCounted) {
  ServerProcess server({"--max_violations=5"});
  TestClient client(server.address());
  const v1::Result result =
      client.Run(PythonRequest("import socket\n"
                               "for i in range(12):\n"
                               "  try: socket.socket(socket.AF_INET)\n"
                               "  except OSError: pass"));
  EXPECT_EQ(result.violations_size(), 5);
  EXPECT_EQ(result.violations_dropped(), 7u);
}

TEST_F(OutcomesTest, LocalHostFilesThatHoldSecretsCannotBeRead) {
  const v1::Result result = client_.Run(
      BashRequest("cat /etc/shadow; cat /proc/1/environ; ls /root; ls /tmp; "
                  "cat /usr/share/doc/bash/copyright | head -c 1 && echo ok"));
  EXPECT_EQ(result.outcome(), v1::EXITED);
  EXPECT_THAT(result.stdout(), HasSubstr("ok"));
  EXPECT_EQ(result.stdout().size(), 4u) << result.stdout();
}

}  // namespace
}  // namespace cordon::testing
