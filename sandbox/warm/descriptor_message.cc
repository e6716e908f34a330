#include "sandbox/warm/descriptor_message.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

#include "sandbox/base/errno_status.h"

namespace cordon::sandbox {
namespace {

constexpr size_t kMostDescriptors = 16;

union ControlBuffer {
  char bytes[CMSG_SPACE(kMostDescriptors * sizeof(int))];
  cmsghdr alignment;
};

}  // namespace

absl::StatusOr<SocketPair> MakeSocketPair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return ErrnoToStatus(errno, "socketpair");
  }
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void SetReceiveTimeout(int socket, absl::Duration timeout) {
  const timeval value = absl::ToTimeval(timeout);
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof(value));
}

bool SendMessage(int socket, const std::vector<MessagePart>& parts,
                 const std::vector<int>& descriptors) {
  if (descriptors.size() > kMostDescriptors) return false;
  std::vector<iovec> vectors;
  size_t total = 0;
  for (const MessagePart& part : parts) {
    vectors.push_back({const_cast<void*>(part.data), part.size});
    total += part.size;
  }
  msghdr message = {};
  message.msg_iov = vectors.data();
  message.msg_iovlen = vectors.size();
  ControlBuffer control = {};
  if (!descriptors.empty()) {
    const size_t size = descriptors.size() * sizeof(int);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(header), descriptors.data(), size);
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(total);
}

bool ReceiveMessage(int socket, void* into, size_t size, UniqueFd& descriptor) {
  iovec vector = {into, size};
  ControlBuffer control = {};
  msghdr message = {};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  ssize_t received;
  do {
    received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (received >= 0 && header != nullptr && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN(sizeof(int))) {
    int fd;
    memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    descriptor.Reset(fd);
  }
  return received == static_cast<ssize_t>(size);
}

}  // namespace cordon::sandbox
