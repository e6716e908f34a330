#include "tests/kernel/virtual_run.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace cordon::testing {

HostFile::HostFile(const char* what)
    : path_(absl::StrCat("/tmp/cordon-", what, "-", getpid(), "-", getuid())) {
  std::ofstream(path_) << "secret";
  EXPECT_EQ(chmod(path_.c_str(), 0666), 0);
}

HostFile::~HostFile() { unlink(path_.c_str()); }

std::string HostFile::content() const {
  std::ostringstream text;
  text << std::ifstream(path_).rdbuf();
  return text.str();
}

const char kTools[] =
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
std::shared_ptr<RecordingObserver> RunVirtual(sandbox::ExecutionSpec spec) {
  spec.filesystem = sandbox::Filesystem::kVirtual;
  spec.program.limits.wall_time =
      std::max(spec.program.limits.wall_time, absl::Seconds(60));
  return SharedSandbox().Run(std::move(spec));
}

std::shared_ptr<RecordingObserver> RunTools(const std::string& act) {
  return RunVirtual(PythonSpec(absl::StrCat(kTools, act)));
}
}  // namespace cordon::testing
