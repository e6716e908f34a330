// PathBroker performs a run's calls on paths of its own file system
// (virtual_tree.h), each on descriptors that it holds: what it looked at is
// what it acts on, whatever the program does to the path meanwhile.
//
//   PathBroker broker(std::move(tree), grant);
//   RunRights rights(owner);
//   BrokeredPath done = broker.Perform(notification, listener, rights);
//
// Every call that looks at a path is performed: none goes on whose path the
// program could change after it was looked at. What only the program can do
// itself, to execute and to change its directory, goes on where the kernel's
// own walk leads to the same place, beneath Landlock.
//
// Contract: const and thread-safe. Blocks for the disk, and until the caller of
// a call that is given a descriptor has had its turn on a processor.

#ifndef CORDON_SANDBOX_PATHS_PATH_BROKER_H_
#define CORDON_SANDBOX_PATHS_PATH_BROKER_H_

#include <linux/seccomp.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/base/unique_fd.h"
#include "sandbox/paths/path_call.h"
#include "sandbox/paths/run_rights.h"
#include "sandbox/paths/virtual_tree.h"
#include "sandbox/spec/violation.h"
#include "sandbox/supervise/write_target.h"

namespace cordon::sandbox {

// An open of a FIFO, which waits for somebody at the other end (fifo(7)).
struct FifoOpen {
  // The FIFO (O_PATH).
  UniqueFd fifo;
  // The reading end, once it is open; without a writer yet.
  UniqueFd reader;
  uint64_t flags = 0;
};

struct BrokeredPath {
  enum class Kind {
    // Of no concern: it is judged as any other call.
    kUnconcerned,
    // The answer is `error_number` or, without, `value`.
    kAnswered,
    // It has its answer: a descriptor.
    kHanded,
    // The kernel has to do it, on `path` in place of its first argument, and
    // with `arguments`, if there are any, in place of the first of argv.
    kElsewhere,
    // `fifo` has to be asked again.
    kWaits,
  };
  Kind kind = Kind::kUnconcerned;
  int error_number = 0;
  int64_t value = 0;
  // A real path: with kElsewhere, and with kAnswered what the call led to, if
  // that is a breach.
  std::string path;
  std::vector<std::string> arguments;
  FifoOpen fifo;
};

// What a run may reach, and with whose rights.
struct PathGrant {
  // The run's process group.
  pid_t pgid = 0;
  std::optional<Owner> owner;
  WritableView writable;
  ReadableView readable;
  // Whether what the run may not read or execute is told as well.
  AuditScope audit = AuditScope::kWrites;
  // RLIMIT_FSIZE of the run's processes, in bytes (getrlimit(2)).
  uint64_t file_bytes = 0;
};

class PathBroker {
 public:
  PathBroker(VirtualTree tree, PathGrant grant)
      : tree_(std::move(tree)), grant_(std::move(grant)) {}

  // `rights` are in force, and are `grant`'s owner's.
  BrokeredPath Perform(const seccomp_notif& notification, int listener,
                       RunRights& rights) const;
  // With those rights as well. Of one that waits: kHanded, kAnswered or kWaits
  // again.
  BrokeredPath TryAgain(uint64_t call, FifoOpen fifo, int listener) const;

  // Where in the run's directories a new unix socket, or one to connect to,
  // is, with those rights. Not valid where the kernel's walk leads to the
  // same place.
  std::optional<Place> FindSocket(pid_t tid, absl::string_view path) const;

  const std::optional<Owner>& owner() const { return grant_.owner; }

 private:
  struct Request;
  struct Found;

  BrokeredPath Open(const Request& request) const;
  BrokeredPath OpenObject(const Request& request, const Place& place,
                          UniqueFd object) const;
  BrokeredPath OpenPipe(const Request& request, const UniqueFd& pipe) const;
  BrokeredPath Create(const Request& request, const Place& place) const;
  BrokeredPath StatObject(const Request& request) const;
  BrokeredPath ReadLink(const Request& request) const;
  BrokeredPath Make(const Request& request) const;
  BrokeredPath MoveOrLink(const Request& request) const;
  BrokeredPath Truncate(const Request& request) const;
  BrokeredPath ChangeDirectory(const Request& request) const;
  BrokeredPath Execute(const Request& request) const;
  BrokeredPath GetWorkingDirectory(const Request& request) const;
  BrokeredPath OnObject(const Request& request) const;
  BrokeredPath OnDescriptor(const Request& request) const;
  BrokeredPath Change(const Request& request, const UniqueFd& object,
                      Region region) const;
  Found FindObject(const Request& request) const;
  Place Find(const Request& request, const PathArgument& argument,
             FinalLink final_link) const;
  bool MayOpen(const std::string& real, uint64_t flags) const;
  bool MayMakeIn(const Place& place) const;
  bool MayMove(const Place& from, const Place& to) const;
  BrokeredPath RefuseOpen(std::string real, uint64_t flags,
                          int error_number) const;

  const VirtualTree tree_;
  const PathGrant grant_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_PATHS_PATH_BROKER_H_
