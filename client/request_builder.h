// Flags and file contents -> ExecuteRequest.
//
//   absl::StatusOr<v1::ExecuteRequest> request =
//       BuildRequest(flags, std::move(inputs), "python");
//
// Pure: it reads no file and calls no server. It checks what only the command
// line can get wrong (numbers, words, NAME=VALUE); whether a value is within
// the server's ceilings is for the server to say.

#ifndef CORDON_CLIENT_REQUEST_BUILDER_H_
#define CORDON_CLIENT_REQUEST_BUILDER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/run_flags.h"
#include "proto/cordon/v1/execution.pb.h"

namespace cordon::client {

// What the flags point at, read into memory.
struct RunInputs {
  // Source text; empty with ProgramKind::kCommand.
  std::string code;
  std::string stdin_data;
  std::vector<v1::File> files;
};

// `language` is ignored with ProgramKind::kCommand. INVALID_ARGUMENT lists
// every problem, one a line.
absl::StatusOr<v1::ExecuteRequest> BuildRequest(const RunFlags& flags,
                                                RunInputs inputs,
                                                absl::string_view language);

// The language whose extensions, in `info`, include that of `file`. NOT_FOUND
// says which languages there are; UNIMPLEMENTED that it is not installed there.
absl::StatusOr<std::string> LanguageOfFile(absl::string_view file,
                                           const v1::ServerInfo& info);

// One value of --file.
struct FileArgument {
  // In the run's directory.
  std::string destination;
  std::string path;
};

// "DEST=PATH", or "PATH": the destination is then the path itself when it is
// relative and does not climb, and its last component otherwise.
FileArgument ParseFileArgument(absl::string_view text);

}  // namespace cordon::client

#endif  // CORDON_CLIENT_REQUEST_BUILDER_H_
