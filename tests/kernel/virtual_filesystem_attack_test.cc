// Attacks on a file system of the run's own. Landlock binds the program and not
// the supervisor, which acts for it: nothing that the supervisor does may reach
// past what the program could.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::Filesystem;
using sandbox::OutcomeKind;
using sandbox::Violation;
using sandbox::ViolationAction;
using sandbox::ViolationKind;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;

// A file of the host's that everybody may read and write.
class HostFile {
 public:
  explicit HostFile(const char* what)
      : path_(
            absl::StrCat("/tmp/cordon-", what, "-", getpid(), "-", getuid())) {
    std::ofstream(path_) << "secret";
    EXPECT_EQ(chmod(path_.c_str(), 0666), 0);
  }
  ~HostFile() { unlink(path_.c_str()); }
  HostFile(const HostFile&) = delete;
  HostFile& operator=(const HostFile&) = delete;

  const std::string& path() const { return path_; }
  std::string content() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }

 private:
  const std::string path_;
};

// "READ x" with what was read, or the name of the errno.
constexpr const char* kTools =
    "import ctypes, errno, os, signal, socket, sys, threading, time\n"
    "def attempt(act):\n"
    "    try: print('DONE', act())\n"
    "    except OSError as error: print(errno.errorcode[error.errno])\n"
    "def read(path, flags=os.O_RDONLY, **how):\n"
    "    fd = os.open(path, flags, **how)\n"
    "    try: return os.read(fd, 6).decode('latin1')\n"
    "    finally: os.close(fd)\n"
    "def write(path, text='x', **how):\n"
    "    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666, **how)\n"
    "    try: return os.write(fd, text.encode())\n"
    "    finally: os.close(fd)\n";

std::shared_ptr<RecordingObserver> RunVirtual(ExecutionSpec spec) {
  spec.filesystem = Filesystem::kVirtual;
  spec.program.limits.wall_time =
      std::max(spec.program.limits.wall_time, absl::Seconds(60));
  return SharedSandbox().Run(std::move(spec));
}

std::shared_ptr<RecordingObserver> RunTools(const std::string& act) {
  return RunVirtual(PythonSpec(absl::StrCat(kTools, act)));
}

std::string Repeated(const std::string& line, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += line;
  return text;
}

// ------------------------------------------------------------------ the host

TEST(VirtualFilesystemAttack, TheHostsTemporaryFilesAreNowhere) {
  const HostFile file("outside");
  const std::string act = absl::StrCat(
      "path = '", file.path(),
      "'\n"
      "rest = path[len('/tmp/'):]\n"
      "ways = [path, '/var/tmp/../../' + path, '/box/..' + path,\n"
      "        '/usr/../' + path, '/dev/shm/../..' + path,\n"
      "        '/proc/self/root' + path, '/dev/fd/../root' + path,\n"
      "        '/proc/self/cwd/..' + path, './/../tmp/./' + rest]\n"
      "for way in ways: attempt(lambda: read(way))\n"
      "for way in ways:\n"
      "    os.symlink(way, 'link'); attempt(lambda: read('link'))\n"
      "    attempt(lambda: read('/box/link')); os.unlink('link')\n"
      "fd = os.open('/usr', os.O_PATH)\n"
      "attempt(lambda: read('../tmp/' + rest, dir_fd=fd))\n"
      "for name in '/', '/usr':\n"
      "    os.chdir(name); attempt(lambda: read('../tmp/' + rest))\n"
      "os.chdir('/box')\n"
      "attempt(lambda: os.link(path, '/box/hard'))\n"
      "attempt(lambda: os.rename(path, '/box/moved'))\n"
      "attempt(lambda: os.truncate(path, 0))\n"
      "attempt(lambda: os.unlink(path))\n"
      "write(path, 'mine'); attempt(lambda: read(path))\n");
  const auto run = RunTools(act);
  EXPECT_EQ(run->stdout_data(),
            Repeated("ENOENT\n", 9 + 18 + 3 + 4) + "DONE mine\n")
      << run->stderr_data();
  EXPECT_EQ(file.content(), "secret");
  EXPECT_EQ(Free(absl::StrCat("return open('", file.path(), "').read()")),
            "secret");
}

// Not even by their path alone, which the host's metadata would hang on.
TEST(VirtualFilesystemAttack, FilesOutsideTheViewStayShut) {
  const auto run = RunTools(
      "path = '/etc/hostname'\n"
      "attempt(lambda: os.open(path, os.O_PATH))\n"
      "attempt(lambda: os.open('/etc', os.O_PATH))\n"
      "os.symlink(path, 'file'); os.symlink('/etc', 'directory')\n"
      "ways = [path, '/box/file', '/box/directory/hostname',\n"
      "        '/tmp/../etc/hostname', '/proc/self/root' + path,\n"
      "        '/proc/thread-self/root' + path,\n"
      "        '/proc/%d/root/etc/hostname' % os.getpid()]\n"
      "for way in ways: attempt(lambda: read(way))\n"
      "attempt(lambda: os.listdir('/box/directory'))\n"
      "os.chdir('/etc'); attempt(lambda: os.listdir('.'))\n"
      "attempt(lambda: read('../etc/hostname'))\n"
      "attempt(lambda: read('/box/../etc/hostname'))\n"
      "attempt(lambda: read('/box/../usr/bin/env')[1:4])\n");
  EXPECT_EQ(run->stdout_data(), Repeated("EACCES\n", 13) + "DONE ELF\n")
      << run->stderr_data();
  EXPECT_EQ(Free("return len(open('/etc/hostname').read()) > 0"), "True");
}

TEST(VirtualFilesystemAttack, NothingOutsideIsChanged) {
  const auto run = RunTools(
      "os.symlink('/dev', 'd'); os.symlink('/usr/new', 'n')\n"
      "attempt(lambda: os.mkdir('/box/d/x'))\n"
      "attempt(lambda: os.mkdir('/box/../usr/x'))\n"
      "attempt(lambda: os.symlink('a', '/tmp/../usr/x'))\n"
      "attempt(lambda: os.mkfifo('/box/d/x'))\n"
      "attempt(lambda: os.unlink('/box/d/null'))\n"
      "attempt(lambda: write('/box/d/x'))\n"
      "attempt(lambda: write('/box/n'))\n"
      "open('f', 'w').close()\n"
      "attempt(lambda: os.chmod('/box/d/null', 0))\n"
      "attempt(lambda: os.utime('/box/d/null'))\n"
      "attempt(lambda: os.rename('/box/f', '/box/d/f'))\n"
      "attempt(lambda: os.link('/box/f', '/box/d/f'))\n"
      "attempt(lambda: os.link('/box/d/null', '/box/null'))\n"
      "attempt(lambda: os.rename('/box/d/null', '/box/null'))\n"
      "attempt(lambda: os.rmdir('/box')); attempt(lambda: os.rmdir('/tmp'))\n"
      "attempt(lambda: os.rename('/tmp', '/box/tmp'))\n"
      "attempt(lambda: write('/box/d/null'))\n");
  EXPECT_EQ(run->stdout_data(),
            Repeated("EACCES\n", 7) + Repeated("EPERM\n", 2) +
                Repeated("EXDEV\n", 4) + Repeated("EBUSY\n", 3) + "DONE 1\n")
      << run->stderr_data();
}

// The run's directories are in one that is not its own.
TEST(VirtualFilesystemAttack, TheDirectoriesStayWhereTheyAre) {
  const auto run = RunTools(
      "import mmap\n"
      "os.mkdir('d')\n"
      "f = open('f', 'w+'); f.write('x'); f.flush()\n"
      "kept = mmap.mmap(f.fileno(), 1)\n"
      "real = next(line.split()[-1] for line in open('/proc/self/maps')\n"
      "            if line.rstrip().endswith('/box/f'))\n"
      "box = os.path.dirname(real); above = os.path.dirname(box)\n"
      "attempt(lambda: read(box + '/f'))\n"
      "attempt(lambda: os.rename(box, above + '/other'))\n"
      "attempt(lambda: os.rename(box + '/d', above + '/d'))\n"
      "attempt(lambda: os.symlink('/etc', above + '/link'))\n"
      "attempt(lambda: os.mkdir(above + '/new'))\n"
      "attempt(lambda: os.rmdir(above + '/shm'))\n"
      "attempt(lambda: os.listdir(os.path.dirname(above)))\n"
      "os.rename(box + '/d', '/tmp/d'); attempt(lambda: os.listdir('/tmp'))\n");
  // ENOENT where the host's name for them is in /tmp.
  EXPECT_EQ(absl::StrReplaceAll(run->stdout_data(), {{"EXDEV", "EACCES"},
                                                     {"ENOENT", "EACCES"},
                                                     {"EBUSY", "EACCES"}}),
            "DONE x\n" + Repeated("EACCES\n", 6) + "DONE ['d']\n")
      << run->stderr_data();
}

// ------------------------------------------------------------ other processes

TEST(VirtualFilesystemAttack, OtherProcessesEntriesStayShut) {
  const std::string act = absl::StrCat(
      "other = ", getpid(),
      "\n"
      "entry = '/proc/%d' % other\n"
      "attempt(lambda: os.open(entry, os.O_PATH))\n"
      "os.symlink(entry, 'link')\n"
      "ways = [entry + '/status', '/box/link/status',\n"
      "        '/proc/self/../%d/status' % other,\n"
      "        '/proc/self/task/../../%d/status' % other,\n"
      "        '/dev/../proc/%d/environ' % other,\n"
      "        entry + '/cwd/x', entry + '/fd/0', '/proc/1/status']\n"
      "for way in ways: attempt(lambda: read(way))\n"
      "for way in entry, '/box/link', entry + '/exe', entry + '/fd/0':\n"
      "    attempt(lambda: os.stat(way)); os.access(way, 0) and print('seen')\n"
      "os.chdir(entry); attempt(lambda: read('status'))\n"
      "attempt(lambda: read('./environ')); os.chdir('task')\n"
      "attempt(lambda: read('%d/status' % other))\n"
      "attempt(lambda: read('../status'))\n"
      "attempt(lambda: read('/proc/self/status'))\n"
      "child = os.fork()\n"
      "if child == 0: time.sleep(60)\n"
      "attempt(lambda: read('/proc/%d/status' % child))\n"
      "os.kill(child, 9)\n");
  const auto run = RunTools(act);
  EXPECT_EQ(run->stdout_data(),
            Repeated("EACCES\n", 1 + 8 + 4 + 4) + Repeated("DONE Name:\t\n", 2))
      << run->stderr_data();
}

// A descriptor may be what such a call is about, or a path.
TEST(VirtualFilesystemAttack, MetadataOfTheHostsTemporaryFilesIsNowhere) {
  const HostFile file("outside");
  const auto run = RunTools(absl::StrCat(
      "path = '", file.path(),
      "'.encode()\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "buffer = ctypes.create_string_buffer(256)\n"
      "def call(number, *arguments):\n"
      "    at = [ctypes.c_long(a) if isinstance(a, int) else a\n"
      "          for a in arguments]\n"
      "    if libc.syscall(number, *at) == 0: return 'found'\n"
      "    raise OSError(ctypes.get_errno(), '')\n"
      "AT, EMPTY = -100, 0x1000\n"
      "usr = os.open('/usr', os.O_RDONLY)\n"
      "for fd in AT, usr, 99:\n"
      "    attempt(lambda: call(262, fd, path, buffer, EMPTY))\n"
      "    attempt(lambda: call(332, fd, path, EMPTY, 0x7ff, buffer))\n"
      "attempt(lambda: call(439, AT, path, 0, EMPTY))\n"
      "for act in os.stat, os.lstat, os.statvfs, os.readlink, os.listxattr:\n"
      "    attempt(lambda: act(path))\n"
      "print(os.access(path, os.F_OK))\n"
      "# Of the run's own, and of what it holds.\n"
      "write('/tmp/own'); own = os.open('/tmp/own', os.O_RDONLY)\n"
      "attempt(lambda: call(262, AT, b'/tmp/own', buffer, EMPTY))\n"
      "def size(): return ctypes.c_long.from_buffer(buffer, 48).value\n"
      "call(262, own, b'', buffer, EMPTY); print(size())\n"
      "call(332, own, b'', EMPTY, 0x7ff, buffer)\n"
      "print(ctypes.c_long.from_buffer(buffer, 40).value)\n"
      "os.chdir('/tmp'); call(262, AT, b'', buffer, EMPTY)\n"
      "print(ctypes.c_ulong.from_buffer(buffer, 8).value == "
      "os.stat('/tmp').st_ino)\n"
      "reader, writer = os.pipe(); pair = socket.socketpair()\n"
      "for fd in reader, 1, pair[0].fileno(): attempt(lambda: call(262, fd, "
      "b'', buffer, "
      "EMPTY))\n"
      "attempt(lambda: call(262, 99, b'', buffer, EMPTY))\n"
      "attempt(lambda: call(262, own, b'', buffer, 0))\n"
      "attempt(lambda: call(262, own, b'', buffer, EMPTY | 1))\n"
      "attempt(lambda: call(262, AT, 8, buffer, 0))\n"
      "attempt(lambda: call(262, AT, b'x' * 5000, buffer, 0))\n"
      "attempt(lambda: call(262, own, b'', 8, EMPTY))\n"
      "attempt(lambda: os.chown(own, os.getuid(), os.getgid()))\n"
      "attempt(lambda: call(260, own, b'', os.getuid(), os.getgid(), EMPTY))\n"
      "attempt(lambda: call(260, usr, b'', os.getuid(), os.getgid(), "
      "EMPTY))\n"));
  EXPECT_EQ(run->stdout_data(),
            Repeated("ENOENT\n", 12) + "False\nDONE found\n1\n1\nTrue\n" +
                Repeated("DONE found\n", 3) +
                "EBADF\nENOENT\nEINVAL\nEFAULT\nENAMETOOLONG\nEFAULT\n"
                "DONE None\nDONE found\nEPERM\n")
      << run->stderr_data();
  EXPECT_EQ(Free(absl::StrCat("return os.stat('", file.path(), "').st_size")),
            "6");
}

// The supervisor may read more links of /proc than the program, and is "self"
// to itself.
TEST(VirtualFilesystemAttack, LinksOfOtherProcessesAreNotRead) {
  const std::string act = absl::StrCat(
      "other = ", getpid(),
      "\n"
      "def into(path): os.chdir(path); return os.getcwd()\n"
      "os.chdir('/proc/%d' % other)\n"
      "ways = ['/proc/self/cwd/' + name for name in\n"
      "        ('exe', 'cwd', 'root', 'fd/0', 'fd/1', 'ns/net')]\n"
      "ways += ['/tmp/../proc/%d/%s' % (other, name) for name in\n"
      "         ('exe', 'cwd', 'root', 'fd/0')]\n"
      "for way in ways: attempt(lambda: os.readlink(way))\n"
      "for way in ways: attempt(lambda: os.stat(way))\n"
      "for way in ways: attempt(lambda: into(way))\n"
      "os.chdir('/box'); here = str(os.getpid())\n"
      "os.symlink('/proc/self/exe', '/tmp/x')\n"
      "print(os.stat('/tmp/x').st_ino == os.stat('/usr/bin/python3').st_ino)\n"
      "os.symlink('/proc/self', '/tmp/p')\n"
      "print(open('/tmp/p/stat').read().split()[0] == here)\n"
      "print(os.path.exists('/tmp/p/fd/0'), os.readlink('/proc/self') == "
      "here)\n"
      "try: print(os.readlink('/tmp/../proc/self') == here)\n"
      "except OSError: print(True)\n");
  const auto run = RunTools(act);
  EXPECT_EQ(run->stdout_data(),
            Repeated("EACCES\n", 30) + "True\nTrue\nTrue True\nTrue\n")
      << run->stderr_data();
  EXPECT_EQ(Free(absl::StrCat("return os.readlink('/proc/", getpid(),
                              "/cwd') != ''")),
            "True");
}

TEST(VirtualFilesystemAttack, OfTheOwnEntryOnlyWhatSaysNothingOfTheHost) {
  const auto run = RunTools(
      "p = '/proc/self/'\n"
      "for name in ('mounts', 'mountinfo', 'mountstats', 'net/tcp', "
      "'net/unix',\n"
      "             'ns/net', 'cgroup', 'attr/current', 'map_files',\n"
      "             'pagemap', 'stack', 'task/%d/net/tcp' % os.getpid()):\n"
      "    attempt(lambda: read(p + name))\n"
      "attempt(lambda: os.listdir(p + 'ns'))\n"
      "for name in 'net', 'ns', 'attr':\n"
      "    os.chdir(p + name); attempt(lambda: os.listdir('.'))\n"
      "for name in 'mem', 'oom_score_adj', 'comm', 'clear_refs':\n"
      "    attempt(lambda: os.open(p + name, os.O_WRONLY))\n"
      "attempt(lambda: read(p + 'stat')[0:1] > '0')\n");
  EXPECT_EQ(run->stdout_data(), Repeated("EACCES\n", 20) + "DONE True\n")
      << run->stderr_data();
  EXPECT_EQ(Free("return open('/proc/self/mounts').read(1) != ''"), "True");
}

TEST(VirtualFilesystemAttack, AnotherRunsFilesAreNowhere) {
  const OtherRun other;
  const auto run = RunTools(absl::StrCat(
      "path = '", other.directory(),
      "/secret'\n"
      "attempt(lambda: read(path)); os.symlink(path, 'l')\n"
      "attempt(lambda: read('/box/l')); attempt(lambda: read('l'))\n"
      "attempt(lambda: read('/proc/",
      other.pid(),
      "/cwd/secret'))\n"
      "attempt(lambda: read('/proc/",
      other.pid(), "/fd/0'))\n"));
  for (const std::string line : {"DONE", "secret"}) {
    EXPECT_EQ(run->stdout_data().find(line), std::string::npos)
        << run->stdout_data();
  }
  EXPECT_EQ(run->stderr_data(), "");
}

// ------------------------------------------------------------------- reports

TEST(VirtualFilesystemAttack, AWriteOutsideIsReportedWithWhereItLed) {
  const auto run = RunTools(
      "os.symlink('/etc/passwd', 'link')\n"
      "attempt(lambda: os.open('/box/link', os.O_RDWR))\n"
      "attempt(lambda: os.open('link', os.O_RDWR))\n"
      "attempt(lambda: write('/tmp/../etc/passwd.new'))\n"
      "attempt(lambda: write('/tmp/own'))\n");
  EXPECT_EQ(run->stdout_data(), "EACCES\nEACCES\nEACCES\nDONE 1\n")
      << run->stderr_data();
  const auto denied = [](const char* path) {
    return AllOf(Field(&Violation::kind, ViolationKind::kFilesystem),
                 Field(&Violation::syscall, "openat"),
                 Field(&Violation::path, path),
                 Field(&Violation::action, ViolationAction::kDeny),
                 Field(&Violation::error_number, EACCES));
  };
  EXPECT_THAT(run->outcome().violations,
              ElementsAre(denied("/etc/passwd"), denied("/etc/passwd"),
                          denied("/etc/passwd.new")));
}

TEST(VirtualFilesystemAttack, AnAuditTellsReadsAndExecutionsToo) {
  ExecutionSpec spec = PythonSpec(absl::StrCat(
      kTools,
      "os.symlink('/etc/hostname', 'link'); os.symlink('/usr/bin/env', 'env')\n"
      "attempt(lambda: read('/box/link')); attempt(lambda: read('/tmp/no'))\n"
      "attempt(lambda: os.execv('/box/link', ['x']))\n"
      "os.close(os.open('/box/env', os.O_RDONLY))\n"
      "sys.stdout.flush(); os.execv('/box/env', ['env', 'echo', 'own'])\n"));
  spec.audit = sandbox::AuditScope::kAll;
  const auto run = RunVirtual(spec);
  EXPECT_EQ(run->stdout_data(), "EACCES\nENOENT\nEACCES\nown\n")
      << run->stderr_data();
  const auto told = [](const std::string& call) {
    return AllOf(Field(&Violation::syscall, call),
                 Field(&Violation::path, "/etc/hostname"));
  };
  // Where it is executable, which is the host's doing.
  struct stat status;
  ASSERT_EQ(stat("/etc/hostname", &status), 0);
  if ((status.st_mode & 0111) != 0) {
    EXPECT_THAT(run->outcome().violations,
                ElementsAre(told("openat"), told("execve")));
  } else {
    EXPECT_THAT(run->outcome().violations, ElementsAre(told("openat")));
  }
}

TEST(VirtualFilesystemAttack, AWriteOutsideEndsARunThatAsksForThat) {
  ExecutionSpec spec = PythonSpec(
      "import os\nos.symlink('/etc/passwd', 'link')\n"
      "open('/tmp/own', 'w'); print('own', flush=True)\n"
      "open('/box/link', 'w'); print('went on')");
  spec.on_violation.filesystem = ViolationAction::kTerminate;
  const auto run = RunVirtual(spec);
  EXPECT_EQ(run->stdout_data(), "own\n");
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kFilesystemViolation);
}

// -------------------------------------------------------------------- limits

TEST(VirtualFilesystemAttack, TheDirectoriesCountAsDisk) {
  for (const std::string directory : {"/tmp", "/dev/shm", "/box"}) {
    ExecutionSpec spec =
        BashSpec(absl::StrCat("head -c 3000000 /dev/zero > ", directory,
                              "/f && echo written; for i in $(seq 100); do "
                              "head -c 9000000 /dev/zero > ",
                              directory, "/g$i; done; echo all; sleep 60"));
    spec.program.limits.disk_bytes = 64 << 20;
    const auto run = RunVirtual(spec);
    EXPECT_EQ(run->stdout_data(), "written\n");
    EXPECT_EQ(run->outcome().kind, OutcomeKind::kDiskLimit)
        << run->outcome().message;
  }
}

TEST(VirtualFilesystemAttack, AFileGrowsNoFurtherThanTheProgramCould) {
  ExecutionSpec spec = PythonSpec(
      "import os\nopen('/tmp/f', 'w').close()\n"
      "os.truncate('/tmp/f', 1 << 20); print(os.stat('/tmp/f').st_size, "
      "flush=True)\n"
      "os.truncate('/tmp/f', (1 << 20) + 1)\nprint('went on')");
  spec.program.limits.file_bytes = 1 << 20;
  const auto run = RunVirtual(spec);
  EXPECT_EQ(run->stdout_data(), "1048576\n") << run->stderr_data();
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kDiskLimit)
      << run->outcome().message;
}

// i386's numbers, by its own gate, are other calls than the same numbers of
// x86_64, of which these are on paths.
TEST(VirtualFilesystemAttack, TheCallsOfOtherArchitecturesEndTheRun) {
  for (const int number : {20, 2, 4, 80, 133, 316, 332}) {
    const auto run = RunTools(absl::StrCat(
        "import ctypes, mmap, struct\n"
        "code = mmap.mmap(-1, 4096, prot=7)\n"
        "code.write(b'\\xb8' + struct.pack('<I', ",
        number,
        ") + b'\\xcd\\x80\\xc3')\n"
        "address = ctypes.addressof(ctypes.c_char.from_buffer(code))\n"
        "print('ready', flush=True)\n"
        "ctypes.CFUNCTYPE(ctypes.c_int)(address)()\n"
        "print('went on')\n"));
    EXPECT_EQ(run->stdout_data(), "ready\n") << number;
    // A kernel without i386's calls faults at the gate.
    const bool has_none = run->outcome().kind == OutcomeKind::kSignaled &&
                          run->outcome().signal == SIGSEGV;
    EXPECT_TRUE(has_none ||
                run->outcome().kind == OutcomeKind::kSyscallViolation)
        << number << ": " << run->outcome().message;
  }
}

// What the supervisor does for a run is the run's own processor time.
TEST(VirtualFilesystemAttack, WalksCountAsTheRunsOwnTime) {
  ExecutionSpec spec = PythonSpec(absl::StrCat(
      kTools,
      "os.symlink('/tmp/' + './' * 10 + '../tmp/' * 400 + 'x', '/tmp/l')\n"
      "print('walks', flush=True)\n"
      "while True:\n"
      "    try: os.stat('/tmp/l')\n"
      "    except OSError: pass\n"));
  spec.program.limits.cpu_time = absl::Seconds(1);
  const auto run = RunVirtual(std::move(spec));
  EXPECT_EQ(run->stdout_data(), "walks\n");
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kCpuTimeLimit)
      << run->outcome().message;
}

TEST(VirtualFilesystemAttack, WaitingOpensEndWithTheRun) {
  ExecutionSpec spec = PythonSpec(
      "import os, threading\nos.mkfifo('/tmp/p')\n"
      "for mode in [os.O_RDONLY] * 100:\n"
      "    threading.Thread(target=os.open, args=('/tmp/p', mode)).start()\n"
      "print('waiting', flush=True)");
  spec.filesystem = Filesystem::kVirtual;
  spec.program.limits.wall_time = absl::Seconds(1);
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->stdout_data(), "waiting\n") << run->stderr_data();
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kWallTimeLimit);
}

// --------------------------------------------------------------------- races

// Two threads: `other` goes on and on while `body` does its work, `RaceSeconds`
// long, and counts in `did` what it was given of its own and in `reached` what
// of the host's.
ExecutionSpec Racing(const std::string& other, const std::string& body) {
  ExecutionSpec spec = CommandSpec({"./race"});
  spec.files = {
      {"race.c",
       absl::StrReplaceAll(
           "#define _GNU_SOURCE\n"
           "#include <fcntl.h>\n#include <pthread.h>\n"
           "#include <stdio.h>\n#include <string.h>\n"
           "#include <sys/stat.h>\n#include <sys/syscall.h>\n"
           "#include <time.h>\n#include <unistd.h>\n"
           "static volatile int over;\n"
           "static char path[64] = \"/box/own\";\n"
           "static int own_fd, other_fd, at_fd;\n"
           "static double now(void) {\n"
           "  struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t);\n"
           "  return t.tv_sec + t.tv_nsec / 1e9;\n"
           "}\n"
           "static void pause_(void) {\n"
           "  __asm__ volatile(\"\" ::: \"memory\");\n"
           "  for (volatile int i = 0; i < 5000; ++i) {}\n"
           "}\n"
           "static int is_own(int fd) {\n"
           "  char c = 0; if (fd < 0) return -1;\n"
           "  if (read(fd, &c, 1) != 1) c = 0;\n"
           "  close(fd); return c == 'o';\n"
           "}\n"
           "static void* other(void* p) {\n"
           "  while (!over) { OTHER } return p;\n"
           "}\n"
           "int main(void) {\n"
           "  int f = open(\"/box/own\", O_CREAT | O_WRONLY, 0600);\n"
           "  if (f < 0 || write(f, \"o\", 1) != 1) return 1;\n"
           "  mkdir(\"/tmp/dir\", 0700); link(\"own\", "
           "\"/tmp/dir/hostname\");\n"
           "  symlink(\"/etc\", \"/tmp/away\");\n"
           "  own_fd = open(\"/tmp/dir\", O_RDONLY);\n"
           "  other_fd = open(\"/usr\", O_RDONLY);\n"
           "  at_fd = dup(own_fd);\n"
           "  if (other_fd < 0 || at_fd < 0) return 2;\n"
           "  pthread_t t; pthread_create(&t, 0, other, 0);\n"
           "  long acts = 0, did = 0, reached = 0;\n"
           "  for (double end = now() + SECONDS; now() < end; ++acts) {"
           " BODY }\n"
           "  over = 1; pthread_join(t, 0);\n"
           "  printf(\"%d %d %ld\\n\", did > 0, did < acts, "
           "reached);\n"
           "}\n",
           {{"OTHER", other},
            {"BODY", body},
            {"SECONDS", absl::StrCat(RaceSeconds())}}),
       sandbox::FileMode::kRegular}};
  spec.program.limits = RaceLimits();
  spec.compile =
      CommandSpec({"/usr/bin/gcc", "-O1", "-pthread", "race.c", "-o", "race"})
          .program;
  return spec;
}

// Both were met, and nothing of the host's was reached.
constexpr const char* kRaced = "1 1 0\n";

constexpr const char* kRead =
    "int got = is_own(OPEN); did += got == 1; reached += got == 0;";

TEST(VirtualFilesystemRace, APathThatChangesMeanwhile) {
  const auto run = RunVirtual(
      Racing("strcpy(path, \"/etc/hostname\"); pause_();\n"
             "strcpy(path, \"/box/own\"); pause_();",
             absl::StrReplaceAll(kRead, {{"OPEN", "open(path, O_RDONLY)"}})));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
}

// A directory that the program is in by a race, as chdir(2) is its own.
TEST(VirtualFilesystemRace, ADirectoryOfTheHostsThatTheProgramIsIn) {
  const HostFile file("outside");
  const std::string name = file.path().substr(sizeof("/tmp/") - 1);
  const auto run = RunVirtual(Racing(
      "strcpy(path, \"/tmp\"); pause_(); strcpy(path, \"/usr\"); pause_();",
      absl::StrReplaceAll(
          "struct stat s; char c[99] = \"\"; chdir(path); getcwd(c, 99);\n"
          "reached += stat(\"NAME\", &s) == 0 || access(\"NAME\", 0) == 0 ||\n"
          "           open(\"NAME\", O_RDONLY) >= 0;\n"
          "did += !strcmp(c, \"/tmp\");",
          {{"NAME", name}})));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
}

TEST(VirtualFilesystemRace, ADirectoryThatChangesMeanwhile) {
  const auto run = RunVirtual(
      Racing("renameat2(AT_FDCWD, \"/tmp/dir\", AT_FDCWD, \"/tmp/away\", 2);"
             "pause_();",
             absl::StrReplaceAll(
                 kRead, {{"OPEN", "open(\"/tmp/dir/hostname\", O_RDONLY)"}})));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
}

TEST(VirtualFilesystemRace, ADescriptorThatChangesMeanwhile) {
  const auto run = RunVirtual(
      Racing("dup2(other_fd, at_fd); pause_(); dup2(own_fd, at_fd); pause_();",
             absl::StrReplaceAll(kRead, {{"OPEN",
                                          "openat(at_fd, \"../dir/hostname\", "
                                          "O_RDONLY)"}})));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
}

TEST(VirtualFilesystemRace, AFileThatBecomesALinkMeanwhile) {
  const auto run = RunVirtual(
      Racing("symlink(\"/etc/hostname\", \"/tmp/l\"); pause_();\n"
             "rename(\"/tmp/l\", \"/tmp/x\"); link(\"/box/own\", \"/tmp/y\");\n"
             "rename(\"/tmp/y\", \"/tmp/x\"); pause_();",
             "truncate(\"/tmp/x\", 1); chmod(\"/tmp/x\", 0600);\n" +
                 absl::StrReplaceAll(
                     kRead, {{"OPEN", "open(\"/tmp/x\", O_RDONLY)"}})));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
}

// A directory of the host's that everybody may write to, where this user may
// make one that no run sees its own in place of; else one that exists.
class HostDirectory {
 public:
  HostDirectory() {
    for (const char* where : {"/opt", "/srv", "/var/lib"}) {
      path_ = absl::StrCat(where, "/cordon-outside-", getpid());
      made_ =
          mkdir(path_.c_str(), 0777) == 0 && chmod(path_.c_str(), 0777) == 0;
      if (made_) return;
    }
    path_ = "/etc";
  }
  // Whether nothing was made in it.
  ~HostDirectory() {
    if (!made_) return;
    EXPECT_EQ(rmdir(path_.c_str()), 0);
  }
  HostDirectory(const HostDirectory&) = delete;
  HostDirectory& operator=(const HostDirectory&) = delete;

  const std::string& path() const { return path_; }
  bool made() const { return made_; }

 private:
  std::string path_;
  bool made_ = false;
};

// Of Racing: /tmp/dir is the run's own directory, or a link to one outside.
std::string SwapsWithALinkTo(const std::string& directory) {
  return absl::StrCat(
      "static int first = 1; if (first) { first = 0; "
      "unlink(\"/tmp/away\"); symlink(\"",
      directory,
      "\", \"/tmp/away\"); }\n"
      "renameat2(AT_FDCWD, \"/tmp/dir\", AT_FDCWD, \"/tmp/away\", 2);"
      "pause_();");
}

TEST(VirtualFilesystemRace, NamesAreMadeInOwnDirectoriesOnly) {
  const HostDirectory outside;
  const auto run = RunVirtual(
      Racing(SwapsWithALinkTo(outside.path()),
             absl::StrReplaceAll(
                 "char n[64]; sprintf(n, \"/tmp/dir/%ld\", acts);\n"
                 "int made = 0; switch (acts % 5) {\n"
                 "  case 0: made = mkdir(n, 0700) == 0; break;\n"
                 "  case 1: made = mknod(n, S_IFIFO | 0600, 0) == 0; break;\n"
                 "  case 2: made = symlink(\"x\", n) == 0; break;\n"
                 "  case 3: made = link(\"/box/own\", n) == 0; break;\n"
                 "  case 4: { int fd = open(n, O_CREAT | O_RDWR, 0600);\n"
                 "    made = fd >= 0; close(fd); break; } }\n"
                 "did += made;\n"
                 "char o[64]; sprintf(o, \"OUT/%ld\", acts); struct stat s;\n"
                 "reached += lstat(o, &s) == 0;\n"
                 "if (made && unlink(n) != 0) rmdir(n);",
                 {{"OUT", outside.path()}})));
  EXPECT_EQ(run->stdout_data(), kRaced)
      << run->stderr_data() << run->outcome().message;
}

// Everything else that the supervisor changes by a path.
TEST(VirtualFilesystemRace, WhatIsOutsideStaysAsItIs) {
  const HostDirectory outside;
  const std::string name = outside.made() ? "victim" : "hostname";
  const std::string victim = absl::StrCat(outside.path(), "/", name);
  if (outside.made()) {
    std::ofstream(victim) << "secret";
    ASSERT_EQ(chmod(victim.c_str(), 0666), 0);
  }
  struct stat before;
  ASSERT_EQ(stat(victim.c_str(), &before), 0);
  const auto run = RunVirtual(Racing(
      SwapsWithALinkTo(outside.path()),
      absl::StrReplaceAll(
          "int f = open(VICTIM, O_CREAT | O_WRONLY, 0600);\n"
          "if (f >= 0) { write(f, \"o\", 1); close(f); }\n"
          "int r = -1; switch (acts % 8) {\n"
          "  case 0: r = unlink(VICTIM); break;\n"
          "  case 1: r = rename(VICTIM, \"/tmp/gone\"); break;\n"
          "  case 2: r = chmod(VICTIM, 0611); break;\n"
          "  case 3: { struct timespec t[2] = {{7, 0}, {7, 0}};\n"
          "    r = utimensat(AT_FDCWD, VICTIM, t, 0); break; }\n"
          "  case 4: r = truncate(VICTIM, 0); break;\n"
          "  case 5: r = open(VICTIM, O_WRONLY | O_TRUNC); if (r >= 0) "
          "close(r);\n"
          "    break;\n"
          "  case 6: r = rename(\"/box/own2\", VICTIM);\n"
          "    link(\"/box/own\", \"/box/own2\"); break;\n"
          "  case 7: r = link(VICTIM, \"/tmp/l\");\n"
          "    if (r == 0) { char c = 0; int q = open(\"/tmp/l\", O_RDONLY);\n"
          "      reached += read(q, &c, 1) == 1 && c != 'o';\n"
          "      close(q); unlink(\"/tmp/l\"); } break; }\n"
          "did += r >= 0;",
          {{"VICTIM", absl::StrCat("\"/tmp/dir/", name, "\"")}})));
  EXPECT_EQ(run->stdout_data(), kRaced)
      << run->stderr_data() << run->outcome().message;
  struct stat after;
  ASSERT_EQ(stat(victim.c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(after.st_size, before.st_size);
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_nlink, before.st_nlink);
  EXPECT_EQ(after.st_mtime, before.st_mtime);
  if (outside.made()) {
    EXPECT_EQ(unlink(victim.c_str()), 0);
  }
}

// A signal's handler runs where the redirected call keeps its path.
TEST(VirtualFilesystemRace, HandlersOfSignalsWhileCallsAreRedirected) {
  ExecutionSpec spec = CommandSpec({"./storm"});
  spec.files = {
      {"storm.c",
       "#include <signal.h>\n#include <stdio.h>\n#include <string.h>\n"
       "#include <sys/stat.h>\n#include <sys/time.h>\n"
       "#include <sys/wait.h>\n#include <time.h>\n#include <unistd.h>\n"
       "static volatile long handled;\n"
       "static void handle(int s) {\n"
       "  char use[20000]; memset(use, 'x', sizeof(use));\n"
       "  __asm__ volatile(\"\" :: \"r\"(use) : \"memory\"); ++handled; }\n"
       "int main(int argc, char** argv) {\n"
       "  if (argc > 1) return argc == 3 && !strcmp(argv[2], \"y\") ? 7 : 1;\n"
       "  signal(SIGALRM, handle); mkdir(\"/tmp/d\", 0700);\n"
       "  if (link(\"storm\", \"/tmp/storm\")) return 2;\n"
       "  struct itimerval t = {{0, 300}, {0, 300}};\n"
       "  setitimer(ITIMER_REAL, &t, 0);\n"
       "  long wrong = 0; struct timespec b, n;\n"
       "  clock_gettime(CLOCK_MONOTONIC, &b);\n"
       "  do {\n"
       "    wrong += chdir(\"/tmp/d\") != 0; wrong += chdir(\"/box\") != 0;\n"
       "    pid_t c = fork(); int status = 7 << 8;\n"
       "    if (c == 0) { setitimer(ITIMER_REAL, &t, 0);\n"
       "      char* a[] = {\"x\", \"x\", \"y\", 0}; execv(\"/tmp/storm\", a);\n"
       "      _exit(3); }\n"
       "    while (c > 0 && waitpid(c, &status, 0) < 0) {}\n"
       "    wrong += WIFEXITED(status) && WEXITSTATUS(status) != 7;\n"
       "    clock_gettime(CLOCK_MONOTONIC, &n);\n"
       "  } while (n.tv_sec < b.tv_sec + 3);\n"
       "  printf(\"%ld %d\\n\", wrong, handled > 100);\n"
       "}\n",
       sandbox::FileMode::kRegular}};
  spec.compile =
      CommandSpec({"/usr/bin/gcc", "-O1", "-w", "storm.c", "-o", "storm"})
          .program;
  const auto run = RunVirtual(spec);
  EXPECT_EQ(run->stdout_data(), "0 1\n")
      << run->stderr_data() << run->outcome().message;
}

// Threads that are held, killed, stopped and replaced while they are.
TEST(VirtualFilesystemRace, ProgramsThatEndWhileTheyAreRedirected) {
  const auto run = RunTools(
      "os.mkdir('/tmp/d')\n"
      "import random, shutil, subprocess\n"
      "shutil.copy('/bin/true', '/tmp/true')\n"
      "def storm():\n"
      "    while True: os.chdir('/tmp/d'); os.chdir('/box')\n"
      "end = time.monotonic() + 3; ended = went = 0\n"
      "while time.monotonic() < end:\n"
      "    child = os.fork()\n"
      "    if child == 0:\n"
      "        for _ in range(2): threading.Thread(target=storm).start()\n"
      "        time.sleep(random.random() / 500)\n"
      "        if random.random() < .5: os.execv('/tmp/true', ['x'])\n"
      "        time.sleep(60)\n"
      "    time.sleep(random.random() / 100)\n"
      "    if random.random() < .3: os.kill(child, signal.SIGSTOP)\n"
      "    if random.random() < .3: os.kill(child, signal.SIGCONT)\n"
      "    if random.random() < .7: time.sleep(.01); os.kill(child, 9)\n"
      "    else:\n"
      "        time.sleep(.02); os.kill(child, 9)\n"
      "    status = os.waitpid(child, 0)[1]\n"
      "    ended += status == 9; went += status == 0\n"
      "print(ended > 0, went > 0, subprocess.run(['/tmp/true']).returncode,"
      " flush=True)\n"
      "for _ in range(8): threading.Thread(target=storm).start()\n"
      "time.sleep(.2); os._exit(7)\n");
  EXPECT_EQ(run->stdout_data(), "True True 0\n") << run->stderr_data();
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited)
      << run->outcome().message;
  EXPECT_EQ(run->outcome().exit_code, 7);
}

// Whoever attaches to a thread waits while another thread of that process
// executes a program, which waits in turn for threads that are held. What a
// program does of this costs nobody else.
TEST(VirtualFilesystemRace, ThreadsThatAreHeldWhileAnotherExecutesAProgram) {
  ExecutionSpec spec = CommandSpec({"./knot"});
  spec.files = {
      {"knot.c",
       "#include <pthread.h>\n#include <signal.h>\n#include <sys/wait.h>\n"
       "#include <unistd.h>\n"
       "static void* change(void* unused) {\n"
       "  for (;;) { chdir(\"/tmp\"); chdir(\"/box\"); } }\n"
       "static void* replace(void* unused) { usleep(300);\n"
       "  char* a[] = {\"true\", 0}; execv(\"/bin/true\", a); return 0; }\n"
       "int main(void) {\n"
       "  for (int i = 0;; ++i) {\n"
       "    if (i >= 4) wait(0);\n"
       "    if (fork() == 0) { pthread_t t; int n;\n"
       "      for (n = 0; n < 8; ++n) pthread_create(&t, 0, change, 0);\n"
       "      for (n = 0; n < 2; ++n) pthread_create(&t, 0, replace, 0);\n"
       "      change(0); } } }\n",
       sandbox::FileMode::kRegular}};
  spec.compile = CommandSpec({"/usr/bin/gcc", "-O1", "-w", "-pthread", "knot.c",
                              "-o", "knot"})
                     .program;
  spec.program.limits.wall_time = absl::Minutes(2);
  spec.program.limits.cpu_time = absl::Minutes(4);
  spec.filesystem = Filesystem::kVirtual;
  auto knot = std::make_shared<RecordingObserver>();
  const std::shared_ptr<sandbox::Run> run =
      SharedSandbox().sandbox().Start(std::move(spec), knot);
  // Of either kind, on every loop.
  for (int i = 0; i < 40; ++i) {
    const auto other = RunVirtual(BashSpec("cd /tmp; pwd"));
    EXPECT_EQ(other->stdout_data(), "/tmp\n") << other->outcome().message;
    const auto plain = SharedSandbox().Run(CommandSpec({"/bin/true"}));
    EXPECT_EQ(plain->outcome().kind, OutcomeKind::kExited);
  }
  EXPECT_TRUE(absl::IsUnknown(knot->result().status()));  // It goes on.
  run->Cancel();
  knot->WaitForEnd();
  EXPECT_TRUE(absl::IsCancelled(knot->result().status()))
      << knot->result().status();
}

// The thread that executes a program takes over the first thread's id, while
// that one is held: nobody is told (ptrace(2)).
TEST(VirtualFilesystemRace, FirstThreadsThatAreHeldWhileAnotherExecutes) {
  ExecutionSpec spec = CommandSpec({"./knot"});
  spec.files = {
      {"knot.c",
       "#include <pthread.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
       "#include <sys/wait.h>\n#include <time.h>\n#include <unistd.h>\n"
       "static void* change(void* unused) { for (;;) chdir(\"/tmp\"); }\n"
       "static void* replace(void* unused) { usleep(300 + rand() % 2000);\n"
       "  execl(\"/bin/true\", \"true\", (char*)0); _exit(3); }\n"
       "int main(void) {\n"
       "  int gone = 0, status;\n"
       "  for (time_t end = time(0) + 3; time(0) < end; ++gone) {\n"
       "    srand(gone);\n"
       "    if (fork() == 0) { pthread_t t; int n;\n"
       "      for (n = 0; n < 3; ++n) pthread_create(&t, 0, change, 0);\n"
       "      pthread_create(&t, 0, replace, 0);\n"
       "      change(0); }\n"
       "    wait(&status); if (status != 0) break; }\n"
       "  printf(\"%d\\n\", gone > 0); return 0; }\n",
       sandbox::FileMode::kRegular}};
  spec.compile = CommandSpec({"/usr/bin/gcc", "-O1", "-w", "-pthread", "knot.c",
                              "-o", "knot"})
                     .program;
  const auto run = RunVirtual(std::move(spec));
  EXPECT_EQ(run->stdout_data(), "1\n") << run->outcome().message;
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited)
      << run->outcome().message;
}

}  // namespace
}  // namespace cordon::testing
