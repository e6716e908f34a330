#include "sandbox/supervise/output_capture.h"

#include <string>

#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

std::string Tail(OutputCapture& capture, uint64_t piece_bytes) {
  std::string tail;
  for (;;) {
    const OutputCapture::Piece piece = capture.TakeTailPiece(piece_bytes);
    if (piece.data.empty()) return tail;
    EXPECT_EQ(piece.offset, capture.total() -
                                (capture.total() < 10 ? capture.total() : 10) +
                                tail.size());
    tail.append(piece.data.data(), piece.data.size());
  }
}

TEST(OutputCapture, TerminateDeliversWhatFitsAndKnowsThatMoreCame) {
  OutputCapture capture(OutputMode::kTerminate, 5);
  EXPECT_EQ(capture.Accept("abc").data, "abc");
  EXPECT_FALSE(capture.over_limit());
  const OutputCapture::Piece piece = capture.Accept("def");
  EXPECT_EQ(piece.data, "de");
  EXPECT_EQ(piece.offset, 3u);
  EXPECT_TRUE(capture.over_limit());
  EXPECT_EQ(capture.Accept("g").data, "");
  EXPECT_EQ(capture.total(), 7u);
}

TEST(OutputCapture, ExactlyTheLimitIsWithinIt) {
  OutputCapture capture(OutputMode::kTerminate, 3);
  EXPECT_EQ(capture.Accept("abc").data, "abc");
  EXPECT_FALSE(capture.over_limit());
}

TEST(OutputCapture, KeepHeadDeliversTheHeadAndCountsTheRest) {
  OutputCapture capture(OutputMode::kKeepHead, 2);
  EXPECT_EQ(capture.Accept("abc").data, "ab");
  EXPECT_EQ(capture.Accept("def").data, "");
  EXPECT_EQ(capture.total(), 6u);
  EXPECT_EQ(capture.TakeTailPiece(100).data, "");
}

TEST(OutputCapture, KeepTailKeepsTheLastBytesWhateverTheChunks) {
  const std::string stream = "0123456789abcdefghijklmnopqrstuvwxyz";
  for (size_t length = 0; length <= stream.size(); ++length) {
    for (size_t chunk = 1; chunk <= length; ++chunk) {
      OutputCapture capture(OutputMode::kKeepTail, 10);
      for (size_t at = 0; at < length; at += chunk) {
        EXPECT_EQ(capture
                      .Accept(absl::string_view(stream).substr(
                          at, std::min(chunk, length - at)))
                      .data,
                  "");
      }
      const std::string expected = stream.substr(length > 10 ? length - 10 : 0,
                                                 std::min<size_t>(length, 10));
      EXPECT_EQ(Tail(capture, 3), expected) << length << " by " << chunk;
    }
  }
}

TEST(OutputCapture, ALimitOfZeroKeepsNothing) {
  for (const OutputMode mode :
       {OutputMode::kTerminate, OutputMode::kKeepHead, OutputMode::kKeepTail}) {
    OutputCapture capture(mode, 0);
    EXPECT_FALSE(capture.over_limit());
    EXPECT_EQ(capture.Accept("a").data, "");
    EXPECT_TRUE(capture.over_limit());
    EXPECT_EQ(capture.TakeTailPiece(1).data, "");
  }
}

}  // namespace
}  // namespace cordon::sandbox
