// What the pointers of a call on a socket lead to, copied: the copy is looked
// at and used, whatever the program writes there meanwhile.
//
// Contract: stateless.

#ifndef CORDON_SANDBOX_SUPERVISE_SOCKET_ARGUMENTS_H_
#define CORDON_SANDBOX_SUPERVISE_SOCKET_ARGUMENTS_H_

#include <linux/seccomp.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "sandbox/supervise/internet_address.h"
#include "sandbox/supervise/unix_address.h"

namespace cordon::sandbox {

struct CopiedAddress {
  // errno(3) of an address that is none.
  int error_number = 0;
  sa_family_t family = AF_UNSPEC;
  std::optional<UnixAddress> unix_name;
  std::optional<InternetAddress> internet;
};

// Of bind(2), connect(2), sendto(2), sendmsg(2), or of the first message of
// sendmmsg(2).
CopiedAddress CopyAddress(const seccomp_notif& notification);

// Whether the call is one of the three that send.
bool Sends(const seccomp_notif& notification);

// Of a call that sends: its flags (send(2)).
int SendFlags(const seccomp_notif& notification);

// How many messages it sends.
uint64_t MessageCount(const seccomp_notif& notification);

// The first `most` bytes that it sends, of the first few pieces of its first
// message. nullopt: they cannot be read.
std::optional<std::string> CopyData(const seccomp_notif& notification,
                                    size_t most);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_SOCKET_ARGUMENTS_H_
