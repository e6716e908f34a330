// The one place where an errno becomes an absl::Status.
//
// A failure of the service carries the step that failed and its errno as
// payloads, so that the server can report them (google.rpc.ErrorInfo) without
// parsing text.

#ifndef CORDON_SANDBOX_BASE_ERRNO_STATUS_H_
#define CORDON_SANDBOX_BASE_ERRNO_STATUS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cordon::sandbox {

// An INTERNAL status "STEP: strerror (errno N)" with the payloads that
// FailureOf reads. `step` names what was being done ("mkdirat", "clone").
absl::Status ErrnoToStatus(int error_number, absl::string_view step);

struct StepFailure {
  std::string step;
  int error_number = 0;
};

// What ErrnoToStatus put in; nullopt for any other status.
std::optional<StepFailure> FailureOf(const absl::Status& status);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_BASE_ERRNO_STATUS_H_
