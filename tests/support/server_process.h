// A real cordond in a process of its own, for tests and benchmarks.
//
//   ServerProcess server({"--slots=2"});
//   auto channel = grpc::CreateChannel(server.address(), ...);
//
// The binary is a data dependency: add "//server:cordond" to the target's data.

#ifndef CORDON_TESTS_SUPPORT_SERVER_PROCESS_H_
#define CORDON_TESTS_SUPPORT_SERVER_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "sandbox/base/unique_fd.h"

namespace cordon::testing {

class ServerProcess {
 public:
  // Starts it on a port of its own choosing, with a state directory of its own,
  // and waits for the line that says it is ready. Dies with what the server
  // said when it does not become ready.
  explicit ServerProcess(const std::vector<std::string>& flags);
  // Kills what still runs and removes the state directory.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // "127.0.0.1:PORT".
  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }
  const std::string& state_directory() const { return state_directory_; }

  void Signal(int signal) const;
  // Blocks until it has ended; its wait status (wait(2)).
  int WaitForExit();
  // After WaitForExit: another one with the same flags and state directory, as
  // the constructor does it.
  void Restart();

 private:
  void Start();

  std::vector<std::string> arguments_;
  pid_t pid_ = -1;
  bool exited_ = false;
  sandbox::UniqueFd stdout_;
  std::string address_;
  std::string state_directory_;
};

}  // namespace cordon::testing

#endif  // CORDON_TESTS_SUPPORT_SERVER_PROCESS_H_
