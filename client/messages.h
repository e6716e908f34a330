// What the `cordon` command says itself: sentences on standard error.

#ifndef CORDON_CLIENT_MESSAGES_H_
#define CORDON_CLIENT_MESSAGES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cordon::client {

// Writes each line of `text` to `descriptor`, after "cordon: ".
void Say(int descriptor, absl::string_view text);
void Say(int descriptor, const std::vector<std::string>& lines);

// What to say when Connect failed.
std::string UnreachableText(const absl::Status& status);

}  // namespace cordon::client

#endif  // CORDON_CLIENT_MESSAGES_H_
