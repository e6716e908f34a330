#include "sandbox/workspace/unguessable_name.h"

#include <errno.h>
#include <sys/random.h>

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "sandbox/base/errno_status.h"

namespace cordon::sandbox {

absl::StatusOr<std::string> UnguessableName() {
  std::array<char, 16> random;
  // Never short for up to 256 bytes, once the pool is ready (getrandom(2)).
  if (getrandom(random.data(), random.size(), 0) !=
      static_cast<ssize_t>(random.size())) {
    return ErrnoToStatus(errno, "getrandom");
  }
  return absl::BytesToHexString(
      absl::string_view(random.data(), random.size()));
}

}  // namespace cordon::sandbox
