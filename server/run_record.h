// RunRecord: one call in the server's log.

#ifndef CORDON_SERVER_RUN_RECORD_H_
#define CORDON_SERVER_RUN_RECORD_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sandbox/spec/outcome.h"

namespace cordon::server {

struct RunRecord {
  std::string request_id;
  std::string label;
  // The language, or a command's argv[0].
  std::string program;
  // What the caller gets; when it is OK the fields below are set.
  absl::Status status;
  sandbox::OutcomeKind outcome = sandbox::OutcomeKind::kExited;
  int exit_code = 0;
  int signal = 0;
  sandbox::Usage usage;
  size_t violations = 0;
  absl::Duration queue_time;
};

// Called once for every call, on any thread; must not block.
using RunListener = std::function<void(const RunRecord&)>;

}  // namespace cordon::server

#endif  // CORDON_SERVER_RUN_RECORD_H_
