// `cordon run`: one program through a server, its output streamed, its end as
// an exit code.
//
//   int exit_code = RunCommand(flags, StandardStreams(), cancellation);
//
// Contract: SIGPIPE is ignored by the caller. Blocks until the run has ended or
// `cancellation` was asked to stop.

#ifndef CORDON_CLIENT_RUN_COMMAND_H_
#define CORDON_CLIENT_RUN_COMMAND_H_

#include "client/cancellation.h"
#include "client/event_printer.h"
#include "client/run_flags.h"

namespace cordon::client {

// The exit code of the process; exit_codes.h is the table. Everything that it
// says itself is on `streams.error`, each line starting with "cordon: ".
int RunCommand(const RunFlags& flags, StandardStreams streams,
               Cancellation& cancellation);

}  // namespace cordon::client

#endif  // CORDON_CLIENT_RUN_COMMAND_H_
