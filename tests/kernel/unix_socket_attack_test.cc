// Unix sockets: a run's own work, in its own directory; nobody else's are in
// reach, and none of its own is reachable under a name outside.

#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"
#include "tests/kernel/host_servers.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::Violation;
using sandbox::ViolationKind;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kTools =
    "import errno, os, signal, socket, sys, threading\n"
    "def attempt(act):\n"
    "    try: act(); print('DONE')\n"
    "    except OSError as error: print(errno.errorcode[error.errno])\n"
    "def server(path):\n"
    "    s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(); return "
    "s\n"
    "def connect(path):\n"
    "    s = socket.socket(socket.AF_UNIX); s.connect(path); return s\n";

std::shared_ptr<RecordingObserver> RunTools(const std::string& act) {
  ExecutionSpec spec = PythonSpec(kTools + act);
  spec.program.limits.wall_time = absl::Seconds(30);
  return SharedSandbox().Run(spec);
}

auto Denied(const std::string& call, const std::string& address) {
  return AllOf(Field(&Violation::kind, ViolationKind::kNetwork),
               Field(&Violation::syscall, call),
               Field(&Violation::address, address));
}

// ------------------------------------------------------------------ its own

TEST(UnixSockets, ARunReachesItsOwnServers) {
  const auto run = RunTools(
      "os.mkdir('deep')\n"
      "for path in 'here', './there', 'deep/down', os.path.abspath('whole'):\n"
      "    s = server(path)\n"
      "    client = connect(path); peer = s.accept()[0]\n"
      "    client.sendall(b'question'); assert peer.recv(9) == b'question'\n"
      "    peer.close(); assert client.recv(9) == b''\n"
      "    connect(s.getsockname()); s.accept()\n"
      "    assert connect(os.path.abspath(path)) and s.accept()\n"
      "    os.unlink(path)\n"
      "os.symlink('deep', 'link'); s = server('link/sock'); "
      "connect('link/sock')\n"
      "print('DONE')");
  EXPECT_EQ(run->stdout_data(), "DONE\n") << run->stderr_data();
  EXPECT_THAT(run->outcome().violations, IsEmpty());
}

TEST(UnixSockets, LibrariesWork) {
  const auto run = RunTools(
      "import asyncio, multiprocessing, socketserver\n"
      "async def main():\n"
      "    async def answer(reader, writer):\n"
      "        writer.write(await reader.readline()); writer.close()\n"
      "    s = await asyncio.start_unix_server(answer, 'async')\n"
      "    reader, writer = await asyncio.open_unix_connection('async')\n"
      "    writer.write(b'line\\n'); assert await reader.read() == b'line\\n'\n"
      "    writer.close(); s.close()\n"
      "asyncio.run(main())\n"
      "from multiprocessing.connection import Client, Listener\n"
      "with Listener(family='AF_UNIX') as listener:\n"
      "    if os.fork() == 0:\n"
      "        with Client(listener.address) as c: c.send([1, 2])\n"
      "        os._exit(0)\n"
      "    with listener.accept() as c: assert c.recv() == [1, 2]\n"
      "with socketserver.UnixStreamServer('srv',\n"
      "        socketserver.StreamRequestHandler) as s: connect('srv')\n"
      "print('DONE')");
  EXPECT_EQ(run->stdout_data(), "DONE\n") << run->stderr_data();
  EXPECT_THAT(run->outcome().violations, IsEmpty());
}

TEST(UnixSockets, ErrorsAreTheKernels) {
  const auto run = RunTools(
      "attempt(lambda: connect('nowhere'))\n"
      "open('file', 'w').close(); attempt(lambda: connect('file'))\n"
      "s = server('here'); attempt(lambda: server('here'))\n"
      "s.close(); attempt(lambda: connect('here'))\n"
      "attempt(lambda: server('no/such/directory'))\n"
      "t = socket.socket(socket.AF_UNIX); t.bind('a')\n"
      "attempt(lambda: t.bind('b'))\n");
  EXPECT_EQ(run->stdout_data(),
            "ENOENT\nECONNREFUSED\nEADDRINUSE\nECONNREFUSED\nENOENT\nEINVAL\n")
      << run->stderr_data();
  EXPECT_THAT(run->outcome().violations, IsEmpty());
}

TEST(UnixSockets, AFullQueueIsWaitedForUntilASignal) {
  const auto run = RunTools(
      "s = socket.socket(socket.AF_UNIX); s.bind('here'); s.listen(0)\n"
      "held = []\n"
      "try:\n"
      "    while True:\n"
      "        c = socket.socket(socket.AF_UNIX); c.setblocking(False)\n"
      "        c.connect('here'); held.append(c)\n"
      "except BlockingIOError: print('FULL')\n"
      "def alarm(*_): raise TimeoutError\n"
      "signal.signal(signal.SIGALRM, alarm)\n"
      "signal.setitimer(signal.ITIMER_REAL, 0.2)\n"
      "try: connect('here')\n"
      "except TimeoutError: print('ALARM')\n"
      "threading.Timer(0.1, s.accept).start()\n"
      "connect('here'); print('CONNECTED')");
  EXPECT_EQ(run->stdout_data(), "FULL\nALARM\nCONNECTED\n")
      << run->stderr_data();
}

// ------------------------------------------------------------------- others'

TEST(UnixSocketAttack, AHostsSocketIsOutOfReachUnderAnyName) {
  const HostSocket host(NameOutside("socket"));
  const auto run = RunTools(absl::StrReplaceAll(
      "attempt(lambda: connect('PATH'))\n"
      "os.symlink('PATH', 'link'); attempt(lambda: connect('link'))\n"
      "os.symlink('/tmp', 'tmp'); attempt(lambda: connect('tmp/NAME'))\n"
      "attempt(lambda: connect('../../../../../../../../PATH'))\n"
      "attempt(lambda: connect(os.getcwd() + '/../../../../../../../PATH'))\n"
      "os.chdir('/tmp'); attempt(lambda: connect('NAME'))",
      {{"PATH", host.path()}, {"NAME", host.path().substr(5)}}));
  EXPECT_THAT(run->stdout_data(), ::testing::Not(HasSubstr("DONE")))
      << run->stderr_data();
  EXPECT_FALSE(host.WasReached());
  ASSERT_FALSE(run->outcome().violations.empty());
  EXPECT_THAT(run->outcome().violations[0], Denied("connect", host.path()));
  EXPECT_EQ(Free(absl::StrCat("socket.socket(socket.AF_UNIX).connect('",
                              host.path(), "')")),
            "done");
  EXPECT_TRUE(host.WasReached());
}

TEST(UnixSocketAttack, NoNameOutsideIsTaken) {
  const std::string name = NameOutside("bound");
  const auto run = RunTools(absl::StrReplaceAll(
      "attempt(lambda: server('PATH'))\n"
      "os.symlink('/tmp', 'tmp'); attempt(lambda: server('tmp/NAME'))\n"
      "os.symlink('PATH', 'link'); attempt(lambda: server('link'))\n"
      "os.chdir('/tmp'); attempt(lambda: server('NAME'))\n",
      {{"PATH", name}, {"NAME", name.substr(5)}}));
  EXPECT_EQ(run->stdout_data(), "EACCES\nEACCES\nEADDRINUSE\nEACCES\n")
      << run->stderr_data();
  EXPECT_NE(access(name.c_str(), F_OK), 0) << "it was made";
  ASSERT_FALSE(run->outcome().violations.empty());
  EXPECT_THAT(run->outcome().violations[0], Denied("bind", name));
}

TEST(UnixSocketAttack, AnotherRunsSocketIsOutOfReach) {
  const auto other = std::make_shared<RecordingObserver>();
  const auto handle = SharedSandbox().sandbox().Start(
      PythonSpec(absl::StrCat(kTools,
                              "s = server('sock'); os.chmod('sock', 0o777)\n"
                              "print(os.path.abspath('sock'), flush=True)\n"
                              "s.accept(); print('REACHED', flush=True)")),
      other);
  ASSERT_TRUE(other->WaitForOutput(sandbox::OutputStream::kStdout, "\n"));
  std::string path = other->stdout_data();
  path.pop_back();
  const auto run =
      RunTools(absl::StrCat("attempt(lambda: connect('", path, "'))\n",
                            "attempt(lambda: server('", path, "2'))"));
  handle->Cancel();
  other->WaitForEnd();
  EXPECT_EQ(run->stdout_data(), "ECONNREFUSED\nEACCES\n");
  EXPECT_THAT(other->stdout_data(), ::testing::Not(HasSubstr("REACHED")));
}

TEST(UnixSocketAttack, AbstractNamesAreNobodys) {
  const auto run = RunTools(
      "attempt(lambda: server('\\0cordon-name'))\n"
      "attempt(lambda: connect('\\0cordon-name'))\n"
      "attempt(lambda: socket.socket(socket.AF_UNIX).bind(''))");
  EXPECT_EQ(run->stdout_data(), "EACCES\nECONNREFUSED\nEACCES\n");
  EXPECT_THAT(
      run->outcome().violations,
      ElementsAre(Denied("bind", "@cordon-name"),
                  Denied("connect", "@cordon-name"), Denied("bind", "@")));
}

}  // namespace
}  // namespace cordon::testing
