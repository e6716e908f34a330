// One message over a unix socket, with descriptors beside it (unix(7)).

#ifndef CORDON_SANDBOX_WARM_DESCRIPTOR_MESSAGE_H_
#define CORDON_SANDBOX_WARM_DESCRIPTOR_MESSAGE_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::sandbox {

struct SocketPair {
  UniqueFd own;
  UniqueFd other;
};

// Of SOCK_SEQPACKET. INTERNAL with errno.
absl::StatusOr<SocketPair> MakeSocketPair();

// How long Receive waits for a message on `socket`.
void SetReceiveTimeout(int socket, absl::Duration timeout);

// Whether the message went out as a whole. `parts` are sent one behind the
// other.
struct MessagePart {
  const void* data;
  size_t size;
};
bool SendMessage(int socket, const std::vector<MessagePart>& parts,
                 const std::vector<int>& descriptors);

// Whether a message of just this size came. A descriptor that came with it is
// put into `descriptor`.
bool ReceiveMessage(int socket, void* into, size_t size, UniqueFd& descriptor);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WARM_DESCRIPTOR_MESSAGE_H_
