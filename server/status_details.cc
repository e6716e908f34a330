#include "server/status_details.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/error_info.pb.h"
#include "server/durations.h"

namespace cordon::server {
namespace {

constexpr size_t kMaxDetailBytes = 4000;
constexpr size_t kMaxMessageBytes = 1000;
constexpr absl::string_view kDomain = "cordon";

}  // namespace

void AttachDetail(absl::Status& status,
                  const google::protobuf::Message& detail) {
  status.SetPayload(
      absl::StrCat(kTypeUrlPrefix, detail.GetDescriptor()->full_name()),
      absl::Cord(detail.SerializeAsString()));
}

void AttachErrorInfo(absl::Status& status, absl::string_view reason,
                     const std::map<std::string, std::string>& metadata) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kDomain));
  info.mutable_metadata()->insert(metadata.begin(), metadata.end());
  AttachDetail(status, info);
}

void AttachRetryInfo(absl::Status& status, absl::Duration delay) {
  google::rpc::RetryInfo info;
  *info.mutable_retry_delay() = ToProto(delay);
  AttachDetail(status, info);
}

void FieldViolations::Add(std::string field, std::string description) {
  violations_.emplace_back(std::move(field), std::move(description));
}

absl::Status FieldViolations::ToStatus() const {
  google::rpc::BadRequest bad_request;
  std::string message = "invalid request";
  size_t bytes = 0;
  size_t listed = 0;
  for (const auto& [field, description] : violations_) {
    bytes += field.size() + description.size() + 8;
    if (listed > 0 && bytes > kMaxDetailBytes) break;
    auto* violation = bad_request.add_field_violations();
    violation->set_field(field);
    violation->set_description(description);
    if (message.size() < kMaxMessageBytes) {
      absl::StrAppend(&message, listed == 0 ? ": " : "; ", field, " ",
                      description);
    }
    ++listed;
  }
  if (listed < violations_.size()) {
    const std::string rest =
        absl::StrCat("and ", violations_.size() - listed, " more fields");
    bad_request.add_field_violations()->set_description(rest);
    absl::StrAppend(&message, "; ", rest);
  }
  absl::Status status = absl::InvalidArgumentError(message);
  AttachDetail(status, bad_request);
  return status;
}

}  // namespace cordon::server
