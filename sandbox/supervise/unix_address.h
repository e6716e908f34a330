// Names of unix sockets in system calls (unix(7)), and where in a run's
// directory they lead: found beneath a held descriptor, never by comparing
// strings that a link can change the meaning of.
//
// Contract: stateless.

#ifndef CORDON_SANDBOX_SUPERVISE_UNIX_ADDRESS_H_
#define CORDON_SANDBOX_SUPERVISE_UNIX_ADDRESS_H_

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::sandbox {

struct UnixAddress {
  // Without it the kernel would choose an abstract name.
  std::string name;
  // In a namespace of the host's that no file system has; `name` has no NUL in
  // front.
  bool is_abstract = false;

  // As people write it: "@name" when it is abstract.
  std::string ToString() const;
};

// nullopt: of another family.
std::optional<UnixAddress> ParseUnixAddress(const sockaddr_storage& storage,
                                            size_t length);

// A directory of the run, and a name in it.
struct UnixPlace {
  UniqueFd parent;
  std::string name;
  // errno(3), when there is no such place in the run's directory: EXDEV, it
  // leads elsewhere.
  int error_number = 0;
};

// Where `path` leads to for thread `tid`, in the directory `workspace`.
UnixPlace FindUnixPlace(pid_t tid, const std::string& workspace,
                        absl::string_view path);

// Whether there is something outside of the run at `path`, other than what
// ordinary programs look for.
bool IsUnixSocketOfOthers(pid_t tid, absl::string_view path);

// errno(3). The file gets the owner of the directory.
int BindUnix(int socket, const UnixPlace& place);
int ConnectUnix(int socket, const UnixPlace& place);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_UNIX_ADDRESS_H_
