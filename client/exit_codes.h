// The exit codes of the `cordon` command: the one table, from which the code,
// the help text and the documentation are made.
//
//   return static_cast<int>(ExitCode::kLimit);
//
// A program that ends by itself gives its own exit code, and one that dies of a
// signal 128 + its number, as in a shell. Those can collide with the codes
// below; `cordon run --json` tells them apart.

#ifndef CORDON_CLIENT_EXIT_CODES_H_
#define CORDON_CLIENT_EXIT_CODES_H_

#include <string>

namespace cordon::client {

// X(name, number, meaning)
#define CORDON_CLIENT_EXIT_CODES(X)                                           \
  X(kOutputFailed, 118, "an output or an output file could not be had")       \
  X(kTimedOut, 119, "--timeout passed before the run had ended")              \
  X(kBadRequest, 120, "the command line, a file or the request is not valid") \
  X(kUnavailable, 121, "the server cannot be reached, is busy or shuts down") \
  X(kLimit, 122, "a limit ended the program: time, memory, output or disk")   \
  X(kBreach, 123, "a breach ended the program: system call, file or network") \
  X(kNotStarted, 124, "the program did not compile or could not be started")  \
  X(kServiceFailed, 125, "the service failed; it is not the program's doing")

enum class ExitCode : int {
#define CORDON_CLIENT_ENUMERATOR(name, number, meaning) name = number,
  CORDON_CLIENT_EXIT_CODES(CORDON_CLIENT_ENUMERATOR)
#undef CORDON_CLIENT_ENUMERATOR
};

// The whole table as text, one code a line, each line indented by two spaces.
std::string ExitCodeTable();

}  // namespace cordon::client

#endif  // CORDON_CLIENT_EXIT_CODES_H_
