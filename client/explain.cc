#include "client/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/exit_codes.h"
#include "client/printable.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "proto/cordon/v1/violation_errno.h"

namespace cordon::client {
namespace {

// As shells do: 128 + the signal's number.
constexpr int kSignalBase = 128;
// More names than this say nothing to a reader.
constexpr int kMaxCandidates = 8;

std::string SignalName(int signal) {
  const char* const name = sigabbrev_np(signal);
  if (name == nullptr) return absl::StrCat("signal ", signal);
  return absl::StrCat("signal ", signal, " (SIG", name, ")");
}

std::string ErrnoName(int error) {
  const char* const name = strerrorname_np(error);
  return name == nullptr ? absl::StrCat("errno ", error) : name;
}

// "connect to 10.0.0.1:80", "openat of /etc/shadow", "ptrace".
std::string CallOf(const v1::Violation& violation) {
  std::string call = violation.syscall();
  if (call.empty() && violation.candidates_size() != 0) {
    std::vector<std::string> names(violation.candidates().begin(),
                                   violation.candidates().end());
    const size_t hidden =
        names.size() > kMaxCandidates ? names.size() - kMaxCandidates : 0;
    names.resize(names.size() - hidden);
    call = absl::StrCat("one of ", absl::StrJoin(names, ", "));
    if (hidden != 0) absl::StrAppend(&call, " and ", hidden, " more");
  } else if (call.empty()) {
    call = absl::StrCat("system call ", violation.syscall_number());
  }
  if (!violation.path().empty()) {
    absl::StrAppend(&call, " of ", violation.path());
  } else if (!violation.address().empty()) {
    absl::StrAppend(&call, " with ", violation.address());
  }
  return Printable(call);
}

absl::string_view RuleOf(v1::Violation::Kind kind) {
  switch (kind) {
    case v1::Violation::SYSCALL:
      return "which the system call policy does not allow";
    case v1::Violation::FILESYSTEM:
      return "which is outside the files that the run may use";
    case v1::Violation::NETWORK:
      return "which the run's network policy does not allow";
    case v1::Violation::PROCESS:
      return "which goes beyond the run's own processes and their number";
    default:
      return "which the policy does not allow";
  }
}

// An open that would have written (open(2)); by the registers.
bool OpensForWriting(const v1::Violation& violation) {
  const bool at = violation.syscall() == "openat";
  if (violation.syscall() == "creat" || violation.syscall() == "truncate") {
    return true;
  }
  if (!at && violation.syscall() != "open") return false;
  const int flags = at ? 2 : 1;
  return violation.arguments_size() > flags &&
         (violation.arguments(flags) & (O_ACCMODE | O_CREAT | O_TRUNC)) != 0;
}

bool IsBeneath(absl::string_view path, absl::string_view directory) {
  return path == directory ||
         absl::StartsWith(path, absl::StrCat(directory, "/"));
}

std::string AllowedFile(const v1::Violation& violation) {
  for (const absl::string_view directory :
       {"/tmp", "/var/tmp", "/dev/shm", "/proc/self"}) {
    if (IsBeneath(violation.path(), directory)) {
      return absl::StrCat("a run has a ", directory,
                          " of its own with --filesystem=virtual");
    }
  }
  if (violation.syscall() == "execve") {
    return "it may execute what is in /usr and in its own directory";
  }
  if (OpensForWriting(violation)) {
    return "it may write in its own directory, $HOME";
  }
  if (absl::StartsWith(violation.syscall(), "open")) {
    return "it may read its own directory, /usr and what its language needs";
  }
  return "it may change files in its own directory, $HOME";
}

std::string AllowedConnection(const v1::Violation& violation) {
  const std::string& address = violation.address();
  constexpr char kWhereGranted[] = ", where the server grants that";
  if (address == "AF_INET" || address == "AF_INET6") {
    return absl::StrCat(
        "internet sockets exist with --network=loopback, allow-list or full",
        kWhereGranted);
  }
  if (absl::StartsWith(address, "/") || absl::StartsWith(address, "@")) {
    return "it may name and reach unix sockets in its own directory";
  }
  if (absl::StrContains(address, ':')) {
    return absl::StrCat("--network=allow-list --allow-host=", address,
                        " allows it", kWhereGranted);
  }
  return "it may have stream sockets of AF_UNIX, and of the internet with "
         "--network";
}

// What the run might have done instead, or been given; empty: nothing.
std::string Allowed(const v1::Violation& violation) {
  switch (violation.kind()) {
    case v1::Violation::SYSCALL:
      return "no request allows it";
    case v1::Violation::FILESYSTEM:
      return AllowedFile(violation);
    case v1::Violation::NETWORK:
      return AllowedConnection(violation);
    case v1::Violation::PROCESS:
      return v1::ErrnoOf(violation) == EAGAIN
                 ? "--processes says how many it may have"
                 : "it may steer processes of its own";
    default:
      return "";
  }
}

std::string WithAllowed(std::string line, const v1::Violation& violation) {
  const std::string allowed = Allowed(violation);
  return allowed.empty() ? line : absl::StrCat(line, "; ", Printable(allowed));
}

// The breach that ended the run: the last one marked so, or the last at all.
const v1::Violation* FatalViolation(const v1::Result& result) {
  const v1::Violation* fatal = nullptr;
  for (const v1::Violation& violation : result.violations()) {
    if (fatal == nullptr || violation.action() == v1::Violation::TERMINATED ||
        fatal->action() != v1::Violation::TERMINATED) {
      fatal = &violation;
    }
  }
  return fatal;
}

Explanation Ended(ExitCode code, std::string line) {
  return {static_cast<int>(code), {std::move(line)}};
}

// The server's sentence in the form of ours, which follow "cordon: ": no
// capital at the start and no stop at the end.
std::string Clause(absl::string_view sentence) {
  std::string clause = Printable(absl::StripSuffix(sentence, "."));
  if (clause.size() > 1 && absl::ascii_isupper(clause[0]) &&
      !absl::ascii_isupper(clause[1])) {
    clause[0] = absl::ascii_tolower(clause[0]);
  }
  return clause;
}

// The server's sentence, which has the numbers, or ours.
Explanation EndedWith(ExitCode code, const v1::Result& result,
                      absl::string_view otherwise) {
  return Ended(code, result.message().empty() ? std::string(otherwise)
                                              : Clause(result.message()));
}

Explanation Breach(const v1::Result& result, v1::Violation::Kind kind) {
  const v1::Violation* const violation = FatalViolation(result);
  if (violation == nullptr) {
    return EndedWith(
        ExitCode::kBreach, result,
        absl::StrCat("the program was killed: it made a call ", RuleOf(kind)));
  }
  return Ended(ExitCode::kBreach,
               WithAllowed(absl::StrCat("the program was killed: it called ",
                                        CallOf(*violation), ", ", RuleOf(kind)),
                           *violation));
}

Explanation CompileFailed(const v1::Result& result) {
  const v1::Result& compilation = result.compilation();
  std::string line = "the program did not compile";
  // What the compiler printed says why, unless a limit or a breach ended it.
  if (compilation.outcome() != v1::EXITED) {
    const std::string& why = compilation.message().empty()
                                 ? result.message()
                                 : compilation.message();
    if (!why.empty()) absl::StrAppend(&line, ": ", Clause(why));
  }
  return Ended(ExitCode::kNotStarted, std::move(line));
}

std::vector<std::string> BadFields(const google::rpc::Status& details) {
  std::vector<std::string> lines;
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::BadRequest bad_request;
    if (!detail.UnpackTo(&bad_request)) continue;
    for (const auto& field : bad_request.field_violations()) {
      lines.push_back(
          Printable(absl::StrCat(field.field(), " ", field.description())));
    }
  }
  return lines;
}

bool HasRetryInfo(const google::rpc::Status& details) {
  for (const google::protobuf::Any& detail : details.details()) {
    if (detail.Is<google::rpc::RetryInfo>()) return true;
  }
  return false;
}

std::string Left(uint64_t bytes, absl::string_view stream) {
  return absl::StrCat("part of the ", bytes, " bytes of ", stream,
                      " was left out (--output-limit)");
}

}  // namespace

Explanation ExplainResult(const v1::Result& result) {
  switch (result.outcome()) {
    case v1::EXITED:
      return {result.exit_code() & 0xff, {}};
    case v1::SIGNALED:
      return {kSignalBase + result.signal(),
              {absl::StrCat("the program was ended by ",
                            SignalName(result.signal()))}};
    case v1::START_FAILED:
      return EndedWith(ExitCode::kNotStarted, result,
                       "the program could not be started");
    case v1::COMPILE_FAILED:
      return CompileFailed(result);
    case v1::CPU_TIME_LIMIT:
      return EndedWith(ExitCode::kLimit, result,
                       "the program reached its CPU time limit (--cpu)");
    case v1::WALL_TIME_LIMIT:
      return EndedWith(ExitCode::kLimit, result,
                       "the program reached its wall time limit (--wall)");
    case v1::MEMORY_LIMIT:
      return EndedWith(ExitCode::kLimit, result,
                       "the program reached its memory limit (--memory)");
    case v1::OUTPUT_LIMIT:
      return EndedWith(ExitCode::kLimit, result,
                       "the program reached its output limit (--output-limit)");
    case v1::DISK_LIMIT:
      return EndedWith(
          ExitCode::kLimit, result,
          "the program reached its disk limit (--disk, --file-size)");
    case v1::SYSCALL_VIOLATION:
      return Breach(result, v1::Violation::SYSCALL);
    case v1::FILESYSTEM_VIOLATION:
      return Breach(result, v1::Violation::FILESYSTEM);
    case v1::NETWORK_VIOLATION:
      return Breach(result, v1::Violation::NETWORK);
    default:
      return Ended(ExitCode::kServiceFailed,
                   absl::StrCat("the server gave an outcome (",
                                static_cast<int>(result.outcome()),
                                ") that this client does not know"));
  }
}

Explanation ExplainStatus(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  const std::string message = Printable(status.error_message());
  switch (status.error_code()) {
    case grpc::StatusCode::INVALID_ARGUMENT: {
      std::vector<std::string> lines = BadFields(details);
      if (lines.empty()) lines.push_back(message);
      return {static_cast<int>(ExitCode::kBadRequest), std::move(lines)};
    }
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::OUT_OF_RANGE:
      return Ended(ExitCode::kBadRequest,
                   absl::StrCat("the server cannot do this: ", message));
    case grpc::StatusCode::UNAVAILABLE:
      return Ended(ExitCode::kUnavailable,
                   absl::StrCat("the server is not available: ", message));
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      // Without a RetryInfo it is gRPC's own limit of a message's size, and
      // trying again would not help.
      if (HasRetryInfo(details)) {
        return Ended(
            ExitCode::kUnavailable,
            absl::StrCat("the server is busy, try again later: ", message));
      }
      return Ended(ExitCode::kBadRequest,
                   absl::StrCat("the server refused the request: ", message));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return Ended(ExitCode::kTimedOut,
                   "--timeout passed before the run had ended; the run was "
                   "cancelled");
    default:
      return Ended(ExitCode::kServiceFailed,
                   absl::StrCat("the service failed: ", message));
  }
}

std::vector<std::string> DescribeRemarks(const v1::Result& result) {
  std::vector<std::pair<std::string, int>> denied;
  for (const v1::Violation& violation : result.violations()) {
    if (violation.action() == v1::Violation::TERMINATED) continue;
    std::string line =
        WithAllowed(absl::StrCat("denied: ", CallOf(violation), ", ",
                                 RuleOf(violation.kind()), "; the program saw ",
                                 ErrnoName(v1::ErrnoOf(violation))),
                    violation);
    bool is_known = false;
    for (auto& [known, count] : denied) {
      if (known != line) continue;
      ++count;
      is_known = true;
    }
    if (!is_known) denied.emplace_back(std::move(line), 1);
  }
  std::vector<std::string> lines;
  for (auto& [line, count] : denied) {
    if (count > 1) absl::StrAppend(&line, " (", count, " times)");
    lines.push_back(std::move(line));
  }
  if (result.violations_dropped() != 0) {
    lines.push_back(
        absl::StrCat(result.violations_dropped(), " more breaches"));
  }
  // The sentence of that outcome says it already.
  if (result.outcome() == v1::OUTPUT_LIMIT) return lines;
  if (result.stdout_truncated()) {
    lines.push_back(Left(result.usage().stdout_bytes(), "standard output"));
  }
  if (result.stderr_truncated()) {
    lines.push_back(Left(result.usage().stderr_bytes(), "standard error"));
  }
  return lines;
}

}  // namespace cordon::client
