// CheckSupported of request_rules.h.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/unknown_field_set.h"
#include "server/request_rules.h"

namespace cordon::server {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::string Join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : absl::StrCat(prefix, ".", name);
}

// A hostile request can carry any number of unknown fields, and of messages
// that have one: the first few are named.
constexpr size_t kMaxNames = 16;

// Names what `message` and the messages in it carry that the schema does not
// know. Entries of maps keep no unknown fields.
void FindUnknown(const Message& message, const std::string& prefix,
                 std::vector<std::string>& names) {
  const Reflection* reflection = message.GetReflection();
  const auto& unknown = reflection->GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count() && names.size() < kMaxNames; ++i) {
    names.push_back(Join(prefix, absl::StrCat("(unknown field ",
                                              unknown.field(i).number(), ")")));
  }
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (names.size() >= kMaxNames) return;
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE ||
        field->is_map()) {
      continue;
    }
    const std::string name = Join(prefix, field->name());
    if (!field->is_repeated()) {
      FindUnknown(reflection->GetMessage(message, field), name, names);
      continue;
    }
    const int size = reflection->FieldSize(message, field);
    for (int i = 0; i < size && names.size() < kMaxNames; ++i) {
      FindUnknown(reflection->GetRepeatedMessage(message, field, i),
                  absl::StrCat(name, "[", i, "]"), names);
    }
  }
}

}  // namespace

absl::Status CheckSupported(const v1::ExecuteRequest& request) {
  std::vector<std::string> names;
  FindUnknown(request, "", names);
  if (names.empty()) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat(
      "not supported by this version: ", absl::StrJoin(names, ", "),
      names.size() >= kMaxNames ? " and perhaps more" : ""));
}

}  // namespace cordon::server
