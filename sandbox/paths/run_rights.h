// RunRights: while it lives, this thread has a run's rights on files, and not
// the server's (credentials(7), "Filesystem user ID").
//
//   const RunRights rights(run_owner);
//   openat(...);  // Refused where the run would be refused.
//
// Without an owner of their own runs share the server's rights already, and
// nothing is done.
//
// Contract: lives and dies on one thread. The first one with an owner takes the
// thread's supplementary groups away for good: they are the server's, and count
// on top of whatever is set here.

#ifndef CORDON_SANDBOX_PATHS_RUN_RIGHTS_H_
#define CORDON_SANDBOX_PATHS_RUN_RIGHTS_H_

#include <sys/types.h>

#include <optional>

#include "sandbox/workspace/owner.h"

namespace cordon::sandbox {

class RunRights {
 public:
  explicit RunRights(const std::optional<Owner>& owner);
  ~RunRights();
  RunRights(const RunRights&) = delete;
  RunRights& operator=(const RunRights&) = delete;

  // Whether they are in force. If not, nothing may be done.
  bool valid() const { return valid_; }
  // The server's again, until Take.
  void GiveBack();
  void Take();

 private:
  const std::optional<Owner> owner_;
  bool valid_ = true;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_PATHS_RUN_RIGHTS_H_
