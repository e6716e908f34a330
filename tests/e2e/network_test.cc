// Networks that a request asks for, of a real server in its own domain.

#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "tests/support/process_view.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

// Connects to a server of its own, then to cordond.
v1::ExecuteRequest Connecting(v1::Network network, const std::string& cordond) {
  v1::ExecuteRequest request;
  request.mutable_source()->set_language("python");
  request.mutable_source()->set_code(
      "import socket, sys\n"
      "own = socket.create_server(('127.0.0.1', 0))\n"
      "host, port = sys.argv[1].split(':')\n"
      "for address in own.getsockname(), (host, int(port)):\n"
      "    try: socket.create_connection(address); print('CONNECTED')\n"
      "    except OSError: print('REFUSED')\n");
  request.mutable_source()->add_args(cordond);
  request.mutable_policy()->set_network(network);
  return request;
}

std::string ProblemOf(const grpc::Status& status) {
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  google::rpc::BadRequest bad;
  if (!ReadDetail(status, &bad) || bad.field_violations().empty()) return "";
  return absl::StrCat(bad.field_violations(0).field(), " ",
                      bad.field_violations(0).description());
}

TEST(NetworkTest, AServerGrantsNoneUnlessItIsTold) {
  const ServerProcess server({});
  TestClient client(server.address());
  EXPECT_EQ(client.Info().max_network(), v1::NETWORK_NONE);
  for (const v1::Network network :
       {v1::NETWORK_LOOPBACK, v1::NETWORK_ALLOW_LIST, v1::NETWORK_FULL}) {
    v1::ExecuteRequest request = Connecting(network, server.address());
    if (network == v1::NETWORK_ALLOW_LIST) {
      request.mutable_policy()->add_allowed_hosts("192.0.2.1:80");
    }
    v1::Result result;
    EXPECT_EQ(ProblemOf(client.TryRun(request, &result)),
              absl::StrCat("policy.network ", v1::Network_Name(network),
                           " is more than this server grants, which is "
                           "NETWORK_NONE (--max_network)"));
  }
}

TEST(NetworkTest, LoopbackIsTheRunsOwn) {
  const ServerProcess server({"--max_network=loopback"});
  TestClient client(server.address());
  EXPECT_EQ(client.Info().max_network(), v1::NETWORK_LOOPBACK);
  const v1::Result result =
      client.Run(Connecting(v1::NETWORK_LOOPBACK, server.address()));
  EXPECT_EQ(result.stdout(), "CONNECTED\nREFUSED\n") << result.stderr();
  ASSERT_EQ(result.violations_size(), 1);
  EXPECT_EQ(result.violations(0).kind(), v1::Violation::NETWORK);
  EXPECT_EQ(result.violations(0).address(), server.address());
  // A network of its own, or the host's, and then it says so: as root the
  // server may be able to make one (tests/kernel/private_network_test).
  const v1::Enforcement::Layer& network = result.enforcement().network();
  if (geteuid() != 0 || network.level() == v1::Enforcement::PARTIAL) {
    EXPECT_EQ(network.level(), v1::Enforcement::PARTIAL);
    EXPECT_THAT(network.reason(), HasSubstr("loopback ports are the host's"));
  } else {
    EXPECT_EQ(network.reason(), client.Info().enforcement().network().reason());
  }
  v1::Result refused;
  EXPECT_THAT(ProblemOf(client.TryRun(
                  Connecting(v1::NETWORK_FULL, server.address()), &refused)),
              HasSubstr("which is NETWORK_LOOPBACK"));
  // One that asks for none has none.
  const v1::Result none =
      client.Run(Connecting(v1::NETWORK_NONE, server.address()));
  EXPECT_THAT(none.stderr(), HasSubstr("PermissionError"));
  EXPECT_EQ(none.enforcement().network().reason(),
            client.Info().enforcement().network().reason());
}

// A helper of the server's (sandbox/network/private_networks.h), which is no
// child of it and has its arguments; -1: none.
pid_t HelperOf(const ServerProcess& server, const std::string& name) {
  for (const pid_t pid : ProcessesMarked(server.state_directory())) {
    std::ifstream file(absl::StrCat("/proc/", pid, "/comm"));
    std::string comm;
    if (std::getline(file, comm) && comm == name) return pid;
  }
  return -1;
}

// Runs go on, with the host's network, and say so.
TEST(NetworkTest, ThatNetworksCanNoLongerBeMadeIsSaid) {
  for (const std::string name : {"cordon-networks", "cordon-sockets"}) {
    const ServerProcess server({"--max_network=loopback"});
    TestClient client(server.address());
    const auto run = [&](v1::Result* result) {
      return client.TryRun(Connecting(v1::NETWORK_LOOPBACK, server.address()),
                           result);
    };
    v1::Result before;
    ASSERT_TRUE(run(&before).ok());
    EXPECT_EQ(before.stdout(), "CONNECTED\nREFUSED\n") << before.stderr();
    const pid_t helper = HelperOf(server, name);
    if (helper < 0) {  // A host that allows none (see above).
      EXPECT_EQ(before.enforcement().network().level(),
                v1::Enforcement::PARTIAL);
      continue;
    }
    EXPECT_NE(before.enforcement().network().level(), v1::Enforcement::PARTIAL)
        << before.enforcement().network().reason();
    ASSERT_EQ(kill(helper, SIGKILL), 0);
    if (name == "cordon-sockets") {
      // A run has a network by then, and can have no socket in it.
      v1::Result during;
      EXPECT_EQ(run(&during).error_code(), grpc::StatusCode::INTERNAL);
    }
    v1::Result after;
    ASSERT_TRUE(run(&after).ok()) << name;
    EXPECT_EQ(after.stdout(), "CONNECTED\nREFUSED\n") << after.stderr();
    const v1::Enforcement::Layer& network = after.enforcement().network();
    EXPECT_EQ(network.level(), v1::Enforcement::PARTIAL) << name;
    EXPECT_THAT(network.reason(), HasSubstr("loopback ports are the host's"));
  }
}

TEST(NetworkTest, AListAndEverything) {
  const ServerProcess server({"--max_network=full"});
  TestClient client(server.address());
  v1::ExecuteRequest listed =
      Connecting(v1::NETWORK_ALLOW_LIST, server.address());
  listed.mutable_policy()->add_allowed_hosts(server.address());
  EXPECT_EQ(client.Run(listed).stdout(), "CONNECTED\nCONNECTED\n");
  listed.mutable_policy()->set_allowed_hosts(0, "192.0.2.1:80");
  EXPECT_EQ(client.Run(listed).stdout(), "CONNECTED\nREFUSED\n");
  EXPECT_EQ(client.Run(Connecting(v1::NETWORK_FULL, server.address())).stdout(),
            "CONNECTED\nCONNECTED\n");
}

TEST(NetworkTest, AListGoesWithItsModeAndIsChecked) {
  const ServerProcess server({"--max_network=full"});
  TestClient client(server.address());
  v1::Result result;
  v1::ExecuteRequest request = CommandRequest({"/bin/true"});
  request.mutable_policy()->set_network(v1::NETWORK_ALLOW_LIST);
  EXPECT_THAT(ProblemOf(client.TryRun(request, &result)),
              HasSubstr("policy.allowed_hosts is empty"));
  request.mutable_policy()->add_allowed_hosts("example.org:443");
  EXPECT_THAT(ProblemOf(client.TryRun(request, &result)),
              HasSubstr("policy.allowed_hosts[0] \"example.org:443\""));
  request.mutable_policy()->set_allowed_hosts(0, "192.0.2.1:80");
  EXPECT_TRUE(client.TryRun(request, &result).ok());
  request.mutable_policy()->set_network(v1::NETWORK_FULL);
  EXPECT_THAT(ProblemOf(client.TryRun(request, &result)),
              HasSubstr("goes with NETWORK_ALLOW_LIST only"));
}

}  // namespace
}  // namespace cordon::testing
