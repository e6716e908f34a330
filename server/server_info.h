// What GetServerInfo reports, built once. Pure.

#ifndef CORDON_SERVER_SERVER_INFO_H_
#define CORDON_SERVER_SERVER_INFO_H_

#include <cstdint>

#include "proto/cordon/v1/execution.pb.h"
#include "sandbox/host/host_features.h"
#include "sandbox/spec/enforcement.h"
#include "server/admission.h"
#include "server/request_validator.h"

namespace cordon::server {

// Everything but the uptime. `service` is what the server enforces on itself.
v1::ServerInfo BuildServerInfo(const ValidatorConfig& config,
                               const sandbox::HostFeatures& host,
                               const sandbox::Enforcement& enforcement,
                               const sandbox::LayerEnforcement& service,
                               const Admission::Options& admission,
                               uint64_t max_request_bytes);

}  // namespace cordon::server

#endif  // CORDON_SERVER_SERVER_INFO_H_
