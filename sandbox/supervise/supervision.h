// Supervision: one running program, from its start until none of its processes
// is left.
//
//   auto supervision =
//       Supervision::Create(loop, std::move(child), plan, observer);
//   supervision->Start();  // Events arrive on the loop's thread.
//   supervision->Kill();   // From any thread.
//
// The end is reached in this order, whatever the program does: a cause (its own
// exit, a limit, a breach, Kill), SIGKILL to its process group, waiting until
// no process of the group is left, reading what the pipes still hold, the
// outcome. A closed stdout, a pipe held by a grandchild or a stopped process
// changes nothing in it.

#ifndef CORDON_SANDBOX_SUPERVISE_SUPERVISION_H_
#define CORDON_SANDBOX_SUPERVISE_SUPERVISION_H_

#include <sys/resource.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sandbox/launch/launcher.h"
#include "sandbox/paths/path_broker.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/sandbox.h"
#include "sandbox/spec/execution_spec.h"
#include "sandbox/spec/outcome.h"
#include "sandbox/supervise/call_judge.h"
#include "sandbox/supervise/cgroup_source.h"
#include "sandbox/supervise/disk_meter.h"
#include "sandbox/supervise/event_loop.h"
#include "sandbox/supervise/outcome_builder.h"
#include "sandbox/supervise/output_capture.h"
#include "sandbox/supervise/path_thread.h"
#include "sandbox/supervise/process_counter.h"
#include "sandbox/supervise/process_table.h"
#include "sandbox/supervise/resource_meter.h"
#include "sandbox/supervise/run_members.h"
#include "sandbox/supervise/socket_broker.h"
#include "sandbox/supervise/write_target.h"

namespace cordon::sandbox {

// Everything a supervision needs besides the child. Pointers outlive it.
struct SupervisionPlan {
  Limits limits;
  OutputMode output_mode = OutputMode::kTerminate;
  OnViolation on_violation;
  NetworkGrant network;
  RunNetwork own_network;
  // What stdin_writer of the child is fed with.
  std::string stdin_data;
  const SyscallPolicy* policy = nullptr;
  // Calls whose breach an outer filter hides, for the report of a SIGSYS.
  const std::set<int>* masked_syscalls = nullptr;
  WritableView writable;
  ReadableView readable;
  // Of a run with a file system of its own, whose views above are both filled.
  std::optional<VirtualTree> tree;
  // Whose the run's files are, where that is not the server's user.
  std::optional<Owner> owner;
  AuditScope audit = AuditScope::kWrites;
  // The run's directory, borrowed until Create returns, and who measures it;
  // null: nobody.
  int directory = -1;
  DiskQueue* disk = nullptr;
  // Whether this host lets the server see what a run's processes have open.
  bool sees_open_files = false;
  ProcessTable* processes = nullptr;
  // A fork of a template, most of whose memory it has in common with others.
  bool shares_memory = false;
  // The run's control group; null: it has none.
  RunCgroup* cgroup = nullptr;
  int max_violations = 0;
};

class StepObserver {
 public:
  virtual ~StepObserver() = default;
  // As in RunObserver.
  virtual Flow OnOutput(OutputStream stream, absl::string_view data,
                        uint64_t offset) = 0;
  virtual void OnViolation(const Violation& violation) = 0;
  // Last. No process of the step exists any more. CANCELLED after Kill;
  // INTERNAL when the supervisor could not do its work.
  virtual void OnStepFinished(absl::StatusOr<Outcome> outcome) = 0;
};

class Supervision : public std::enable_shared_from_this<Supervision> {
 public:
  // `loop` and `observer` outlive the end of the supervision.
  static std::shared_ptr<Supervision> Create(EventLoop* loop,
                                             RunningChild child,
                                             SupervisionPlan plan,
                                             StepObserver* observer);
  ~Supervision();
  Supervision(const Supervision&) = delete;
  Supervision& operator=(const Supervision&) = delete;

  // Any thread. Start keeps the object alive until OnStepFinished.
  void Start();
  void Kill();
  void ResumeOutput();

 private:
  // A descriptor of this run on the loop.
  class Source : public EventHandler {
   public:
    using Method = void (Supervision::*)(uint32_t events);
    Source(Supervision* owner, Method method)
        : owner_(owner), method_(method) {}
    void OnReady(uint32_t events) override { (owner_->*method_)(events); }

    UniqueFd fd;
    bool watched = false;

   private:
    Supervision* owner_;
    Method method_;
  };

  struct Pipe {
    OutputStream stream;
    Source source;
    OutputCapture capture;
  };

  // A socket that connects, and the call that waits for it, if one does.
  class Connecting : public EventHandler {
   public:
    Connecting(Supervision* owner, ino_t socket, UniqueFd fd)
        : owner_(owner), socket_(socket), fd_(std::move(fd)) {}
    void OnReady(uint32_t) override { owner_->OnConnected(*this); }

    void Attach(const seccomp_notif& call) { call_ = call; }
    std::optional<seccomp_notif> Detach() { return std::exchange(call_, {}); }

    const std::optional<seccomp_notif>& call() const { return call_; }
    ino_t socket() const { return socket_; }
    int fd() const { return fd_.get(); }

   private:
    Supervision* const owner_;
    const ino_t socket_;
    const UniqueFd fd_;
    std::optional<seccomp_notif> call_;
  };

  // A call that is answered later. `violation`: what to report of it if it is
  // refused, with its thread as process_id.
  struct HeldCall {
    uint64_t id = 0;
    absl::Time since;
    Violation violation;
    uint64_t reserved_bytes = 0;
  };

  Supervision(EventLoop* loop, RunningChild child, SupervisionPlan plan,
              StepObserver* observer);

  void StartOnLoop();
  void Watch(Source& source, uint32_t events);
  void Unwatch(Source& source);
  void Close(Source& source);

  void OnLeaderExit(uint32_t events);
  void OnStdinWritable(uint32_t events);
  void OnStdout(uint32_t events);
  void OnStderr(uint32_t events);
  void OnNotification(uint32_t events);

  void ReadPipe(Pipe& pipe);
  void Deliver(const Pipe& pipe, OutputCapture::Piece piece);
  void DeliverTail(Pipe& pipe);
  void SetPaused(Flow flow);

  // Posts what the run's thread for paths says to the loop.
  PathThreadEvents EventsOfPaths();
  void StartPaths();
  void StopPaths();
  void Judge(const seccomp_notif& notification,
             std::shared_ptr<const NamedSocket> named);
  bool MayResolve() const;
  bool MayWriteActions() const;
  void HandleCall(uint64_t id, pid_t tid, JudgedCall judged);
  // Whether the call's thread was still there.
  bool Answer(uint64_t id, CallAnswer answer, int error_number);
  void AnswerSocketCall(uint64_t id, const BrokeredCall& performed);
  void AskForProcess(HeldCall call);
  bool TakeProcess(const HeldCall& call);
  void RefuseProcess(HeldCall call);
  void ScheduleRecount();
  void AnswerHeldClones();
  void PerformSocketCall(const seccomp_notif& notification, Violation violation,
                         absl::Time since,
                         std::shared_ptr<const NamedSocket> named);
  Connecting* WatchConnection(const BrokeredCall& performed);
  void OnConnected(Connecting& connecting);
  bool IsWaiting(uint64_t call) const;
  void LookForSignals();
  void ForgetConnections();
  void AskForSpace(HeldCall call);
  void AnswerHeldReservations();
  void MeasureForReservations();
  void Report(Violation violation);
  void EndRun(std::optional<Cause> cause);
  void Fail(absl::Status status);
  void KillGroup();
  void SampleResources();
  // Whether the run has done next to nothing since the last sample.
  bool Rests();
  void PutUpWall();
  void LowerPriorityOfMany();
  void ScheduleSample();
  void SampleWithin(absl::Duration pause);
  void StartDiskMeasurement();
  void OnDiskMeasured();
  // Whether the end needs no further look at the disk.
  bool DiskIsKnown();
  void ReapGroup();
  void AddReaped(pid_t pid, int status, const rusage& usage);
  void FinishIfDrained();
  Cause CauseOfMemory() const;
  void AddWhatTheCgroupKnows();
  Outcome MakeOutcome();
  ObservedEnd Observed() const;

  EventLoop* const loop_;
  SupervisionPlan plan_;
  StepObserver* const observer_;
  const pid_t pid_;
  const absl::Time start_;

  // Left when no process of the group is left.
  LiveGroup group_;
  Source leader_;
  Source listener_;
  Source stdin_;
  uint64_t stdin_written_ = 0;
  Pipe stdout_;
  Pipe stderr_;

  CgroupSource cgroup_;
  bool has_wall_ = false;
  ResourceMeter meter_;
  DiskMeter disk_;
  bool disk_measured_at_end_ = false;
  ProcessCounter counter_;
  RunMembers members_;
  // Clones at the limit, waiting for the next recount; not before that time.
  std::deque<HeldCall> held_clones_;
  absl::Time next_recount_ = absl::InfinitePast();
  // Reservations past what was measured, waiting for the next measurement.
  std::deque<HeldCall> held_reservations_;
  std::optional<PathBroker> paths_;
  // From the start to the end of the run's thread for paths, if it has one.
  std::optional<PathThread> path_thread_;
  bool paths_stopped_ = true;
  SocketBroker broker_;
  // By their socket.
  std::map<ino_t, std::unique_ptr<Connecting>> connecting_;
  EventLoop::TimerId signals_timer_;
  EventLoop::TimerId wall_timer_;
  EventLoop::TimerId sample_timer_;
  absl::Time next_sample_ = absl::InfiniteFuture();
  EventLoop::TimerId recount_timer_;
  // The last one, while killed processes are dying.
  absl::Duration reap_pause_;

  // Keeps the object alive while the loop works on it.
  std::shared_ptr<Supervision> self_;
  std::optional<Cause> cause_;
  // Not OK: the run has no outcome.
  absl::Status failure_;
  bool killed_ = false;
  bool all_reaped_ = false;
  bool paused_ = false;
  bool finished_ = false;
  int leader_status_ = 0;
  Usage usage_;
  std::vector<Violation> violations_;
  uint64_t violations_dropped_ = 0;
  uint64_t refused_mapping_bytes_ = 0;
  // Processor time of this loop that answering the run's calls took.
  absl::Duration judging_;
  // Time that looking at its actions for signals took, and changing them.
  absl::Duration writing_actions_;
  bool may_signal_file_size_ = false;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_SUPERVISION_H_
