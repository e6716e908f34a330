// SocketBroker makes a run's sockets, those of the internet within its grant
// and unix ones within its own directory, and binds, connects and listens on
// its behalf: always on a copy of the address that the program cannot change
// any more, and on the socket that it made, whatever the program has put in
// that descriptor's place meanwhile.
//
// It keeps a descriptor of each socket until that is connected, so that what
// the program does to it (options, closing the other end) is done to the same
// socket, and of each that listens as long as the program has it: its port is
// then the run's and nobody else's.
//
// What it does not do: look at data, or at datagrams (a grant that includes
// them restricts nothing). It sends what comes with a connect (TCP fast open).
//
// Contract: one thread at a time; never blocks, but for a context switch where
// the run has a network of its own.

#ifndef CORDON_SANDBOX_SUPERVISE_SOCKET_BROKER_H_
#define CORDON_SANDBOX_SUPERVISE_SOCKET_BROKER_H_

#include <linux/seccomp.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/network/private_networks.h"
#include "sandbox/paths/path_broker.h"
#include "sandbox/spec/network.h"
#include "sandbox/supervise/internet_address.h"
#include "sandbox/supervise/process_table.h"
#include "sandbox/supervise/unix_address.h"

namespace cordon::sandbox {

// What became of a call.
struct BrokeredCall {
  // errno(3); 0: it succeeded, with `value`.
  int error_number = 0;
  int64_t value = 0;
  // What the service needs for it is gone: the run cannot go on.
  bool service_failed = false;
  // Not empty: it is a breach, with this address.
  std::string forbidden_address;
  // The socket connects, until `connecting` can be written to, which is
  // borrowed; else -1. Then see FinishConnect, when the call waits for that,
  // or NoteSettled.
  int connecting = -1;
  bool waits = false;
  ino_t socket = 0;
  // Not infinite: it waits, for a look at what the run has closed, or for a
  // place in a queue; the same call again then.
  absl::Time retry_at = absl::InfiniteFuture();
};

// A network of the run's own, if it has one; else its sockets are in the
// host's.
struct RunNetwork {
  PrivateNetworks* networks = nullptr;
  UniqueFd network;
};

// What a call's address names in a run's own file system.
struct NamedSocket {
  std::string name;
  // Not valid where the kernel's walk leads to the same place.
  std::optional<Place> place;
};

// Walks there, which a program can make long, with the run's rights (RunRights)
// in force. Null: the call names no unix socket.
std::shared_ptr<const NamedSocket> FindNamedSocket(
    const seccomp_notif& notification, const PathBroker& paths);

class SocketBroker {
 public:
  // `workspace`: the run's directory. `processes` and what `network` points to
  // outlive this.
  SocketBroker(NetworkGrant grant, RunNetwork network, std::string workspace,
               pid_t pgid, ProcessTable* processes);
  // A call of the run. socket(2) that succeeds has its answer already, which
  // came with the descriptor (SECCOMP_ADDFD_FLAG_SEND, seccomp_unotify(2)).
  // `since`: when it was first performed. `named`: null: of a run without a
  // file system of its own, or no unix socket.
  BrokeredCall Perform(const seccomp_notif& notification, int listener,
                       absl::Time since,
                       std::shared_ptr<const NamedSocket> named);

  // Of a call that waited.
  BrokeredCall FinishConnect(ino_t socket, const seccomp_notif& notification,
                             int listener);
  // Of one that the program does not wait for.
  void NoteSettled(ino_t socket);
  // Whether the socket is where it was seen last.
  bool IsHeld(ino_t socket);
  // Closes all descriptors.
  void Clear() {
    sockets_.clear();
    network_ = {};
  }

 private:
  struct Socket {
    UniqueFd fd;
    int family = 0;
    bool is_stream = true;
    bool is_bound = false;
    // Where it listens, if it does.
    std::optional<InternetAddress> listens_at;
    // Where it was seen last: a thread and its descriptor.
    pid_t holder = 0;
    int holders_fd = -1;
    // Looks since that did not find it. It may be on its way to another
    // process; after two it is closed.
    int misses = 0;
    // Of a unix socket that is bound, and what getsockname(2) calls that.
    UnixPlace place;
    std::string shown_name;
  };

  // The socket in a descriptor of the thread; 0: none.
  static ino_t InodeOf(pid_t tid, int fd);
  static ino_t InodeOf(const Socket& socket);
  Socket* Find(ino_t inode);
  // The same, of the call's first argument; a sign that it is open.
  ino_t SocketOf(const seccomp_notif& notification);
  static bool IsHeld(ino_t inode, const Socket& socket);
  // Whether the open sockets are known as of `since_`; else the call waits, or
  // a look is taken.
  bool Looked(BrokeredCall& call);
  UniqueFd OpenSocket(int family, int type, int protocol) const;
  BrokeredCall Make(const seccomp_notif& notification, int listener);
  BrokeredCall Bind(const seccomp_notif& notification);
  BrokeredCall Listen(const seccomp_notif& notification);
  BrokeredCall Connect(const seccomp_notif& notification);
  BrokeredCall ConnectInternetSocket(ino_t inode, Socket& socket,
                                     InternetAddress address);
  BrokeredCall SendFirst(const seccomp_notif& notification, int listener);
  static BrokeredCall SendData(const UniqueFd& socket,
                               const seccomp_notif& notification, int listener);
  // `no_name`: the errno(3) of a path that ends in no name.
  UnixPlace FindPlace(pid_t tid, const std::string& name, int no_name) const;
  BrokeredCall BindUnixSocket(Socket& socket, pid_t tid,
                              const UnixAddress& address);
  BrokeredCall ConnectUnixSocket(ino_t inode, Socket& socket, pid_t tid,
                                 const UnixAddress& address);
  int BindTo(Socket& socket, const InternetAddress& address);
  int ListenOn(ino_t inode, Socket& socket, int backlog);
  static bool ListensAt(const Socket& socket, const InternetAddress& address);
  Socket* OwnListener(const InternetAddress& address);
  bool HadName(const InternetAddress& address) const;
  bool IsListed(const InternetAddress& address) const;
  BrokeredCall ConnectTo(ino_t inode, Socket& socket,
                         const InternetAddress& address);
  BrokeredCall ConnectToOwn(ino_t inode, Socket& socket,
                            InternetAddress address);
  // Connects without waiting, whatever the program's socket does.
  BrokeredCall StartConnect(ino_t inode, Socket& socket,
                            absl::FunctionRef<int(int socket)> connect);
  static int Disconnect(int socket);
  void NoteConnected(ino_t inode);
  // Whether a unix server may be.
  bool MayBeClosed() const;
  // One that nobody keeps a descriptor of any more.
  bool WasLetGo(ino_t inode) const;
  static InternetAddress OwnWildcard(const Socket& socket, uint16_t port);
  // Forgets the sockets that the run has closed.
  void Prune();
  std::optional<std::set<ino_t>> OpenSockets();

  // When the call that is performed came.
  absl::Time since_;
  std::shared_ptr<const NamedSocket> named_;
  const NetworkGrant grant_;
  RunNetwork network_;
  const std::string workspace_;
  const pid_t pgid_;
  ProcessTable* const processes_;
  std::map<ino_t, Socket> sockets_;
  // The last that were connected, which nobody keeps a descriptor of.
  std::deque<ino_t> connected_;
  // The last names that sockets of the run got.
  std::deque<InternetAddress> names_;
  absl::Time pruned_ = absl::InfinitePast();
  // Looks take a tenth of the time at most.
  absl::Time next_prune_ = absl::InfinitePast();
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_SOCKET_BROKER_H_
