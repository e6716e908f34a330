// ServerInfo as a page for a person to read.

#ifndef CORDON_CLIENT_INFO_TEXT_H_
#define CORDON_CLIENT_INFO_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "proto/cordon/v1/execution.pb.h"

namespace cordon::client {

// Pure. `address` is what the user connected to.
std::string InfoText(absl::string_view address, const v1::ServerInfo& info);

}  // namespace cordon::client

#endif  // CORDON_CLIENT_INFO_TEXT_H_
