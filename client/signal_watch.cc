#include "client/signal_watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace cordon::client {
namespace {

// How long a cancelled call may take to end: it waits for the server's answer.
constexpr int kGraceMilliseconds = 2000;

int OpenSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    // A signal that was ignored from the start, as by nohup(1), stays so.
    struct sigaction action = {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

}  // namespace

SignalWatch::SignalWatch(Cancellation& cancellation)
    : cancellation_(cancellation),
      signals_(OpenSignals()),
      stop_(eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Watch(); }) {}

SignalWatch::~SignalWatch() {
  const uint64_t one = 1;
  // An eventfd below its maximum takes eight bytes at once (eventfd(2)).
  [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void SignalWatch::Watch() {
  int first_signal = 0;
  while (true) {
    struct pollfd ready[] = {{signals_.get(), POLLIN, 0},
                             {stop_.get(), POLLIN, 0}};
    const int count =
        poll(ready, 2, first_signal == 0 ? -1 : kGraceMilliseconds);
    if (count < 0 && errno == EINTR) continue;
    if (ready[1].revents != 0) return;
    if (first_signal != 0) _exit(128 + first_signal);
    struct signalfd_siginfo info = {};
    if (read(signals_.get(), &info, sizeof info) != sizeof info) return;
    first_signal = static_cast<int>(info.ssi_signo);
    if (cancellation_.Request(first_signal) ==
        Cancellation::Effect::kNothingArmed) {
      _exit(128 + first_signal);
    }
  }
}

}  // namespace cordon::client
