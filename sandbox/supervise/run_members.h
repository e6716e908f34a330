// RunMembers lists the processes of one run, as ProcessTable does, but looks
// through the host's only where they may have become more: a run cannot make a
// process without asking (process_counter.h). What a run that only waits costs
// does not depend on how many others wait beside it.
//
// Contract: one thread at a time, the counter's.

#ifndef CORDON_SANDBOX_SUPERVISE_RUN_MEMBERS_H_
#define CORDON_SANDBOX_SUPERVISE_RUN_MEMBERS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "sandbox/supervise/process_counter.h"
#include "sandbox/supervise/process_table.h"

namespace cordon::sandbox {

class RunMembers {
 public:
  // Both outlive it. The run has one process now.
  RunMembers(pid_t pgid, ProcessTable* table, ProcessCounter* counter)
      : pgid_(pgid), table_(table), counter_(counter), known_({pgid}) {}

  // Process ids, zombies included.
  std::vector<pid_t> Get();

  // Begins to watch for rest: from here on.
  void NoteRest();
  // What the run has used since NoteRest, by the clocks of its processes; of a
  // system call each. nullopt: that cannot be told, because it has made some
  // since, or lost one.
  std::optional<absl::Duration> UsedSinceRest() const;

  // Those of the last Get.
  const std::vector<pid_t>& known() const { return known_; }

  // Whether one of `members` other than the first process has ended and is this
  // process's to wait for.
  bool OneHasEnded(const std::vector<pid_t>& members) const;

 private:
  const pid_t pgid_;
  ProcessTable* const table_;
  ProcessCounter* const counter_;
  // All that there were when so many had been allowed, which had all been made;
  // nullopt: there may be others.
  std::vector<pid_t> known_;
  std::optional<uint64_t> known_at_ = 0;
  // Their clocks at NoteRest, in that order; empty: it was not known who they
  // are.
  std::vector<absl::Duration> clocks_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_RUN_MEMBERS_H_
