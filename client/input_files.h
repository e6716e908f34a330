// Reads what the flags of `cordon run` point at.

#ifndef CORDON_CLIENT_INPUT_FILES_H_
#define CORDON_CLIENT_INPUT_FILES_H_

#include "absl/status/statusor.h"
#include "client/request_builder.h"
#include "client/run_flags.h"

namespace cordon::client {

// Source, --stdin and --file, wholly into memory. `standard_input` is read only
// for a source of "-" and for --stdin=-: it is never forwarded by itself, so
// that a run in a loop or under cron does not eat or wait for what is not its
// own. A file with an execute permission stays executable. INVALID_ARGUMENT
// lists every problem, one a line.
absl::StatusOr<RunInputs> LoadInputs(const RunFlags& flags, int standard_input);

}  // namespace cordon::client

#endif  // CORDON_CLIENT_INPUT_FILES_H_
