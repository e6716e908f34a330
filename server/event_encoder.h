// Encode: from the sandbox's values to the messages of the contract. Pure.
//
// What it does not do: add what only the server knows (request_id, queue_time)
// or what only one rpc carries (the collected streams of Run).

#ifndef CORDON_SERVER_EVENT_ENCODER_H_
#define CORDON_SERVER_EVENT_ENCODER_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "proto/cordon/v1/execution.pb.h"
#include "sandbox/sandbox.h"

namespace cordon::server {

v1::Enforcement::Layer EncodeLayer(const sandbox::LayerEnforcement& layer);

v1::Enforcement EncodeEnforcement(const sandbox::Enforcement& enforcement);

v1::Violation EncodeViolation(const sandbox::Violation& violation);

v1::Output EncodeOutput(sandbox::OutputStream stream, absl::string_view data,
                        uint64_t offset);

v1::Outcome EncodeOutcomeKind(sandbox::OutcomeKind kind);

// Consumes the outcome: contents of files are moved, not copied.
v1::Result EncodeResult(sandbox::Outcome outcome);

}  // namespace cordon::server

#endif  // CORDON_SERVER_EVENT_ENCODER_H_
