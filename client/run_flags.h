// What the user typed after `cordon run`: plain values, not yet checked against
// each other and not yet read from disk.

#ifndef CORDON_CLIENT_RUN_FLAGS_H_
#define CORDON_CLIENT_RUN_FLAGS_H_

#include <string>
#include <vector>

namespace cordon::client {

inline constexpr char kDefaultServer[] = "localhost:50051";

// How results are printed.
enum class OutputFormat { kText, kJson };

// kQuiet: no sentences about how the run ended; the exit code says it.
enum class Verbosity { kNormal, kQuiet };

// kSource: a file, or standard input, in one of the server's languages.
// kCommand: `arguments` are the argv of a program that the server's host has.
enum class ProgramKind { kSource, kCommand };

// An empty string is a flag that was not given.
struct RunFlags {
  std::string server = kDefaultServer;
  ProgramKind program = ProgramKind::kSource;
  // A path, or "-" or empty for standard input.
  std::string file;
  std::string language;
  // What stood after "--".
  std::vector<std::string> arguments;

  // A path, or "-" for standard input.
  std::string stdin_file;
  // [DEST=]PATH each.
  std::vector<std::string> files;
  std::vector<std::string> outputs;
  std::string output_directory = ".";
  // NAME=VALUE each.
  std::vector<std::string> environment;
  std::string working_directory;

  // Times, sizes and counts as they were typed.
  std::string cpu;
  std::string wall;
  std::string memory;
  std::string output_limit;
  std::string file_size;
  std::string disk;
  std::string open_files;
  std::string processes;

  std::string output_mode;
  std::string network;
  std::vector<std::string> allowed_hosts;
  // KIND=ACTION each.
  std::vector<std::string> on_violation;
  std::string audit;
  std::string filesystem;
  std::string start;

  std::string request_id;
  std::string label;
  std::string timeout;
  OutputFormat format = OutputFormat::kText;
  Verbosity verbosity = Verbosity::kNormal;
};

struct InfoFlags {
  std::string server = kDefaultServer;
  OutputFormat format = OutputFormat::kText;
};

}  // namespace cordon::client

#endif  // CORDON_CLIENT_RUN_FLAGS_H_
