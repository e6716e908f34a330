// PathThread performs a run's calls on paths of its own file system, on a
// thread of the run's own: whatever a program can make it wait for (a disk that
// hangs, its own threads' turn on a processor, ptrace(2)), it makes nobody wait
// for but itself.
//
//   PathThread paths(&broker, policy, listener, events);
//   paths.Start();
//   paths.Stop();  // When no process of the run executes anything any more.
//
// It receives all notifications of the run, and passes on those that are not on
// a path of the run's own. Most calls on paths are answered at once; an open of
// a FIFO when somebody is at its other end; and those that the program has to
// do itself are made again on another path (call_redirects.h).
//
// Contract: Start and Stop on one thread, once each; neither blocks. The
// destructor waits for the thread if it was started, which was told to stop and
// has said that it does.

#ifndef CORDON_SANDBOX_SUPERVISE_PATH_THREAD_H_
#define CORDON_SANDBOX_SUPERVISE_PATH_THREAD_H_

#include <linux/seccomp.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/paths/path_broker.h"
#include "sandbox/paths/run_rights.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/supervise/call_redirects.h"
#include "sandbox/supervise/socket_broker.h"

namespace cordon::sandbox {

// Each is called on the thread.
struct PathThreadEvents {
  // A call that is to be judged as any other; where it names a unix socket,
  // what that is.
  std::function<void(const seccomp_notif& call,
                     std::shared_ptr<const NamedSocket> named)>
      on_other_call;
  // A call that led to `path`, which the run may not reach.
  std::function<void(const seccomp_notif& call, std::string path,
                     int error_number)>
      on_refused;
  // Last: the thread ends, and touches nothing of the run any more.
  std::function<void()> on_stopped;
};

class PathThread {
 public:
  // `broker` and `policy` outlive it, and so does `listener` until on_stopped.
  PathThread(const PathBroker* broker, const SyscallPolicy* policy,
             int listener, PathThreadEvents events);
  ~PathThread();
  PathThread(const PathThread&) = delete;
  PathThread& operator=(const PathThread&) = delete;

  // RESOURCE_EXHAUSTED: the host gives no descriptor or no thread; nothing is
  // called then.
  absl::Status Start();
  void Stop();

  // Page faults of the thread since the last time, in bytes: reading a
  // program's memory may bring its pages in. On the thread of Start.
  uint64_t TakeFaultedBytes();
  // Processor time of the thread, which is spent on the run's behalf.
  absl::Duration CpuTime();

 private:
  struct WaitingFifo {
    seccomp_notif call;
    FifoOpen fifo;
  };

  void Loop();
  void OnCall(const seccomp_notif& call, RunRights& rights);
  void Settle(const seccomp_notif& call, BrokeredPath performed);
  int MillisecondsToFifos() const;
  void TryFifosAgain();

  const PathBroker* const broker_;
  const SyscallPolicy* const policy_;
  const int listener_;
  const PathThreadEvents events_;
  UniqueFd wakeup_;
  std::atomic<bool> stopping_ = false;
  std::atomic<pid_t> tid_ = 0;
  // In nanoseconds, at its end.
  std::atomic<int64_t> last_cpu_ = 0;
  uint64_t taken_bytes_ = 0;

  // Of the thread alone.
  std::vector<WaitingFifo> fifos_;
  absl::Time next_fifos_ = absl::InfinitePast();
  // Calls that came while another one was being redirected.
  std::deque<seccomp_notif> kept_;
  CallRedirects redirects_;

  std::thread thread_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_PATH_THREAD_H_
