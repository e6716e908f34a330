// argv -> what to do.
//
//   CommandLine command_line = ParseCommandLine(argc, argv);
//   if (auto* run = std::get_if<RunFlags>(&command_line)) ...
//
// The only file that uses exceptions, which are those of the argument parser.

#ifndef CORDON_CLIENT_COMMAND_LINE_H_
#define CORDON_CLIENT_COMMAND_LINE_H_

#include <string>
#include <variant>
#include <vector>

#include "client/run_flags.h"

namespace cordon::client {

// Text for standard output, and success: help or version.
struct HelpText {
  std::string text;
};

// What is wrong with the command line: a sentence.
struct UsageError {
  std::string message;
};

using CommandLine = std::variant<RunFlags, InfoFlags, HelpText, UsageError>;

// `arguments` without the program's own name. Reads the environment variable
// CORDON_SERVER. Never exits the process.
CommandLine ParseCommandLine(const std::vector<std::string>& arguments);

}  // namespace cordon::client

#endif  // CORDON_CLIENT_COMMAND_LINE_H_
