// Text from a sandboxed program, made safe for a terminal and for one line.
//
//   Printable("/tmp/a\nb\x1b[2J")  ->  /tmp/a\x0ab\x1b[2J
//
// A path in a violation is whatever the program passed to the kernel: printed
// as it is, it could move the cursor or fake a message.

#ifndef CORDON_CLIENT_PRINTABLE_H_
#define CORDON_CLIENT_PRINTABLE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace cordon::client {

// Whether `text` is well-formed UTF-8 (RFC 3629), which protobuf strings must
// be.
bool IsUtf8(absl::string_view text);

// Control characters, and all of what is not UTF-8, as \xNN.
std::string Printable(absl::string_view text);

}  // namespace cordon::client

#endif  // CORDON_CLIENT_PRINTABLE_H_
