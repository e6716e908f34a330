// Sizes and times as people type and read them.
//
//   ParseSize("256M")      ->  268435456
//   ParseDuration("500ms") ->  absl::Milliseconds(500)
//
// Pure. Suffixes of sizes are powers of 1024; a time without a unit is seconds.

#ifndef CORDON_CLIENT_SIZE_AND_DURATION_H_
#define CORDON_CLIENT_SIZE_AND_DURATION_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"

namespace cordon::client {

// A whole number above zero, of bytes or of K, M, G or T. INVALID_ARGUMENT, as
// the rest of a sentence that starts with what was typed.
absl::StatusOr<uint64_t> ParseSize(absl::string_view text);

// A whole number above zero that fits in 32 bits.
absl::StatusOr<uint32_t> ParseCount(absl::string_view text);

// A time above zero: 500ms, 2s, 1m, 1m30s, 0.5h, or plain seconds.
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);

// The largest unit that gives a whole number: "256M", "1000".
std::string SizeText(uint64_t bytes);

// Such as "10s" and "2m"; without the parts that are zero.
std::string DurationText(absl::Duration duration);

google::protobuf::Duration ToProto(absl::Duration duration);
absl::Duration FromProto(const google::protobuf::Duration& duration);

}  // namespace cordon::client

#endif  // CORDON_CLIENT_SIZE_AND_DURATION_H_
