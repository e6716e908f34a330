// Prints a run's events as they arrive.
//
//   EventPrinter printer({0, 1, 2}, OutputFormat::kText);
//   absl::Status status = printer.Print(response);
//
// kText: the program's standard output and error, each on ours, byte for byte
// and unbuffered. kJson: every event as one line of protobuf JSON on standard
// output.

#ifndef CORDON_CLIENT_EVENT_PRINTER_H_
#define CORDON_CLIENT_EVENT_PRINTER_H_

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "client/run_flags.h"
#include "google/protobuf/message.h"
#include "proto/cordon/v1/execution.pb.h"

namespace cordon::client {

// Descriptors; not owned.
struct StandardStreams {
  int in = 0;
  int out = 1;
  int error = 2;
};

class EventPrinter {
 public:
  EventPrinter(StandardStreams streams, OutputFormat format)
      : streams_(streams), format_(format) {}

  // FAILED_PRECONDITION when nobody reads the stream any more; otherwise the
  // errno of write(2).
  absl::Status Print(const v1::ExecuteResponse& response);

  // With kJson, a call that failed: {"error": google.rpc.Status}.
  absl::Status PrintFailure(const grpc::Status& status);

 private:
  StandardStreams streams_;
  OutputFormat format_;
};

// `message` as protobuf JSON, fields at their default included.
enum class JsonLayout { kOneLine, kIndented };
std::string ToJson(const google::protobuf::Message& message, JsonLayout layout);

}  // namespace cordon::client

#endif  // CORDON_CLIENT_EVENT_PRINTER_H_
