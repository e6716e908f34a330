// OutputCapture applies the limit and the mode of one output stream to the
// bytes that a program writes: what to deliver now, what to keep, what to
// count.
//
// Contract: pure computation; memory is at most `limit` bytes with kKeepTail
// and none otherwise.

#ifndef CORDON_SANDBOX_SUPERVISE_OUTPUT_CAPTURE_H_
#define CORDON_SANDBOX_SUPERVISE_OUTPUT_CAPTURE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "sandbox/spec/execution_spec.h"

namespace cordon::sandbox {

class OutputCapture {
 public:
  // Bytes and the position of the first of them in the stream.
  struct Piece {
    absl::string_view data;
    uint64_t offset = 0;
  };

  // `limit` in bytes.
  OutputCapture(OutputMode mode, uint64_t limit) : mode_(mode), limit_(limit) {}

  // Counts `chunk` and returns the part of it to deliver now; empty when none.
  Piece Accept(absl::string_view chunk);

  // With kKeepTail, at the end: the next piece, of at most `max_bytes`, of what
  // was kept; empty when there is no more. `data` is valid until the next call.
  // No Accept after this.
  Piece TakeTailPiece(uint64_t max_bytes);

  // Bytes written by the program.
  uint64_t total() const { return total_; }
  bool over_limit() const { return total_ > limit_; }
  OutputMode mode() const { return mode_; }

 private:
  void KeepTail(absl::string_view chunk);

  OutputMode mode_;
  uint64_t limit_;
  uint64_t total_ = 0;
  // A ring once it has `limit_` bytes; `next_` is its oldest byte then.
  std::string ring_;
  uint64_t next_ = 0;
  // Bytes of the ring that TakeTailPiece has handed out.
  uint64_t taken_ = 0;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_OUTPUT_CAPTURE_H_
