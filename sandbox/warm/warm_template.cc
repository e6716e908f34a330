// The doors are Start and Fork.

#include "sandbox/warm/warm_template.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "sandbox/base/descriptor_copies.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/base/monotonic_clock.h"
#include "sandbox/warm/descriptor_message.h"
#include "sandbox/warm/fork_protocol.h"

namespace cordon::sandbox {
namespace {

// Importing large modules on a busy machine takes a while. Runs are executed
// meanwhile.
constexpr absl::Duration kStartPatience = absl::Seconds(60);
// Longer than that no fork takes to begin, unless somebody has stopped it.
constexpr absl::Duration kBeginPatience = absl::Seconds(10);
constexpr size_t kMostWords = 4096;

absl::StatusOr<UniqueFd> FileOf(const std::string& content) {
  UniqueFd file(memfd_create("cordon-template", MFD_CLOEXEC));
  if (!file.valid()) return ErrnoToStatus(errno, "memfd_create");
  if (write(file.get(), content.data(), content.size()) !=
          static_cast<ssize_t>(content.size()) ||
      lseek(file.get(), 0, SEEK_SET) != 0) {
    return ErrnoToStatus(errno, "write a template's file");
  }
  return file;
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& string : strings) {
    pointers.push_back(const_cast<char*>(string.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

// Owns what posix_spawn(3) is told. Descriptors are moved out of the way first:
// one could be where another has to go.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK |
                                               POSIX_SPAWN_SETSIGDEF |
                                               POSIX_SPAWN_SETSID);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  void Place(int fd, int at) {
    constexpr int kOutOfTheWay = 32;
    kept_.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, kOutOfTheWay));
    posix_spawn_file_actions_adddup2(&actions_, kept_.back().get(), at);
  }

  // errno(3), or 0.
  int Spawn(const TemplateProgram& program, int first_free, pid_t& pid) {
    posix_spawn_file_actions_addclosefrom_np(&actions_, first_free);
    posix_spawn_file_actions_addchdir_np(&actions_, "/");
    const DescriptorCopies::Copy copy = DescriptorCopies::Of().Add();
    return posix_spawn(&pid, program.argv[0].c_str(), &actions_, &attributes_,
                       Pointers(program.argv).data(),
                       Pointers(program.environment).data());
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  std::vector<UniqueFd> kept_;
};

void WaitFor(pid_t pid) {
  while (waitpid(pid, nullptr, __WALL) < 0 && errno == EINTR) {
  }
}

// What it printed last: an interpreter says there what is wrong.
std::string LastLine(int fd) {
  std::string text(kMostWords, '\0');
  const ssize_t size = read(fd, text.data(), text.size());
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  const absl::string_view words = absl::StripAsciiWhitespace(text);
  const size_t line = words.rfind('\n');
  return std::string(line == absl::string_view::npos ? words
                                                     : words.substr(line + 1));
}

// A fork that a template had made when it died: nobody else knows of it. It
// says its id before anything else, and goes when its socket is closed.
void EndLostFork(int socket) {
  pid_t pid = -1;
  UniqueFd none;
  SetReceiveTimeout(socket, absl::Seconds(1));
  if (!ReceiveMessage(socket, &pid, sizeof(pid), none) || pid <= 0) return;
  kill(pid, SIGKILL);
  WaitFor(pid);
}

}  // namespace

absl::StatusOr<std::unique_ptr<WarmTemplate>> WarmTemplate::Start(
    const TemplateProgram& program, LiveGroups* groups, int stop) {
  absl::StatusOr<SocketPair> control = MakeSocketPair();
  if (!control.ok()) return control.status();
  std::unique_ptr<WarmTemplate> made(new WarmTemplate());
  if (groups != nullptr) made->group_ = groups->Reserve();
  absl::Status spawned = made->Spawn(program, control->other.get());
  if (!spawned.ok()) return spawned;
  made->group_.Enter(made->pid_);
  control->other.Reset();
  const absl::Status ready = made->AwaitReady(control->own.get(), stop);
  if (!ready.ok()) {
    kill(made->pid_, SIGKILL);
    return absl::UnavailableError(absl::StrCat(
        "no template of ", program.argv[0], ": ", ready.message()));
  }
  made->words_.Reset();
  made->control_ = std::move(control->own);
  return made;
}

absl::Status WarmTemplate::Spawn(const TemplateProgram& program, int own_end) {
  int words[2];
  if (pipe2(words, O_CLOEXEC) != 0) return ErrnoToStatus(errno, "pipe2");
  words_.Reset(words[0]);
  const UniqueFd its_words(words[1]);
  const UniqueFd nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!nothing.valid()) return ErrnoToStatus(errno, "open /dev/null");
  SpawnPlan plan;
  plan.Place(nothing.get(), 0);
  plan.Place(nothing.get(), 1);
  plan.Place(its_words.get(), 2);
  int next = kTemplateControl;
  plan.Place(own_end, next++);
  for (const std::string& content : program.files) {
    absl::StatusOr<UniqueFd> file = FileOf(content);
    if (!file.ok()) return file.status();
    plan.Place(file->get(), next++);
  }
  const int error_number = plan.Spawn(program, next, pid_);
  if (error_number != 0) {
    pid_ = -1;
    return absl::UnavailableError(
        absl::StrCat("no template of ", program.argv[0], ": ",
                     ErrnoToStatus(error_number, "posix_spawn").message()));
  }
  pidfd_.Reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  return absl::OkStatus();
}

absl::Status WarmTemplate::AwaitReady(int control, int stop) {
  pollfd awaited[] = {{control, POLLIN, 0}, {stop, POLLIN, 0}};
  const int timeout =
      static_cast<int>(absl::ToInt64Milliseconds(kStartPatience));
  int changed;
  do {
    changed = poll(awaited, 2, timeout);
  } while (changed < 0 && errno == EINTR);
  if (changed == 0) {
    return absl::UnavailableError(absl::StrCat(
        "it was not ready within ", absl::FormatDuration(kStartPatience)));
  }
  if (awaited[1].revents != 0) {
    return absl::UnavailableError("nobody waits for it any more");
  }
  ForkReport ready = {};
  UniqueFd none;
  if (ReceiveMessage(control, &ready, sizeof(ready), none)) {
    return absl::OkStatus();
  }
  // Or what it prints may have no end.
  kill(pid_, SIGKILL);
  const std::string words = LastLine(words_.get());
  return absl::UnavailableError(words.empty() ? "it ended without a word"
                                              : words);
}

WarmTemplate::~WarmTemplate() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  WaitFor(pid_);
  group_.Leave();
  if (owed_.valid()) EndLostFork(owed_.get());
}

int WarmTemplate::forks() {
  absl::MutexLock lock(&mutex_);
  return forks_;
}

bool WarmTemplate::IsStalled() {
  absl::MutexLock lock(&mutex_);
  return MonotonicNow() - owed_since_ > kLongestStall;
}

bool WarmTemplate::Take(absl::Duration patience) {
  {
    absl::MutexLock lock(&mutex_);
    const auto is_free = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return !taken_;
    };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&is_free), patience)) {
      return false;
    }
    taken_ = true;
  }
  if (Settle()) return true;
  Release();
  return false;
}

void WarmTemplate::Release() {
  absl::MutexLock lock(&mutex_);
  taken_ = false;
}

bool WarmTemplate::Order(const ArmPlan& plan, int fork_end) {
  if (plan.cgroup_entrances.size() > kMostEntrances ||
      plan.filter->size() > kMostFilterInstructions) {
    return false;
  }
  ForkOrder order = {};
  if (plan.identity.has_value()) {
    order.switches_identity = 1;
    order.uid = plan.identity->uid;
    order.gid = plan.identity->gid;
  }
  order.server_pid = getpid();
  order.entrance_count = static_cast<uint32_t>(plan.cgroup_entrances.size());
  order.has_ruleset = plan.landlock_ruleset >= 0 ? 1 : 0;
  order.filter_instructions = static_cast<uint32_t>(plan.filter->size());
  std::vector<int> descriptors = {fork_end, plan.working_directory};
  descriptors.insert(descriptors.end(), plan.cgroup_entrances.begin(),
                     plan.cgroup_entrances.end());
  if (plan.landlock_ruleset >= 0) descriptors.push_back(plan.landlock_ruleset);
  return SendMessage(
      control_.get(),
      {{&order, sizeof(order)},
       {plan.filter->data(), plan.filter->size() * sizeof(sock_filter)}},
      descriptors);
}

WarmTemplate::Answer WarmTemplate::Await(absl::Duration patience,
                                         ForkReport& report,
                                         UniqueFd& listener) {
  pollfd awaited = {control_.get(), POLLIN, 0};
  const int timeout = static_cast<int>(absl::ToInt64Milliseconds(patience));
  const int ready = poll(&awaited, 1, timeout);
  if (ready == 0 || (ready < 0 && errno == EINTR)) return Answer::kNone;
  if (ready < 0 ||
      !ReceiveMessage(control_.get(), &report, sizeof(report), listener)) {
    return Answer::kGone;
  }
  return Answer::kReport;
}

void WarmTemplate::GiveUp() {
  control_.Reset();
  kill(pid_, SIGKILL);
}

bool WarmTemplate::Settle() {
  if (!owed_.valid()) return true;
  ForkReport report = {};
  UniqueFd listener;
  const Answer answer = Await(absl::ZeroDuration(), report, listener);
  if (answer == Answer::kNone) return false;
  if (answer == Answer::kGone) GiveUp();
  // Nobody waits for that fork any more.
  EndLostFork(owed_.get());
  owed_.Reset();
  absl::MutexLock lock(&mutex_);
  owed_since_ = absl::InfiniteFuture();
  return true;
}

absl::Status WarmTemplate::OrderAndAwait(const ArmPlan& plan,
                                         SocketPair& sockets,
                                         absl::Duration patience,
                                         ForkReport& report,
                                         UniqueFd& listener) {
  const absl::Time since = MonotonicNow();
  const bool ordered = control_.valid() && Order(plan, sockets.other.get());
  sockets.other.Reset();
  const Answer answer =
      ordered ? Await(patience, report, listener) : Answer::kGone;
  if (answer == Answer::kGone) {
    GiveUp();
    EndLostFork(sockets.own.get());
    return absl::UnavailableError("the template is gone");
  }
  absl::MutexLock lock(&mutex_);
  if (answer == Answer::kNone) {
    owed_ = std::move(sockets.own);
    owed_since_ = since;
    return absl::UnavailableError("the template does not answer");
  }
  ++forks_;
  return absl::OkStatus();
}

absl::StatusOr<WarmFork> WarmTemplate::Fork(const ArmPlan& plan,
                                            LiveGroups* groups,
                                            absl::Duration patience) {
  absl::StatusOr<SocketPair> sockets = MakeSocketPair();
  if (!sockets.ok()) return sockets.status();
  WarmFork fork;
  if (groups != nullptr) {
    fork.group_ = groups->Reserve();
    if (!fork.group_.valid()) {
      return absl::ResourceExhaustedError(
          "the keeper has no room for another process group");
    }
  }
  if (!Take(patience))
    return absl::UnavailableError("the template does not answer");
  ForkReport report = {};
  const absl::Status answered =
      OrderAndAwait(plan, *sockets, patience, report, fork.listener_);
  Release();
  if (!answered.ok()) return answered;
  if (report.error_number != 0) {
    if (report.pid > 0) WaitFor(report.pid);
    return ErrnoToStatus(report.error_number,
                         Words(static_cast<ChildStep>(report.step)));
  }
  fork.pid_ = report.pid;
  fork.lost_ = lost_;
  // It waits for its order, so it is there, and has no descendant.
  fork.group_.Enter(fork.pid_);
  fork.pidfd_.Reset(static_cast<int>(syscall(SYS_pidfd_open, fork.pid_, 0)));
  fork.socket_ = std::move(sockets->own);
  SetReceiveTimeout(fork.socket_.get(), kBeginPatience);
  pid_t said = -1;
  UniqueFd none;
  if (!fork.pidfd_.valid() || !fork.listener_.valid() ||
      !ReceiveMessage(fork.socket_.get(), &said, sizeof(said), none)) {
    return absl::UnavailableError("the fork is gone");
  }
  return fork;
}

}  // namespace cordon::sandbox
