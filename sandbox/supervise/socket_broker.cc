#include "sandbox/supervise/socket_broker.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "sandbox/base/monotonic_clock.h"
#include "sandbox/supervise/program_memory.h"

// Linux 5.14 (seccomp_unotify(2)).
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif

namespace cordon::sandbox {
namespace {

// Not connected yet, or listening, at once.
constexpr size_t kMostSockets = 128;
constexpr size_t kMostRemembered = 1024;
// How long a connect waits for a place in a full queue, at a time.
constexpr absl::Duration kQueuePause = absl::Milliseconds(5);

// "socket:[4711]" is what /proc calls a socket (proc_pid_fd(5)).
ino_t InodeIn(absl::string_view link) {
  ino_t inode = 0;
  if (!absl::ConsumePrefix(&link, "socket:[") ||
      !absl::ConsumeSuffix(&link, "]") || !absl::SimpleAtoi(link, &inode)) {
    return 0;
  }
  return inode;
}

void AddSocketsOf(const std::string& descriptors, std::set<ino_t>& inodes) {
  namespace fs = std::filesystem;
  std::error_code error;
  for (fs::directory_iterator entry(descriptors, error), end;
       !error && entry != end; entry.increment(error)) {
    std::error_code gone;
    const fs::path target = fs::read_symlink(entry->path(), gone);
    if (const ino_t inode = InodeIn(target.string()); inode != 0) {
      inodes.insert(inode);
    }
  }
}

struct CopiedAddress {
  int error_number = 0;
  sa_family_t family = AF_UNSPEC;
  std::optional<UnixAddress> unix_name;
  std::optional<InternetAddress> internet;
};

// This copy is looked at and used.
CopiedAddress CopyAddress(const seccomp_notif& notification) {
  const uint64_t length = notification.data.args[2] & UINT32_MAX;
  sockaddr_storage storage = {};
  if (length > sizeof(storage)) return {.error_number = EINVAL};
  if (length < sizeof(storage.ss_family)) return {.error_number = EINVAL};
  if (!ReadProgramBytes(static_cast<pid_t>(notification.pid),
                        notification.data.args[1], &storage, length)) {
    return {.error_number = EFAULT};
  }
  CopiedAddress copied;
  copied.family = storage.ss_family;
  copied.internet = ParseInternetAddress(storage, length);
  copied.unix_name = ParseUnixAddress(storage, length);
  if (!copied.internet.has_value() &&
      (copied.family == AF_INET || copied.family == AF_INET6)) {
    copied.error_number = EINVAL;
  }
  return copied;
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

SocketBroker::SocketBroker(NetworkGrant grant, std::string workspace,
                           pid_t pgid, ProcessTable* processes)
    : grant_(std::move(grant)),
      workspace_(std::move(workspace)),
      pgid_(pgid),
      processes_(processes) {}

ino_t SocketBroker::InodeOf(pid_t tid, int fd) {
  char link[64];
  const ssize_t size = readlink(absl::StrCat("/proc/", tid, "/fd/", fd).c_str(),
                                link, sizeof(link));
  return size > 0 ? InodeIn({link, static_cast<size_t>(size)}) : 0;
}

SocketBroker::Socket* SocketBroker::Find(ino_t inode) {
  const auto found = sockets_.find(inode);
  return found == sockets_.end() ? nullptr : &found->second;
}

// A call whose answer depends on what the run has closed meanwhile is performed
// after a look at that: a port that is in use may be the run's own.
BrokeredCall SocketBroker::Perform(const seccomp_notif& notification,
                                   int listener, absl::Time since) {
  const auto perform = [&]() -> BrokeredCall {
    switch (notification.data.nr) {
      case __NR_socket:
        return Make(notification, listener);
      case __NR_bind:
        return Bind(notification);
      case __NR_listen:
        return Listen(notification);
      default:
        return Connect(notification);
    }
  };
  const bool is_connect = notification.data.nr == __NR_connect;
  if (!is_connect) {
    BrokeredCall performed = perform();
    const bool may_be_closed = performed.error_number == EADDRINUSE ||
                               performed.error_number == EMFILE;
    if (!may_be_closed || pruned_ >= since) return performed;
  } else if (!MayListen() || pruned_ >= since) {
    return perform();
  }
  const absl::Time now = MonotonicNow();
  if (now < next_prune_) return {.retry_at = next_prune_};
  Prune();
  return perform();
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
  socket.fd.Reset(
      ::socket(socket.family, type | SOCK_CLOEXEC, static_cast<int>(args[2])));
  struct stat status;
  if (!socket.fd.valid() || fstat(socket.fd.get(), &status) != 0) {
    return {.error_number = errno};
  }
  seccomp_notif_addfd handed = {};
  handed.id = notification.id;
  handed.flags = SECCOMP_ADDFD_FLAG_SEND;
  handed.srcfd = static_cast<uint32_t>(socket.fd.get());
  handed.newfd_flags = (type & SOCK_CLOEXEC) != 0 ? O_CLOEXEC : 0;
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &handed) < 0) {
    return {.error_number = errno};
  }
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

// A wildcard is the loopback address where nothing else is granted.
BrokeredCall SocketBroker::Bind(const seccomp_notif& notification) {
  Socket* const socket =
      Find(InodeOf(static_cast<pid_t>(notification.pid),
                   static_cast<int>(notification.data.args[0])));
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
    if (address.IsAny()) address = LoopbackOf(socket->family, address.port);
    if (!address.IsLoopback()) {
      return {.error_number = EACCES, .forbidden_address = address.ToString()};
    }
  }
  return {.error_number = BindTo(*socket, address)};
}

BrokeredCall SocketBroker::BindUnixSocket(Socket& socket, pid_t tid,
                                          const UnixAddress& address) {
  if (socket.is_bound) return {.error_number = EINVAL};
  if (address.is_abstract) {
    return {.error_number = EACCES, .forbidden_address = address.ToString()};
  }
  UnixPlace place = FindUnixPlace(tid, workspace_, address.name);
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
    const int error = BindTo(socket, LoopbackOf(socket.family, 0));
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
  const ino_t inode = InodeOf(static_cast<pid_t>(notification.pid),
                              static_cast<int>(notification.data.args[0]));
  Socket* const socket = Find(inode);
  // A unix socket without a name cannot listen.
  if (socket == nullptr) return {.error_number = EINVAL};
  return {.error_number = ListenOn(
              inode, *socket, static_cast<int>(notification.data.args[1]))};
}

bool SocketBroker::MayListen() const {
  return std::any_of(sockets_.begin(), sockets_.end(), [](const auto& entry) {
    const Socket& socket = entry.second;
    return socket.listens_at.has_value() ||
           (socket.family == AF_UNIX && socket.is_bound);
  });
}

bool SocketBroker::IsOwnPort(const InternetAddress& address) const {
  return std::any_of(
      sockets_.begin(), sockets_.end(), [&address](const auto& entry) {
        const std::optional<InternetAddress>& at = entry.second.listens_at;
        return at.has_value() && at->address == address.address &&
               at->port == address.port;
      });
}

// Nobody listens there any more, or not yet: no breach.
bool SocketBroker::HadName(const InternetAddress& address) const {
  return std::any_of(
      names_.begin(), names_.end(), [&address](const InternetAddress& name) {
        return name.address == address.address && name.port == address.port;
      });
}

bool SocketBroker::MayConnect(const InternetAddress& address) const {
  switch (grant_.access) {
    case NetworkAccess::kNone:
      return false;
    case NetworkAccess::kFull:
      return true;
    case NetworkAccess::kAllowList:
    case NetworkAccess::kLoopback:
      break;
  }
  return std::any_of(grant_.allowed.begin(), grant_.allowed.end(),
                     [&address](const AllowedEndpoint& allowed) {
                       return IsAllowed(address, allowed);
                     }) ||
         (address.IsLoopback() && IsOwnPort(address));
}

// Whether a socket blocks is a property that the program's descriptor shares:
// it is taken away for this call only.
int SocketBroker::StartConnect(ino_t inode, Socket& socket,
                               absl::FunctionRef<int(int socket)> connect,
                               bool& waits) {
  const int fd = socket.fd.get();
  const int flags = fcntl(fd, F_GETFL);
  const bool blocks = (flags & O_NONBLOCK) == 0;
  if (blocks) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  const int error = connect(fd);
  if (blocks) fcntl(fd, F_SETFL, flags);
  // EAGAIN: the queue of a unix socket is full.
  waits = blocks && (error == EINPROGRESS || error == EALREADY ||
                     (error == EAGAIN && socket.family == AF_UNIX));
  if (!waits && (error == 0 || error == EINPROGRESS)) NoteConnected(inode);
  return error;
}

BrokeredCall SocketBroker::Connect(const seccomp_notif& notification) {
  const ino_t inode = InodeOf(static_cast<pid_t>(notification.pid),
                              static_cast<int>(notification.data.args[0]));
  Socket* const socket = Find(inode);
  if (socket == nullptr) {
    const bool connected = std::find(connected_.begin(), connected_.end(),
                                     inode) != connected_.end();
    return {.error_number = connected && inode != 0 ? EISCONN : ECONNREFUSED};
  }
  const CopiedAddress copied = CopyAddress(notification);
  if (copied.error_number != 0) return {.error_number = copied.error_number};
  if (socket->family == AF_UNIX && copied.unix_name.has_value()) {
    return ConnectUnixSocket(inode, *socket,
                             static_cast<pid_t>(notification.pid),
                             *copied.unix_name);
  }
  if (copied.family == AF_UNSPEC) return {.error_number = Disconnect(*socket)};
  if (!copied.internet.has_value()) return {.error_number = EAFNOSUPPORT};
  InternetAddress address = *copied.internet;
  if (address.family != socket->family) return {.error_number = EAFNOSUPPORT};
  if (address.IsAny()) address = LoopbackOf(socket->family, address.port);
  if (!MayConnect(address)) {
    return {.error_number = address.IsLoopback() ? ECONNREFUSED : EACCES,
            .forbidden_address = HadName(address) ? "" : address.ToString()};
  }
  BrokeredCall call;
  bool waits = false;
  sockaddr_storage storage;
  const socklen_t length = address.Store(storage);
  const auto connect = [&](int fd) {
    return ::connect(fd, reinterpret_cast<sockaddr*>(&storage), length) == 0
               ? 0
               : errno;
  };
  call.error_number = StartConnect(inode, *socket, connect, waits);
  if (waits) {
    call.connecting = socket->fd.get();
    call.socket = inode;
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
  const auto shown =
      std::find_if(sockets_.begin(), sockets_.end(), [&](const auto& entry) {
        return entry.second.is_bound && !entry.second.shown_name.empty() &&
               entry.second.shown_name == address.name;
      });
  const UnixPlace found = shown == sockets_.end()
                              ? FindUnixPlace(tid, workspace_, address.name)
                              : UnixPlace();
  if (found.error_number == EXDEV) {
    const bool is_others = IsUnixSocketOfOthers(tid, address.name);
    return {.error_number = ECONNREFUSED,
            .forbidden_address = is_others ? address.name : ""};
  }
  if (found.error_number != 0) return {.error_number = found.error_number};
  const UnixPlace& place =
      shown == sockets_.end() ? found : shown->second.place;
  BrokeredCall call;
  bool waits = false;
  call.error_number = StartConnect(
      inode, socket, [&place](int fd) { return ConnectUnix(fd, place); },
      waits);
  if (waits) call.retry_at = MonotonicNow() + kQueuePause;
  return call;
}

// getaddrinfo(3) connects one socket to several addresses, one after the other.
int SocketBroker::Disconnect(const Socket& socket) {
  sockaddr nowhere = {};
  nowhere.sa_family = AF_UNSPEC;
  return ::connect(socket.fd.get(), &nowhere, sizeof(nowhere)) == 0 ? 0 : errno;
}

int SocketBroker::FinishConnect(ino_t inode) {
  Socket* const socket = Find(inode);
  if (socket == nullptr) return EBADF;
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(socket->fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) !=
      0) {
    return errno;
  }
  if (error == 0) NoteConnected(inode);
  return error;
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
  std::set<ino_t> open;
  for (const pid_t pid : processes_->CurrentMembers(pgid_)) {
    AddSocketsOf(absl::StrCat("/proc/", pid, "/fd"), open);
  }
  std::erase_if(sockets_, [&open](const auto& entry) {
    return !open.contains(entry.first);
  });
  pruned_ = MonotonicNow();
  constexpr int kPausePerCost = 9;
  next_prune_ = pruned_ + (pruned_ - begin) * kPausePerCost;
}

}  // namespace cordon::sandbox
