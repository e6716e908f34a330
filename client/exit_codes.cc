#include "client/exit_codes.h"

namespace cordon::client {

std::string ExitCodeTable() {
  return "  N      the program ended by itself with exit code N\n"
         "  128+N  signal N ended the program\n"
#define CORDON_CLIENT_LINE(name, number, meaning) \
  "  " #number "    " meaning "\n"
      CORDON_CLIENT_EXIT_CODES(CORDON_CLIENT_LINE)
#undef CORDON_CLIENT_LINE
          "  130    Ctrl-C cancelled the run (143: SIGTERM, 129: SIGHUP)\n"
          "  141    standard output was closed, which cancelled the run\n";
}

}  // namespace cordon::client
