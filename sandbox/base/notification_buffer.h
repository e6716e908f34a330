// Room for a notification of seccomp and its answer. The kernel may know longer
// ones than this program's headers, and writes as much as it says
// (SECCOMP_GET_NOTIF_SIZES, seccomp(2)).

#ifndef CORDON_SANDBOX_BASE_NOTIFICATION_BUFFER_H_
#define CORDON_SANDBOX_BASE_NOTIFICATION_BUFFER_H_

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include <cstdint>
#include <cstring>

namespace cordon::sandbox {

union NotificationBuffer {
  seccomp_notif notification;
  char room[512];
};

union ResponseBuffer {
  seccomp_notif_resp response;
  char room[512];
};

// False: the caller died meanwhile (ENOENT), or the call failed.
inline bool ReceiveNotification(int listener, NotificationBuffer& buffer) {
  std::memset(&buffer, 0, sizeof(buffer));
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &buffer) == 0;
}

// Whether its caller still waits for the answer, so that its id is nobody
// else's.
inline bool IsAwaited(int listener, uint64_t id) {
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

// The kernel executes the call (SECCOMP_USER_NOTIF_FLAG_CONTINUE). False: its
// caller is gone.
inline bool LetContinue(int listener, uint64_t id) {
  ResponseBuffer buffer;
  std::memset(&buffer, 0, sizeof(buffer));
  buffer.response.id = id;
  buffer.response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &buffer) == 0;
}

// The call is not executed: it fails with `error_number`, or has returned
// `value` when that is 0.
inline bool AnswerCall(int listener, uint64_t id, int error_number,
                       int64_t value = 0) {
  ResponseBuffer buffer;
  std::memset(&buffer, 0, sizeof(buffer));
  buffer.response.id = id;
  buffer.response.error = -error_number;
  buffer.response.val = error_number == 0 ? value : 0;
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &buffer) == 0;
}

// The call is not executed: it has returned a new descriptor, of the file that
// `fd` is open on, which may not be O_PATH. The descriptor's number there; -1
// with errno, and the call has no answer yet: EMFILE, it has no room; ENOENT,
// its caller is gone.
inline int AnswerWithDescriptor(int listener, uint64_t id, int fd,
                                bool close_on_exec) {
  constexpr uint32_t kSend = 1U << 1;  // SECCOMP_ADDFD_FLAG_SEND, Linux 5.14.
  seccomp_notif_addfd handed = {};
  handed.id = id;
  handed.flags = kSend;
  handed.srcfd = static_cast<uint32_t>(fd);
  handed.newfd_flags = close_on_exec ? O_CLOEXEC : 0;
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &handed);
}

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_BASE_NOTIFICATION_BUFFER_H_
