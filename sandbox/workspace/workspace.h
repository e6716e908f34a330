// Workspace: the directory of one run, from its creation to its removal.
// WorkspaceRoot: the directory that they are all in.
//
//   absl::StatusOr<std::unique_ptr<WorkspaceRoot>> root =
//       WorkspaceRoot::Open("/var/lib/cordon");
//   absl::StatusOr<Workspace> workspace = (*root)->Create(std::nullopt);
//   absl::Status filled = workspace->Fill(spec.files);
//   ... run the program; wait until no process of the run is left ...
//   std::vector<CollectedFile> files =
//       workspace->Collect(spec.output_files, options.max_collected_bytes);
//   absl::Status removed = workspace->Remove();
//
// What it does not do: confine the program (Landlock does), or measure how much
// it wrote. Between Fill and Collect the directory is the program's: everything
// here works on held descriptors, follows no link and trusts no name.
//
// Contract: WorkspaceRoot must outlive its workspaces; its methods may be
// called from any thread. A Workspace belongs to one thread at a time.
// Descriptors are close-on-exec. The lock on the root lives as long as any copy
// of its descriptor: a process forked after Open must close it.

#ifndef CORDON_SANDBOX_WORKSPACE_WORKSPACE_H_
#define CORDON_SANDBOX_WORKSPACE_WORKSPACE_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/spec/execution_spec.h"
#include "sandbox/spec/outcome.h"
#include "sandbox/workspace/owner.h"

namespace cordon::sandbox {

class Workspace {
 public:
  Workspace(Workspace&& other) noexcept
      : parent_(std::exchange(other.parent_, -1)),
        fd_(std::move(other.fd_)),
        name_(std::move(other.name_)),
        path_(std::move(other.path_)),
        owner_(other.owner_),
        parts_(std::move(other.parts_)),
        home_(std::move(other.home_)) {}
  Workspace& operator=(Workspace&& other) noexcept;
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  // Removes the directory, if Remove was not called.
  ~Workspace();

  // The directory, readable; -1 after Remove.
  int fd() const { return fd_.get(); }
  // Absolute.
  const std::string& path() const { return path_; }

  // Who owns it, where that is not the server's user.
  const std::optional<Owner>& owner() const { return owner_; }

  // Once, before anything is in it: makes a directory in it for each of
  // `names`, with the mode that is given. From then on the first is what "the
  // workspace" means below, but for Renew, which refuses, and Remove. INTERNAL
  // with step and errno.
  struct PartName {
    const char* name;
    mode_t mode;
  };
  absl::Status Divide(const std::vector<PartName>& names);
  // Those directories, in that order; empty without.
  const std::vector<UniqueFd>& parts() const { return parts_; }
  // The run's working directory, borrowed.
  int home_fd() const { return parts_.empty() ? fd_.get() : parts_[0].get(); }
  // The absolute path of what "the workspace" means.
  const std::string& home() const { return home_.empty() ? path_ : home_; }

  // Writes the files, making the directories above them. Mode 0644, or 0755 for
  // executables and directories, less the process's umask; owned by the run's
  // Owner. INVALID_ARGUMENT naming the path when it leads outside, exists, is
  // too long or goes through a file; INTERNAL with step and errno otherwise
  // (ENOSPC, EDQUOT). What was written before stays.
  absl::Status Fill(const std::vector<InputFile>& files);

  // Opens a directory beneath, making it and those above it when absent; empty
  // is the workspace itself. Errors as Fill. To be called before any program
  // runs here: a program may put something else in its place.
  absl::StatusOr<UniqueFd> EnsureDirectory(absl::string_view relative);

  // The regular files that `patterns` name: relative paths or glob(7) patterns
  // ('*', '?' and '[' match neither '/' nor a leading '.'), in the order of the
  // patterns and by name within one; each file once. Never fails as a whole:
  // what cannot be collected (nothing matches, not a regular file, would make
  // more than `max_bytes` in all) is an entry with `error`. Paths are valid
  // UTF-8; other bytes in a name are shown as "\xNN". Call it when no process
  // of the run is left.
  std::vector<CollectedFile> Collect(const std::vector<std::string>& patterns,
                                     uint64_t max_bytes) const;

  // Makes the directory of a run that is over fit for the next one: as empty,
  // private and unguessable as a new one, for a fraction of the time. What a
  // run may have changed is looked at, not trusted: with a directory or much in
  // it, another mode or owner, or attributes, it is FAILED_PRECONDITION, and
  // the workspace is to be removed. Call it when no process of the run is left.
  // A Landlock rule stays valid: it is tied to the inode.
  absl::Status Renew();

  // Removes the directory and everything in it (remove_tree.h); may take long.
  // The object is empty afterwards. INTERNAL with step and errno.
  absl::Status Remove();

 private:
  friend class WorkspaceRoot;
  Workspace(int parent, UniqueFd fd, std::string name, std::string path,
            std::optional<Owner> owner)
      : parent_(parent),
        fd_(std::move(fd)),
        name_(std::move(name)),
        path_(std::move(path)),
        owner_(owner) {}

  absl::StatusOr<UniqueFd> EnsureParents(const std::vector<std::string>& parts,
                                         absl::string_view path);
  absl::Status WriteFile(const InputFile& file);
  absl::Status CheckUnchanged() const;
  absl::Status UnlinkFiles() const;
  int Chown(int fd) const;

  // The root's descriptor, borrowed.
  int parent_ = -1;
  UniqueFd fd_;
  std::string name_;
  std::string path_;
  std::optional<Owner> owner_;
  std::vector<UniqueFd> parts_;
  std::string home_;
};

class WorkspaceRoot {
 public:
  // Takes `state_directory` (absolute, exists) for this process: makes "runs"
  // in it, which others may pass through but not list (mode 0711), locks it
  // (flock(2)), and removes what an earlier server left there.
  // FAILED_PRECONDITION when another server holds it, or "runs" belongs to
  // another user; INTERNAL with step and errno.
  static absl::StatusOr<std::unique_ptr<WorkspaceRoot>> Open(
      const std::string& state_directory);

  WorkspaceRoot(const WorkspaceRoot&) = delete;
  WorkspaceRoot& operator=(const WorkspaceRoot&) = delete;

  // A new empty directory with mode 0700 and an unguessable name of 128 random
  // bits, given to `owner` if there is one (which takes CAP_CHOWN). INTERNAL
  // with step and errno.
  absl::StatusOr<Workspace> Create(std::optional<Owner> owner) const;

  // Of the directory that the runs' directories are in.
  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }

 private:
  WorkspaceRoot(UniqueFd fd, std::string path)
      : fd_(std::move(fd)), path_(std::move(path)) {}

  UniqueFd fd_;
  std::string path_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WORKSPACE_WORKSPACE_H_
