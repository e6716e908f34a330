// Races on the sockets that the supervisor makes and names for a run: a second
// thread changes addresses, directories and descriptors meanwhile. No server of
// the host's is reached, and no name outside is taken.

#include <unistd.h>

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "tests/kernel/host_servers.h"
#include "tests/kernel/race.h"
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
                       "static int server, own;\n",
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

// ---------------------------------------------------------------------- unix

// HOST is a path outside.
ExecutionSpec UnixRacing(const std::string& other, const std::string& body,
                         const std::string& host) {
  const auto naming = [&host](const std::string& text) {
    return absl::StrReplaceAll(text, {{"HOST", host}});
  };
  return RaceSpec(
      {.declarations =
           "#include <sys/socket.h>\n#include <sys/un.h>\n"
           "static struct sockaddr_un address = {AF_UNIX, \"own\"};\n",
       .setup =
           "int server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), c;\n"
           "if (bind(server, (void*)&address, sizeof(address)) ||\n"
           "    listen(server, 100)) return 1;\n"
           "mkdir(\"dir\", 0700); symlink(\"/tmp\", \"away\");\n",
       .other = naming(other),
       .body = naming(body)});
}

TEST(UnixSocketRace, ANameThatChangesMeanwhile) {
  const HostSocket host(NameOutside("race"));
  const auto run = SharedSandbox().Run(UnixRacing(
      "strcpy(address.sun_path, \"HOST\"); pause_();\n"
      "strcpy(address.sun_path, \"own\"); pause_();",
      "int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);\n"
      "did += connect(s, (void*)&address, sizeof(address)) == 0; close(s);\n"
      "while ((c = accept(server, 0, 0)) >= 0) close(c);",
      host.path()));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
  EXPECT_FALSE(host.WasReached());
}

TEST(UnixSocketRace, ADirectoryThatChangesMeanwhile) {
  const std::string name = NameOutside("raced");
  const HostSocket host(NameOutside("raced-host"));
  const auto run = SharedSandbox().Run(UnixRacing(
      "renameat2(AT_FDCWD, \"dir\", AT_FDCWD, \"away\", 2);",
      absl::StrReplaceAll(
          "int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);\n"
          "struct sockaddr_un a = {AF_UNIX, \"dir/NAME\"};\n"
          "did += bind(s, (void*)&a, sizeof(a)) == 0; close(s);\n"
          "unlink(\"dir/NAME\"); unlink(\"away/NAME\");\n"
          "s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);\n"
          "struct sockaddr_un b = {AF_UNIX, \"dir/PEER\"};\n"
          "connect(s, (void*)&b, sizeof(b)); close(s);",
          {{"NAME", name.substr(5)}, {"PEER", host.path().substr(5)}}),
      host.path()));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
  EXPECT_NE(access(name.c_str(), F_OK), 0) << "it was made outside";
  EXPECT_FALSE(host.WasReached());
}

}  // namespace
}  // namespace cordon::testing
