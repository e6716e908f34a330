// ProcessCounter keeps a run's processes and threads at or below their limit.
// Every clone(2), fork(2) and vfork(2) of the run asks the supervisor first:
//
//   if (!counter.Take(tid)) {
//     counter.Recount();                   // reads /proc
//     if (!counter.Take(tid)) Answer(EAGAIN);
//   }
//
// It counts upwards only, since nobody tells when a process ends, and looks at
// /proc when it arrives at the limit. What it holds is at no time less than
// what there is: a clone that was allowed and has not happened yet is in no
// count of /proc, and stays counted on its own until its thread is seen to do
// something else, or until as many new processes were seen as were allowed.
//
// What it does not do: count what a process of another run does, or what a
// cgroup would.
//
// Contract: one thread at a time, the one that answers all of the run's clones.

#ifndef CORDON_SANDBOX_SUPERVISE_PROCESS_COUNTER_H_
#define CORDON_SANDBOX_SUPERVISE_PROCESS_COUNTER_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>

#include "absl/time/time.h"
#include "sandbox/supervise/process_table.h"

namespace cordon::sandbox {

class ProcessCounter {
 public:
  // `table` outlives the counter. The run has one process now.
  ProcessCounter(uint32_t limit, pid_t pgid, ProcessTable* table)
      : limit_(limit), pgid_(pgid), table_(table) {}

  // Thread `tid` of the run makes a call: an earlier clone of it is over.
  void NoteCall(pid_t tid) { pending_.erase(tid); }

  // Takes a place for a process or thread that `tid` is about to make. False
  // when every place may be taken.
  bool Take(pid_t tid);
  // The clone was never executed: its thread was gone.
  void GiveBack(pid_t tid);

  // Counts what is there. Costs a walk over /proc.
  void Recount();

  // Whether some of what is counted may not exist: a clone that has not been
  // seen to happen.
  bool uncertain() const { return unseen_ > 0; }
  // Whether the run ever had more than its first thread.
  bool has_grown() const { return has_grown_; }
  // How often a place was taken, ever.
  uint64_t allowed() const { return allowed_; }
  // Whether every clone that was allowed is over: the process that it made, if
  // it made one, is where a walk that begins now will see it. May look at
  // /proc.
  bool AllAreMade();
  // The most that a Recount has seen.
  uint32_t peak() const { return peak_; }

 private:
  using Threads = std::map<pid_t, uint32_t>;

  void ForgetThoseThatMovedOn();
  static uint64_t NewIn(const Threads& now, const Threads& before);

  const uint32_t limit_;
  const pid_t pgid_;
  ProcessTable* const table_;

  // Not less than the processes and threads of the run.
  uint64_t held_ = 1;
  // Threads whose last clone may still be on its way.
  std::set<pid_t> pending_;
  // Places taken since the last Recount, and at most how many of those taken
  // before it were not seen by it.
  uint64_t taken_ = 0;
  uint64_t unseen_ = 0;
  // What the last Recount saw: threads of each process.
  Threads seen_;
  uint32_t peak_ = 1;
  uint64_t allowed_ = 0;
  bool has_grown_ = false;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_PROCESS_COUNTER_H_
