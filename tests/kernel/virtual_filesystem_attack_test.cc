// Attacks on a file system of the run's own. Landlock binds the program and not
// the supervisor, which acts for it: nothing that the supervisor does may reach
// past what the program could.

#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"
#include "tests/kernel/virtual_run.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::OutcomeKind;
using sandbox::Violation;
using sandbox::ViolationAction;
using sandbox::ViolationKind;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;

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
      "for way in entry, entry + '/task', '/proc/self/../%d' % other:\n"
      "    attempt(lambda: os.lstat(way)); attempt(lambda: os.chdir(way))\n"
      "os.chdir('/proc'); attempt(lambda: os.lstat(str(other)))\n"
      "attempt(lambda: os.chdir(str(other))); os.chdir('/box')\n"
      "attempt(lambda: read('/proc/self/status'))\n"
      "child = os.fork()\n"
      "if child == 0: time.sleep(60)\n"
      "attempt(lambda: read('/proc/%d/status' % child))\n"
      "os.kill(child, 9)\n");
  const auto run = RunTools(act);
  EXPECT_EQ(run->stdout_data(), Repeated("EACCES\n", 1 + 8 + 4 + 6 + 2) +
                                    Repeated("DONE Name:\t\n", 2))
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

// By the kernel's own walk, which nobody makes for the program.
TEST(VirtualFilesystemAttack, NoDirectoryOrProgramOfTheHostsIsReached) {
  const HostFile file("outside");
  const auto run = RunTools(absl::StrCat(
      "path = '", file.path(),
      "'\n"
      "ways = [way + path for way in ('', '/proc/self/root', "
      "'/dev/fd/../root',\n"
      "        '/proc/thread-self/root', '/proc/net/../root', '/usr/..')]\n"
      "for way in ways:\n"
      "    attempt(lambda: os.chdir(way)); attempt(lambda: os.execv(way, "
      "['x']))\n"
      "here = []\n"
      "for way in '/tmp', '/proc/self/root/tmp', "
      "'/dev/shm/../fd/../root/tmp':\n"
      "    os.chdir(way); here.append(os.getcwd())\n"
      "    write('own'); os.stat('own'); os.unlink('own')\n"
      "print(here)\n"
      "os.chdir('/proc/self'); print(os.getcwd() == '/proc/%d' % os.getpid())\n"
      "sys.stdout.flush()\n"
      "os.execv('/proc/self/exe', ['python3', '-c', 'print(\"again\")'])\n"));
  std::string answers = absl::StrReplaceAll(
      run->stdout_data(), {{"EACCES", "no"}, {"ENOENT", "no"}});
  EXPECT_EQ(answers,
            Repeated("no\n", 12) + "['/tmp', '/tmp', '/tmp']\nTrue\nagain\n")
      << run->stderr_data();
}

// Each once ended the server.
TEST(VirtualFilesystemAttack, TemporaryFilesInWhatIsNoDirectory) {
  const auto run = RunTools(
      "os.mkfifo('/tmp/p'); open('/tmp/f', 'w').close()\n"
      "flags = os.O_TMPFILE | os.O_RDWR\n"
      "for path in '/dev/stdout', '/tmp/p', '/tmp/f', '/proc/self/stat':\n"
      "    for more in 0, os.O_NONBLOCK, os.O_CREAT, os.O_PATH, os.O_EXCL:\n"
      "        attempt(lambda: os.open(path, flags | more))\n"
      "attempt(lambda: os.close(os.open('/tmp', flags)))\n"
      "attempt(lambda: os.open('/tmp/new', os.O_CREAT | os.O_DIRECTORY))\n"
      "print(os.path.exists('/tmp/new'))\n");
  EXPECT_EQ(run->stdout_data(),
            Repeated("ENOTDIR\nENOTDIR\nEINVAL\nENOTDIR\nENOTDIR\n", 4) +
                "DONE None\nEINVAL\nFalse\n")
      << run->stderr_data() << run->outcome().message;
}

// Not what only root could have changed, and nothing that is nowhere.
TEST(VirtualFilesystemAttack, NoReportOfWhatIsNoBreach) {
  const auto run = RunTools(
      "def quietly(act, *arguments):\n"
      "    try: act(*arguments)\n"
      "    except OSError: pass\n"
      "for path in ('/usr/bin/env', '/dev/null', '/dev/stdout', '/proc/self',\n"
      "             '/proc/self/stat', '/proc/self/fd/1'):\n"
      "    quietly(os.chmod, path, 0o777); quietly(os.utime, path, (0, 0))\n"
      "for _ in range(30):\n"
      "    quietly(os.mkdir, 'd' * 200); quietly(os.chdir, 'd' * 200)\n"
      "quietly(open, 'f', 'w')\n"
      "print('went on')\n");
  EXPECT_EQ(run->stdout_data(), "went on\n") << run->stderr_data();
  EXPECT_THAT(run->outcome().violations, IsEmpty());
}

// The supervisor may read more links of /proc than the program, and is "self"
// to itself.
TEST(VirtualFilesystemAttack, LinksOfOtherProcessesAreNotRead) {
  const std::string act = absl::StrCat(
      "other = ", getpid(),
      "\n"
      "def into(path): os.chdir(path); return os.getcwd()\n"
      "ways = ['%s/%d/%s' % (where, other, name)\n"
      "        for where in ('/proc', '/tmp/../proc', '/proc/self/..')\n"
      "        for name in ('', 'exe', 'cwd', 'root', 'fd/0', 'ns/net')]\n"
      "for way in ways: attempt(lambda: os.readlink(way))\n"
      "for way in ways: attempt(lambda: os.stat(way))\n"
      "for way in ways: attempt(lambda: into(way))\n"
      "for way in ways: attempt(lambda: os.lstat(way))\n"
      "here = str(os.getpid())\n"
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
            Repeated("EACCES\n", 4 * 18) + "True\nTrue\nTrue True\nTrue\n")
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
  spec.filesystem = sandbox::Filesystem::kVirtual;
  spec.program.limits.wall_time = absl::Seconds(1);
  const auto run = SharedSandbox().Run(spec);
  EXPECT_EQ(run->stdout_data(), "waiting\n") << run->stderr_data();
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kWallTimeLimit);
}

}  // namespace
}  // namespace cordon::testing
