#include "client/event_printer.h"

#include "absl/strings/str_cat.h"
#include "client/descriptor.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/status.pb.h"

namespace cordon::client {

absl::Status EventPrinter::Print(const v1::ExecuteResponse& response) {
  if (format_ == OutputFormat::kJson) {
    return WriteAll(streams_.out,
                    absl::StrCat(ToJson(response, JsonLayout::kOneLine), "\n"));
  }
  if (!response.has_output()) return absl::OkStatus();
  const v1::Output& output = response.output();
  return WriteAll(output.stream() == v1::STDERR ? streams_.error : streams_.out,
                  output.data());
}

absl::Status EventPrinter::PrintFailure(const grpc::Status& status) {
  if (format_ != OutputFormat::kJson) return absl::OkStatus();
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  details.set_code(status.error_code());
  details.set_message(status.error_message());
  std::string json = ToJson(details, JsonLayout::kOneLine);
  if (json.empty()) {
    // A detail whose type this client does not know cannot be written as JSON.
    details.clear_details();
    json = ToJson(details, JsonLayout::kOneLine);
  }
  return WriteAll(streams_.out, absl::StrCat("{\"error\":", json, "}\n"));
}

std::string ToJson(const google::protobuf::Message& message,
                   JsonLayout layout) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.add_whitespace = layout == JsonLayout::kIndented;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options)
           .ok()) {
    return "";
  }
  return json;
}

}  // namespace cordon::client
