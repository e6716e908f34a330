// BareServer: the same contract over gRPC without any of cordon behind it, in a
// process of its own. What a stream or a message costs anyway.
//
//   BareServer bare;  // First of all: it forks.
//   testing::TestClient client(bare.address());
//
// Execute streams Limits.output_bytes in chunks of Limits.file_bytes; from
// memory, or, where there is a command, from its standard output through a
// pipe. Run answers with nothing.
//
// Contract: constructed before this process uses gRPC or has a second thread.

#ifndef CORDON_TESTS_BENCH_BARE_SERVER_H_
#define CORDON_TESTS_BENCH_BARE_SERVER_H_

#include <sys/types.h>

#include <string>

namespace cordon::bench {

class BareServer {
 public:
  BareServer();
  // Ends it.
  ~BareServer();
  BareServer(const BareServer&) = delete;
  BareServer& operator=(const BareServer&) = delete;

  // "127.0.0.1:PORT".
  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  std::string address_;
};

}  // namespace cordon::bench

#endif  // CORDON_TESTS_BENCH_BARE_SERVER_H_
