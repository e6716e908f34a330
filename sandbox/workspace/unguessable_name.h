// A file name that nobody who is not told can find.

#ifndef CORDON_SANDBOX_WORKSPACE_UNGUESSABLE_NAME_H_
#define CORDON_SANDBOX_WORKSPACE_UNGUESSABLE_NAME_H_

#include <string>

#include "absl/status/statusor.h"

namespace cordon::sandbox {

// 128 bits of getrandom(2) as 32 hexadecimal digits. INTERNAL with step and
// errno.
absl::StatusOr<std::string> UnguessableName();

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WORKSPACE_UNGUESSABLE_NAME_H_
