#include "client/size_and_duration.h"

#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace cordon::client {
namespace {

constexpr std::pair<char, int> kUnits[] = {
    {'T', 40}, {'G', 30}, {'M', 20}, {'K', 10}};

int ShiftOf(char suffix) {
  for (const auto& [unit, shift] : kUnits) {
    if (suffix == unit || suffix == unit - 'A' + 'a') return shift;
  }
  return 0;
}

// absl::SimpleAtoi takes signs and spaces, which no size has.
bool IsDigits(absl::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("0123456789") == absl::string_view::npos;
}

absl::Status NotASize() {
  return absl::InvalidArgumentError(
      "is not a size: give bytes, or a number with K, M, G or T");
}

absl::Status IsZero() {
  return absl::InvalidArgumentError(
      "is zero: leave it out to get the server's default");
}

// absl::FormatDuration writes two minutes as "2m0s".
void DropZeroPart(std::string& text, absl::string_view zero) {
  for (const char unit : {'m', 'h'}) {
    if (absl::EndsWith(text, absl::StrCat(std::string(1, unit), zero))) {
      text.resize(text.size() - zero.size());
    }
  }
}

}  // namespace

absl::StatusOr<uint64_t> ParseSize(absl::string_view text) {
  const int shift = text.empty() ? 0 : ShiftOf(text.back());
  if (shift != 0) text.remove_suffix(1);
  uint64_t number = 0;
  if (!IsDigits(text)) return NotASize();
  if (!absl::SimpleAtoi(text, &number) ||
      number > (std::numeric_limits<uint64_t>::max() >> shift)) {
    return absl::InvalidArgumentError("is too large");
  }
  if (number == 0) return IsZero();
  return number << shift;
}

absl::StatusOr<uint32_t> ParseCount(absl::string_view text) {
  uint32_t number = 0;
  if (!IsDigits(text)) {
    return absl::InvalidArgumentError("is not a whole number");
  }
  if (!absl::SimpleAtoi(text, &number)) {
    return absl::InvalidArgumentError("is too large");
  }
  if (number == 0) return IsZero();
  return number;
}

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text) {
  absl::Duration duration;
  const bool is_number =
      !text.empty() &&
      text.find_first_not_of("0123456789.") == absl::string_view::npos;
  if (!absl::ParseDuration(is_number ? absl::StrCat(text, "s") : text,
                           &duration) ||
      duration < absl::ZeroDuration() || duration == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(
        "is not a time: give seconds, or a number with ms, s, m or h");
  }
  if (duration == absl::ZeroDuration()) return IsZero();
  // google/protobuf/duration.proto: about 10,000 years.
  if (duration > absl::Seconds(315576000000)) {
    return absl::InvalidArgumentError("is too large");
  }
  return duration;
}

std::string SizeText(uint64_t bytes) {
  for (const auto& [unit, shift] : kUnits) {
    const uint64_t size = uint64_t{1} << shift;
    if (bytes >= size && bytes % size == 0) {
      return absl::StrCat(bytes >> shift, std::string(1, unit));
    }
  }
  return absl::StrCat(bytes);
}

std::string DurationText(absl::Duration duration) {
  std::string text = absl::FormatDuration(duration);
  DropZeroPart(text, "0s");
  DropZeroPart(text, "0m");
  return text;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration result;
  result.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  result.set_nanos(static_cast<int>(duration / absl::Nanoseconds(1)));
  return result;
}

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

}  // namespace cordon::client
