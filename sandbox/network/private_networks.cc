// The doors are Start, Make and OpenSocket; the two processes are MakeNetworks
// and OpenSockets.

#include "sandbox/network/private_networks.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/base/scoped_signal_block.h"

// Linux 4.9; linux/sockios.h. The network that a socket is in.
#ifndef SIOCGSKNS
#define SIOCGSKNS 0x894C
#endif

namespace cordon::sandbox {
namespace {

// What is asked for: socket(2)'s arguments, and the network with it; or a
// network.
struct Order {
  int family = 0;
  int type = 0;
  int protocol = 0;
};

// What is answered: errno(3), or the descriptor with it.
struct Answer {
  int error_number = 0;
};

struct Message {
  iovec part;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr header;

  Message(void* data, size_t size) : part{data, size}, control{}, header{} {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
  }
};

// `fd`: -1: none. False: the other end is gone.
template <typename Content>
bool Send(int channel, Content content, int fd) {
  Message message(&content, sizeof(content));
  if (fd < 0) {
    message.header.msg_controllen = 0;
  } else {
    cmsghdr* const control = CMSG_FIRSTHDR(&message.header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(control), &fd, sizeof(fd));
  }
  ssize_t sent;
  do {
    sent = sendmsg(channel, &message.header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == sizeof(content);
}

template <typename Content>
bool Receive(int channel, Content& content, UniqueFd& fd) {
  Message message(&content, sizeof(content));
  ssize_t received;
  do {
    received = recvmsg(channel, &message.header, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received != sizeof(content)) return false;
  const cmsghdr* const control = CMSG_FIRSTHDR(&message.header);
  if (control != nullptr && control->cmsg_type == SCM_RIGHTS) {
    int number;
    memcpy(&number, CMSG_DATA(control), sizeof(number));
    fd.Reset(number);
  }
  return true;
}

// ------------------------------------------------- in the two processes, which
// have one thread

UniqueFd OpenInternetSocket() {
  return UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

// netdevice(7)
int BringLoopbackUp(int socket) {
  ifreq request = {};
  strncpy(request.ifr_name, "lo", sizeof(request.ifr_name) - 1);
  request.ifr_flags = IFF_UP;
  return ioctl(socket, SIOCSIFFLAGS, &request) == 0 ? 0 : errno;
}

// A new network, which this process is in then.
int MakeNetwork(UniqueFd& network) {
  if (unshare(CLONE_NEWNET) != 0) return errno;
  const UniqueFd socket = OpenInternetSocket();
  if (!socket.valid()) return errno;
  if (const int error = BringLoopbackUp(socket.get()); error != 0) return error;
  network.Reset(ioctl(socket.get(), SIOCGSKNS));
  return network.valid() ? 0 : errno;
}

// What one of them has open: its end of the channel, this process
// (pidfd_open(2)) and a network where nothing is.
struct Desk {
  int channel;
  int server;
  UniqueFd home;
};

// False: the server has ended. Its children between clone and execve may hold
// the other end of the channel for longer.
bool AwaitOrder(const Desk& desk, Order& order, UniqueFd& fd) {
  pollfd ready[] = {{.fd = desk.channel, .events = POLLIN, .revents = 0},
                    {.fd = desk.server, .events = POLLIN, .revents = 0}};
  while (poll(ready, 2, -1) < 0) {
  }
  return ready[1].revents == 0 && Receive(desk.channel, order, fd);
}

// Too many descriptors may be on their way already (unix(7), ETOOMANYREFS).
bool Reply(int channel, int error, const UniqueFd& fd) {
  if (Send(channel, Answer{error}, fd.get())) return true;
  const int reason = errno;
  return reason != EPIPE && Send(channel, Answer{reason}, -1);
}

void MakeNetworks(const Desk& desk) {
  Order order;
  UniqueFd none;
  while (AwaitOrder(desk, order, none)) {
    UniqueFd network;
    const int error = MakeNetwork(network);
    // Or the network would last until there is another.
    setns(desk.home.get(), CLONE_NEWNET);
    if (!Reply(desk.channel, error, network)) return;
  }
}

int OpenSocketIn(const UniqueFd& network, const Order& order,
                 UniqueFd& opened) {
  if (setns(network.get(), CLONE_NEWNET) != 0) return errno;
  opened.Reset(socket(order.family, order.type | SOCK_CLOEXEC, order.protocol));
  return opened.valid() ? 0 : errno;
}

void OpenSockets(const Desk& desk) {
  Order order;
  UniqueFd network;
  while (AwaitOrder(desk, order, network)) {
    UniqueFd opened;
    const int error = OpenSocketIn(network, order, opened);
    setns(desk.home.get(), CLONE_NEWNET);
    network.Reset();
    if (!Reply(desk.channel, error, opened)) return;
  }
}

pid_t Fork() {
  return static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

[[noreturn]] void Become(const char* name, void (*work)(const Desk& desk),
                         int channel, int server) {
  prctl(PR_SET_NAME, name);
  constexpr int kKept = 2;
  // Up, where neither is overwritten, and down again.
  const int kept_channel = fcntl(channel, F_DUPFD, kKept);
  const int kept_server = fcntl(server, F_DUPFD, kKept);
  if (kept_channel < 0 || kept_server < 0 || dup2(kept_channel, 0) != 0 ||
      dup2(kept_server, 1) != 1) {
    _exit(errno);
  }
  syscall(SYS_close_range, kKept, ~0U, 0);
  Desk desk = {.channel = 0, .server = 1, .home = {}};
  if (const int error = MakeNetwork(desk.home); error != 0) {
    Send(desk.channel, Answer{error}, -1);
    _exit(error);
  }
  work(desk);
  _exit(0);
}

// A child of its own for each, in one user namespace: who makes a network has
// every right in it there, and so does the other.
int StartBoth(int maker, int opener, int server) {
  if (unshare(CLONE_NEWUSER) != 0) return errno;
  prctl(PR_SET_DUMPABLE, 0);
  const pid_t first = Fork();
  if (first == 0) Become("cordon-networks", MakeNetworks, maker, server);
  if (first < 0) return errno;
  const pid_t second = Fork();
  if (second == 0) Become("cordon-sockets", OpenSockets, opener, server);
  return second < 0 ? errno : 0;
}

// What came without a descriptor although it was sent found no room here.
int MissingBecause(const Answer& answer) {
  return answer.error_number != 0 ? answer.error_number : EMFILE;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PrivateNetworks>> PrivateNetworks::Start() {
  if (geteuid() != 0) {
    return absl::FailedPreconditionError(
        "the server is not root: its user, which runs have as well, would have "
        "every right in their networks");
  }
  int makers[2];
  int openers[2];
  constexpr int kType = SOCK_SEQPACKET | SOCK_CLOEXEC;
  if (socketpair(AF_UNIX, kType, 0, makers) != 0) {
    return ErrnoToStatus(errno, "socketpair");
  }
  std::unique_ptr<PrivateNetworks> networks(new PrivateNetworks);
  networks->maker_.Reset(makers[0]);
  UniqueFd makers_end(makers[1]);
  if (socketpair(AF_UNIX, kType, 0, openers) != 0) {
    return ErrnoToStatus(errno, "socketpair");
  }
  networks->opener_.Reset(openers[0]);
  for (const int channel : {makers[0], openers[0]}) {
    const timeval limit = {.tv_sec = 1, .tv_usec = 0};
    setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(channel, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  }
  UniqueFd openers_end(openers[1]);

  const UniqueFd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!self.valid()) return ErrnoToStatus(errno, "pidfd_open");
  int status = 0;
  {
    // They are deaf to all that can be blocked, and nobody's to wait for.
    const ScopedSignalBlock no_signals;
    const pid_t between = Fork();
    if (between < 0) return ErrnoToStatus(errno, "fork");
    if (between == 0) _exit(StartBoth(makers[1], openers[1], self.get()));
    while (waitpid(between, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    const int error = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
    return absl::FailedPreconditionError(
        absl::StrCat("a user namespace: ", strerror(error)));
  }
  makers_end.Reset();
  openers_end.Reset();
  const absl::StatusOr<UniqueFd> network = networks->Make();
  if (!network.ok()) {
    return absl::FailedPreconditionError(network.status().message());
  }
  if (!networks->OpenSocket(*network, AF_INET, SOCK_STREAM, 0).valid()) {
    return absl::FailedPreconditionError(
        absl::StrCat("a socket in a network of its own: ", strerror(errno)));
  }
  return networks;
}

absl::StatusOr<UniqueFd> PrivateNetworks::Make() {
  const std::lock_guard<std::mutex> lock(maker_mutex_);
  Answer answer;
  UniqueFd network;
  // A late answer would be taken for the next one's.
  if (!usable_ || !Send(maker_.get(), Order{}, -1) ||
      !Receive(maker_.get(), answer, network)) {
    usable_ = false;
    return ErrnoToStatus(EIO, "ask for a network");
  }
  if (!network.valid()) {
    return ErrnoToStatus(MissingBecause(answer), "make a network");
  }
  return network;
}

UniqueFd PrivateNetworks::OpenSocket(const UniqueFd& network, int family,
                                     int type, int protocol) {
  const std::lock_guard<std::mutex> lock(opener_mutex_);
  Answer answer;
  UniqueFd opened;
  if (!usable_ ||
      !Send(opener_.get(), Order{family, type, protocol}, network.get()) ||
      !Receive(opener_.get(), answer, opened)) {
    usable_ = false;
    errno = EIO;
    return UniqueFd();
  }
  if (!opened.valid()) errno = MissingBecause(answer);
  return opened;
}

}  // namespace cordon::sandbox
