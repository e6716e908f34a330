// What cordond gives up, act by act: in a child that restricted itself as the
// server does, and, as the control, in one that did not.

#include "server/self_restriction.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/sandbox.h"
#include "tests/support/degraded_host.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::UniqueFd;
using server::StateDirectory;

constexpr int kOtherFailure = 250;

int Try(long result) { return result < 0 ? errno : 0; }

int OpenToWrite(const std::string& path) {
  return Try(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

class SelfRestriction : public ::testing::Test {
 protected:
  SelfRestriction() {
    char name[] = "/tmp/cordon-test-XXXXXX";
    directory_ = mkdtemp(name);
    chmod(name, 0711);
    std::ofstream(directory_ + "/secret") << "secret";
    listener_.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(BindAndListen(listener_.get(), 0), 0);
    socklen_t size = sizeof(address_);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address_), &size);
  }
  ~SelfRestriction() override { std::filesystem::remove_all(directory_); }

  static int BindAndListen(int fd, uint16_t port) {
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const int bound =
        Try(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
    return bound != 0 ? bound : Try(listen(fd, 8));
  }

  std::string StatePath() const { return directory_ + "/state"; }

  // The act's own result, an errno; as the server, `port` being the one that it
  // listens on.
  int Restricted(const std::function<int()>& act,
                 const std::string& port = "50051") const {
    return InChild([&] {
      auto state = StateDirectory::Open(StatePath());
      if (!state.ok()) return kOtherFailure;
      const auto restriction =
          server::RestrictSelf({.runs = sandbox::DefaultFileView(),
                                .state = &*state,
                                .listen = {"127.0.0.1", port}});
      if (!restriction.ok() || restriction->enforcement.level != Expected()) {
        return kOtherFailure;
      }
      return act();
    });
  }

  static sandbox::EnforcementLevel Expected() {
    return HostIsDegraded() ? sandbox::EnforcementLevel::kPartial
                            : sandbox::EnforcementLevel::kFull;
  }

  static int InChild(const std::function<int()>& act) {
    const pid_t child = fork();
    if (child == 0) _exit(act());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : kOtherFailure + 1;
  }

  std::string directory_;
  UniqueFd listener_;
  sockaddr_in address_ = {};
};

TEST_F(SelfRestriction, FilesOutsideAreNotWritten) {
  const auto act = [this] { return OpenToWrite(directory_ + "/new"); };
  EXPECT_EQ(Restricted(act), EACCES);
  EXPECT_EQ(InChild(act), 0);
  // EROFS, where the host's root cannot be written to anyway, comes first.
  const auto in_etc = [] { return OpenToWrite("/etc/cordon-test"); };
  EXPECT_EQ(Restricted(in_etc), InChild(in_etc) == EROFS ? EROFS : EACCES);
  std::error_code ignored;
  std::filesystem::remove("/etc/cordon-test", ignored);
  EXPECT_EQ(
      Restricted([] { return OpenToWrite("/proc/sys/kernel/core_pattern"); }),
      EACCES);
  EXPECT_EQ(Restricted([] { return OpenToWrite("/dev/null"); }), 0);
}

TEST_F(SelfRestriction, WhatNoRunNeedsIsNotRead) {
  const auto secret = [this] {
    return Try(open((directory_ + "/secret").c_str(), O_RDONLY));
  };
  EXPECT_EQ(Restricted(secret), EACCES);
  EXPECT_EQ(InChild(secret), 0);
  EXPECT_EQ(Restricted([] { return Try(open("/etc/passwd", O_RDONLY)); }), 0);
  EXPECT_EQ(Restricted([] { return Try(open("/proc/self/stat", O_RDONLY)); }),
            0);
}

TEST_F(SelfRestriction, TheStateDirectoryIsItsOwn) {
  EXPECT_EQ(Restricted([this] {
              const std::string state = StatePath();
              if (mkdir((state + "/a").c_str(), 0700) != 0) return errno;
              if (mkdir((state + "/b").c_str(), 0700) != 0) return errno;
              if (const int made = OpenToWrite(state + "/a/file"); made != 0)
                return made;
              if (const int moved = Try(rename((state + "/a/file").c_str(),
                                               (state + "/b/file").c_str()));
                  moved != 0) {
                return moved;
              }
              if (symlink("x", (state + "/b/link").c_str()) != 0) return errno;
              std::filesystem::remove_all(state + "/a");
              std::filesystem::remove_all(state + "/b");
              return std::filesystem::is_empty(state) ? 0 : kOtherFailure;
            }),
            0);
}

TEST_F(SelfRestriction, ATemporaryStateDirectoryGoesWithTheServer) {
  setenv("TMPDIR", directory_.c_str(), 1);
  EXPECT_EQ(InChild([] {
              std::string path;
              {
                auto state = StateDirectory::Open("");
                if (!state.ok()) return kOtherFailure;
                path = state->path();
                if (!server::RestrictSelf({.runs = sandbox::DefaultFileView(),
                                           .state = &*state,
                                           .listen = {"127.0.0.1", "0"}})
                         .ok()) {
                  return kOtherFailure;
                }
                if (mkdir((path + "/runs").c_str(), 0711) != 0) return errno;
              }
              return std::filesystem::exists(path) ? kOtherFailure : 0;
            }),
            0);
  unsetenv("TMPDIR");
}

TEST_F(SelfRestriction, NoTcpConnectionIsOpened) {
  if (NeedsLandlock(4, "refuse TCP")) return;
  const auto act = [this] {
    const UniqueFd client(socket(AF_INET, SOCK_STREAM, 0));
    return Try(connect(client.get(),
                       reinterpret_cast<const sockaddr*>(&address_),
                       sizeof(address_)));
  };
  EXPECT_EQ(Restricted(act), EACCES);
  EXPECT_EQ(Restricted(act, "0"), EACCES);
  EXPECT_EQ(InChild(act), 0);
}

TEST_F(SelfRestriction, ItsOwnPortIsTheOnlyOneThatItBinds) {
  if (NeedsLandlock(4, "refuse TCP")) return;
  const uint16_t port = ntohs(address_.sin_port);
  listener_.Reset();
  const auto bind_to = [](uint16_t wanted) {
    return BindAndListen(socket(AF_INET, SOCK_STREAM, 0), wanted);
  };
  const std::string own = absl::StrCat(port);
  EXPECT_EQ(Restricted([&] { return bind_to(port); }, own), 0);
  EXPECT_EQ(Restricted([&] { return bind_to(0); }, own), EACCES);
  EXPECT_EQ(Restricted([&] { return bind_to(port); }, "1"), EACCES);
  // No rule can name a port that the kernel will choose.
  EXPECT_EQ(Restricted([&] { return bind_to(0); }, "0"), 0);
  EXPECT_EQ(InChild([&] { return bind_to(port); }), 0);
}

TEST_F(SelfRestriction, NobodyButItsOwnIsSignalled) {
  if (NeedsLandlock(6, "keep signals inside")) return;
  const auto outside = [] { return Try(kill(getppid(), 0)); };
  EXPECT_EQ(Restricted(outside), EPERM);
  EXPECT_EQ(InChild(outside), 0);
  EXPECT_EQ(Restricted([] {
              const pid_t own = fork();
              if (own == 0) {
                for (;;) pause();
              }
              const int sent = Try(kill(own, SIGKILL));
              waitpid(own, nullptr, 0);
              return sent;
            }),
            0);
}

TEST_F(SelfRestriction, NoPrivilegeComesBack) {
  const auto no_new_privs = [] {
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  };
  EXPECT_EQ(Restricted(no_new_privs), 1);
  // A container may have it already.
  EXPECT_EQ(InChild(no_new_privs), no_new_privs());
}

uint64_t Permitted() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  syscall(SYS_capget, &header, data);
  return data[0].permitted | uint64_t{data[1].permitted} << 32;
}

TEST_F(SelfRestriction, CapabilitiesAreThoseThatAreUsed) {
  const uint64_t before = Permitted();
  const uint64_t kept =
      server::KeptCapabilities({"127.0.0.1", "50051"}, geteuid());
  EXPECT_EQ(Restricted([&] { return Permitted() == (before & kept) ? 0 : 1; }),
            0);
  EXPECT_EQ(Restricted([] { return prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN); }),
            geteuid() == 0 ? 0 : prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN));
  // The control, where there are any.
  EXPECT_TRUE(geteuid() != 0 || (before & ~kept) != 0);
}

TEST(KeptCapabilities, RootKeepsWhatLowersThePriorityOfItsRuns) {
  constexpr uint64_t kNice = uint64_t{1} << CAP_SYS_NICE;
  EXPECT_NE(server::KeptCapabilities({"::", "1024"}, 0) & kNice, 0u);
}

TEST(KeptCapabilities, ALowPortTakesTheRightToBindIt) {
  constexpr uint64_t kBind = uint64_t{1} << CAP_NET_BIND_SERVICE;
  for (const uint32_t uid : {0, 1000}) {
    EXPECT_NE(server::KeptCapabilities({"::", "443"}, uid) & kBind, 0u);
    EXPECT_EQ(server::KeptCapabilities({"::", "1024"}, uid) & kBind, 0u);
    EXPECT_EQ(server::KeptCapabilities({"::", "0"}, uid) & kBind, 0u);
  }
  EXPECT_EQ(server::KeptCapabilities({"::", "1024"}, 1000), 0u);
}

// A run inside of both domains has what its view gives, and no more.
TEST_F(SelfRestriction, RunsReachWhatTheyReachedBefore) {
  const auto run = [this](const std::string& script) {
    return Restricted([&] {
      sandbox::SandboxOptions options;
      options.state_directory = StatePath();
      options.allow_degraded = HostIsDegraded();
      auto made = sandbox::Sandbox::Create(options);
      if (!made.ok()) return kOtherFailure;
      auto observer = std::make_shared<RecordingObserver>();
      (*made)->Start(BashSpec(script), observer);
      observer->WaitForEnd();
      const auto result = observer->result();
      return result.ok() && result->kind == sandbox::OutcomeKind::kExited
                 ? result->exit_code
                 : kOtherFailure;
    });
  };
  EXPECT_EQ(run("mkdir a b && echo x > a/f && mv a/f b/g && cp /bin/true t && "
                "./t && ln -s b/g l && cat l /etc/passwd > /dev/null && "
                "mkfifo p && chmod 600 b/g && rm -r a b && exit 7"),
            7);
  EXPECT_EQ(run(absl::StrCat("cat ", directory_, "/secret 2>&1 || exit 8")), 8);
  EXPECT_EQ(run("kill -0 $PPID 2>/dev/null || exit 9"), 9);
}

}  // namespace
}  // namespace cordon::testing
