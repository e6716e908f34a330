#include "sandbox/supervise/socket_broker.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "sandbox/base/monotonic_clock.h"
#include "sandbox/base/notification_buffer.h"
#include "sandbox/supervise/program_memory.h"
#include "sandbox/supervise/socket_arguments.h"

namespace cordon::sandbox {
namespace {

// Not connected yet, or listening, at once.
constexpr size_t kMostSockets = 64;
constexpr size_t kMostRemembered = 1024;
// How long a connect waits for a place in a full queue, at a time.
constexpr absl::Duration kQueuePause = absl::Milliseconds(5);

// TCP makes them larger by itself, up to megabytes for each connection of
// memory that is nobody's (tcp(7)); a size that was asked for stays, and goes
// over to accepted ones.
void BoundBuffers(const UniqueFd& socket) {
  constexpr int kBytes = 128 << 10;
  for (const int option : {SO_SNDBUF, SO_RCVBUF}) {
    setsockopt(socket.get(), SOL_SOCKET, option, &kBytes, sizeof(kBytes));
  }
}

bool HasOption(int socket, int level, int option) {
  int value = 0;
  socklen_t length = sizeof(value);
  return getsockopt(socket, level, option, &value, &length) == 0 && value != 0;
}

// "socket:[4711]" is what /proc calls a socket (proc_pid_fd(5)).
ino_t InodeIn(absl::string_view link) {
  ino_t inode = 0;
  if (!absl::ConsumePrefix(&link, "socket:[") ||
      !absl::ConsumeSuffix(&link, "]") || !absl::SimpleAtoi(link, &inode)) {
    return 0;
  }
  return inode;
}

void AddSocketsOf(const std::string& descriptors, int& budget,
                  std::set<ino_t>& inodes) {
  namespace fs = std::filesystem;
  std::error_code error;
  for (fs::directory_iterator entry(descriptors, error), end;
       !error && entry != end && budget > 0; entry.increment(error)) {
    --budget;
    std::error_code gone;
    const fs::path target = fs::read_symlink(entry->path(), gone);
    if (const ino_t inode = InodeIn(target.string()); inode != 0) {
      inodes.insert(inode);
    }
  }
}

void AddSocketsOfThreads(pid_t pid, int& budget, std::set<ino_t>& inodes) {
  namespace fs = std::filesystem;
  std::error_code error;
  for (fs::directory_iterator task(absl::StrCat("/proc/", pid, "/task"), error),
       end;
       !error && task != end && budget > 0; task.increment(error)) {
    AddSocketsOf(task->path() / "fd", budget, inodes);
  }
}

std::optional<InternetAddress> NameOf(int socket) {
  sockaddr_storage storage = {};
  socklen_t length = sizeof(storage);
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &length) !=
      0) {
    return std::nullopt;
  }
  return ParseInternetAddress(storage, length);
}

}  // namespace

std::shared_ptr<const NamedSocket> FindNamedSocket(
    const seccomp_notif& notification, const PathBroker& paths) {
  const int number = notification.data.nr;
  if (number != __NR_bind && number != __NR_connect) return nullptr;
  const CopiedAddress copied = CopyAddress(notification);
  if (!copied.unix_name.has_value() || copied.unix_name->is_abstract) {
    return nullptr;
  }
  const std::string& name = copied.unix_name->name;
  return std::make_shared<const NamedSocket>(NamedSocket{
      name, paths.FindSocket(static_cast<pid_t>(notification.pid), name)});
}

SocketBroker::SocketBroker(NetworkGrant grant, RunNetwork network,
                           std::string workspace, pid_t pgid,
                           ProcessTable* processes)
    : grant_(std::move(grant)),
      network_(std::move(network)),
      workspace_(std::move(workspace)),
      pgid_(pgid),
      processes_(processes) {}

ino_t SocketBroker::InodeOf(pid_t tid, int fd) {
  char link[64];
  const ssize_t size = readlink(absl::StrCat("/proc/", tid, "/fd/", fd).c_str(),
                                link, sizeof(link));
  return size > 0 ? InodeIn({link, static_cast<size_t>(size)}) : 0;
}

ino_t SocketBroker::InodeOf(const Socket& socket) {
  struct stat status;
  return fstat(socket.fd.get(), &status) == 0 ? status.st_ino : 0;
}

SocketBroker::Socket* SocketBroker::Find(ino_t inode) {
  const auto found = sockets_.find(inode);
  return found == sockets_.end() ? nullptr : &found->second;
}

ino_t SocketBroker::SocketOf(const seccomp_notif& notification) {
  const auto tid = static_cast<pid_t>(notification.pid);
  const auto fd = static_cast<int>(notification.data.args[0]);
  const ino_t inode = InodeOf(tid, fd);
  if (Socket* const socket = Find(inode); socket != nullptr) {
    socket->holder = tid;
    socket->holders_fd = fd;
    socket->misses = 0;
  }
  return inode;
}

bool SocketBroker::IsHeld(ino_t inode) {
  const Socket* const socket = Find(inode);
  return socket != nullptr && IsHeld(inode, *socket);
}

bool SocketBroker::IsHeld(ino_t inode, const Socket& socket) {
  return socket.misses == 0 &&
         InodeOf(socket.holder, socket.holders_fd) == inode;
}

bool SocketBroker::Looked(BrokeredCall& call) {
  if (pruned_ >= since_) return true;
  if (MonotonicNow() < next_prune_) {
    call.retry_at = next_prune_;
    return false;
  }
  Prune();
  return true;
}

// A port or a place that is taken may be by a socket that the run has closed.
BrokeredCall SocketBroker::Perform(const seccomp_notif& notification,
                                   int listener, absl::Time since,
                                   std::shared_ptr<const NamedSocket> named) {
  since_ = since;
  named_ = std::move(named);
  const auto perform = [&]() -> BrokeredCall {
    switch (notification.data.nr) {
      case __NR_socket:
        return Make(notification, listener);
      case __NR_bind:
        return Bind(notification);
      case __NR_listen:
        return Listen(notification);
      case __NR_connect:
        return Connect(notification);
      default:
        return SendFirst(notification, listener);
    }
  };
  BrokeredCall performed = perform();
  const bool may_be_closed =
      performed.error_number == EADDRINUSE || performed.error_number == EMFILE;
  if (!may_be_closed) return performed;
  BrokeredCall waits;
  if (pruned_ < since) {
    if (!Looked(waits)) return waits;
    performed = perform();
  }
  const bool may_be_missing =
      std::any_of(sockets_.begin(), sockets_.end(),
                  [](const auto& entry) { return entry.second.misses > 0; });
  if (performed.error_number != 0 && may_be_missing) {
    // The second look.
    if (MonotonicNow() < next_prune_) return {.retry_at = next_prune_};
    Prune();
    performed = perform();
  }
  return performed;
}

UniqueFd SocketBroker::OpenSocket(int family, int type, int protocol) const {
  if (family == AF_UNIX || network_.networks == nullptr) {
    return UniqueFd(::socket(family, type | SOCK_CLOEXEC, protocol));
  }
  return network_.networks->OpenSocket(network_.network, family, type,
                                       protocol);
}

BrokeredCall SocketBroker::Make(const seccomp_notif& notification,
                                int listener) {
  if (sockets_.size() >= kMostSockets) return {.error_number = EMFILE};
  const auto& args = notification.data.args;
  Socket socket;
  socket.family = static_cast<int>(args[0]);
  const int type = static_cast<int>(args[1]);
  constexpr int kKindMask = 0xf;  // SOCK_TYPE_MASK, linux/net.h
  socket.is_stream = (type & kKindMask) == SOCK_STREAM;
  socket.fd = OpenSocket(socket.family, type, static_cast<int>(args[2]));
  struct stat status;
  if (!socket.fd.valid() && errno == EIO) return {.service_failed = true};
  if (!socket.fd.valid() || fstat(socket.fd.get(), &status) != 0) {
    return {.error_number = errno};
  }
  if (socket.family != AF_UNIX && socket.is_stream) BoundBuffers(socket.fd);
  const int fd = AnswerWithDescriptor(
      listener, notification.id, socket.fd.get(), (type & SOCK_CLOEXEC) != 0);
  if (fd < 0) return {.error_number = errno};
  socket.holder = static_cast<pid_t>(notification.pid);
  socket.holders_fd = fd;
  sockets_[status.st_ino] = std::move(socket);
  return {};
}

int SocketBroker::BindTo(Socket& socket, const InternetAddress& address) {
  sockaddr_storage storage;
  const socklen_t length = address.Store(storage);
  if (::bind(socket.fd.get(), reinterpret_cast<sockaddr*>(&storage), length) !=
      0) {
    return errno;
  }
  socket.is_bound = true;
  if (const auto name = NameOf(socket.fd.get()); name.has_value()) {
    names_.push_back(*name);
    if (names_.size() > kMostRemembered) names_.pop_front();
  }
  return 0;
}

// A wildcard is the loopback address where nothing else is granted: of IPv4, if
// the socket has both families, since that is what is there on every host.
InternetAddress SocketBroker::OwnWildcard(const Socket& socket, uint16_t port) {
  if (socket.family == AF_INET ||
      HasOption(socket.fd.get(), IPPROTO_IPV6, IPV6_V6ONLY)) {
    return LoopbackOf(socket.family, port);
  }
  InternetAddress address = LoopbackOf(AF_INET, port);
  address.family = AF_INET6;
  return address;
}

BrokeredCall SocketBroker::Bind(const seccomp_notif& notification) {
  Socket* const socket = Find(SocketOf(notification));
  if (socket == nullptr) return {.error_number = EACCES};
  const CopiedAddress copied = CopyAddress(notification);
  if (copied.error_number != 0) return {.error_number = copied.error_number};
  if (socket->family == AF_UNIX && copied.unix_name.has_value()) {
    return BindUnixSocket(*socket, static_cast<pid_t>(notification.pid),
                          *copied.unix_name);
  }
  if (!copied.internet.has_value()) return {.error_number = EAFNOSUPPORT};
  InternetAddress address = *copied.internet;
  if (address.family != socket->family) return {.error_number = EAFNOSUPPORT};
  if (grant_.access != NetworkAccess::kFull) {
    if (address.IsAny()) address = OwnWildcard(*socket, address.port);
    if (!address.IsLoopback()) {
      return {.error_number = EACCES, .forbidden_address = address.ToString()};
    }
  }
  // The server may have CAP_NET_BIND_SERVICE, which is not the run's.
  if (address.port > 0 && address.port < IPPORT_RESERVED) {
    return {.error_number = EACCES};
  }
  return {.error_number = BindTo(*socket, address)};
}

UnixPlace SocketBroker::FindPlace(pid_t tid, const std::string& name,
                                  int no_name) const {
  UnixPlace place;
  if (named_ == nullptr) return FindUnixPlace(tid, workspace_, name);
  if (named_->name != name) {  // The program has changed it meanwhile.
    place.error_number = EFAULT;
    return place;
  }
  const std::optional<Place>& found = named_->place;
  if (!found.has_value()) return FindUnixPlace(tid, workspace_, name);
  place.name = found->name;
  place.error_number = found->error_number;
  if (place.error_number != 0) return place;
  place.parent.Reset(fcntl(found->directory.get(), F_DUPFD_CLOEXEC, 0));
  if (!place.parent.valid()) {
    place.error_number = errno;
    return place;
  }
  if (found->region != Region::kOwn) {
    place.error_number = EXDEV;
  } else if (place.name.empty() || found->must_be_directory) {
    place.error_number = no_name;
  }
  return place;
}

BrokeredCall SocketBroker::BindUnixSocket(Socket& socket, pid_t tid,
                                          const UnixAddress& address) {
  if (socket.is_bound) return {.error_number = EINVAL};
  if (address.is_abstract) {
    return {.error_number = EACCES, .forbidden_address = address.ToString()};
  }
  UnixPlace place = FindPlace(tid, address.name, EADDRINUSE);
  if (place.error_number == EXDEV) {
    return {.error_number = EACCES, .forbidden_address = address.name};
  }
  if (place.error_number != 0) return {.error_number = place.error_number};
  const int error = BindUnix(socket.fd.get(), place);
  if (error != 0) return {.error_number = error};
  socket.is_bound = true;
  sockaddr_storage storage = {};
  socklen_t length = sizeof(storage);
  getsockname(socket.fd.get(), reinterpret_cast<sockaddr*>(&storage), &length);
  if (const auto name = ParseUnixAddress(storage, length); name.has_value()) {
    socket.shown_name = name->name;
  }
  // Its descriptor is in that name, which is nobody else's while it is held.
  socket.place = std::move(place);
  return {};
}

// listen(2) gives a socket without a name a port on every address. Where all is
// granted, nobody asks whose a port is.
int SocketBroker::ListenOn(ino_t inode, Socket& socket, int backlog) {
  if (socket.family == AF_UNIX) {
    return ::listen(socket.fd.get(), backlog) == 0 ? 0 : errno;
  }
  const bool is_full = grant_.access == NetworkAccess::kFull;
  if (!socket.is_bound && !is_full) {
    const int error = BindTo(socket, OwnWildcard(socket, 0));
    if (error != 0) return error;
  }
  if (::listen(socket.fd.get(), backlog) != 0) return errno;
  if (is_full) {
    NoteConnected(inode);
  } else {
    socket.listens_at = NameOf(socket.fd.get());
  }
  return 0;
}

BrokeredCall SocketBroker::Listen(const seccomp_notif& notification) {
  const ino_t inode = SocketOf(notification);
  Socket* const socket = Find(inode);
  // One that listens already, or is connected.
  if (socket == nullptr) return {.error_number = WasLetGo(inode) ? 0 : EINVAL};
  return {.error_number = ListenOn(
              inode, *socket, static_cast<int>(notification.data.args[1]))};
}

// shutdown(2) and connect(2) to nowhere end it, and leave its port to others.
bool SocketBroker::ListensAt(const Socket& socket,
                             const InternetAddress& address) {
  if (!socket.listens_at.has_value() ||
      socket.listens_at->address != address.address ||
      socket.listens_at->port != address.port ||
      !HasOption(socket.fd.get(), SOL_SOCKET, SO_ACCEPTCONN)) {
    return false;
  }
  const std::optional<InternetAddress> name = NameOf(socket.fd.get());
  return name.has_value() && name->address == address.address &&
         name->port == address.port;
}

SocketBroker::Socket* SocketBroker::OwnListener(
    const InternetAddress& address) {
  for (auto& [inode, socket] : sockets_) {
    if (ListensAt(socket, address)) return &socket;
  }
  return nullptr;
}

bool SocketBroker::WasLetGo(ino_t inode) const {
  return inode != 0 && std::find(connected_.begin(), connected_.end(), inode) !=
                           connected_.end();
}

// Nobody listens there any more, or not yet: no breach.
bool SocketBroker::HadName(const InternetAddress& address) const {
  return std::any_of(
      names_.begin(), names_.end(), [&address](const InternetAddress& name) {
        return name.address == address.address && name.port == address.port;
      });
}

bool SocketBroker::IsListed(const InternetAddress& address) const {
  return grant_.access == NetworkAccess::kFull ||
         std::any_of(grant_.allowed.begin(), grant_.allowed.end(),
                     [&address](const AllowedEndpoint& allowed) {
                       return IsAllowed(address, allowed);
                     });
}

// Whether a socket blocks is a property that the program's descriptor shares:
// it is taken away for this call only.
BrokeredCall SocketBroker::StartConnect(
    ino_t inode, Socket& socket, absl::FunctionRef<int(int socket)> connect) {
  const int fd = socket.fd.get();
  const int flags = fcntl(fd, F_GETFL);
  const bool blocks = (flags & O_NONBLOCK) == 0;
  if (blocks) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  BrokeredCall call;
  call.error_number = connect(fd);
  if (blocks) fcntl(fd, F_SETFL, flags);
  switch (call.error_number) {
    case 0:
      NoteConnected(inode);
      break;
    case EINPROGRESS:
    case EALREADY:
      call.connecting = fd;
      call.waits = blocks;
      call.socket = inode;
      break;
    case EAGAIN:  // The queue of a unix socket is full.
      if (blocks) call.retry_at = MonotonicNow() + kQueuePause;
      break;
    default:
      break;
  }
  return call;
}

BrokeredCall SocketBroker::Connect(const seccomp_notif& notification) {
  const ino_t inode = SocketOf(notification);
  Socket* const socket = Find(inode);
  if (socket == nullptr) {
    return {.error_number = WasLetGo(inode) ? EISCONN : ECONNREFUSED};
  }
  const CopiedAddress copied = CopyAddress(notification);
  if (copied.error_number != 0) return {.error_number = copied.error_number};
  if (socket->family == AF_UNIX && copied.unix_name.has_value()) {
    return ConnectUnixSocket(inode, *socket,
                             static_cast<pid_t>(notification.pid),
                             *copied.unix_name);
  }
  if (copied.family == AF_UNSPEC)
    return {.error_number = Disconnect(socket->fd.get())};
  if (!copied.internet.has_value()) return {.error_number = EAFNOSUPPORT};
  return ConnectInternetSocket(inode, *socket, *copied.internet);
}

BrokeredCall SocketBroker::ConnectInternetSocket(ino_t inode, Socket& socket,
                                                 InternetAddress address) {
  if (address.family != socket.family) return {.error_number = EAFNOSUPPORT};
  if (address.IsAny()) address = LoopbackOf(socket.family, address.port);
  if (IsListed(address)) return ConnectTo(inode, socket, address);
  if (address.IsLoopback()) return ConnectToOwn(inode, socket, address);
  return {.error_number = EACCES, .forbidden_address = address.ToString()};
}

BrokeredCall SocketBroker::ConnectTo(ino_t inode, Socket& socket,
                                     const InternetAddress& address) {
  sockaddr_storage storage;
  const socklen_t length = address.Store(storage);
  return StartConnect(inode, socket, [&](int fd) {
    return ::connect(fd, reinterpret_cast<sockaddr*>(&storage), length) == 0
               ? 0
               : errno;
  });
}

// A server of both families listens on IPv4's address (OwnWildcard).
BrokeredCall SocketBroker::ConnectToOwn(ino_t inode, Socket& socket,
                                        InternetAddress address) {
  Socket* listener = OwnListener(address);
  if (listener == nullptr && socket.family == AF_INET6) {
    InternetAddress mapped = LoopbackOf(AF_INET, address.port);
    mapped.family = AF_INET6;
    listener = OwnListener(mapped);
    if (listener != nullptr && listener->family == AF_INET6) {
      address = mapped;
    } else {
      listener = nullptr;
    }
  }
  if (listener == nullptr) {
    return {.error_number = ECONNREFUSED,
            .forbidden_address = HadName(address) ? "" : address.ToString()};
  }
  if (listener == &socket) return {.error_number = EISCONN};
  if (!IsHeld(InodeOf(*listener), *listener)) {
    BrokeredCall waits;
    if (!Looked(waits)) return waits;
    listener = OwnListener(address);  // It may be forgotten now.
    if (listener == nullptr || listener->misses > 0) {
      return {.error_number = ECONNREFUSED};
    }
  }
  const UniqueFd own(fcntl(socket.fd.get(), F_DUPFD_CLOEXEC, 0));
  const BrokeredCall call = ConnectTo(inode, socket, address);
  // The program may have ended its listening, and another have taken the port,
  // between the two.
  if (!ListensAt(*listener, address)) {
    Disconnect(own.get());
    return {.error_number = ECONNREFUSED};
  }
  return call;
}

// By the name that it was given, or by the one that getsockname(2) shows.
BrokeredCall SocketBroker::ConnectUnixSocket(ino_t inode, Socket& socket,
                                             pid_t tid,
                                             const UnixAddress& address) {
  if (address.is_abstract) {
    return {.error_number = ECONNREFUSED,
            .forbidden_address = address.ToString()};
  }
  if (BrokeredCall waits; MayBeClosed() && !Looked(waits)) return waits;
  const auto shown =
      std::find_if(sockets_.begin(), sockets_.end(), [&](const auto& entry) {
        return entry.second.is_bound && !entry.second.shown_name.empty() &&
               entry.second.shown_name == address.name;
      });
  const UnixPlace found = shown == sockets_.end()
                              ? FindPlace(tid, address.name, ECONNREFUSED)
                              : UnixPlace();
  if (found.error_number == EXDEV) {
    const bool is_others = IsUnixSocketOfOthers(tid, address.name);
    return {.error_number = ECONNREFUSED,
            .forbidden_address = is_others ? address.name : ""};
  }
  if (found.error_number != 0) return {.error_number = found.error_number};
  const UnixPlace& place =
      shown == sockets_.end() ? found : shown->second.place;
  return StartConnect(inode, socket,
                      [&place](int fd) { return ConnectUnix(fd, place); });
}

// A server that the run has closed refuses.
bool SocketBroker::MayBeClosed() const {
  return std::any_of(sockets_.begin(), sockets_.end(), [](const auto& entry) {
    const Socket& socket = entry.second;
    return socket.family == AF_UNIX && socket.is_bound &&
           !IsHeld(entry.first, socket);
  });
}

// getaddrinfo(3) connects one socket to several addresses, one after the other.
int SocketBroker::Disconnect(int socket) {
  sockaddr nowhere = {};
  nowhere.sa_family = AF_UNSPEC;
  return ::connect(socket, &nowhere, sizeof(nowhere)) == 0 ? 0 : errno;
}

void SocketBroker::NoteSettled(ino_t inode) {
  const Socket* const socket = Find(inode);
  if (socket == nullptr) return;
  sockaddr_storage peer;
  socklen_t length = sizeof(peer);
  if (getpeername(socket->fd.get(), reinterpret_cast<sockaddr*>(&peer),
                  &length) == 0) {
    NoteConnected(inode);
  }
}

BrokeredCall SocketBroker::FinishConnect(ino_t inode,
                                         const seccomp_notif& notification,
                                         int listener) {
  Socket* const socket = Find(inode);
  if (socket == nullptr) return {.error_number = EBADF};
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(socket->fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) !=
      0) {
    return {.error_number = errno};
  }
  if (error != 0) return {.error_number = error};
  const UniqueFd connected(fcntl(socket->fd.get(), F_DUPFD_CLOEXEC, 0));
  NoteConnected(inode);
  if (!Sends(notification)) return {};
  return SendData(connected, notification, listener);
}

// TCP fast open (tcp(7)) is a connect and a send. Performed as a host does that
// has no cookie of the other end yet: first the one, then the other.
BrokeredCall SocketBroker::SendFirst(const seccomp_notif& notification,
                                     int listener) {
  if (MessageCount(notification) == 0) return {};
  const ino_t inode = SocketOf(notification);
  Socket* const socket = Find(inode);
  if (socket == nullptr && WasLetGo(inode)) return {.error_number = EISCONN};
  if (socket == nullptr || socket->family == AF_UNIX || !socket->is_stream) {
    return {.error_number = EOPNOTSUPP};
  }
  const CopiedAddress copied = CopyAddress(notification);
  if (copied.error_number != 0) return {.error_number = copied.error_number};
  if (!copied.internet.has_value()) return {.error_number = EOPNOTSUPP};
  const UniqueFd own(fcntl(socket->fd.get(), F_DUPFD_CLOEXEC, 0));
  BrokeredCall call = ConnectInternetSocket(inode, *socket, *copied.internet);
  if ((SendFlags(notification) & MSG_DONTWAIT) != 0) call.waits = false;
  const bool connected =
      call.error_number == 0 && call.retry_at == absl::InfiniteFuture();
  return connected ? SendData(own, notification, listener) : call;
}

// A request's first part; a program sends the rest as it does after any call
// that took a part (send(2)). If the caller has died, its id and what was read
// may be another's by now.
BrokeredCall SocketBroker::SendData(const UniqueFd& socket,
                                    const seccomp_notif& notification,
                                    int listener) {
  constexpr size_t kMost = 4096;
  const std::optional<std::string> data = CopyData(notification, kMost);
  if (!data.has_value()) return {.error_number = EFAULT};
  if (!IsAwaited(listener, notification.id)) return {.error_number = ESRCH};
  const int flags = SendFlags(notification) & MSG_MORE;
  const ssize_t sent = ::send(socket.get(), data->data(), data->size(),
                              flags | MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return {.error_number = errno};
  if (notification.data.nr != __NR_sendmmsg) return {.value = sent};
  // It says of each message how much was sent, and how many were.
  const auto size = static_cast<unsigned>(sent);
  const bool told = WriteProgramBytes(
      static_cast<pid_t>(notification.pid),
      notification.data.args[1] + offsetof(mmsghdr, msg_len), &size,
      sizeof(size), [&] { return IsAwaited(listener, notification.id); });
  return told ? BrokeredCall{.value = 1} : BrokeredCall{.error_number = EFAULT};
}

// A descriptor that was kept on would keep the connection open when the program
// has closed it.
void SocketBroker::NoteConnected(ino_t inode) {
  const Socket* const socket = Find(inode);
  if (socket == nullptr || !socket->is_stream) return;
  sockets_.erase(inode);
  connected_.push_back(inode);
  if (connected_.size() > kMostRemembered) connected_.pop_front();
}

void SocketBroker::Prune() {
  const absl::Time begin = MonotonicNow();
  if (const std::optional<std::set<ino_t>> open = OpenSockets();
      open.has_value()) {
    for (auto& [inode, socket] : sockets_) {
      socket.misses = open->contains(inode) ? 0 : socket.misses + 1;
    }
    // A name in the file system needs nobody who keeps it.
    std::erase_if(sockets_, [](const auto& entry) {
      return entry.second.misses > (entry.second.family == AF_UNIX ? 0 : 1);
    });
  }
  pruned_ = MonotonicNow();
  constexpr int kPausePerCost = 9;
  next_prune_ = pruned_ + (pruned_ - begin) * kPausePerCost;
}

// nullopt: there are too many descriptors for one look.
std::optional<std::set<ino_t>> SocketBroker::OpenSockets() {
  std::set<ino_t> open;
  int budget = 20'000;
  for (const pid_t pid : processes_->CurrentMembers(pgid_)) {
    const int before = budget;
    AddSocketsOf(absl::StrCat("/proc/", pid, "/fd"), budget, open);
    // A main thread that has ended while others go on has no descriptors.
    if (budget == before) AddSocketsOfThreads(pid, budget, open);
    if (budget <= 0) return std::nullopt;
  }
  return open;
}

}  // namespace cordon::sandbox
