#include "server/utf8.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/escaping.h"

namespace cordon::server {
namespace {

struct Lead {
  // Bytes of the whole character; 0 when the byte starts none.
  size_t bytes;
  // Bits of the character's number that the lead carries.
  uint32_t bits;
  // The smallest number that needs this many bytes.
  uint32_t smallest;
};

Lead LeadOf(unsigned char c) {
  if (c < 0x80) return {1, c, 0};
  if ((c & 0xe0) == 0xc0) return {2, c & 0x1fu, 0x80};
  if ((c & 0xf0) == 0xe0) return {3, c & 0x0fu, 0x800};
  if ((c & 0xf8) == 0xf0) return {4, c & 0x07u, 0x10000};
  return {0, 0, 0};
}

}  // namespace

bool IsUtf8(absl::string_view bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const Lead lead = LeadOf(static_cast<unsigned char>(bytes[at]));
    if (lead.bytes == 0 || at + lead.bytes > bytes.size()) return false;
    uint32_t number = lead.bits;
    for (size_t i = 1; i < lead.bytes; ++i) {
      const auto c = static_cast<unsigned char>(bytes[at + i]);
      if ((c & 0xc0) != 0x80) return false;
      number = number << 6 | (c & 0x3fu);
    }
    if (number < lead.smallest || number > 0x10ffff) return false;
    if (number >= 0xd800 && number < 0xe000) return false;
    at += lead.bytes;
  }
  return true;
}

std::string ToUtf8(const std::string& bytes) {
  return IsUtf8(bytes) ? bytes : absl::CHexEscape(bytes);
}

}  // namespace cordon::server
