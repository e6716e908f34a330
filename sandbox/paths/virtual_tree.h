// VirtualTree says where a path of a run leads that has a file system of its
// own: its directories stand at fixed names, and the rest is the host's.
//
//   /box       the run's working directory
//   /tmp       its temporary files, as /var/tmp
//   /dev/shm   its shared memory and semaphores (shm_overview(7))
//   /proc/self its own processes' entries
//
//   absl::StatusOr<VirtualTree> tree =
//       VirtualTree::Open(workspace.parts(), workspace.path());
//   Place place = tree->Find(caller, AT_FDCWD, "/tmp/a", FinalLink::kFollow);
//   openat(place.directory.get(), place.name.c_str(), O_NOFOLLOW | ...);
//
// It walks as the kernel does, a component at a time on held descriptors, with
// the run's own directories in place of the host's. What is beneath one of them
// stays beneath one of them: Landlock lets a run move nothing elsewhere, not
// even into the directory that they are in.
//
// What it does not do: open anything (O_PATH, open(2)), or keep a run from
// anything. Landlock is the wall; this is a convenience inside of it.
//
// Contract: const and thread-safe. Walks with the rights of the calling thread
// (run_rights.h).

#ifndef CORDON_SANDBOX_PATHS_VIRTUAL_TREE_H_
#define CORDON_SANDBOX_PATHS_VIRTUAL_TREE_H_

#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::sandbox {

// Whose paths they are.
struct PathCaller {
  // A thread of the run.
  pid_t tid = 0;
  // The run's process group.
  pid_t pgid = 0;
};

// A symbolic link that a path ends in.
enum class FinalLink {
  kFollow,
  // To a name as well that is not there.
  kFollowToName,
  // Unless the path goes on behind it ("link/").
  kKeep,
  // Also then: of a name that is made or taken away.
  kKeepAlways,
};

enum class Region {
  // Of no concern: the host's.
  kHost,
  // In the run's own directories.
  kOwn,
  // In an entry of /proc of a process of the run.
  kProcess,
};

struct Place {
  Region region = Region::kHost;
  // Whether the kernel's own walk would not come here.
  bool needs_view = false;
  // A directory, and one component in it, of something that may not exist. With
  // an empty name `directory` is the very thing, whatever it is.
  UniqueFd directory;
  std::string name;
  // The path ended in '/'.
  bool must_be_directory = false;
  // errno(3), when the path leads nowhere: ENOENT, ENOTDIR, EACCES, ELOOP,
  // ENAMETOOLONG. What is above is not valid then, but for `needs_view`.
  int error_number = 0;
};

class VirtualTree {
 public:
  // The run's directories, in their order.
  struct Part {
    // In the run's real directory.
    const char* name;
    mode_t mode;
    // In the run's eyes.
    const char* shown;
  };
  enum { kHome, kTemporary, kSharedMemory, kParts };
  static constexpr Part kAll[kParts] = {{"box", 0755, "/box"},
                                        {"tmp", 01777, "/tmp"},
                                        {"shm", 01777, "/dev/shm"}};

  // `parts`: descriptors of those, in `run_path`, which is absolute and without
  // symbolic links. INTERNAL with step and errno.
  static absl::StatusOr<VirtualTree> Open(const std::vector<UniqueFd>& parts,
                                          const std::string& run_path);

  // As openat(2) takes `directory_fd` and `path`, which is not empty.
  Place Find(const PathCaller& caller, int directory_fd, absl::string_view path,
             FinalLink final_link) const;

  // The name that a run knows `real` by, which is `real` outside of its
  // directories.
  std::string Shown(absl::string_view real) const;
  // The real path of what a run calls `shown`, if that begins as one of its
  // directories; else the same. Of strings alone: for what a request names.
  std::string Real(absl::string_view shown) const;
  // Where something is whose real path that is.
  Region RegionOf(absl::string_view real) const;

 private:
  friend class PathWalk;

  // One of the run's directories.
  struct Mount {
    UniqueFd directory;
    std::string real;
    // In the run's eyes.
    std::string shown;
    dev_t device = 0;
    ino_t inode = 0;
  };

  VirtualTree() = default;

  std::array<Mount, kParts> mounts_;
};

// The object that is at a place (O_PATH, open(2)); empty with errno. It must be
// a directory where the place says so.
UniqueFd OpenPlace(const Place& place);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_PATHS_VIRTUAL_TREE_H_
