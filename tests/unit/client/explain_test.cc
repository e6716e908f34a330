#include "client/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include <string>
#include <utility>
#include <vector>

#include "client/exit_codes.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"

namespace cordon::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

v1::Result WithOutcome(v1::Outcome outcome) {
  v1::Result result;
  result.set_outcome(outcome);
  return result;
}

TEST(ExplainResultTest, AnExitIsItsCodeAndNoWords) {
  for (const int code : {0, 1, 42, 255}) {
    v1::Result result = WithOutcome(v1::EXITED);
    result.set_exit_code(code);
    EXPECT_EQ(ExplainResult(result).exit_code, code);
    EXPECT_THAT(ExplainResult(result).lines, IsEmpty());
  }
}

TEST(ExplainResultTest, ASignalIs128PlusItsNumber) {
  v1::Result result = WithOutcome(v1::SIGNALED);
  result.set_signal(SIGSEGV);
  EXPECT_EQ(ExplainResult(result).exit_code, 128 + SIGSEGV);
  EXPECT_THAT(ExplainResult(result).lines, ElementsAre(HasSubstr("SIGSEGV")));
}

TEST(ExplainResultTest, EveryOtherOutcomeHasItsCodeAndOneSentence) {
  const std::pair<v1::Outcome, ExitCode> table[] = {
      {v1::START_FAILED, ExitCode::kNotStarted},
      {v1::COMPILE_FAILED, ExitCode::kNotStarted},
      {v1::CPU_TIME_LIMIT, ExitCode::kLimit},
      {v1::WALL_TIME_LIMIT, ExitCode::kLimit},
      {v1::MEMORY_LIMIT, ExitCode::kLimit},
      {v1::OUTPUT_LIMIT, ExitCode::kLimit},
      {v1::DISK_LIMIT, ExitCode::kLimit},
      {v1::SYSCALL_VIOLATION, ExitCode::kBreach},
      {v1::FILESYSTEM_VIOLATION, ExitCode::kBreach},
      {v1::NETWORK_VIOLATION, ExitCode::kBreach},
      {v1::OUTCOME_UNSPECIFIED, ExitCode::kServiceFailed},
  };
  // With EXITED and SIGNALED these are all: a new outcome needs its row.
  EXPECT_EQ(std::size(table) + 2, static_cast<size_t>(v1::Outcome_ARRAYSIZE));
  for (const auto& [outcome, code] : table) {
    const Explanation explanation = ExplainResult(WithOutcome(outcome));
    EXPECT_EQ(explanation.exit_code, static_cast<int>(code)) << outcome;
    EXPECT_EQ(explanation.lines.size(), 1u) << outcome;
  }
}

TEST(ExplainResultTest, AnOutcomeFromTheFutureIsAServiceFailure) {
  const Explanation explanation =
      ExplainResult(WithOutcome(static_cast<v1::Outcome>(99)));
  EXPECT_EQ(explanation.exit_code, static_cast<int>(ExitCode::kServiceFailed));
  EXPECT_THAT(explanation.lines, ElementsAre(HasSubstr("99")));
}

TEST(ExplainResultTest, TheServersSentenceOfALimitIsShown) {
  v1::Result result = WithOutcome(v1::CPU_TIME_LIMIT);
  result.set_message("The run used 2.01s of CPU time; the limit is 2s.");
  EXPECT_THAT(ExplainResult(result).lines,
              ElementsAre("the run used 2.01s of CPU time; the limit is 2s"));
}

TEST(ExplainResultTest, ABreachNamesTheCallAndTheRule) {
  v1::Result result = WithOutcome(v1::SYSCALL_VIOLATION);
  v1::Violation& earlier = *result.add_violations();
  earlier.set_syscall("openat");
  earlier.set_action(v1::Violation::DENIED);
  v1::Violation& fatal = *result.add_violations();
  fatal.set_syscall("ptrace");
  fatal.set_action(v1::Violation::TERMINATED);
  v1::Violation& later = *result.add_violations();
  later.set_syscall("socket");
  later.set_action(v1::Violation::DENIED);
  EXPECT_THAT(
      ExplainResult(result).lines,
      ElementsAre(AllOf(HasSubstr("ptrace"), HasSubstr("system call policy"),
                        Not(HasSubstr("openat")))));
}

TEST(ExplainResultTest, ABreachNamesPathAndAddress) {
  v1::Result file = WithOutcome(v1::FILESYSTEM_VIOLATION);
  file.add_violations()->set_syscall("openat");
  file.mutable_violations(0)->set_kind(v1::Violation::FILESYSTEM);
  file.mutable_violations(0)->set_path("/etc/\x1b[2Jshadow");
  EXPECT_THAT(ExplainResult(file).lines,
              ElementsAre(HasSubstr("openat of /etc/\\x1b[2Jshadow")));
  v1::Result network = WithOutcome(v1::NETWORK_VIOLATION);
  network.add_violations()->set_syscall("connect");
  network.mutable_violations(0)->set_kind(v1::Violation::NETWORK);
  network.mutable_violations(0)->set_address("10.0.0.1:80");
  EXPECT_THAT(ExplainResult(network).lines,
              ElementsAre(HasSubstr("connect with 10.0.0.1:80")));
}

TEST(ExplainResultTest, AHiddenCallNamesItsCandidates) {
  v1::Result result = WithOutcome(v1::SYSCALL_VIOLATION);
  v1::Violation& violation = *result.add_violations();
  violation.set_syscall_number(-1);
  violation.add_candidates("mount");
  violation.add_candidates("unshare");
  EXPECT_THAT(ExplainResult(result).lines,
              ElementsAre(HasSubstr("one of mount, unshare")));
}

TEST(ExplainResultTest, ACompilerThatReachedALimitSaysSo) {
  v1::Result result = WithOutcome(v1::COMPILE_FAILED);
  result.set_message("the compiler failed");
  result.mutable_compilation()->set_outcome(v1::CPU_TIME_LIMIT);
  result.mutable_compilation()->set_message("used 30s of CPU time");
  EXPECT_THAT(ExplainResult(result).lines,
              ElementsAre(HasSubstr("used 30s of CPU time")));
}

grpc::Status WithDetail(grpc::StatusCode code, const std::string& message,
                        const google::protobuf::Message& detail) {
  google::rpc::Status status;
  status.add_details()->PackFrom(detail);
  return grpc::Status(code, message, status.SerializeAsString());
}

TEST(ExplainStatusTest, EveryStatusHasItsCode) {
  const std::pair<grpc::StatusCode, ExitCode> table[] = {
      {grpc::INVALID_ARGUMENT, ExitCode::kBadRequest},
      {grpc::UNIMPLEMENTED, ExitCode::kBadRequest},
      {grpc::FAILED_PRECONDITION, ExitCode::kBadRequest},
      {grpc::RESOURCE_EXHAUSTED, ExitCode::kBadRequest},
      {grpc::UNAVAILABLE, ExitCode::kUnavailable},
      {grpc::DEADLINE_EXCEEDED, ExitCode::kTimedOut},
      {grpc::INTERNAL, ExitCode::kServiceFailed},
      {grpc::UNKNOWN, ExitCode::kServiceFailed},
      {grpc::CANCELLED, ExitCode::kServiceFailed},
      {grpc::DATA_LOSS, ExitCode::kServiceFailed},
  };
  for (const auto& [status, code] : table) {
    const Explanation explanation = ExplainStatus(grpc::Status(status, "why"));
    EXPECT_EQ(explanation.exit_code, static_cast<int>(code)) << status;
    EXPECT_EQ(explanation.lines.size(), 1u) << status;
  }
}

TEST(ExplainStatusTest, ABusyServerIsNotABadRequest) {
  const Explanation explanation = ExplainStatus(WithDetail(
      grpc::RESOURCE_EXHAUSTED, "the queue is full", google::rpc::RetryInfo()));
  EXPECT_EQ(explanation.exit_code, static_cast<int>(ExitCode::kUnavailable));
  EXPECT_THAT(explanation.lines, ElementsAre(HasSubstr("the queue is full")));
}

TEST(ExplainStatusTest, EveryBadFieldHasItsLine) {
  google::rpc::BadRequest bad_request;
  auto* field = bad_request.add_field_violations();
  field->set_field("files[2].path");
  field->set_description("is absolute: give a relative path");
  field = bad_request.add_field_violations();
  field->set_field("limits.cpu_time");
  field->set_description("is above the ceiling of 60s");
  EXPECT_THAT(
      ExplainStatus(WithDetail(grpc::INVALID_ARGUMENT, "2 fields", bad_request))
          .lines,
      ElementsAre("files[2].path is absolute: give a relative path",
                  "limits.cpu_time is above the ceiling of 60s"));
}

TEST(DescribeRemarksTest, DeniedBreachesAreToldAndEqualOnesOnce) {
  v1::Result result = WithOutcome(v1::EXITED);
  for (int i = 0; i < 3; ++i) {
    v1::Violation& violation = *result.add_violations();
    violation.set_kind(v1::Violation::FILESYSTEM);
    violation.set_syscall("openat");
    violation.set_path("/etc/passwd");
    violation.set_action(v1::Violation::DENIED);
    violation.set_errno(EACCES);
  }
  result.set_violations_dropped(7);
  EXPECT_THAT(DescribeRemarks(result),
              ElementsAre(AllOf(HasSubstr("openat of /etc/passwd"),
                                HasSubstr("EACCES"), HasSubstr("(3 times)")),
                          HasSubstr("7 more")));
}

v1::Result WithDenied(v1::Violation::Kind kind, const char* call) {
  v1::Result result = WithOutcome(v1::EXITED);
  v1::Violation& violation = *result.add_violations();
  violation.set_kind(kind);
  violation.set_syscall(call);
  violation.set_action(v1::Violation::DENIED);
  violation.set_errno(EACCES);
  return result;
}

TEST(DescribeRemarksTest, ABreachNamesWhatWouldHaveBeenAllowed) {
  const auto file = [](const char* call, const char* path, uint64_t flags) {
    v1::Result result = WithDenied(v1::Violation::FILESYSTEM, call);
    v1::Violation& violation = *result.mutable_violations(0);
    violation.set_path(path);
    for (const uint64_t argument : {uint64_t{0}, uint64_t{0}, flags}) {
      violation.add_arguments(argument);
    }
    return DescribeRemarks(result);
  };
  EXPECT_THAT(file("openat", "/etc/passwd", O_WRONLY),
              ElementsAre(HasSubstr("; it may write in its own directory")));
  EXPECT_THAT(file("openat", "/etc/shadow", O_RDONLY),
              ElementsAre(HasSubstr("; it may read its own directory, /usr")));
  EXPECT_THAT(file("execve", "/opt/x", 0),
              ElementsAre(HasSubstr("; it may execute what is in /usr")));
  EXPECT_THAT(file("openat", "/tmp/x", O_WRONLY),
              ElementsAre(HasSubstr("a /tmp of its own with "
                                    "--filesystem=virtual")));
  const auto connection = [](const char* address) {
    v1::Result result = WithDenied(v1::Violation::NETWORK, "connect");
    result.mutable_violations(0)->set_address(address);
    return DescribeRemarks(result);
  };
  EXPECT_THAT(connection("10.0.0.1:80"),
              ElementsAre(HasSubstr("--allow-host=10.0.0.1:80 allows it")));
  EXPECT_THAT(connection("AF_INET"),
              ElementsAre(HasSubstr("--network=loopback")));
  EXPECT_THAT(connection("/run/docker.sock"),
              ElementsAre(HasSubstr("unix sockets in its own directory")));
  EXPECT_THAT(connection("AF_NETLINK"),
              ElementsAre(HasSubstr("stream sockets of AF_UNIX")));
  v1::Result process = WithDenied(v1::Violation::PROCESS, "kill");
  EXPECT_THAT(DescribeRemarks(process),
              ElementsAre(HasSubstr("processes of its own")));
  process.mutable_violations(0)->set_errno(EAGAIN);
  EXPECT_THAT(DescribeRemarks(process),
              ElementsAre(HasSubstr("; --processes says how many")));
}

TEST(DescribeRemarksTest, TheBreachThatEndedTheRunIsNotARemark) {
  v1::Result result = WithOutcome(v1::SYSCALL_VIOLATION);
  result.add_violations()->set_action(v1::Violation::TERMINATED);
  EXPECT_THAT(DescribeRemarks(result), IsEmpty());
}

TEST(DescribeRemarksTest, OutputThatWasLeftOutIsARemark) {
  v1::Result result = WithOutcome(v1::EXITED);
  result.set_stdout_truncated(true);
  result.mutable_usage()->set_stdout_bytes(5000);
  EXPECT_THAT(DescribeRemarks(result),
              ElementsAre(AllOf(HasSubstr("5000"), HasSubstr("output"))));
  // There the outcome's own sentence says so.
  result.set_outcome(v1::OUTPUT_LIMIT);
  EXPECT_THAT(DescribeRemarks(result), IsEmpty());
}

TEST(ExitCodeTableTest, EveryCodeHasItsLine) {
  const std::string table = ExitCodeTable();
  for (const char* number :
       {"118", "119", "120", "121", "122", "123", "124", "125", "130", "141"}) {
    EXPECT_THAT(table, HasSubstr(number));
  }
}

}  // namespace
}  // namespace cordon::client
