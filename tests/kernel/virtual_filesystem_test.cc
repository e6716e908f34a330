// A file system of the run's own: what programs expect of /tmp, /dev/shm,
// /proc/self and a working directory with a fixed name, by every call that
// takes a path.

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::FileMode;
using sandbox::Filesystem;
using sandbox::OutcomeKind;
using ::testing::IsEmpty;

std::shared_ptr<RecordingObserver> RunVirtual(ExecutionSpec spec) {
  spec.filesystem = Filesystem::kVirtual;
  return SharedSandbox().Run(std::move(spec));
}

// What a shell script prints, with what it complains of.
std::string Shell(const std::string& script) {
  const auto run = RunVirtual(BashSpec(absl::StrCat("exec 2>&1\n", script)));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited)
      << run->outcome().message;
  EXPECT_THAT(run->violations(), IsEmpty());
  return run->stdout_data();
}

std::string Python(const std::string& code) {
  const auto run = RunVirtual(PythonSpec(code));
  EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited)
      << run->outcome().message;
  EXPECT_EQ(run->stderr_data(), "");
  EXPECT_THAT(run->violations(), IsEmpty());
  return run->stdout_data();
}

TEST(VirtualFilesystem, TheWorkingDirectoryHasAFixedName) {
  EXPECT_EQ(Shell("pwd; /bin/pwd; echo $HOME $TMPDIR $PWD"),
            "/box\n/box\n/box /tmp /box\n");
}

TEST(VirtualFilesystem, FilesAreWhatTheyAreUnderEitherName) {
  EXPECT_EQ(Shell("echo one > /box/a; cat a; echo two >> a; cat /box/a;"
                  "ls /box; stat -c %s /box/a; readlink -f a"),
            "one\none\ntwo\na\n8\n/box/a\n");
}

TEST(VirtualFilesystem, TemporaryFiles) {
  EXPECT_EQ(
      Shell("f=$(mktemp); echo x > $f; cat $f; case $f in /tmp/*) echo "
            "tmp;; esac; d=$(mktemp -d); echo y > $d/f; mv $d/f $d/g; "
            "cat $d/g; rm -r $d $f; ls -A /tmp; stat -c %a /tmp /var/tmp"),
      "x\ntmp\ny\n1777\n1777\n");
}

TEST(VirtualFilesystem, NamesAreMadeMovedLinkedAndRemoved) {
  EXPECT_EQ(Shell("cd /tmp; pwd; mkdir -p /tmp/a/b; echo 1 > /tmp/a/b/f;"
                  "ln -s /tmp/a/b/f /tmp/s; cat /tmp/s; readlink /tmp/s;"
                  "ln /tmp/a/b/f /tmp/h; stat -c %h /tmp/h; mv /tmp/h /box/h;"
                  "cat /box/h; cd /tmp/a; cat ../s ../../box/h; cat b/f;"
                  "chmod 640 /tmp/s; stat -c %a /tmp/a/b/f;"
                  "touch -d @77 /tmp/s; stat -c %Y /box/h;"
                  "truncate -s 9 /tmp/s; stat -c %s /box/h; rm /tmp/s;"
                  "rm -r /tmp/a; ls /tmp; rmdir /tmp"),
            "/tmp\n1\n/tmp/a/b/f\n2\n1\n1\n1\n1\n640\n77\n9\n"
            "rmdir: failed to remove '/tmp': Device or resource busy\n");
}

TEST(VirtualFilesystem, ProgramsAreExecutedAndDirectoriesEntered) {
  EXPECT_EQ(Shell("cp /bin/echo /tmp/e; /tmp/e hello; mkdir /tmp/d; cd /tmp/d;"
                  "/bin/pwd; cp /bin/echo .; ./echo there; ../e up;"
                  "printf '#!/bin/sh\\necho script $0 $1\\n' > /tmp/s;"
                  "chmod +x /tmp/s; /tmp/s x;"
                  "cd /box; PATH=/tmp:$PATH e path; /tmp/none; echo $?;"
                  "/tmp/d; echo $?; cd /tmp/none; cd /tmp/e"),
            "hello\n/tmp/d\nthere\nup\nscript /tmp/s x\npath\n"
            "/bin/bash: line 2: /tmp/none: No such file or directory\n127\n"
            "/bin/bash: line 2: /tmp/d: Is a directory\n126\n"
            "/bin/bash: line 2: cd: /tmp/none: No such file or directory\n"
            "/bin/bash: line 2: cd: /tmp/e: Not a directory\n");
}

TEST(VirtualFilesystem, AnInterpreterOfTheRunsOwn) {
  EXPECT_EQ(Shell("cp /bin/bash /box/b; printf '#!/box/b -e\\n"
                  "echo $0 $# $1 $2\\nfalse\\necho no\\n' > s; chmod +x s;"
                  "./s x 'y z'; /box/s; PATH=/box:$PATH s '';"
                  "python3 -m venv --without-pip /tmp/v;"
                  "printf '#!/tmp/v/bin/python\\nimport sys; print(sys.prefix, "
                  "sys.argv)\\n' > /tmp/v/bin/t; chmod +x /tmp/v/bin/t;"
                  "/tmp/v/bin/t 1; cd /tmp/v/bin; ./t 2;"
                  "printf '#!/tmp/none\\n' > /tmp/n; chmod +x /tmp/n; /tmp/n"),
            "./s 2 x y z\n/box/s 0\n/box/s 1\n/tmp/v ['/tmp/v/bin/t', '1']\n"
            "/tmp/v ['./t', '2']\n/bin/bash: line 2: /tmp/n: cannot execute: "
            "required file not found\n");
}

TEST(VirtualFilesystem, FifosMeet) {
  EXPECT_EQ(Shell("mkfifo /tmp/p; (sleep .05; echo over > /tmp/p) & cat /tmp/p;"
                  "wait; (sleep .05; cat /tmp/p) & echo back > /tmp/p; wait;"
                  "cat <(echo substituted); exec 3<>/tmp/p; echo both >&3;"
                  "read -r line <&3; echo $line;"
                  "timeout .2 cat < /tmp/none; (timeout .1 cat) < /dev/null;"
                  "rm /tmp/p; ls /tmp"),
            "over\nback\nsubstituted\nboth\n"
            "/bin/bash: line 2: /tmp/none: No such file or directory\n");
  EXPECT_EQ(Python("import os, signal\n"
                   "os.mkfifo('/tmp/p')\n"
                   "def stop(*_): raise TimeoutError\n"
                   "signal.signal(signal.SIGALRM, stop)\n"
                   "signal.setitimer(signal.ITIMER_REAL, .05)\n"
                   "try: open('/tmp/p')\n"
                   "except TimeoutError: print('interrupted')\n"
                   "try: os.open('/tmp/p', os.O_WRONLY | os.O_NONBLOCK)\n"
                   "except OSError as error: print(error.strerror)\n"),
            "interrupted\nNo such device or address\n");
}

TEST(VirtualFilesystem, Sockets) {
  EXPECT_EQ(Python("import socket\n"
                   "s = socket.socket(socket.AF_UNIX); s.bind('/tmp/s')\n"
                   "s.listen()\n"
                   "for name in '/tmp/s', '/var/tmp/s', '/box/../tmp/s':\n"
                   "  c = socket.socket(socket.AF_UNIX); c.connect(name)\n"
                   "  s.accept()[0].send(b'x'); print(c.recv(1))\n"
                   "for name in '/tmp/none', '/box/none':\n"
                   "  try: socket.socket(socket.AF_UNIX).connect(name)\n"
                   "  except OSError as error: print(error.strerror)\n"),
            "b'x'\nb'x'\nb'x'\nNo such file or directory\n"
            "No such file or directory\n");
}

TEST(VirtualFilesystem, WhatTheRestOfTheCallsSay) {
  EXPECT_EQ(
      Python("import ctypes, errno, os, stat, tempfile\n"
             "def name(act):\n"
             "  try: return act()\n"
             "  except OSError as e: return errno.errorcode[e.errno]\n"
             "os.umask(0o027); os.mkdir('/tmp/d', 0o777)\n"
             "open('/tmp/d/f', 'w').close()\n"
             "print([oct(os.stat(p).st_mode & 0o7777) for p in "
             "('/tmp/d', '/tmp/d/f')])\n"
             "os.umask(0); os.mkdir('/tmp/e', 0o777); os.close(os.open("
             "'/tmp/e/f', os.O_CREAT | os.O_WRONLY, 0o666))\n"
             "print([oct(os.stat(p).st_mode & 0o7777) for p in "
             "('/tmp/e', '/tmp/e/f')])\n"
             "print(os.access('/tmp/d', os.W_OK), os.access('/tmp/d/f', "
             "os.X_OK))\n"
             "print(os.statvfs('/tmp').f_bsize == os.statvfs('.').f_bsize)\n"
             "os.symlink('d', '/tmp/l'); print(os.path.islink('/tmp/l'), "
             "os.listdir('/tmp/l'))\n"
             "print(name(lambda: os.open('/tmp/l', os.O_NOFOLLOW)))\n"
             "print(name(lambda: os.open('/tmp/l', os.O_CREAT | os.O_EXCL)))\n"
             "print(name(lambda: os.open('/tmp/d/f/', os.O_RDONLY)))\n"
             "print(name(lambda: os.open('/tmp/d', os.O_WRONLY)))\n"
             "print(name(lambda: os.mkdir('/tmp/d')))\n"
             "print(name(lambda: os.rmdir('/tmp/d')))\n"
             "print(name(lambda: os.unlink('/tmp/d')))\n"
             "print(name(lambda: os.open('/tmp/d/f/g', os.O_RDONLY)))\n"
             "print(name(lambda: os.open('/tmp/' + 'x' * 256, 0)))\n"
             "os.symlink('m', '/tmp/m'); print(name(lambda: open('/tmp/m')))\n"
             "print(os.listxattr('/tmp/d'))\n"
             "with tempfile.TemporaryFile() as f: f.write(b'x'); "
             "print(f.tell())\n"
             "os.chmod('/tmp/d', 0); print(name(lambda: os.listdir('/tmp/d')))"
             "\n"
             "os.chmod('/tmp/d', 0o700); os.chdir('/tmp/d'); os.rmdir('/tmp/e')"
             " if not os.remove('/tmp/e/f') else 0\n"
             "os.remove('f'); os.rmdir('/tmp/d'); print(name(os.getcwd))\n"),
      "['0o750', '0o640']\n['0o777', '0o666']\nTrue False\nTrue\n"
      "True ['f']\nELOOP\nEEXIST\nENOTDIR\nEISDIR\nEEXIST\nENOTEMPTY\n"
      "EISDIR\nENOTDIR\nENAMETOOLONG\nELOOP\n[]\n1\nEACCES\nENOENT\n");
}

// What the kernel says where a name is none, or more is asked than may be.
TEST(VirtualFilesystem, WhatIsRefusedIsRefusedForTheSystemsReason) {
  EXPECT_EQ(
      Python(
          "import errno, os, resource, signal\n"
          "def name(act):\n"
          "  try: return act()\n"
          "  except OSError as e: return errno.errorcode[e.errno]\n"
          "os.mkdir('/tmp/d'); os.symlink('d', '/tmp/l')\n"
          "print(name(lambda: os.rmdir('/tmp/l/')),"
          " name(lambda: os.unlink('/tmp/l/')),"
          " name(lambda: os.rename('/tmp/l/', '/tmp/m')),"
          " name(lambda: os.rename('/tmp/d', '/tmp/l/')),"
          " sorted(os.listdir('/tmp')))\n"
          "print(name(lambda: os.rmdir('/tmp/d/.')),"
          " name(lambda: os.rmdir('/tmp/d/d/..')),"
          " name(lambda: os.rmdir('/tmp/d/')), name(lambda: os.rmdir('/tmp')),"
          " name(lambda: os.unlink('/tmp/l/.')))\n"
          "os.umask(0); f = os.open('/tmp', os.O_TMPFILE | os.O_RDWR, 0o666)\n"
          "print(oct(os.fstat(f).st_mode & 0o7777))\n"
          "os.write(f, b'named'); d = os.open('/tmp', os.O_RDONLY)\n"
          "os.link(f'/proc/self/fd/{f}', '/tmp/named', src_dir_fd=d)\n"
          "print(open('/tmp/named').read())\n"
          "open('/tmp/r', 'w').write('#!/bin/sh\\r\\n')\n"
          "os.chmod('/tmp/r', 0o700)\n"
          "print(name(lambda: os.execv('/tmp/r', ['r'])))\n"
          "open('/tmp/f', 'w').write('x' * 50)\n"
          "if os.fork() == 0:\n"
          "  hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
          "  resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))\n"
          "  os.truncate('/tmp/f', 100); os.truncate('/tmp/f', 101)\n"
          "print(os.wait()[1] == signal.SIGXFSZ, os.stat('/tmp/f').st_size)"
          "\n"),
      "ENOTDIR ENOTDIR ENOTDIR ENOTDIR ['d', 'l']\n"
      "EINVAL ENOENT None EBUSY ENOENT\n0o666\nnamed\nENOENT\nTrue 100\n");
}

// Paths and arguments longer than what is put on a small stack.
TEST(VirtualFilesystem, LongPathsAndArguments) {
  EXPECT_EQ(
      Python("import os, shutil, subprocess\n"
             "deep = '/tmp/' + '/'.join(['d' * 100] * 9); os.makedirs(deep)\n"
             "for i in range(20): os.chdir('/box'); os.chdir(deep)\n"
             "print(os.getcwd() == deep)\n"
             "shutil.copy('/bin/echo', deep + '/e')\n"
             "print(subprocess.run([deep + '/e', 'x'], capture_output=True)"
             ".stdout)\n"
             "open('/tmp/s', 'w').write('#!/tmp/b -eu\\necho $0 $# ${1000}')\n"
             "shutil.copy('/bin/bash', '/tmp/b'); os.chmod('/tmp/s', 0o700)\n"
             "many = [str(i) for i in range(2000)]\n"
             "print(subprocess.run(['/tmp/s', *many], capture_output=True)"
             ".stdout)\n"),
      "True\nb'x\\n'\nb'/tmp/s 2000 999\\n'\n");
}

TEST(VirtualFilesystem, SharedMemoryAndSemaphores) {
  EXPECT_EQ(Python("from multiprocessing import *\n"
                   "from multiprocessing import shared_memory\n"
                   "def add(lock, value, queue):\n"
                   "  for _ in range(100):\n"
                   "    with lock: value.value += 1\n"
                   "  queue.put(1)\n"
                   "lock, value, queue = Lock(), Value('i', 0), Queue()\n"
                   "all = [Process(target=add, args=(lock, value, queue)) "
                   "for _ in range(3)]\n"
                   "[p.start() for p in all]; [p.join() for p in all]\n"
                   "print(value.value, sum(queue.get() for _ in all))\n"
                   "with Pool(2) as pool: print(pool.map(abs, [-1, -2]))\n"
                   "s = shared_memory.SharedMemory(create=True, size=4096)\n"
                   "s.buf[0] = 7\n"
                   "t = shared_memory.SharedMemory(s.name)\n"
                   "print(t.buf[0]); t.close(); s.close(); s.unlink()\n"
                   "with Manager() as m:\n"
                   "  d = m.dict(); d['x'] = 1; print(d)\n"
                   "import os; print(os.listdir('/dev/shm'))\n"),
            "300 3\n[1, 2]\n7\n{'x': 1}\n[]\n");
}

TEST(VirtualFilesystem, TheOwnProcess) {
  EXPECT_EQ(
      Python("import os, sys\n"
             "p = '/proc/self/'\n"
             "print(open(p + 'comm').read().strip())\n"
             "print(open(p + 'status').readline().split()[1])\n"
             "print(os.readlink(p + 'cwd'), os.readlink('/proc/self') == "
             "str(os.getpid()))\n"
             "f = open('/tmp/f', 'w+'); f.write('data'); f.flush()\n"
             "print(os.readlink(p + 'fd/%d' % f.fileno()))\n"
             "print(open(p + 'fd/%d' % f.fileno()).read())\n"
             "print(open('/dev/fd/%d' % f.fileno()).read())\n"
             "os.unlink('/tmp/f')\n"
             "print(open(p + 'fd/%d' % f.fileno()).read())\n"
             "sys.stdout.flush(); open('/dev/stdout', 'w').write('out\\n')\n"
             "print(sorted(os.listdir(p + 'fd'))[:3])\n"
             "print(str(os.getpid()) in os.listdir(p + 'task'))\n"
             "print('/proc' in open('/proc/%d/maps' % os.getpid()).read())\n"
             "print(os.path.realpath(p + 'exe')[:15])\n"),
      "python3\npython3\n/box True\n/tmp/f\ndata\ndata\ndata\nout\n"
      "['0', '1', '2']\nTrue\nFalse\n/usr/bin/python\n");
}

}  // namespace
}  // namespace cordon::testing
