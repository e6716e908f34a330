// Door: ProbeNotifications.

#include "sandbox/host/notification_probe.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

#include "absl/status/status.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::sandbox {
namespace {

constexpr int kStallMilliseconds = 2000;
// The call that shows that notification works at all: harmless, and in no
// runtime's list of forbidden calls.
constexpr int kTrialCall = SYS_getppid;
constexpr int kTrialIndex = -1;

// Shared with the child.
struct Progress {
  // Index of the call that the child is about to make, or kTrialIndex.
  std::atomic<int> current{kTrialIndex};
  std::atomic<bool> trial_answered{false};
};

// Owns the shared page.
class SharedProgress {
 public:
  SharedProgress()
      : page_(mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (valid()) new (page_) Progress;
  }
  ~SharedProgress() {
    if (valid()) munmap(page_, sizeof(Progress));
  }
  SharedProgress(const SharedProgress&) = delete;
  SharedProgress& operator=(const SharedProgress&) = delete;

  bool valid() const { return page_ != MAP_FAILED; }
  Progress* get() const { return static_cast<Progress*>(page_); }

 private:
  void* page_;
};

// "Notify for these numbers, allow the rest", one comparison after the other:
// it runs a few dozen times in its life.
std::vector<sock_filter> NotifyFilter(const std::vector<ProbedCall>& calls) {
  std::set<uint32_t> numbers = {kTrialCall};
  for (const ProbedCall& call : calls) {
    numbers.insert(static_cast<uint32_t>(call.number));
  }
  std::vector<sock_filter> filter = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const uint32_t number : numbers) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  return filter;
}

bool SendDescriptor(int socket, int descriptor) {
  char byte = 0;
  iovec data = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
  return sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
}

// Empty when the other end closed without sending one.
UniqueFd ReceiveDescriptor(int socket) {
  char byte = 0;
  iovec data = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t count;
  do {
    count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  const cmsghdr* header = count > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return UniqueFd();
  int descriptor = -1;
  memcpy(&descriptor, CMSG_DATA(header), sizeof(int));
  return UniqueFd(descriptor);
}

[[noreturn]] void ChildMain(int socket, const std::vector<sock_filter>& filter,
                            const std::vector<ProbedCall>& calls, size_t first,
                            Progress* progress) {
  // An outer filter may kill it, and nobody wants a core file of that.
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  const sock_fprog program = {static_cast<unsigned short>(filter.size()),
                              const_cast<sock_filter*>(filter.data())};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(1);
  const int listener =
      static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                               SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
  if (listener < 0 || !SendDescriptor(socket, listener)) _exit(1);
  close(listener);

  const long trial = syscall(kTrialCall);
  progress->trial_answered = trial == -1 && errno == EPERM;
  for (size_t i = first; i < calls.size(); ++i) {
    progress->current = static_cast<int>(i);
    const auto& a = calls[i].arguments;
    (void)syscall(calls[i].number, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  _exit(0);
}

// Takes one notification and answers it, noting which call it was. Whatever
// fails here (the child died meanwhile) shows at the child's exit.
void AnswerOne(int listener, const Progress& progress,
               std::vector<bool>* arrived) {
  seccomp_notif request = {};
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) return;
  const int index = progress.current;
  if (index >= 0) (*arrived)[static_cast<size_t>(index)] = true;
  seccomp_notif_resp response = {};
  response.id = request.id;
  response.error = -EPERM;
  (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

// Answers until the child closes its end of `socket` by exiting, or stalls.
void AnswerAll(int listener, int socket, const Progress& progress,
               std::vector<bool>* arrived) {
  pollfd polled[] = {{listener, POLLIN, 0}, {socket, POLLIN, 0}};
  for (;;) {
    const int ready = poll(polled, 2, kStallMilliseconds);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return;
    if ((polled[0].revents & POLLIN) != 0) {
      AnswerOne(listener, progress, arrived);
      continue;
    }
    if (polled[1].revents != 0) return;
    // Nobody uses the filter any more; the socket's end is about to follow.
    if (polled[0].revents != 0) polled[0].fd = -1;
  }
}

class Prober {
 public:
  explicit Prober(const std::vector<ProbedCall>& calls)
      : calls_(calls), filter_(NotifyFilter(calls)), arrived_(calls.size()) {}

  absl::StatusOr<NotificationProbe> Run() {
    if (!progress_.valid()) return ErrnoToStatus(errno, "mmap");
    NotificationProbe result;
    size_t next = 0;
    do {
      absl::StatusOr<size_t> after = RunChild(next);
      if (!after.ok()) return after.status();
      if (!progress_.get()->trial_answered) return NotificationProbe{};
      next = *after;
    } while (next < calls_.size());
    result.works = true;
    for (size_t i = 0; i < calls_.size(); ++i) {
      if (!arrived_[i]) result.masked.insert(calls_[i].number);
    }
    return result;
  }

 private:
  // Probes from `first` on; returns the first call that is still to do.
  absl::StatusOr<size_t> RunChild(size_t first) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
      return ErrnoToStatus(errno, "socketpair");
    }
    const UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    new (progress_.get()) Progress;
    const pid_t child = fork();
    if (child < 0) return ErrnoToStatus(errno, "fork");
    if (child == 0) {
      close(ours.get());
      ChildMain(theirs.get(), filter_, calls_, first, progress_.get());
    }
    theirs.Reset();
    const UniqueFd listener = ReceiveDescriptor(ours.get());
    if (listener.valid()) {
      AnswerAll(listener.get(), ours.get(), *progress_.get(), &arrived_);
    }
    // It has exited, or hangs, or could not make a listener.
    kill(child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status)) return calls_.size();
    const int stuck = progress_.get()->current;
    if (stuck < 0) return calls_.size();
    return static_cast<size_t>(stuck) + 1;
  }

  const std::vector<ProbedCall>& calls_;
  const std::vector<sock_filter> filter_;
  SharedProgress progress_;
  std::vector<bool> arrived_;
};

}  // namespace

absl::StatusOr<NotificationProbe> ProbeNotifications(
    const std::vector<ProbedCall>& calls) {
  return Prober(calls).Run();
}

}  // namespace cordon::sandbox
