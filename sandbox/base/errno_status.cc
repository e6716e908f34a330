#include "sandbox/base/errno_status.h"

#include <cstring>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace cordon::sandbox {
namespace {

constexpr absl::string_view kStepPayload = "cordon.sandbox/step";
constexpr absl::string_view kErrnoPayload = "cordon.sandbox/errno";

}  // namespace

absl::Status ErrnoToStatus(int error_number, absl::string_view step) {
  absl::Status status = absl::InternalError(absl::StrCat(
      step, ": ", std::strerror(error_number), " (errno ", error_number, ")"));
  status.SetPayload(kStepPayload, absl::Cord(step));
  status.SetPayload(kErrnoPayload, absl::Cord(absl::StrCat(error_number)));
  return status;
}

std::optional<StepFailure> FailureOf(const absl::Status& status) {
  const auto step = status.GetPayload(kStepPayload);
  const auto number = status.GetPayload(kErrnoPayload);
  StepFailure failure;
  if (!step.has_value() || !number.has_value() ||
      !absl::SimpleAtoi(std::string(*number), &failure.error_number)) {
    return std::nullopt;
  }
  failure.step = std::string(*step);
  return failure;
}

}  // namespace cordon::sandbox
