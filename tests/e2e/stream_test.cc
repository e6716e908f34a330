// What a client of Execute sees, event by event.

#include <algorithm>
#include <map>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

class StreamTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new ServerProcess({"--max_output_bytes=128M"});
  }
  static void TearDownTestSuite() { delete server_; }

  TestClient client_{server_->address()};
  static ServerProcess* server_;
};

ServerProcess* StreamTest::server_ = nullptr;

int CountOf(const StreamRecord& record, v1::ExecuteResponse::EventCase event) {
  return static_cast<int>(std::count_if(record.events.begin(),
                                        record.events.end(),
                                        [event](const auto& response) {
                                          return response.event_case() == event;
                                        }));
}

// Each output starts where the last one of its stream ended.
void ExpectContiguous(const StreamRecord& record) {
  std::map<v1::Stream, uint64_t> next;
  for (const v1::ExecuteResponse& event : record.events) {
    if (!event.has_output()) continue;
    ASSERT_EQ(event.output().offset(), next[event.output().stream()]);
    next[event.output().stream()] += event.output().data().size();
  }
}

TEST_F(StreamTest, StartedIsFirstAndTheResultIsLastAndEachComesOnce) {
  const StreamRecord record = client_.Stream(BashRequest(
      "for i in 1 2 3; do echo out $i; echo err $i >&2; done; exit 3"));
  ASSERT_TRUE(record.status.ok()) << record.status.error_message();
  ASSERT_GE(record.events.size(), 4u);
  EXPECT_TRUE(record.events.front().has_started());
  EXPECT_TRUE(record.events.back().has_result());
  EXPECT_EQ(CountOf(record, v1::ExecuteResponse::kStarted), 1);
  EXPECT_EQ(CountOf(record, v1::ExecuteResponse::kResult), 1);
  EXPECT_EQ(record.result().outcome(), v1::EXITED);
  EXPECT_EQ(record.result().exit_code(), 3);
}

TEST_F(StreamTest, ASilentProgramStreamsOnlyStartedAndResult) {
  const StreamRecord record = client_.Stream(CommandRequest({"/bin/true"}));
  ASSERT_EQ(record.events.size(), 2u);
  EXPECT_TRUE(record.events[0].has_started());
  EXPECT_EQ(record.result().exit_code(), 0);
}

TEST_F(StreamTest, AProgramThatCannotStartStreamsStartedAndResultToo) {
  const StreamRecord record = client_.Stream(CommandRequest({"no-such-tool"}));
  ASSERT_EQ(record.events.size(), 2u);
  EXPECT_TRUE(record.events[0].has_started());
  EXPECT_EQ(record.result().outcome(), v1::START_FAILED);
}

TEST_F(StreamTest, EachStreamKeepsItsOrderAndItsOffsetsAreContiguous) {
  const StreamRecord record = client_.Stream(BashRequest(
      "for ((i = 0; i < 2000; i++)); do echo o$i; echo e$i >&2; done"));
  std::string out, err;
  for (int i = 0; i < 2000; ++i) {
    out += "o" + std::to_string(i) + "\n";
    err += "e" + std::to_string(i) + "\n";
  }
  EXPECT_EQ(record.stdout_data, out);
  EXPECT_EQ(record.stderr_data, err);
  ExpectContiguous(record);
  EXPECT_EQ(record.result().usage().stdout_bytes(), out.size());
  EXPECT_EQ(record.result().usage().stderr_bytes(), err.size());
  EXPECT_TRUE(record.result().stdout().empty()) << "Execute streams it";
}

TEST_F(StreamTest, OutputArrivesWhileTheProgramRuns) {
  // No newline and no end: nothing but the write itself can bring it here.
  const auto stream = client_.Execute(BashRequest("printf a; sleep 1000"));
  EXPECT_TRUE(stream->ReadUntilStdoutHas("a"));
  EXPECT_EQ(CountOf(stream->record(), v1::ExecuteResponse::kResult), 0);
  stream->Cancel();
  const StreamRecord record = stream->Finish();
  EXPECT_EQ(record.stdout_data, "a");
  EXPECT_EQ(record.status.error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(StreamTest, ErrorOutputArrivesWhileTheProgramRunsToo) {
  const auto stream = client_.Execute(BashRequest("printf a >&2; sleep 1000"));
  v1::ExecuteResponse response;
  while (stream->record().stderr_data.empty()) {
    ASSERT_TRUE(stream->Next(&response));
  }
  EXPECT_EQ(stream->record().stderr_data, "a");
}

TEST_F(StreamTest, PythonSourceThatFlushesPrintsWhileItRuns) {
  const auto stream = client_.Execute(SourceRequest(
      "python", "import time\nprint('a', flush=True)\ntime.sleep(1000)"));
  EXPECT_TRUE(stream->ReadUntilStdoutHas("a\n"));
}

// A generator that the test can run as well as the program: a linear
// congruential sequence, so that a lost, doubled or swapped block shows.
constexpr char kGenerator[] = R"(
import sys
x = 1
out = bytearray()
for i in range(1 << 16):
    x = (x * 1103515245 + 12345) & 0x7fffffff
    out += x.to_bytes(4, 'little')
for i in range(400):
    out[0:4] = i.to_bytes(4, 'little')
    sys.stdout.buffer.write(out)
)";

std::string GeneratedBlock() {
  uint32_t x = 1;
  std::string block;
  for (int i = 0; i < 1 << 16; ++i) {
    x = (x * 1103515245u + 12345u) & 0x7fffffffu;
    for (int shift = 0; shift < 32; shift += 8) {
      block.push_back(static_cast<char>(x >> shift));
    }
  }
  return block;
}

TEST_F(StreamTest, AHundredMebibytesArriveByteForByte) {
  constexpr uint64_t kBytes = uint64_t{100} << 20;
  v1::ExecuteRequest request = PythonRequest(kGenerator);
  request.mutable_limits()->set_output_bytes(uint64_t{128} << 20);
  const auto stream = client_.Execute(request);
  std::string block = GeneratedBlock();
  v1::ExecuteResponse response;
  v1::Result result;
  uint64_t position = 0;
  while (stream->Next(&response)) {
    if (response.has_result()) result = response.result();
    if (!response.has_output()) continue;
    const v1::Output& output = response.output();
    ASSERT_EQ(output.offset(), position);
    for (const char byte : output.data()) {
      const size_t in_block = position % block.size();
      if (in_block == 0) {
        const uint32_t number = position / block.size();
        for (int i = 0; i < 4; ++i) {
          block[i] = static_cast<char>(number >> (8 * i));
        }
      }
      ASSERT_EQ(byte, block[in_block]) << "at " << position;
      ++position;
    }
  }
  EXPECT_EQ(position, kBytes);
  EXPECT_EQ(result.outcome(), v1::EXITED) << result.message();
  EXPECT_EQ(result.usage().stdout_bytes(), kBytes);
  EXPECT_FALSE(result.stdout_truncated());
}

TEST_F(StreamTest, EveryByteValueSurvivesAndSoDoesNul) {
  const StreamRecord record = client_.Stream(PythonRequest(
      "import sys; sys.stdout.buffer.write(bytes(range(256)) * 3)"));
  std::string expected;
  for (int i = 0; i < 3 * 256; ++i) expected.push_back(static_cast<char>(i));
  EXPECT_EQ(record.stdout_data, expected);
}

TEST_F(StreamTest, StdinOfManyPipeBuffersPassesThroughCat) {
  v1::ExecuteRequest request = CommandRequest({"/bin/cat"});
  request.set_stdin(std::string(5 << 20, 'x') + "end");
  request.mutable_limits()->set_output_bytes(8 << 20);
  const StreamRecord record = client_.Stream(request);
  EXPECT_TRUE(record.stdout_data == request.stdin());
  EXPECT_EQ(record.result().outcome(), v1::EXITED);
}

TEST_F(StreamTest, WithoutStdinThereIsEndOfFileAtOnce) {
  const StreamRecord record = client_.Stream(BashRequest("cat; echo end"));
  EXPECT_EQ(record.stdout_data, "end\n");
}

TEST_F(StreamTest, KeepHeadDeliversTheFirstBytesAndCountsAll) {
  v1::ExecuteRequest request =
      BashRequest("for ((i = 0; i < 10000; i++)); do echo $i; done");
  request.set_output_mode(v1::OUTPUT_MODE_KEEP_HEAD);
  request.mutable_limits()->set_output_bytes(10);
  const StreamRecord record = client_.Stream(request);
  EXPECT_EQ(record.stdout_data, "0\n1\n2\n3\n4\n");
  EXPECT_EQ(record.result().outcome(), v1::EXITED);
  EXPECT_TRUE(record.result().stdout_truncated());
  EXPECT_FALSE(record.result().stderr_truncated());
  EXPECT_EQ(record.result().usage().stdout_bytes(), 48890u);
}

TEST_F(StreamTest, KeepTailDeliversTheLastBytesAtTheirTrueOffset) {
  v1::ExecuteRequest request =
      BashRequest("for ((i = 0; i < 10000; i++)); do echo $i; done");
  request.set_output_mode(v1::OUTPUT_MODE_KEEP_TAIL);
  request.mutable_limits()->set_output_bytes(10);
  const StreamRecord record = client_.Stream(request);
  EXPECT_EQ(record.stdout_data, "9998\n9999\n");
  EXPECT_EQ(record.result().outcome(), v1::EXITED);
  EXPECT_TRUE(record.result().stdout_truncated());
  uint64_t offset = 0;
  for (const auto& event : record.events) {
    if (event.has_output()) {
      offset = event.output().offset();
      break;
    }
  }
  EXPECT_EQ(offset, 48890u - 10);
  EXPECT_EQ(record.result().usage().stdout_bytes(), 48890u);
}

TEST_F(StreamTest, KeepTailOfLittleOutputIsAllOfIt) {
  v1::ExecuteRequest request = BashRequest("echo short");
  request.set_output_mode(v1::OUTPUT_MODE_KEEP_TAIL);
  const StreamRecord record = client_.Stream(request);
  EXPECT_EQ(record.stdout_data, "short\n");
  EXPECT_FALSE(record.result().stdout_truncated());
  ExpectContiguous(record);
}

TEST_F(StreamTest, AViolationIsStreamedWhereItHappened) {
  const StreamRecord record =
      client_.Stream(PythonRequest("import socket\n"
                                   "print('before', flush=True)\n"
                                   "try: socket.socket(socket.AF_INET)\n"
                                   "except OSError: pass\n"
                                   "print('after', flush=True)\n"));
  ASSERT_EQ(CountOf(record, v1::ExecuteResponse::kViolation), 1);
  EXPECT_EQ(record.stdout_data, "before\nafter\n");
  EXPECT_EQ(record.result().violations_size(), 1);
  const StreamRecord control = client_.Stream(PythonRequest(
      "import socket\nsocket.socket(socket.AF_UNIX)\nprint('after')"));
  EXPECT_EQ(CountOf(control, v1::ExecuteResponse::kViolation), 0);
  EXPECT_EQ(control.stdout_data, "after\n");
}

TEST_F(StreamTest, TheRequestIdComesBackInStartedAndInTheResult) {
  v1::ExecuteRequest request = CommandRequest({"/bin/true"});
  request.set_request_id("mine-17");
  const StreamRecord record = client_.Stream(request);
  EXPECT_EQ(record.events.front().started().request_id(), "mine-17");
  EXPECT_EQ(record.result().request_id(), "mine-17");
  const StreamRecord chosen = client_.Stream(CommandRequest({"/bin/true"}));
  EXPECT_FALSE(chosen.result().request_id().empty());
  EXPECT_EQ(chosen.events.front().started().request_id(),
            chosen.result().request_id());
}

TEST_F(StreamTest, AGrandchildThatHoldsThePipeDoesNotDelayTheResult) {
  const StreamRecord record =
      client_.Stream(BashRequest("sleep 1000 & echo started; exit 4"));
  EXPECT_EQ(record.stdout_data, "started\n");
  EXPECT_EQ(record.result().outcome(), v1::EXITED);
  EXPECT_EQ(record.result().exit_code(), 4);
}

TEST_F(StreamTest, AProgramThatClosesItsOutputStillRunsToItsEnd) {
  const StreamRecord record =
      client_.Stream(BashRequest("echo a; exec >&- 2>&-; sleep 0.3; exit 5"));
  EXPECT_EQ(record.stdout_data, "a\n");
  EXPECT_EQ(record.result().exit_code(), 5);
}

TEST_F(StreamTest, AProgramThatNeverEndsAndClosesItsOutputIsStoppedByTime) {
  v1::ExecuteRequest request = BashRequest("exec >&- 2>&-; sleep 1000");
  SetDuration(request.mutable_limits()->mutable_wall_time(),
              absl::Milliseconds(500));
  EXPECT_EQ(client_.Stream(request).result().outcome(), v1::WALL_TIME_LIMIT);
}

TEST_F(StreamTest, RunCollectsWhatExecuteStreams) {
  const v1::ExecuteRequest request =
      BashRequest("echo out; echo err >&2; exit 9");
  const StreamRecord streamed = client_.Stream(request);
  const v1::Result collected = client_.Run(request);
  EXPECT_EQ(collected.stdout(), streamed.stdout_data);
  EXPECT_EQ(collected.stderr(), streamed.stderr_data);
  EXPECT_EQ(collected.outcome(), streamed.result().outcome());
  EXPECT_EQ(collected.exit_code(), streamed.result().exit_code());
}

}  // namespace
}  // namespace cordon::testing
