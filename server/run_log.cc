#include "server/run_log.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/event_encoder.h"
#include "server/relative_path.h"

namespace cordon::server {
namespace {

std::string ToText(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Microseconds(1)));
}

}  // namespace

LogLevel LevelOf(const RunRecord& record) {
  switch (record.status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnavailable:
      return LogLevel::kInfo;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kResourceExhausted:
      return LogLevel::kDebug;
    default:
      return LogLevel::kError;
  }
}

std::string FormatRunRecord(const RunRecord& record) {
  std::string line = absl::StrCat("run request_id=", Quoted(record.request_id),
                                  " program=", Quoted(record.program));
  if (!record.label.empty()) {
    absl::StrAppend(&line, " label=", Quoted(record.label));
  }
  if (!record.status.ok()) {
    absl::StrAppend(
        &line, " status=", absl::StatusCodeToString(record.status.code()),
        " message=\"", absl::CHexEscape(record.status.message()), "\"");
    return line;
  }
  absl::StrAppend(
      &line, " outcome=", v1::Outcome_Name(EncodeOutcomeKind(record.outcome)),
      " exit_code=", record.exit_code, " signal=", record.signal,
      " wall=", ToText(record.usage.wall_time),
      " cpu=", ToText(record.usage.cpu_user + record.usage.cpu_system),
      " queue=", ToText(record.queue_time), " violations=", record.violations,
      " warm=", record.usage.warm ? "true" : "false");
  return line;
}

}  // namespace cordon::server
