#include "sandbox/supervise/output_capture.h"

#include <algorithm>

namespace cordon::sandbox {

OutputCapture::Piece OutputCapture::Accept(absl::string_view chunk) {
  const uint64_t offset = total_;
  total_ += chunk.size();
  if (mode_ == OutputMode::kKeepTail) {
    KeepTail(chunk);
    return {};
  }
  if (offset >= limit_) return {};
  return {chunk.substr(0, limit_ - offset), offset};
}

void OutputCapture::KeepTail(absl::string_view chunk) {
  if (limit_ == 0) return;
  if (chunk.size() > limit_) chunk.remove_prefix(chunk.size() - limit_);
  const uint64_t room = std::min<uint64_t>(limit_ - ring_.size(), chunk.size());
  ring_.append(chunk.data(), room);
  chunk.remove_prefix(room);
  while (!chunk.empty()) {
    const uint64_t piece = std::min<uint64_t>(limit_ - next_, chunk.size());
    ring_.replace(next_, piece, chunk.data(), piece);
    next_ = (next_ + piece) % limit_;
    chunk.remove_prefix(piece);
  }
}

OutputCapture::Piece OutputCapture::TakeTailPiece(uint64_t max_bytes) {
  std::rotate(ring_.begin(), ring_.begin() + static_cast<ptrdiff_t>(next_),
              ring_.end());
  next_ = 0;
  const absl::string_view rest = absl::string_view(ring_).substr(taken_);
  const Piece piece = {rest.substr(0, max_bytes), total_ - rest.size()};
  taken_ += piece.data.size();
  return piece;
}

}  // namespace cordon::sandbox
