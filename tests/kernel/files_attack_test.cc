// Files that are not the run's: the host's, the server's, another run's.

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"
#include "tests/support/degraded_host.h"

namespace cordon::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

// A directory of the server's user's, with a file "file", open to everyone:
// what keeps a run out is not its mode.
class Outside {
 public:
  Outside()
      : path_(absl::StrCat("/tmp/cordon-outside-", getpid(), "-", getuid())) {
    std::filesystem::create_directory(path_);
    chmod(path_.c_str(), 0777);
    std::ofstream(path_ + "/file") << "secret";
    chmod((path_ + "/file").c_str(), 0666);
  }
  ~Outside() {
    chmod(path_.c_str(), 0700);
    std::filesystem::remove_all(path_);
  }

  const std::string& path() const { return path_; }
  bool Untouched() const {
    std::ifstream file(path_ + "/file");
    std::string content;
    file >> content;
    struct stat status;
    return content == "secret" && stat(path_.c_str(), &status) == 0 &&
           (status.st_mode & 07777) == 0777 &&
           stat((path_ + "/file").c_str(), &status) == 0 &&
           (status.st_mode & 07777) == 0666 && status.st_mtime > 1 &&
           std::distance(std::filesystem::directory_iterator(path_),
                         std::filesystem::directory_iterator()) == 1;
  }

 private:
  const std::string path_;
};

std::string In(const std::string& act, const std::string& directory) {
  return absl::StrReplaceAll(act, {{"OUT", directory}});
}

// Every way to a file's content, or to a change of a directory.
std::vector<std::string> Intrusions() {
  return {
      "open('OUT/file').read()",
      "open('OUT/file', 'a')",
      "open('OUT/new', 'w')",
      "os.listdir('OUT')",
      "os.truncate('OUT/file', 0)",
      "os.open('OUT/file', os.O_WRONLY | os.O_TRUNC)",
      "os.unlink('OUT/file')",
      "os.mkdir('OUT/new')",
      "os.mkfifo('OUT/new')",
      "os.symlink('x', 'OUT/new')",
      "os.rename('OUT/file', 'OUT/new')",
      // A descriptor that names, and opens nothing.
      "d = os.open('OUT', os.O_PATH)\nos.open('file', 0, dir_fd=d)",
      "d = os.open('OUT', os.O_PATH)\nos.mkdir('new', dir_fd=d)",
      // By a link of the program's own, and from inside the directory.
      "os.symlink('OUT/file', 'link')\nopen('link').read()",
      "os.symlink('OUT', 'link')\nopen('link/file', 'w')",
      "os.chdir('OUT')\nopen('file').read()",
      "os.open('OUT', os.O_RDWR | os.O_TMPFILE)",
      "open('OUT/../' + os.path.basename('OUT') + '/file').read()",
  };
}

TEST(FilesAttack, ADirectoryOutsideIsClosed) {
  for (const std::string& act : Intrusions()) {
    {
      const Outside outside;
      EXPECT_EQ(Confined(In(act, outside.path())), "EACCES") << act;
      EXPECT_TRUE(outside.Untouched()) << act;
    }
    const Outside control;
    EXPECT_EQ(Free(absl::StrCat("os.chdir('", control.path(), "')\n",
                                In(act, control.path()))),
              "done")
        << act;
    // The same in the run's own directory.
    EXPECT_EQ(Confined(absl::StrCat(
                  "os.mkdir('own')\n"
                  "open('own/file', 'w').write('x')\n",
                  absl::StrReplaceAll(act, {{"'OUT'", "os.getcwd() + '/own'"},
                                            {"'OUT", "os.getcwd() + '/own"}}))),
              "done")
        << act;
  }
}

// The system cuts the file off, although the descriptor is for reading.
TEST(FilesAttack, AnOpenForReadingDoesNotTruncateOutside) {
  for (const char* act : {"os.open('OUT/file', os.O_RDONLY | os.O_TRUNC)",
                          "os.open('OUT/file', os.O_ACCMODE | os.O_TRUNC)"}) {
    const Outside outside;
    EXPECT_EQ(Confined(In(act, outside.path())), "EACCES") << act;
    EXPECT_TRUE(outside.Untouched()) << act;
    EXPECT_EQ(Free(In(act, outside.path())), "done") << act;
    EXPECT_FALSE(outside.Untouched()) << act;
  }
}

TEST(FilesAttack, AnotherRunsDirectoryIsClosed) {
  OtherRun other;
  for (std::string act : Intrusions()) {
    act =
        absl::StrReplaceAll(In(act, other.directory()), {{"/file", "/secret"}});
    EXPECT_THAT(Confined(act), AnyOf("EACCES", "ENOENT")) << act;
  }
  EXPECT_EQ(Free(In("return open('OUT/secret').read()", other.directory())),
            "secret");
}

TEST(FilesAttack, OtherRunsCannotBeFound) {
  for (const char* act :
       {"os.listdir('..')", "os.listdir('../..')", "os.listdir('/')",
        "os.listdir('/tmp')", "os.open('..', os.O_RDONLY | os.O_DIRECTORY)"}) {
    EXPECT_EQ(Confined(act), "EACCES") << act;
  }
  EXPECT_EQ(Confined("return [n for n in os.listdir('.') if n != sys.argv[0]]"),
            "[]");
}

TEST(FilesAttack, NothingIsMovedOrLinkedInOrOut) {
  for (const char* act : {
           "os.link('OUT/file', 'in')",
           "os.rename('OUT/file', 'in')",
           "open('own', 'w')\nos.link('own', 'OUT/new')",
           "open('own', 'w')\nos.rename('own', 'OUT/new')",
           "open('own', 'w')\nos.replace('own', 'OUT/file')",
           // renameat2 with RENAME_EXCHANGE
           "open('own', 'w')\ncall(316, -100, b'own', -100, b'OUT/file', 2)",
           // linkat with AT_SYMLINK_FOLLOW, through a link of its own
           "os.symlink('OUT/file', 'link')\n"
           "call(265, -100, b'link', -100, b'in', 0x400)",
       }) {
    const Outside outside;
    EXPECT_THAT(Confined(In(act, outside.path())), AnyOf("EACCES", "EXDEV"))
        << act;
    EXPECT_TRUE(outside.Untouched()) << act;
    const Outside control;
    EXPECT_EQ(Free(absl::StrCat("import tempfile\n"
                                "d = tempfile.mkdtemp(dir='/tmp')\n"
                                "os.chdir(d)\n"
                                "try:\n  ",
                                absl::StrReplaceAll(In(act, control.path()),
                                                    {{"\n", "\n  "}}),
                                "\nfinally:\n"
                                "  import shutil; shutil.rmtree(d)")),
              "done")
        << act;
  }
}

TEST(FilesAttack, SharedPlacesAndDevicesAreClosed) {
  for (const char* path :
       {"/tmp/cordon-new", "/dev/shm/cordon-new", "/var/tmp/cordon-new"}) {
    const std::string act =
        absl::StrCat("os.open('", path, "', os.O_CREAT | os.O_RDWR)");
    const std::string place = std::filesystem::path(path).parent_path();
    const bool read_only = access(place.c_str(), W_OK) != 0 && errno == EROFS;
    // A read-only file system says so to anybody.
    EXPECT_EQ(Confined(act), read_only ? "EROFS" : "EACCES") << path;
    if (!read_only && std::filesystem::exists(place)) {
      EXPECT_EQ(Free(absl::StrCat(act, "\nos.unlink('", path, "')")), "done")
          << path;
    }
  }
  for (const char* path : {"/dev/tty", "/dev/ptmx", "/dev/kmsg", "/dev/mem",
                           "/dev/fuse", "/dev/kvm", "/dev/net/tun",
                           "/dev/loop-control", "/dev/sda", "/dev/vda"}) {
    if (!std::filesystem::exists(path)) continue;
    EXPECT_EQ(Confined(absl::StrCat("os.open('", path, "', os.O_RDONLY)")),
              "EACCES")
        << path;
  }
  EXPECT_EQ(Confined("os.open('/dev/null', os.O_RDWR)"), "done");
  EXPECT_EQ(Free("os.open('/dev/ptmx', os.O_RDWR)"), "done");
}

TEST(FilesAttack, TheHostsFilesAreClosed) {
  for (const char* path :
       {"/etc/hostname", "/etc/fstab", "/proc/self/environ", "/proc/self/maps",
        "/proc/1/cmdline", "/proc/mounts", "/proc/net/tcp", "/etc/hosts"}) {
    if (access(path, R_OK) != 0) continue;
    const std::string act = absl::StrCat("open('", path, "').read()");
    EXPECT_EQ(Free(act), "done") << path;
    EXPECT_EQ(Confined(act), "EACCES") << path;
  }
  for (const char* path : {"/etc/shadow", "/etc/sudoers", "/root/.bashrc"}) {
    struct stat status;
    if (stat(path, &status) != 0) continue;
    EXPECT_EQ(Confined(absl::StrCat("open('", path, "').read()")), "EACCES")
        << path;
  }
  EXPECT_EQ(Confined("open('/etc/passwd').read()"), "done");
}

TEST(FilesAttack, NoDeviceIsMade) {
  EXPECT_EQ(Confined("os.mknod('d', 0o20600, os.makedev(1, 3))"), "EPERM");
  EXPECT_EQ(Confined("os.mknod('d', 0o60600, os.makedev(8, 0))"), "EPERM");
  EXPECT_EQ(Confined("os.mknod('d', 0o140600)"), "EPERM");
  EXPECT_EQ(Confined("os.mkfifo('d')"), "done");
}

TEST(FilesAttack, OnlyTheViewAndTheRunsDirectoryAreExecutable) {
  const std::string copy =
      "import shutil\nshutil.copy('/bin/true', 'OUT/true')\n";
  const std::string execute = "os.execv('OUT/true', ['true'])";
  const Outside outside;
  EXPECT_EQ(Free(In(copy, outside.path())), "done");
  EXPECT_EQ(Confined(In(execute, outside.path())), "EACCES");
  EXPECT_EQ(Confined(In(copy + execute, ".")), "");  // It ran, silently.
}

TEST(FilesAttack, AProgramInMemoryIsNotExecuted) {
  EXPECT_EQ(Confined("os.memfd_create('x')"), "ENOSYS");
  EXPECT_EQ(Free("os.memfd_create('x')"), "done");
  // execveat, with AT_EMPTY_PATH, of a program that it may execute by name.
  EXPECT_EQ(Confined("f = os.open('/bin/true', os.O_RDONLY)\n"
                     "call(322, f, b'', 0, 0, 0x1000)"),
            "killed");
}

TEST(FilesAttack, AttributesAreNotWritten) {
  const Outside outside;
  const std::string act =
      In("os.setxattr('OUT/file', 'user.x', b'y')", outside.path());
  EXPECT_EQ(Confined(act), "ENOTSUP");
  EXPECT_TRUE(outside.Untouched());
}

// Landlock is silent about these; as a user that owns the files, the kernel
// would allow them. `directory` has a file "file".
std::vector<std::string> MetadataChanges(const std::string& directory) {
  std::vector<std::string> acts = {
      "os.chmod('DIR/file', 0)",
      "os.chmod('DIR', 0)",
      "os.chmod('DIR/../' + os.path.basename('DIR'), 0)",
      "os.symlink('DIR/file', 'DIR.link')\nos.chmod('DIR.link', 0)",
      "os.chown('DIR/file', os.getuid(), os.getgid())",
      "os.lchown('DIR', os.getuid(), os.getgid())",
      "os.utime('DIR/file', (1, 1))",
      "os.utime('DIR', (1, 1), follow_symlinks=False)",
      "call(132, b'DIR/file', ctypes.create_string_buffer(struct.pack('qq', 1, "
      "1)))",                                                     // utime
      "call(235, b'DIR/file', ctypes.create_string_buffer(32))",  // utimes
      "call(261, -100, b'DIR/file', ctypes.create_string_buffer(32))",  // futimesat
      "os.chdir('DIR')\nos.chmod('file', 0)",
      "os.chdir('DIR')\nos.chmod('.', 0)",
      // By a descriptor that opens nothing: fchmodat, fchownat, utimensat.
      "d = os.open('DIR', os.O_PATH)\nos.chmod('file', 0, dir_fd=d)",
      "d = os.open('DIR', os.O_PATH)\n"
      "call(260, d, b'', os.getuid(), os.getgid(), 0x1000)",
      "d = os.open('DIR', os.O_PATH)\nos.utime('file', (1, 1), dir_fd=d)",
  };
  for (std::string& act : acts) {
    act = absl::StrReplaceAll(act, {{"DIR.link", "link"}, {"DIR", directory}});
  }
  return acts;
}

TEST(FilesAttack, ModeOwnerAndTimesOutsideAreOutOfReach) {
  for (size_t i = 0; i < MetadataChanges("").size(); ++i) {
    const Outside outside;
    const std::string act = MetadataChanges(outside.path())[i];
    EXPECT_EQ(Confined(act), "EPERM") << act;
    EXPECT_TRUE(outside.Untouched()) << act;
    EXPECT_EQ(Free(absl::StrCat("os.chdir('", outside.path(), "')\n", act)),
              "done")
        << act;
    EXPECT_EQ(Confined("os.mkdir('own')\nopen('own/file', 'w')\n" +
                       MetadataChanges("own")[i]),
              "done")
        << act;
  }
}

// What may be read may be opened, and a descriptor is enough for these.
std::vector<std::string> MetadataChangesByDescriptor(
    const std::string& directory) {
  std::vector<std::string> acts;
  for (const char* name : {"", "/file"}) {
    const std::string opened =
        absl::StrCat("os.open('", directory, name, "', os.O_RDONLY)");
    const std::string times = "ctypes.create_string_buffer(32)";
    for (const std::string& act :
         {absl::StrCat("os.fchmod(", opened, ", 0o700)"),
          absl::StrCat("os.fchown(", opened, ", os.getuid(), os.getgid())"),
          absl::StrCat("os.utime(", opened, ", (1, 1))"),
          // utimensat without a path, futimesat.
          absl::StrCat("call(280, ", opened, ", None, ", times, ", 0)"),
          absl::StrCat("call(261, ", opened, ", None, ", times, ")")}) {
      acts.push_back(act);
    }
  }
  return acts;
}

TEST(FilesAttack, ModeOwnerAndTimesOfWhatIsReadAreOutOfReach) {
  const Outside outside;
  for (const std::string& act : MetadataChangesByDescriptor(outside.path())) {
    sandbox::ExecutionSpec spec = PythonSpec(Program(act));
    spec.view.read.push_back(outside.path());
    EXPECT_EQ(SharedSandbox().Run(spec)->stdout_data(), "EPERM\n") << act;
    EXPECT_TRUE(outside.Untouched()) << act;
  }
  for (const std::string& act : MetadataChangesByDescriptor(outside.path())) {
    EXPECT_EQ(Free(act), "done") << act;
  }
  EXPECT_FALSE(outside.Untouched());
  for (const std::string& act : MetadataChangesByDescriptor("own")) {
    sandbox::ExecutionSpec spec =
        PythonSpec(Program("os.mkdir('own')\nopen('own/file', 'w')\n" + act));
    for (const auto filesystem :
         {sandbox::Filesystem::kHost, sandbox::Filesystem::kVirtual}) {
      spec.filesystem = filesystem;
      EXPECT_EQ(SharedSandbox().Run(spec)->stdout_data(), "done\n") << act;
    }
  }
}

// By the names that the supervisor's own descriptors have, and another run's.
TEST(FilesAttack, AnothersPipesAreOutOfReach) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  struct stat before, after;
  ASSERT_EQ(fstat(pipe_ends[0], &before), 0);
  for (const std::string& process :
       {std::string("self"), absl::StrCat(getpid())}) {
    const std::string act = Confined(absl::StrCat(
        "os.chmod('/proc/", process, "/fd/", pipe_ends[0], "', 0)"));
    EXPECT_THAT(act, AnyOf("ENOENT", "ELOOP", "EPERM", "EACCES")) << process;
    ASSERT_EQ(fstat(pipe_ends[0], &after), 0);
    EXPECT_EQ(after.st_mode, before.st_mode);
  }
  EXPECT_EQ(Free(absl::StrCat("os.chmod('/proc/", getpid(), "/fd/",
                              pipe_ends[0], "', 0)")),
            "done");
  ASSERT_EQ(fstat(pipe_ends[0], &after), 0);
  EXPECT_NE(after.st_mode, before.st_mode);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(FilesAttack, ARunCannotCloseTheDirectoryOfRuns) {
  OtherRun other;
  for (const std::string& path :
       {std::string(".."), std::string("../.."), other.directory()}) {
    EXPECT_THAT(Confined(absl::StrCat("os.chmod('", path, "', 0)")),
                AnyOf("EPERM", "EACCES"))
        << path;
    EXPECT_EQ(SharedSandbox().Run(BashSpec("echo next"))->stdout_data(),
              "next\n")
        << path;
  }
}

TEST(FilesAttack, ModeOwnerAndTimesOfARunsFilesAreItsOwn) {
  EXPECT_EQ(
      Confined(
          "open('f', 'w')\n"
          "os.symlink('f', 'l')\n"
          "os.mkdir('d')\n"
          "seen = []\n"
          "def mode(): seen.append(oct(os.stat('f').st_mode & 0o7777))\n"
          "def times(path):\n"
          "  status = os.lstat(path)\n"
          "  seen.append((status.st_atime, status.st_mtime))\n"
          "os.chmod('f', 0o751); mode()\n"
          "os.chmod(os.getcwd() + '/l', 0o640); mode()\n"
          "os.chmod('f', 0o600, dir_fd=os.open('.', os.O_RDONLY)); mode()\n"
          "os.chdir('d'); os.chmod('../f', 0o644); os.chdir('..'); mode()\n"
          "os.fchmod(os.open('f', os.O_RDONLY), 0o700); mode()\n"
          "os.utime('f', (1.5, 2.25)); times('f')\n"
          "os.utime('l', (3, 4), follow_symlinks=False); times('l')\n"
          "call(132, b'f', ctypes.create_string_buffer("
          "struct.pack('qq', 5, 6))); times('f')\n"
          "call(235, b'f', ctypes.create_string_buffer("
          "struct.pack('qqqq', 7, 500000, 8, 0))); times('f')\n"
          "os.utime(os.open('f', os.O_RDONLY), (9, 10)); times('f')\n"
          "gone = os.open('gone', os.O_CREAT | os.O_WRONLY)\n"
          "os.unlink('gone')\n"
          "for fd in gone, *os.pipe(), "
          "socket.socketpair()[0].detach():\n"
          "  os.fchmod(fd, 0o640); os.utime(fd, (1, 2))\n"
          "  seen.append(oct(os.fstat(fd).st_mode & 0o777))\n"
          "os.chown('f', os.getuid(), -1); os.lchown('l', -1, os.getgid())\n"
          "return seen"),
      "['0o751', '0o640', '0o600', '0o644', '0o700', (1.5, 2.25), (3.0, 4.0), "
      "(5.0, 6.0), (7.5, 8.0), (9.0, 10.0), '0o640', '0o640', '0o640', "
      "'0o640']");
  EXPECT_EQ(Confined("open('f', 'w')\nos.fchmod(os.open('f', os.O_PATH), 0)"),
            "EBADF");
  EXPECT_EQ(Confined("os.fchmod(99, 0)"), "EBADF");
  EXPECT_EQ(Confined("f = os.open('f', os.O_CREAT | os.O_WRONLY)\n"
                     "os.chmod(f'/proc/self/fd/{f}', 0o640)\n"
                     "os.chmod(f'/dev/fd/{f}', 0o604)\n"
                     "os.chmod('f', 0o600, follow_symlinks=False)\n"
                     "return oct(os.stat('f').st_mode)"),
            "0o100600");
  EXPECT_EQ(Confined("os.chmod('/proc/self/fd/99', 0)"), "ENOENT");
  EXPECT_EQ(Confined("os.chmod('missing', 0)"), "ENOENT");
  EXPECT_EQ(Confined("open('f', 'w')\nos.chmod('f/x', 0)"), "ENOTDIR");
  EXPECT_EQ(Confined("call(90, 1, 0)"), "EFAULT");
  EXPECT_EQ(Confined("open('f', 'w')\ncall(235, b'f', 1)"), "EFAULT");
  // A read-only root is said before it.
  EXPECT_THAT(Confined("os.chmod('/etc/passwd', 0o777)"),
              AnyOf("EPERM", "EROFS"));
}

// Two threads race: one turns a link from its own file to one outside, the
// other opens it for writing. Whatever the supervisor saw, the kernel decides.
TEST(FilesAttack, ARaceOnAPathWritesNothingOutside) {
  const Outside outside;
  EXPECT_EQ(Confined(In("open('own', 'w')\n"
                        "buffer = ctypes.create_string_buffer(64)\n"
                        "inside, out = b'own\\0', b'OUT/file\\0'\n"
                        "end = time.monotonic() + 1\n"
                        "def turn():\n"
                        "  while time.monotonic() < end:\n"
                        "    ctypes.memmove(buffer, out, len(out))\n"
                        "    ctypes.memmove(buffer, inside, len(inside))\n"
                        "threading.Thread(target=turn).start()\n"
                        "opened = 0\n"
                        "while time.monotonic() < end:\n"
                        "  try:\n"
                        "    f = call(257, -100, buffer, os.O_WRONLY)\n"
                        "    os.write(f, b'overwritten')\n"
                        "    os.close(f); opened += 1\n"
                        "  except OSError: pass\n"
                        "return 'raced' if opened else 'never opened'",
                        outside.path())),
            "raced");
  EXPECT_TRUE(outside.Untouched());
}

// The same with each call that changes mode, times or length by path.
TEST(FilesAttack, ARaceOnAPathChangesNothingOutside) {
  constexpr char kTimes[] = "times = (ctypes.c_long * 4)(1, 0, 1, 0)\n";
  constexpr char kSeconds[] = "times = (ctypes.c_long * 2)(1, 1)\n";
  struct Change {
    const char* times;
    const char* call;
  };
  for (const auto& [times, change] :
       {Change{"", "call(90, buffer, 0o600)"},
        {"", "call(268, -100, buffer, 0o600)"},
        {"", "call(452, -100, buffer, 0o600, 0)"},
        {kSeconds, "call(132, buffer, times)"},
        {kTimes, "call(235, buffer, times)"},
        {kTimes, "call(261, -100, buffer, times)"},
        {kTimes, "call(280, -100, buffer, times, 0)"},
        {"", "call(76, buffer, 0)"}}) {
    // The act itself, permitted; on Linux before 6.6, and under a filter as
    // old, there is no fchmodat2.
    {
      const Outside control;
      const std::string done =
          Free(In(absl::StrCat("buffer = b'OUT/file\\0'\n", times, change),
                  control.path()));
      if (done == "ENOSYS" && absl::StartsWith(change, "call(452")) continue;
      EXPECT_EQ(done, "done") << change;
      EXPECT_FALSE(control.Untouched()) << change;
    }
    const Outside outside;
    const std::string program = absl::StrCat(
        times,
        "open('own', 'w')\n"
        "buffer = ctypes.create_string_buffer(64)\n"
        "inside, out = b'own\\0', b'OUT/file\\0'\n"
        "end = time.monotonic() + .4\n"
        "def turn():\n"
        "  while time.monotonic() < end:\n"
        "    ctypes.memmove(buffer, out, len(out))\n"
        "    ctypes.memmove(buffer, inside, len(inside))\n"
        "threading.Thread(target=turn).start()\n"
        "changed = refused = 0\n"
        "while time.monotonic() < end:\n"
        "  try: ",
        change,
        "; changed += 1\n"
        "  except OSError: refused += 1\n"
        "return 'raced' if changed and refused else f'{changed} {refused}'");
    EXPECT_EQ(Confined(In(program, outside.path())), "raced") << change;
    EXPECT_TRUE(outside.Untouched()) << change;
  }
}

// ------------------------------------- what the service does with a run's
// files

TEST(FilesAttack, ADirectoryLeftWithoutRightsDisturbsNoRun) {
  for (int i = 0; i < 10; ++i) {
    const auto run = SharedSandbox().Run(
        BashSpec("mkdir -p a/b; > a/b/c; chmod 000 a/b a .; echo done"));
    EXPECT_EQ(run->stdout_data(), "done\n");
  }
  EXPECT_EQ(SharedSandbox().Run(BashSpec("echo next"))->stdout_data(),
            "next\n");
}

TEST(FilesAttack, OnlyRegularFilesBeneathAreCollected) {
  const Outside outside;
  sandbox::ExecutionSpec spec = BashSpec(
      absl::StrCat("echo mine > regular; ln -s ", outside.path(),
                   "/file link; mkfifo fifo; "
                   "ln -s ",
                   outside.path(), " directory; ln regular hard; echo made"));
  spec.output_files = {"regular", "link", "fifo", "directory/file", "hard"};
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->stdout_data(), "made\n");
  for (const auto& file : run->outcome().files) {
    EXPECT_THAT(file.path,
                AnyOf("regular", "hard", "link", "fifo", "directory/file"));
    if (file.path == "regular") {
      EXPECT_EQ(file.content, "mine\n");
    }
    EXPECT_THAT(file.content, ::testing::Not(HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace cordon::testing
