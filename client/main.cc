// The `cordon` command: only wiring.

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

#include <string>
#include <variant>
#include <vector>

#include "client/cancellation.h"
#include "client/command_line.h"
#include "client/descriptor.h"
#include "client/exit_codes.h"
#include "client/info_command.h"
#include "client/messages.h"
#include "client/run_command.h"
#include "client/signal_watch.h"

namespace cordon::client {
namespace {

constexpr StandardStreams kStreams;

struct Command {
  Cancellation& cancellation;

  int operator()(const RunFlags& flags) const {
    return RunCommand(flags, kStreams, cancellation);
  }
  int operator()(const InfoFlags& flags) const {
    return InfoCommand(flags, kStreams, cancellation);
  }
  int operator()(const HelpText& help) const {
    return WriteAll(kStreams.out, help.text).ok()
               ? 0
               : static_cast<int>(ExitCode::kOutputFailed);
  }
  int operator()(const UsageError& error) const {
    Say(kStreams.error, error.message);
    return static_cast<int>(ExitCode::kBadRequest);
  }
};

// If the caller closed one of the three, a socket would get its number and the
// program's output would go there. Opened for reading, so that writes still
// fail.
void ReserveStandardStreams() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) < 0) open("/dev/null", O_RDONLY);
  }
}

int Main(int argc, char** argv) {
  ReserveStandardStreams();
  signal(SIGPIPE, SIG_IGN);
  // gRPC's own log would stand between the program's lines.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  Cancellation cancellation;
  SignalWatch watch(cancellation);
  return std::visit(Command{cancellation},
                    ParseCommandLine(std::vector<std::string>(
                        argv + 1, argv + (argc > 0 ? argc : 1))));
}

}  // namespace
}  // namespace cordon::client

int main(int argc, char** argv) { return cordon::client::Main(argc, argv); }
