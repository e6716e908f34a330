#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "gtest/gtest.h"
#include "tests/kernel/landlock_child.h"
#include "tests/support/degraded_host.h"

namespace cordon::sandbox {
namespace {

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Abstract: the name begins with a NUL and is no file.
socklen_t AbstractAddress(const std::string& name, sockaddr_un* address) {
  *address = {};
  address->sun_family = AF_UNIX;
  name.copy(address->sun_path + 1, sizeof(address->sun_path) - 2);
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 +
                                name.size());
}

TEST(LandlockNetworkTest, TcpCanNeitherConnectNorBind) {
  if (testing::NeedsLandlock(4, "refuse TCP")) return;
  LandlockSite site;
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof(address);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length),
            0);
  ASSERT_EQ(listen(listener.get(), 4), 0);
  ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address),
                        &length),
            0);
  const auto connect_to = [&] {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    return Try(connect(client, reinterpret_cast<const sockaddr*>(&address),
                       sizeof(address)));
  };
  const auto bind_to = [] {
    const sockaddr_in any = Loopback(0);
    return Try(bind(socket(AF_INET, SOCK_STREAM, 0),
                    reinterpret_cast<const sockaddr*>(&any), sizeof(any)));
  };
  EXPECT_EQ(site.Run(Confinement::kNone, connect_to), 0);
  EXPECT_EQ(site.Run(Confinement::kRun, connect_to), EACCES);
  EXPECT_EQ(site.Run(Confinement::kNone, bind_to), 0);
  EXPECT_EQ(site.Run(Confinement::kRun, bind_to), EACCES);
}

TEST(LandlockNetworkTest, AnAbstractSocketOfAnotherProcessIsOutOfReach) {
  if (testing::NeedsLandlock(6, "refuse abstract sockets")) return;
  LandlockSite site;
  const std::string name = "cordon-test-" + std::to_string(getpid());
  sockaddr_un address;
  const socklen_t length = AbstractAddress(name, &address);
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length),
            0);
  ASSERT_EQ(listen(listener.get(), 4), 0);
  const auto act = [&] {
    return Try(connect(socket(AF_UNIX, SOCK_STREAM, 0),
                       reinterpret_cast<const sockaddr*>(&address), length));
  };
  EXPECT_EQ(site.Run(Confinement::kNone, act), 0);
  EXPECT_EQ(site.Run(Confinement::kRun, act), EPERM);
}

TEST(LandlockNetworkTest, AnAbstractSocketOfItsOwnWorks) {
  LandlockSite site;
  EXPECT_EQ(site.Run(Confinement::kRun,
                     [] {
                       sockaddr_un address;
                       const socklen_t length = AbstractAddress(
                           "cordon-own-" + std::to_string(getpid()), &address);
                       const int server = socket(AF_UNIX, SOCK_STREAM, 0);
                       if (bind(server, reinterpret_cast<sockaddr*>(&address),
                                length) != 0 ||
                           listen(server, 1) != 0) {
                         return errno;
                       }
                       return Try(connect(socket(AF_UNIX, SOCK_STREAM, 0),
                                          reinterpret_cast<sockaddr*>(&address),
                                          length));
                     }),
            0);
}

}  // namespace
}  // namespace cordon::sandbox
