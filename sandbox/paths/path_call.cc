// The door is DecodePathCall. Orders of arguments are those of the manual
// pages; names without "at" take the working directory.

#include "sandbox/paths/path_call.h"

#include <asm/unistd.h>
#include <linux/stat.h>

// Linux 6.6; Debian 12's headers are older.
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

namespace cordon::sandbox {
namespace {

using Operation = PathOperation;

FinalLink KeepIf(bool keeps) {
  return keeps ? FinalLink::kKeep : FinalLink::kFollow;
}

FinalLink UnlessNoFollow(uint64_t flags) {
  return KeepIf((flags & AT_SYMLINK_NOFOLLOW) != 0);
}

PathCall Open(PathArgument path, uint64_t flags, uint64_t mode) {
  // A path alone: the rest means nothing.
  if ((flags & O_PATH) != 0) {
    flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  }
  // What is made anew is not followed to (open(2), O_EXCL).
  const bool makes_new = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
  FinalLink final_link = KeepIf(makes_new || (flags & O_NOFOLLOW) != 0);
  if (final_link == FinalLink::kFollow && (flags & O_CREAT) != 0) {
    final_link = FinalLink::kFollowToName;
  }
  return {.operation = Operation::kOpen,
          .path = path,
          .final_link = final_link,
          .flags = flags,
          .value = mode};
}

PathCall Stat(PathArgument path, uint64_t buffer, uint64_t flags) {
  return {.operation = Operation::kStat,
          .path = path,
          .final_link = UnlessNoFollow(flags),
          .flags = flags,
          .buffer = buffer};
}

PathCall Access(PathArgument path, uint64_t mode, uint64_t flags) {
  return {.operation = Operation::kAccess,
          .path = path,
          .final_link = UnlessNoFollow(flags),
          .flags = mode};
}

PathCall ReadLink(PathArgument path, uint64_t buffer, uint64_t size) {
  return {.operation = Operation::kReadLink,
          .path = path,
          .final_link = FinalLink::kKeep,
          .buffer = buffer,
          .buffer_size = size};
}

// Of a name that must not be there.
PathCall Make(Operation operation, PathArgument path, uint64_t mode) {
  return {.operation = operation,
          .path = path,
          .final_link = FinalLink::kKeepAlways,
          .value = mode};
}

PathCall MakeSymlink(uint64_t target, PathArgument path) {
  PathCall call = Make(Operation::kMakeSymlink, path, 0);
  call.buffer = target;
  return call;
}

PathCall Remove(PathArgument path, uint64_t flags) {
  return {.operation = Operation::kRemove,
          .path = path,
          .final_link = FinalLink::kKeepAlways,
          .flags = flags};
}

PathCall Rename(PathArgument from, PathArgument to, uint64_t flags) {
  return {.operation = Operation::kRename,
          .path = from,
          .second = to,
          .final_link = FinalLink::kKeepAlways,
          .flags = flags};
}

PathCall Link(PathArgument from, PathArgument to, uint64_t flags) {
  return {.operation = Operation::kLink,
          .path = from,
          .second = to,
          .final_link = KeepIf((flags & AT_SYMLINK_FOLLOW) == 0),
          .flags = flags};
}

PathCall ChangeMetadata(PathArgument path, uint64_t flags) {
  return {.operation = Operation::kChangeMetadata,
          .path = path,
          .final_link = UnlessNoFollow(flags),
          .flags = flags};
}

PathCall Attributes(Operation operation, PathArgument path, bool keeps) {
  return {.operation = operation, .path = path, .final_link = KeepIf(keeps)};
}

}  // namespace

std::optional<PathCall> DecodePathCall(const seccomp_data& data) {
  const auto& a = data.args;
  const PathArgument first = {AT_FDCWD, a[0]};
  const PathArgument second = {AT_FDCWD, a[1]};
  const PathArgument at = {static_cast<int>(a[0]), a[1]};
  const PathArgument other_at = {static_cast<int>(a[2]), a[3]};
  switch (data.nr) {
    case __NR_open:
      return Open(first, a[1], a[2]);
    case __NR_openat:
      return Open(at, a[2], a[3]);
    case __NR_creat:
      return Open(first, O_CREAT | O_WRONLY | O_TRUNC, a[1]);
    case __NR_stat:
      return Stat(first, a[1], 0);
    case __NR_lstat:
      return Stat(first, a[1], AT_SYMLINK_NOFOLLOW);
    case __NR_newfstatat:
      return Stat(at, a[2], a[3]);
    case __NR_statx:
      return PathCall{.operation = Operation::kStatx,
                      .path = at,
                      .final_link = UnlessNoFollow(a[2]),
                      .flags = a[2],
                      .value = a[3],
                      .buffer = a[4]};
    case __NR_access:
      return Access(first, a[1], 0);
    case __NR_faccessat:
      return Access(at, a[2], 0);
    case __NR_faccessat2:
      return Access(at, a[2], a[3]);
    case __NR_readlink:
      return ReadLink(first, a[1], a[2]);
    case __NR_readlinkat:
      return ReadLink(at, a[2], a[3]);
    case __NR_mkdir:
      return Make(Operation::kMakeDirectory, first, a[1]);
    case __NR_mkdirat:
      return Make(Operation::kMakeDirectory, at, a[2]);
    case __NR_mknod:
      return Make(Operation::kMakeNode, first, a[1]);
    case __NR_mknodat:
      return Make(Operation::kMakeNode, at, a[2]);
    case __NR_symlink:
      return MakeSymlink(a[0], second);
    case __NR_symlinkat:
      return MakeSymlink(a[0], {static_cast<int>(a[1]), a[2]});
    case __NR_unlink:
      return Remove(first, 0);
    case __NR_rmdir:
      return Remove(first, AT_REMOVEDIR);
    case __NR_unlinkat:
      return Remove(at, a[2]);
    case __NR_rename:
      return Rename(first, second, 0);
    case __NR_renameat:
      return Rename(at, other_at, 0);
    case __NR_renameat2:
      return Rename(at, other_at, a[4]);
    case __NR_link:
      return Link(first, second, 0);
    case __NR_linkat:
      return Link(at, other_at, a[4]);
    case __NR_chmod:
    case __NR_chown:
    case __NR_utime:
    case __NR_utimes:
      return ChangeMetadata(first, 0);
    case __NR_lchown:
      return ChangeMetadata(first, AT_SYMLINK_NOFOLLOW);
    case __NR_fchmodat:
      return ChangeMetadata(at, 0);
    case __NR_futimesat:
    case __NR_utimensat:
      // Without a path it is an open descriptor's file (futimens(3)).
      if (a[1] == 0) return std::nullopt;
      return ChangeMetadata(at, data.nr == __NR_utimensat ? a[3] : 0);
    case __NR_fchmodat2:
      return ChangeMetadata(at, a[3]);
    case __NR_fchownat:
      return ChangeMetadata(at, a[4]);
    case __NR_truncate:
      return PathCall{
          .operation = Operation::kTruncate, .path = first, .value = a[1]};
    case __NR_statfs:
      return PathCall{.operation = Operation::kStatFilesystem,
                      .path = first,
                      .buffer = a[1]};
    case __NR_getxattr:
    case __NR_lgetxattr:
      return Attributes(Operation::kGetAttribute, first,
                        data.nr == __NR_lgetxattr);
    case __NR_listxattr:
    case __NR_llistxattr:
      return Attributes(Operation::kListAttributes, first,
                        data.nr == __NR_llistxattr);
    case __NR_chdir:
      return PathCall{.operation = Operation::kChangeDirectory, .path = first};
    case __NR_execve:
      return PathCall{.operation = Operation::kExecute, .path = first};
    case __NR_getcwd:
      return PathCall{.operation = Operation::kGetWorkingDirectory,
                      .buffer = a[0],
                      .buffer_size = a[1]};
    default:
      return std::nullopt;
  }
}

}  // namespace cordon::sandbox
