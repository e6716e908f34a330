// How a run or a call ended, in words for a person and as an exit code.
//
//   Explanation explanation = ExplainResult(result);
//   for (const std::string& line : explanation.lines) ...
//
// Pure. Text that comes from the program or the server is made printable.

#ifndef CORDON_CLIENT_EXPLAIN_H_
#define CORDON_CLIENT_EXPLAIN_H_

#include <grpcpp/support/status.h>

#include <string>
#include <vector>

#include "proto/cordon/v1/execution.pb.h"

namespace cordon::client {

struct Explanation {
  int exit_code = 0;
  // Sentences; none when the program ended by itself.
  std::vector<std::string> lines;
};

// How the program ended: every Outcome has its sentence and its code (see
// exit_codes.h). An outcome that this version does not know is a failure of the
// service.
Explanation ExplainResult(const v1::Result& result);

// Why the service could not run it. A google.rpc.BadRequest gives one line for
// each field. `status` is not OK.
Explanation ExplainStatus(const grpc::Status& status);

// What did not end the run and is still worth a line: breaches that were denied
// (equal ones once, with their number) and output that was left out.
std::vector<std::string> DescribeRemarks(const v1::Result& result);

}  // namespace cordon::client

#endif  // CORDON_CLIENT_EXPLAIN_H_
