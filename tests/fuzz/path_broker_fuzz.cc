// Any call on a path, with any path and any links in a run's directories ->
// what the supervisor does for it. Whatever a program makes of them: nothing
// outside of those directories is changed, and nothing outside of the run's
// view is what a program is led to.
//
// The "program" is this process: its memory is an input's bytes, and nobody
// waits for an answer, so that none can be handed over.
//
// With --config=fuzz this is a libFuzzer target; otherwise fuzz_main.cc feeds
// it a fixed number of pseudo-random inputs.

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "sandbox/paths/path_broker.h"
#include "sandbox/paths/run_rights.h"
#include "sandbox/paths/virtual_tree.h"
#include "sandbox/supervise/write_target.h"

namespace cordon::sandbox {
namespace {

constexpr size_t kMemoryBytes = 8192;
constexpr int kMaxErrno = 4095;  // MAX_ERRNO, linux/err.h

// What a register may point to.
char memory[kMemoryBytes];

void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "path_broker_fuzz: %s\n", what);
  std::abort();
}

// A run's directories, and a directory beside them.
class Directories {
 public:
  Directories() {
    // Not in /tmp, where a run sees its own files.
    const char* const given = getenv("TEST_TMPDIR");
    std::string base =
        std::filesystem::absolute(given != nullptr ? given : ".");
    base += "/cordon-fuzz-XXXXXX";
    Check(mkdtemp(base.data()) != nullptr, "no directory");
    root_ = base;
    run_ = root_ + "/run";
    outside_ = root_ + "/outside";
    for (const std::string& directory : {run_, outside_}) {
      Check(mkdir(directory.c_str(), 0700) == 0, "no directory");
    }
    close(
        open((outside_ + "/f").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0640));
    Check(stat(outside_.c_str(), &directory_before_) == 0 &&
              stat((outside_ + "/f").c_str(), &file_before_) == 0,
          "no file outside");
    for (const VirtualTree::Part& part : VirtualTree::kAll) {
      const std::string path = run_ + "/" + part.name;
      Check(mkdir(path.c_str(), 0700) == 0, "no part");
      parts_.emplace_back(
          open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
  }
  ~Directories() { std::filesystem::remove_all(root_); }
  Directories(const Directories&) = delete;
  Directories& operator=(const Directories&) = delete;

  // What earlier inputs left is in the way of finding out what this one does.
  void Renew() const {
    for (const UniqueFd& part : parts_) {
      const std::string path = PathOfDescriptor(part.get());
      chmod(path.c_str(), 0700);
      for (const auto& entry : std::filesystem::directory_iterator(path)) {
        std::filesystem::remove_all(entry.path());
      }
    }
    const std::string box = run_ + "/box";
    Check(chdir(box.c_str()) == 0, "no working directory");
    Check(mkdir("d", 0700) == 0 && symlink("..", "up") == 0 &&
              symlink(outside_.c_str(), "o") == 0 &&
              symlink((outside_ + "/f").c_str(), "of") == 0 &&
              symlink("/proc/self/root", "r") == 0 &&
              symlink("/tmp/t", "d/t") == 0,
          "no links");
    Check(mkfifo("p", 0600) == 0, "no pipe");
    close(open("f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    close(
        open((run_ + "/tmp/t").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0700));
  }

  VirtualTree Tree() const { return *VirtualTree::Open(parts_, run_); }

  void CheckOutside() const {
    struct stat now;
    Check(stat(outside_.c_str(), &now) == 0 && IsSame(now, directory_before_) &&
              stat((outside_ + "/f").c_str(), &now) == 0 &&
              IsSame(now, file_before_),
          "something outside has changed");
    // Neither has the directory that the run's are in.
    const auto entries =
        std::distance(std::filesystem::directory_iterator(run_),
                      std::filesystem::directory_iterator());
    Check(entries == VirtualTree::kParts, "something was made beside them");
  }

  const std::string& run() const { return run_; }
  const std::string& outside() const { return outside_; }

 private:
  static bool IsSame(const struct stat& a, const struct stat& b) {
    return a.st_mode == b.st_mode && a.st_nlink == b.st_nlink &&
           a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
           a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
  }

  std::string root_, run_, outside_;
  std::vector<UniqueFd> parts_;
  struct stat directory_before_ = {}, file_before_ = {};
};

class Reader {
 public:
  Reader(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  uint64_t Integer(int width) {
    uint64_t value = 0;
    for (int i = 0; i < width && left_ > 0; ++i, --left_) {
      value = value << 8 | *data_++;
    }
    return value;
  }
  // A path of pieces, with whatever bytes are left behind it.
  std::string Path(const std::string& outside) {
    const std::string pieces[] = {"/",
                                  "/tmp",
                                  "/box",
                                  "/dev/shm",
                                  "/var/tmp",
                                  "/proc/self",
                                  "..",
                                  ".",
                                  "d",
                                  "o",
                                  "of",
                                  "up",
                                  "r",
                                  "t",
                                  "f",
                                  "/proc/self/cwd",
                                  "/proc/self/fd/3",
                                  "new",
                                  "fd",
                                  "task",
                                  "root",
                                  outside,
                                  "/proc/1",
                                  "/dev/fd",
                                  "p",
                                  "/dev/stdout",
                                  "status"};
    const std::string whole[] = {"/box/o/new", "/box/of",
                                 "/box/o/f",   "/tmp/../box/up/x",
                                 "/box/o",     "/box/d/../o/../new",
                                 "/tmp/t",     "/box/r" + outside,
                                 "/box/p",     "/dev/stdout"};
    std::string path;
    if (const uint64_t one = Integer(1); one % 2 == 0) {
      path = whole[one / 2 % std::size(whole)];
      if (Integer(1) % 4 != 0) return path;
    }
    for (uint64_t i = 1 + Integer(1) % 4; i > 0; --i) {
      path += pieces[Integer(1) % std::size(pieces)];
      if (i > 1 && Integer(1) % 8 != 0) path += "/";
    }
    if (Integer(1) % 16 == 0) {
      path.append(reinterpret_cast<const char*>(data_), left_);
    }
    return path;
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

constexpr int kCalls[] = {
    __NR_open,     __NR_creat,     __NR_stat,    __NR_lstat,    __NR_access,
    __NR_readlink, __NR_mkdir,     __NR_mknod,   __NR_unlink,   __NR_rmdir,
    __NR_rename,   __NR_link,      __NR_symlink, __NR_chmod,    __NR_chown,
    __NR_lchown,   __NR_utime,     __NR_utimes,  __NR_truncate, __NR_statfs,
    __NR_getxattr, __NR_listxattr, __NR_chdir,   __NR_execve,   __NR_getcwd};
// With a descriptor in front.
constexpr int kCallsAt[] = {__NR_openat,    __NR_newfstatat, __NR_statx,
                            __NR_faccessat, __NR_faccessat2, __NR_readlinkat,
                            __NR_mkdirat,   __NR_mknodat,    __NR_unlinkat,
                            __NR_renameat,  __NR_renameat2,  __NR_linkat,
                            __NR_symlinkat, __NR_fchmodat,   __NR_fchownat,
                            __NR_utimensat, __NR_futimesat};

uint64_t Address(size_t offset) {
  return reinterpret_cast<uint64_t>(memory + offset);
}

// Whether the program may be let go on with it, whatever it makes of the path
// meanwhile: it looks at none, or only the program itself can do it.
bool MayGoOn(const seccomp_data& call) {
  switch (call.nr) {
    case __NR_chdir:
    case __NR_execve:
    case __NR_getcwd:
      return true;
    case __NR_utimensat:
    case __NR_futimesat:
      return call.args[1] == 0;
    default:
      return false;
  }
}

// Any of those that are looked at, and now and then any bits at all.
uint64_t OpenFlags(Reader& reader) {
  constexpr int kFlags[] = {O_WRONLY,   O_RDWR,   O_CREAT,  O_EXCL,
                            O_NOFOLLOW, O_TRUNC,  O_PATH,   O_DIRECTORY,
                            O_NONBLOCK, O_APPEND, O_TMPFILE};
  if (reader.Integer(1) % 8 == 0) return reader.Integer(4);
  uint64_t flags = 0;
  for (uint64_t i = reader.Integer(1) % 4; i > 0; --i) {
    flags |=
        static_cast<uint64_t>(kFlags[reader.Integer(1) % std::size(kFlags)]);
  }
  return flags;
}

// As the call wants them, for the most part.
void FillArguments(Reader& reader, bool is_at, seccomp_data& call) {
  constexpr size_t kHalf = kMemoryBytes / 2;
  const uint64_t here = static_cast<uint64_t>(AT_FDCWD);
  const uint64_t usual[] = {is_at ? here : Address(0),
                            is_at ? Address(0) : Address(kHalf),
                            is_at ? here : reader.Integer(2),
                            is_at ? Address(kHalf) : reader.Integer(1),
                            0,
                            0};
  for (size_t i = 0; i < std::size(usual); ++i) {
    switch (reader.Integer(1) % 16) {
      case 0:
        call.args[i] = here;
        break;
      case 1:
        call.args[i] = Address(0);
        break;
      case 2:
      case 3:
        call.args[i] = reader.Integer(4);
        break;
      default:
        call.args[i] = usual[i];
    }
  }
  if (call.nr == __NR_open) call.args[1] = OpenFlags(reader);
  if (call.nr == __NR_openat) call.args[2] = OpenFlags(reader);
  // A length that a disk has room for; devices are the filter's to refuse.
  if (call.nr == __NR_truncate) call.args[1] %= 4096;
  if (call.nr == __NR_mknod) call.args[1] &= 0777;
  if (call.nr == __NR_mknodat) call.args[2] &= 0777;
}

}  // namespace
}  // namespace cordon::sandbox

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cordon::sandbox;  // NOLINT: libFuzzer names the function
  static const Directories directories;
  directories.Renew();
  Reader reader(data, size);
  seccomp_notif notification = {};
  notification.id = 1;
  notification.pid = static_cast<uint32_t>(getpid());
  notification.data.arch = AUDIT_ARCH_X86_64;
  const bool is_at = reader.Integer(1) % 2 == 0;
  const uint64_t which = reader.Integer(1);
  notification.data.nr = is_at ? kCallsAt[which % std::size(kCallsAt)]
                               : kCalls[which % std::size(kCalls)];
  // The first half holds one path, the second half another.
  constexpr size_t kHalf = kMemoryBytes / 2;
  std::memset(memory, 0, sizeof(memory));
  reader.Path(directories.outside()).copy(memory, kHalf - 1);
  reader.Path(directories.outside()).copy(memory + kHalf, kHalf - 1);
  FillArguments(reader, is_at, notification.data);

  const PathBroker broker(
      directories.Tree(),
      {.pgid = getpgrp(),
       .owner = {},
       .writable = {directories.run(), {"/dev/null"}},
       .readable = {{"/usr"}, {"/etc/passwd"}},
       .audit = (reader.Integer(1) & 1) != 0 ? AuditScope::kAll
                                             : AuditScope::kWrites,
       .file_bytes = uint64_t{1} << 40});
  RunRights rights(broker.owner());
  const BrokeredPath done =
      broker.Perform(notification, /*listener=*/-1, rights);
  Check(done.error_number >= 0 && done.error_number <= kMaxErrno,
        "not an errno");
  Check(done.kind != BrokeredPath::Kind::kUnconcerned ||
            MayGoOn(notification.data),
        "a call on a path was to go on");
  Check(done.kind != BrokeredPath::Kind::kHanded, "something was handed over");
  if (done.kind == BrokeredPath::Kind::kElsewhere &&
      notification.data.nr == __NR_execve) {
    Check(IsBeneath(done.path, directories.run()) ||
              IsBeneath(done.path, "/usr") || !done.arguments.empty(),
          "a program outside was to be executed");
  }
  directories.CheckOutside();
  return 0;
}
