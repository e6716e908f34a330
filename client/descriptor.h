// Reading and writing whole byte strings on descriptors.

#ifndef CORDON_CLIENT_DESCRIPTOR_H_
#define CORDON_CLIENT_DESCRIPTOR_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cordon::client {

// Closes its descriptor. Move-only.
class OwnedDescriptor {
 public:
  explicit OwnedDescriptor(int descriptor) : descriptor_(descriptor) {}
  OwnedDescriptor(OwnedDescriptor&& other) noexcept
      : descriptor_(other.Release()) {}
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept;
  ~OwnedDescriptor();

  int get() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }

 private:
  int Release();

  int descriptor_;
};

// write(2) until all is written. FAILED_PRECONDITION when nobody reads any more
// (EPIPE; SIGPIPE must be ignored); the errno otherwise.
absl::Status WriteAll(int descriptor, absl::string_view data);

// read(2) to the end.
absl::StatusOr<std::string> ReadAll(int descriptor);

}  // namespace cordon::client

#endif  // CORDON_CLIENT_DESCRIPTOR_H_
