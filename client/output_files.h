// Puts the files that a run gave back below a directory, and nowhere else.
//
//   absl::Status status = WriteOutputFile("results", file);
//
// The names come from a server, so they are not trusted: a path that is
// absolute or climbs is refused, and no symbolic link below the directory is
// followed, whatever stands there already. A file that exists is replaced as a
// whole.

#ifndef CORDON_CLIENT_OUTPUT_FILES_H_
#define CORDON_CLIENT_OUTPUT_FILES_H_

#include <string>

#include "absl/status/status.h"
#include "proto/cordon/v1/execution.pb.h"

namespace cordon::client {

// Creates `directory`, its parents and those of the file where they are
// missing. The message of an error names the file. An entry that carries the
// server's error is that error.
absl::Status WriteOutputFile(const std::string& directory,
                             const v1::OutputFile& file);

}  // namespace cordon::client

#endif  // CORDON_CLIENT_OUTPUT_FILES_H_
