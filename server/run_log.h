// What the log says of a call: one line.

#ifndef CORDON_SERVER_RUN_LOG_H_
#define CORDON_SERVER_RUN_LOG_H_

#include <string>

#include "server/run_record.h"

namespace cordon::server {

enum class LogLevel {
  // A call that was refused before it ran: the caller's mistake, or load.
  kDebug,
  // A run, or one that was ended from outside.
  kInfo,
  // A failure of the service.
  kError,
};

LogLevel LevelOf(const RunRecord& record);

// "run request_id=... program=... outcome=... wall=... cpu=...". What came from
// outside is quoted and escaped: a caller cannot write lines of its own.
std::string FormatRunRecord(const RunRecord& record);

}  // namespace cordon::server

#endif  // CORDON_SERVER_RUN_LOG_H_
