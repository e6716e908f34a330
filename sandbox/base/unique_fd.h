// UniqueFd owns one file descriptor.
//
//   UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
//   if (!fd.valid()) return ErrnoToStatus(errno, "open");
//
// Thread-compatible. Closes on destruction; never retries close(2), because
// Linux releases the descriptor even when close fails with EINTR (close(2)).

#ifndef CORDON_SANDBOX_BASE_UNIQUE_FD_H_
#define CORDON_SANDBOX_BASE_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace cordon::sandbox {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) Reset(std::exchange(other.fd_, -1));
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { Reset(); }

  bool valid() const { return fd_ >= 0; }
  // The descriptor, still owned here; -1 when empty.
  int get() const { return fd_; }
  // Hands the descriptor to the caller.
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_BASE_UNIQUE_FD_H_
