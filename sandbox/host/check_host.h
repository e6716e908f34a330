// AssessHost: whether this host can enforce the policy, and what every run
// gets, in words for the person who operates the server.
//
//   HostAssessment assessment = AssessHost(host);
//   if (!assessment.missing.empty() && !options.allow_degraded) {
//     return absl::FailedPreconditionError(
//         absl::StrJoin(assessment.missing, "\n"));
//   }
//
// Pure: the same features give the same words.

#ifndef CORDON_SANDBOX_HOST_CHECK_HOST_H_
#define CORDON_SANDBOX_HOST_CHECK_HOST_H_

#include <string>
#include <vector>

#include "sandbox/host/host_features.h"
#include "sandbox/spec/enforcement.h"

namespace cordon::sandbox {

struct HostAssessment {
  // Required features that the host lacks, one sentence each: what is needed,
  // what for, what is there instead, what to do.
  std::vector<std::string> missing;
  // Those of `missing` that no run can do without, whatever the operator gives
  // up: refuse to start even with allow_degraded.
  std::vector<std::string> indispensable;
  // What allow_degraded gives up, one sentence each.
  std::vector<std::string> degraded;
  // Worth knowing, and nothing is less contained for it.
  std::vector<std::string> notes;
  // What every run on this host gets.
  Enforcement enforcement;
};

HostAssessment AssessHost(const HostFeatures& host);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_HOST_CHECK_HOST_H_
