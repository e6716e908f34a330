// Door: RunRights.

#include "sandbox/paths/run_rights.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace cordon::sandbox {
namespace {

// The C library's setgroups(2) would change every thread of the process.
bool HasNoGroups() {
  thread_local const bool dropped = syscall(SYS_setgroups, 0, nullptr) == 0;
  return dropped;
}

// setfsuid(2) reports no failure: it is asked again, with an id that nobody
// can have.
bool SetFileUser(uid_t uid) {
  syscall(SYS_setfsuid, uid);
  return static_cast<uid_t>(syscall(SYS_setfsuid, -1)) == uid;
}

bool SetFileGroup(gid_t gid) {
  syscall(SYS_setfsgid, gid);
  return static_cast<gid_t>(syscall(SYS_setfsgid, -1)) == gid;
}

}  // namespace

RunRights::RunRights(const std::optional<Owner>& owner) : owner_(owner) {
  Take();
}

RunRights::~RunRights() { GiveBack(); }

void RunRights::Take() {
  if (!owner_.has_value()) return;
  valid_ =
      HasNoGroups() && SetFileGroup(owner_->gid) && SetFileUser(owner_->uid);
}

void RunRights::GiveBack() {
  if (!owner_.has_value()) return;
  valid_ = false;
  syscall(SYS_setfsuid, geteuid());
  syscall(SYS_setfsgid, getegid());
}

}  // namespace cordon::sandbox
