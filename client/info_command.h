// `cordon info`: what a server can do and what it enforces.

#ifndef CORDON_CLIENT_INFO_COMMAND_H_
#define CORDON_CLIENT_INFO_COMMAND_H_

#include "client/cancellation.h"
#include "client/event_printer.h"
#include "client/run_flags.h"

namespace cordon::client {

// The exit code of the process: 0, or one of exit_codes.h with a sentence on
// `streams.error`. Blocks for a few seconds at most.
int InfoCommand(const InfoFlags& flags, StandardStreams streams,
                Cancellation& cancellation);

}  // namespace cordon::client

#endif  // CORDON_CLIENT_INFO_COMMAND_H_
