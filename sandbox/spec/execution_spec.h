// ExecutionSpec says what to run and under what: the value that the server's
// validator makes and the sandbox consumes. It holds no descriptor, no pointer
// and nothing of the host.

#ifndef CORDON_SANDBOX_SPEC_EXECUTION_SPEC_H_
#define CORDON_SANDBOX_SPEC_EXECUTION_SPEC_H_

#include <optional>
#include <string>
#include <vector>

#include "sandbox/spec/file_view.h"
#include "sandbox/spec/limits.h"
#include "sandbox/spec/network.h"
#include "sandbox/spec/violation.h"

namespace cordon::sandbox {

enum class FileMode { kRegular, kExecutable };

// A file to create in the run's directory before the program starts.
struct InputFile {
  // Relative, without "..", "." or empty components.
  std::string path;
  std::string content;
  FileMode mode = FileMode::kRegular;
};

enum class OutputMode {
  // Passing output_bytes ends the run.
  kTerminate,
  // The first output_bytes are delivered; the run goes on.
  kKeepHead,
  // The last output_bytes are delivered, at the end; the run goes on.
  kKeepTail,
};

// One process tree to run in the run's directory.
struct Step {
  // argv[0] is looked up in `path_directories` when it has no '/'.
  std::vector<std::string> argv;
  // "NAME=value", in addition to HOME and TMPDIR, which the sandbox sets to the
  // run's directory unless they are here.
  std::vector<std::string> environment;
  // Relative to the run's directory; empty is the directory itself. Created
  // when absent.
  std::string working_directory;
  // Written to the program's standard input, then end of file.
  std::string stdin_data;
  OutputMode output_mode = OutputMode::kTerminate;
  Limits limits;
  // Of a compile step: the files, relative to the run's directory, that are all
  // that it makes, so that they may be kept for an equal step
  // (compile_cache.h). Empty: it is always done.
  std::vector<std::string> artefacts;
};

struct ExecutionSpec {
  // Ends up in logs only.
  std::string request_id;
  std::vector<InputFile> files;
  // Runs first, when present; the program runs only if it exits with 0. Its
  // output is part of the compilation's Outcome and never streamed.
  std::optional<Step> compile;
  Step program;
  // Where argv[0] is looked up.
  std::vector<std::string> path_directories = {"/usr/local/bin", "/usr/bin",
                                               "/bin"};
  FileView view;
  // Of the program. A compile step has the host's, and the same directories.
  Filesystem filesystem = Filesystem::kHost;
  OnViolation on_violation;
  AuditScope audit = AuditScope::kWrites;
  // Of the program. A compile step has no network.
  NetworkGrant network;
  // The template (sandbox/warm) that the program may be a fork of; empty: it is
  // executed. argv is then an interpreter, a file in the run's directory, and
  // arguments. A run that a template cannot serve truly is executed all the
  // same.
  std::string warm_profile;
  // Relative paths or glob patterns (glob(7); '*' does not match '/').
  std::vector<std::string> output_files;
  // Of all of them together, where it is not SandboxOptions' own.
  std::optional<uint64_t> max_collected_bytes;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SPEC_EXECUTION_SPEC_H_
