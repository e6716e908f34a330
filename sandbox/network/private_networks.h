// PrivateNetworks makes networks of one run each: a loopback interface that
// nobody else listens on or connects to (network_namespaces(7)).
//
//   auto networks = PrivateNetworks::Start();       // before any thread
//   absl::StatusOr<UniqueFd> network = (*networks)->Make();
//   UniqueFd socket = (*networks)->OpenSocket(*network, AF_INET, SOCK_STREAM);
//
// A socket belongs to the network that it was made in, wherever it is used. So
// no process of a run has to be in the run's network: it is enough that its
// sockets are, which the supervisor makes anyway (supervise/socket_broker.h).
//
// Two small processes do what takes rights in a user namespace
// (user_namespaces(7)), which this one has not: one makes networks, the other
// enters them for the moment that a socket takes, so that this one never waits
// for a network being made. They hear from nobody else, keep nothing between
// two orders, and end with this process.
//
// Only as root, and for runs that have users of their own: a process whose user
// is the owner of a user namespace has every capability in it, hence over its
// networks (user_namespaces(7)).
//
// Contract: thread-safe. Make may take milliseconds; OpenSocket takes two
// context switches. Neither takes longer than a second: who does not answer by
// then is asked nothing more.

#ifndef CORDON_SANDBOX_NETWORK_PRIVATE_NETWORKS_H_
#define CORDON_SANDBOX_NETWORK_PRIVATE_NETWORKS_H_

#include <atomic>
#include <memory>
#include <mutex>

#include "absl/status/statusor.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::sandbox {

class PrivateNetworks {
 public:
  // FAILED_PRECONDITION, with the reason: this host allows none, or this
  // process is not root.
  static absl::StatusOr<std::unique_ptr<PrivateNetworks>> Start();
  PrivateNetworks(const PrivateNetworks&) = delete;
  PrivateNetworks& operator=(const PrivateNetworks&) = delete;

  // One that exists until its last descriptor and socket are closed.
  // INTERNAL with step and errno.
  absl::StatusOr<UniqueFd> Make();

  // Whether neither of the two has failed to answer.
  bool usable() const { return usable_; }

  // As socket(2), close-on-exec, in `network`. Empty with errno; EIO: who makes
  // them is gone.
  UniqueFd OpenSocket(const UniqueFd& network, int family, int type,
                      int protocol);

 private:
  PrivateNetworks() = default;

  std::atomic<bool> usable_ = true;
  std::mutex maker_mutex_;
  UniqueFd maker_;
  std::mutex opener_mutex_;
  UniqueFd opener_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_NETWORK_PRIVATE_NETWORKS_H_
