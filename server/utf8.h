// Text that a proto string field can hold.

#ifndef CORDON_SERVER_UTF8_H_
#define CORDON_SERVER_UTF8_H_

#include <string>

#include "absl/strings/string_view.h"

namespace cordon::server {

// Whether `bytes` are UTF-8 as RFC 3629 has it: no overlong form, no surrogate,
// nothing above U+10FFFF.
bool IsUtf8(absl::string_view bytes);

// `bytes` when they are UTF-8, else the same with every byte outside printable
// ASCII escaped (\xNN): what a program says of itself, a path or an address,
// may be any bytes.
std::string ToUtf8(const std::string& bytes);

}  // namespace cordon::server

#endif  // CORDON_SERVER_UTF8_H_
