// A file name may hold any bytes; what a caller gets is text.
//
//   PrintablePath("caf\xE9.txt") == "caf\\xe9.txt"

#ifndef CORDON_SANDBOX_WORKSPACE_PRINTABLE_PATH_H_
#define CORDON_SANDBOX_WORKSPACE_PRINTABLE_PATH_H_

#include <string>

#include "absl/strings/string_view.h"

namespace cordon::sandbox {

// `path` itself when it is valid UTF-8 (RFC 3629: shortest form, no surrogates,
// up to U+10FFFF); otherwise with every byte that is not printable ASCII as
// "\xNN".
std::string PrintablePath(absl::string_view path);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WORKSPACE_PRINTABLE_PATH_H_
