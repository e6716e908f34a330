// Races on the sockets that the supervisor makes and names for a run: a second
// thread changes addresses, directories and descriptors meanwhile. No server of
// the host's is reached, and no name outside is taken.

#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"
#include "tests/kernel/directory_race.h"
#include "tests/kernel/host_servers.h"
#include "tests/kernel/race.h"
#include "tests/kernel/virtual_run.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::NetworkAccess;

// ------------------------------------------------------------------ internet

// `own` is a port of its own, HOST one of the host's.
ExecutionSpec NetworkRacing(const std::string& other, const std::string& body,
                            uint16_t host_port) {
  const auto naming = [host_port](const std::string& text) {
    return absl::StrReplaceAll(text, {{"HOST", absl::StrCat(host_port)}});
  };
  ExecutionSpec spec = RaceSpec(
      {.declarations = "#include <arpa/inet.h>\n#include <netinet/in.h>\n"
                       "#include <sys/socket.h>\n"
                       "static volatile struct sockaddr_in address;\n"
                       "static int server, own; static char bytes[128];\n",
       .setup = "struct sockaddr_in a = {.sin_family = AF_INET};\n"
                "a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);\n"
                "socklen_t n = sizeof(a);\n"
                "server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);\n"
                "if (bind(server, (void*)&a, n) || listen(server, 1000) ||\n"
                "    getsockname(server, (void*)&a, &n)) return 1;\n"
                "own = ntohs(a.sin_port); address = a;\n",
       .other = naming(other),
       .body = naming(body)});
  spec.network.access = NetworkAccess::kLoopback;
  return spec;
}

TEST(LoopbackNetworkRace, AnAddressThatChangesMeanwhile) {
  const Listener listener;
  const auto run = SharedSandbox().Run(NetworkRacing(
      "address.sin_port = htons(HOST);\n"
      "pause_(); address.sin_port = htons(own); pause_();",
      "int s = socket(AF_INET, SOCK_STREAM, 0);\n"
      "did += connect(s, (void*)&address, sizeof(address)) == 0;\n"
      "close(s); int c;\n"
      "while ((c = accept(server, 0, 0)) >= 0) close(c);",
      listener.port()));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
  EXPECT_FALSE(listener.WasReached());
}

TEST(LoopbackNetworkRace, AnAddressOfFastOpenThatChangesMeanwhile) {
  const Listener listener;
  const auto run = SharedSandbox().Run(
      NetworkRacing("address.sin_port = htons(HOST);\n"
                    "pause_(); address.sin_port = htons(own); pause_();",
                    "int s = socket(AF_INET, SOCK_STREAM, 0);\n"
                    "did += sendto(s, \"x\", 1, 0x20004000, (void*)&address,\n"
                    "              sizeof(address)) == 1;\n"
                    "close(s); int c;\n"
                    "while ((c = accept(server, 0, 0)) >= 0) close(c);",
                    listener.port()));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
  EXPECT_FALSE(listener.WasReached());
}

// The number means the server's own socket at one moment, another at the next.
TEST(LoopbackNetworkRace, ADescriptorThatChangesMeanwhile) {
  const Listener listener;
  const auto run = SharedSandbox().Run(
      NetworkRacing("int s = socket(AF_INET, SOCK_STREAM, 0); dup2(s, 100);\n"
                    "int u = socket(AF_UNIX, SOCK_STREAM, 0); dup2(u, 100);\n"
                    "dup2(server, 100); close(s); close(u);",
                    "if (listen(100, 5) == 0) {\n"
                    "  struct sockaddr_in a; socklen_t n = sizeof(a); ++did;\n"
                    "  int copy = dup(100);\n"
                    "  reached += getsockname(copy, (void*)&a, &n) == 0 &&\n"
                    "      a.sin_family == AF_INET && a.sin_port != 0 &&\n"
                    "      a.sin_addr.s_addr != htonl(INADDR_LOOPBACK);\n"
                    "  close(copy);\n"
                    "}",
                    listener.port()));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
}

// Loopback, or any address for it, is what a run may bind, and no port below
// 1024.
TEST(LoopbackNetworkRace, AnAddressToBindThatChangesMeanwhile) {
  const Listener listener;
  const auto run = SharedSandbox().Run(NetworkRacing(
      "address.sin_addr.s_addr = inet_addr(\"192.0.2.1\"); pause_();\n"
      "address.sin_addr.s_addr = htonl(INADDR_ANY);\n"
      "address.sin_port = htons(HOST); pause_();\n"
      "address.sin_port = htons(53); pause_();\n"
      "address.sin_port = 0; pause_();",
      "int s = socket(AF_INET, SOCK_STREAM, 0);\n"
      "struct sockaddr_in a = {0}; socklen_t n = sizeof(a);\n"
      "did += bind(s, (void*)&address, sizeof(address)) == 0;\n"
      "getsockname(s, (void*)&a, &n); close(s);\n"
      "const int port = ntohs(a.sin_port);\n"
      "reached += port != 0 && (port < 1024 || port == HOST ||\n"
      "    a.sin_addr.s_addr != htonl(INADDR_LOOPBACK));",
      listener.port()));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
}

// A socket of the run's own, and one of another family.
TEST(LoopbackNetworkRace, ADescriptorToConnectThatChangesMeanwhile) {
  const Listener listener;
  const auto run = SharedSandbox().Run(NetworkRacing(
      "int s = socket(AF_INET, SOCK_STREAM, 0); dup2(s, 100); pause_();\n"
      "int u = socket(AF_UNIX, SOCK_STREAM, 0); dup2(u, 100); pause_();\n"
      "address.sin_port = htons(address.sin_port == htons(own) ? HOST : own);\n"
      "close(s); close(u);",
      "did += connect(100, (void*)&address, sizeof(address)) == 0;\n"
      "struct sockaddr_in a; socklen_t n = sizeof(a); int c = dup(100);\n"
      "reached += getpeername(c, (void*)&a, &n) == 0 &&\n"
      "    a.sin_family == AF_INET && a.sin_port != htons(own);\n"
      "close(c); while ((c = accept(server, 0, 0)) >= 0) close(c);",
      listener.port()));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
  EXPECT_FALSE(listener.WasReached());
}

// The same bytes are an address of the internet and a unix name by turns.
TEST(LoopbackNetworkRace, TheFamilyOfAnAddressChangesMeanwhile) {
  const Listener listener;
  const HostSocket named(NameOutside("family"));
  const auto run = SharedSandbox().Run(NetworkRacing(
      absl::StrCat("memcpy(bytes, (void*)&address, sizeof(address));\n"
                   "pause_(); *(short*)bytes = AF_UNIX;\n"
                   "strcpy(bytes + 2, \"",
                   named.path(),
                   "\"); pause_(); *(short*)bytes = AF_INET; pause_();\n"),
      "int s = socket(acts % 8 ? AF_INET : AF_UNIX,\n"
      "               SOCK_STREAM | SOCK_NONBLOCK, 0), c;\n"
      "did += connect(s, (void*)bytes, 110) == 0 || errno == EINPROGRESS;\n"
      "close(s); while ((c = accept(server, 0, 0)) >= 0) close(c);",
      listener.port()));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
  EXPECT_FALSE(listener.WasReached());
  EXPECT_FALSE(named.WasReached());
}

// ---------------------------------------------------------------------- unix

// HOST is a path outside.
Race UnixRace(const std::string& other, const std::string& body,
              const std::string& host) {
  const auto naming = [&host](const std::string& text) {
    return absl::StrReplaceAll(text, {{"HOST", host}});
  };
  return {
      .declarations =
          "#include <sys/socket.h>\n#include <sys/un.h>\n"
          "static struct sockaddr_un address = {AF_UNIX, \"own\"};\n",
      .setup =
          "int server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), c;\n"
          "if (bind(server, (void*)&address, sizeof(address)) ||\n"
          "    listen(server, 100)) return 1;\n"
          "mkdir(\"dir\", 0700); symlink(\"/tmp\", \"away\");\n",
      .other = naming(other),
      .body = naming(body)};
}

TEST(UnixSocketRace, ANameThatChangesMeanwhile) {
  const HostSocket host(NameOutside("race"));
  const auto run = SharedSandbox().Run(RaceSpec(UnixRace(
      "strcpy(address.sun_path, \"HOST\"); pause_();\n"
      "strcpy(address.sun_path, \"own\"); pause_();",
      "int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);\n"
      "did += connect(s, (void*)&address, sizeof(address)) == 0; close(s);\n"
      "while ((c = accept(server, 0, 0)) >= 0) close(c);",
      host.path())));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
  EXPECT_FALSE(host.WasReached());
}

// To be bound and to be connected to, beneath names that the host has as well.
constexpr char kBindsAndConnects[] =
    "const int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);\n"
    "struct sockaddr_un a = {AF_UNIX, \"PREFIX/NAME\"};\n"
    "struct sockaddr_un b = {AF_UNIX, \"PREFIX/PEER\"};\n"
    "if (kind == 0) {\n"
    "  did += bind(s, (void*)&a, sizeof(a)) == 0;\n"
    "  unlink(\"PREFIX/NAME\"); unlink(\"BESIDE/NAME\");\n"
    "} else {\n"
    "  did += connect(s, (void*)&b, sizeof(b)) == 0; }\n"
    "close(s); while ((c = accept(peer, 0, 0)) >= 0) close(c);";

constexpr char kBindsThePeer[] =
    "struct sockaddr_un p = {AF_UNIX, \"PREFIX/PEER\"};\n"
    "const int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);\n"
    "if (bind(peer, (void*)&p, sizeof(p)) || listen(peer, 100)) return 9;\n";

TEST(UnixSocketRace, ADirectoryThatChangesMeanwhile) {
  const std::string name = NameOutside("raced");
  const HostSocket host(NameOutside("raced-host"));
  const auto naming = [&](const std::string& text) {
    return absl::StrReplaceAll(text, {{"PREFIX", "dir"},
                                      {"BESIDE", "away"},
                                      {"NAME", name.substr(5)},
                                      {"PEER", host.path().substr(5)}});
  };
  Race race =
      UnixRace("renameat2(AT_FDCWD, \"dir\", AT_FDCWD, \"away\", 2); pause_();",
               naming(kBindsAndConnects), host.path());
  race.setup += naming(kBindsThePeer);
  race.kinds = 2;
  const auto run = SharedSandbox().Run(RaceSpec(race));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
  EXPECT_NE(access(name.c_str(), F_OK), 0) << "it was made outside";
  EXPECT_FALSE(host.WasReached());
  EXPECT_EQ(Free(absl::StrCat("socket.socket(socket.AF_UNIX).connect('",
                              host.path(), "')")),
            "done");
  EXPECT_TRUE(host.WasReached());
}

// ----------------------------------------- with a file system of the run's own

TEST(UnixSocketRace, ANameOfTheViewThatChangesMeanwhile) {
  const HostSocket host(NameOutside("view"));
  const auto run = RunVirtual(RaceSpec(UnixRace(
      "strcpy(address.sun_path, \"HOST\"); pause_();\n"
      "strcpy(address.sun_path, \"/box/own\"); pause_();",
      "int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);\n"
      "did += connect(s, (void*)&address, sizeof(address)) == 0; close(s);\n"
      "while ((c = accept(server, 0, 0)) >= 0) close(c);",
      host.path())));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
  EXPECT_FALSE(host.WasReached());
}

TEST(UnixSocketRace, ADirectoryOfTheViewThatChangesMeanwhile) {
  const std::string name = NameOutside("view-raced");
  const HostSocket host(NameOutside("view-host"));
  // Two links out: to where the run sees a directory of its own, and where not.
  const HostDirectory outside;
  std::optional<HostSocket> other_host;
  if (outside.made()) {
    other_host.emplace(outside.path() + host.path().substr(4));
  }
  for (const std::string& away : {std::string("/tmp"), outside.path()}) {
    const auto naming = [&](const std::string& text) {
      return absl::StrReplaceAll(text, {{"PREFIX", "/tmp/dir"},
                                        {"BESIDE", "/tmp/away"},
                                        {"NAME", name.substr(5)},
                                        {"PEER", host.path().substr(5)}});
    };
    Race race = DirectoryRace(away, "own");
    race.declarations += "#include <sys/socket.h>\n#include <sys/un.h>\n";
    race.setup += "int c;\n" + naming(kBindsThePeer);
    race.kinds = away == "/tmp" ? 1 : 2;
    race.body = naming(kBindsAndConnects);
    // The run has a /tmp of its own, where it may bind as well.
    if (away == "/tmp") {
      race.body = "const int kind = 1;\n" + race.body;
    }
    const auto run = RunSwapping(race);
    EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data() << away;
    EXPECT_NE(access(name.c_str(), F_OK), 0) << "it was made outside";
    EXPECT_NE(access((away + "/" + name.substr(5)).c_str(), F_OK), 0) << away;
    EXPECT_FALSE(host.WasReached());
    EXPECT_FALSE(other_host.has_value() && other_host->WasReached());
  }
}

}  // namespace
}  // namespace cordon::testing
