// The google.rpc details of a status: how they travel inside an absl::Status.
//
//   FieldViolations violations;
//   violations.Add("files[2].path", "is absolute: give a relative path");
//   if (!violations.empty()) return violations.ToStatus();
//
// A detail is a payload under its type URL, "type.googleapis.com/NAME", which
// status_mapping.h turns into what gRPC sends. Trailers of a call are limited
// to 8 KiB by clients' defaults, so everything here keeps itself short.

#ifndef CORDON_SERVER_STATUS_DETAILS_H_
#define CORDON_SERVER_STATUS_DETAILS_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"

namespace cordon::server {

inline constexpr absl::string_view kTypeUrlPrefix = "type.googleapis.com/";

// Adds `detail` to `status`, which must not be OK. A second detail of the same
// type replaces the first.
void AttachDetail(absl::Status& status,
                  const google::protobuf::Message& detail);

// google.rpc.ErrorInfo with the domain "cordon".
void AttachErrorInfo(absl::Status& status, absl::string_view reason,
                     const std::map<std::string, std::string>& metadata);

// google.rpc.RetryInfo.
void AttachRetryInfo(absl::Status& status, absl::Duration delay);

// Everything that is wrong with a request.
class FieldViolations {
 public:
  // `description` is the rest of a sentence that starts with the field's name.
  void Add(std::string field, std::string description);
  bool empty() const { return violations_.empty(); }
  // INVALID_ARGUMENT with a google.rpc.BadRequest. Entries past about 4 KiB are
  // counted in a last one.
  absl::Status ToStatus() const;

 private:
  std::vector<std::pair<std::string, std::string>> violations_;
};

}  // namespace cordon::server

#endif  // CORDON_SERVER_STATUS_DETAILS_H_
