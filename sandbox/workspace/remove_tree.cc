// Door: RemoveTree.
//
// How it works: a directory inside a directory of the root is moved up into the
// root before its parent is removed. So the tree gets flatter with every pass
// over the root, no level is deeper than two, and nothing has to be remembered:
// what is left to do is what the next pass finds.

#include "sandbox/workspace/remove_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/workspace/beneath.h"

namespace cordon::sandbox {
namespace {

// Calls `visit` with every entry's name until it fails. Entries that are
// removed or added meanwhile may be seen or not (readdir(3)).
absl::Status ForEachEntry(int directory,
                          absl::FunctionRef<absl::Status(const char*)> visit) {
  // An open of its own, so that every pass starts at the beginning.
  const int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return ErrnoToStatus(errno, "open directory to remove");
  DIR* stream = fdopendir(own);
  if (stream == nullptr) {
    const int error = errno;
    close(own);
    return ErrnoToStatus(error, "fdopendir");
  }
  absl::Status status;
  while (status.ok()) {
    errno = 0;
    const dirent* entry = readdir(stream);
    if (entry == nullptr) {
      if (errno != 0) status = ErrnoToStatus(errno, "readdir");
      break;
    }
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
      continue;
    }
    status = visit(entry->d_name);
  }
  closedir(stream);
  return status;
}

enum class Removal { kRemoved, kNotEmpty };

// Removes a file, a link or an empty directory.
absl::StatusOr<Removal> RemoveEntry(int parent, const char* name) {
  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) {
    return Removal::kRemoved;
  }
  // Linux answers EISDIR to unlink(2) of a directory, POSIX says EPERM.
  if (errno != EISDIR && errno != EPERM)
    return ErrnoToStatus(errno, "unlinkat");
  if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
    return Removal::kRemoved;
  }
  if (errno == ENOTEMPTY || errno == EEXIST) return Removal::kNotEmpty;
  return ErrnoToStatus(errno, "rmdir");
}

class TreeRemover {
 public:
  explicit TreeRemover(int root) : root_(root) {}

  // Passes over the root until one finds nothing.
  absl::Status Run() {
    bool found = true;
    while (found) {
      found = false;
      absl::Status status = ForEachEntry(root_, [&](const char* name) {
        found = true;
        return RemoveChild(name);
      });
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status RemoveChild(const char* name) {
    absl::StatusOr<Removal> removal = RemoveEntry(root_, name);
    if (!removal.ok()) return removal.status();
    if (*removal == Removal::kRemoved) return absl::OkStatus();

    const UniqueFd child = OpenDirectoryBeneath(root_, name);
    if (!child.valid()) return ErrnoToStatus(errno, "open directory to remove");
    absl::Status emptied =
        ForEachEntry(child.get(), [&](const char* grandchild) -> absl::Status {
          absl::StatusOr<Removal> removed =
              RemoveEntry(child.get(), grandchild);
          if (!removed.ok()) return removed.status();
          if (*removed == Removal::kRemoved) return absl::OkStatus();
          return MoveUp(child.get(), grandchild);
        });
    if (!emptied.ok()) return emptied;
    // ENOTEMPTY: the scan missed an entry; the next pass is for that.
    return RemoveEntry(root_, name).status();
  }

  absl::Status MoveUp(int from, const char* name) {
    bool repaired = false;
    for (;;) {
      const std::string target = absl::StrCat("removing-", next_++);
      if (renameat(from, name, root_, target.c_str()) == 0) {
        return absl::OkStatus();
      }
      const int error = errno;
      // The program may have made an entry of this name: take the next.
      if (error == EEXIST || error == ENOTEMPTY || error == ENOTDIR) continue;
      // Moving a directory rewrites its "..", which takes write permission.
      if (error != EACCES || repaired ||
          ChangeModeBeneath(from, name, 0700) != 0) {
        return ErrnoToStatus(error, "rename directory to remove");
      }
      repaired = true;
    }
  }

  const int root_;
  uint64_t next_ = 0;
};

}  // namespace

absl::Status RemoveTree(int parent, const char* name) {
  absl::StatusOr<Removal> removal = RemoveEntry(parent, name);
  if (!removal.ok()) return removal.status();
  if (*removal == Removal::kRemoved) return absl::OkStatus();

  const UniqueFd root = OpenDirectoryBeneath(parent, name);
  if (!root.valid()) return ErrnoToStatus(errno, "open directory to remove");
  absl::Status emptied = TreeRemover(root.get()).Run();
  if (!emptied.ok()) return emptied;
  removal = RemoveEntry(parent, name);
  if (!removal.ok()) return removal.status();
  if (*removal == Removal::kNotEmpty) return ErrnoToStatus(ENOTEMPTY, "rmdir");
  return absl::OkStatus();
}

}  // namespace cordon::sandbox
