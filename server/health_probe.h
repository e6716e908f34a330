// A health check as a command, for containers that have no other.

#ifndef CORDON_SERVER_HEALTH_PROBE_H_
#define CORDON_SERVER_HEALTH_PROBE_H_

#include <string>

#include "absl/status/status.h"

namespace cordon::server {

// Asks the server at `address` (grpc.health.v1.Health/Check): OK when it
// serves, else why it does not. Blocks for a few seconds at most.
absl::Status ProbeHealth(const std::string& address);

}  // namespace cordon::server

#endif  // CORDON_SERVER_HEALTH_PROBE_H_
