// google.protobuf.Duration to and from absl::Duration.

#ifndef CORDON_SERVER_DURATIONS_H_
#define CORDON_SERVER_DURATIONS_H_

#include <optional>

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"

namespace cordon::server {

// nullopt when it breaks the rules of google/protobuf/duration.proto: within
// about 10,000 years, nanoseconds below one second and of the seconds' sign.
std::optional<absl::Duration> FromProto(
    const google::protobuf::Duration& duration);

google::protobuf::Duration ToProto(absl::Duration duration);

}  // namespace cordon::server

#endif  // CORDON_SERVER_DURATIONS_H_
