#include "client/descriptor.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <utility>

namespace cordon::client {
namespace {

// A terminal or pipe that another process made non-blocking is still waited
// for.
bool WaitUntilReady(int descriptor, short events) {
  if (errno == EINTR) return true;
  if (errno != EAGAIN) return false;
  struct pollfd waiting = {descriptor, events, 0};
  return poll(&waiting, 1, /*timeout=*/-1) >= 0 || errno == EINTR;
}

}  // namespace

OwnedDescriptor& OwnedDescriptor::operator=(OwnedDescriptor&& other) noexcept {
  if (this != &other) {
    if (is_open()) close(descriptor_);
    descriptor_ = other.Release();
  }
  return *this;
}

OwnedDescriptor::~OwnedDescriptor() {
  if (is_open()) close(descriptor_);
}

int OwnedDescriptor::Release() { return std::exchange(descriptor_, -1); }

absl::Status WriteAll(int descriptor, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t written = write(descriptor, data.data(), data.size());
    if (written >= 0) {
      data.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EPIPE) {
      return absl::FailedPreconditionError("nobody reads it any more");
    } else if (!WaitUntilReady(descriptor, POLLOUT)) {
      return absl::ErrnoToStatus(errno, "cannot write");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAll(int descriptor) {
  std::string data;
  char chunk[64 << 10];
  while (true) {
    const ssize_t size = read(descriptor, chunk, sizeof chunk);
    if (size == 0) return data;
    if (size > 0) {
      data.append(chunk, static_cast<size_t>(size));
    } else if (!WaitUntilReady(descriptor, POLLIN)) {
      return absl::ErrnoToStatus(errno, "cannot read");
    }
  }
}

}  // namespace cordon::client
