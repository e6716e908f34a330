#include "client/run_command.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "client/descriptor.h"
#include "client/exit_codes.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "tests/unit/client/fake_service.h"

namespace cordon::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    reading = OwnedDescriptor(ends[0]);
    writing = OwnedDescriptor(ends[1]);
  }
  // Until the writing end is closed.
  std::string Drain() { return ReadAll(reading.get()).value(); }
  void CloseReading() { reading = OwnedDescriptor(-1); }
  void CloseWriting() { writing = OwnedDescriptor(-1); }

  OwnedDescriptor reading{-1};
  OwnedDescriptor writing{-1};
};

// What one `cordon run` did.
struct Ended {
  int exit_code = -1;
  std::string out;
  std::string error;
};

class RunCommandTest : public testing::Test {
 protected:
  RunCommandTest()
      : directory_(
            std::filesystem::path(testing::TempDir()) /
            testing::UnitTest::GetInstance()->current_test_info()->name()) {
    signal(SIGPIPE, SIG_IGN);
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    v1::Language& python = *service_.info.add_languages();
    python.set_name("python");
    python.add_extensions("py");
    flags_.server = service_.address();
    flags_.language = "python";
    flags_.output_directory = directory_;
    input_.CloseWriting();
  }
  ~RunCommandTest() override { std::filesystem::remove_all(directory_); }

  std::string WriteFile(const std::string& name, const std::string& content) {
    const std::string path = directory_ / name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  // Runs to the end; output must fit in a pipe.
  Ended Run() {
    Ended ended;
    ended.exit_code = RunCommand(
        flags_,
        {input_.reading.get(), out_.writing.get(), error_.writing.get()},
        cancellation_);
    out_.CloseWriting();
    error_.CloseWriting();
    ended.out = out_.Drain();
    ended.error = error_.Drain();
    return ended;
  }

  void AnswerWith(const v1::Result& result) {
    service_.on_execute = [result](const v1::ExecuteRequest&,
                                   FakeService::Call& call) {
      call.Finish(result);
      return grpc::Status::OK;
    };
  }

  void AnswerWith(const grpc::Status& status) {
    service_.on_execute = [status](const v1::ExecuteRequest&,
                                   FakeService::Call&) { return status; };
  }

  const std::filesystem::path directory_;
  FakeService service_;
  RunFlags flags_;
  Cancellation cancellation_;
  Pipe input_;
  Pipe out_;
  Pipe error_;
};

v1::Result Exited(int code) {
  v1::Result result;
  result.set_outcome(v1::EXITED);
  result.set_exit_code(code);
  return result;
}

TEST_F(RunCommandTest, TheRequestIsWhatTheFlagsAndFilesSay) {
  flags_.language = "";
  flags_.file = WriteFile("main.py", "print(1)");
  flags_.stdin_file = WriteFile("in.txt", std::string("a\0b", 3));
  const std::string script = WriteFile("tool.sh", "#!/bin/sh\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  flags_.files = {"bin/tool=" + script, "data=" + flags_.stdin_file};
  v1::ExecuteRequest seen;
  service_.on_execute = [&seen](const v1::ExecuteRequest& request,
                                FakeService::Call& call) {
    seen = request;
    call.Finish(Exited(0));
    return grpc::Status::OK;
  };
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, 0) << ended.error;
  EXPECT_EQ(seen.source().language(), "python");
  EXPECT_EQ(seen.source().code(), "print(1)");
  EXPECT_EQ(seen.stdin(), std::string("a\0b", 3));
  ASSERT_EQ(seen.files_size(), 2);
  EXPECT_EQ(seen.files(0).path(), "bin/tool");
  EXPECT_TRUE(seen.files(0).executable());
  EXPECT_FALSE(seen.files(1).executable());
}

TEST_F(RunCommandTest, SourceComesFromStandardInputWhenThereIsNoFile) {
  Pipe input;
  ASSERT_TRUE(WriteAll(input.writing.get(), "print(2)").ok());
  input.CloseWriting();
  input_.reading = std::move(input.reading);
  std::string code;
  std::string program_stdin = "unset";
  service_.on_execute = [&](const v1::ExecuteRequest& request,
                            FakeService::Call& call) {
    code = request.source().code();
    program_stdin = request.stdin();
    call.Finish(Exited(0));
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run().exit_code, 0);
  EXPECT_EQ(code, "print(2)");
  EXPECT_EQ(program_stdin, "");
}

TEST_F(RunCommandTest, OutputGoesByteForByteToItsStream) {
  flags_.file = WriteFile("main.py", "");
  const std::string binary("\0\xff\r\n", 4);
  service_.on_execute = [&](const v1::ExecuteRequest&,
                            FakeService::Call& call) {
    call.Output(v1::STDOUT, "one ");
    call.Output(v1::STDERR, "two ");
    call.Output(v1::STDOUT, binary);
    call.Output(v1::STDERR, "four");
    call.Finish(Exited(7));
    return grpc::Status::OK;
  };
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, 7);
  EXPECT_EQ(ended.out, "one " + binary);
  EXPECT_EQ(ended.error, "two four");
}

TEST_F(RunCommandTest, OutputIsThereBeforeTheProgramEnds) {
  flags_.file = WriteFile("main.py", "");
  absl::Notification seen;
  service_.on_execute = [&seen](const v1::ExecuteRequest&,
                                FakeService::Call& call) {
    call.Output(v1::STDOUT, "x");
    // Without streaming this would never return.
    seen.WaitForNotification();
    call.Finish(Exited(0));
    return grpc::Status::OK;
  };
  std::future<Ended> ended = std::async(std::launch::async, [this] {
    Ended result;
    result.exit_code = RunCommand(
        flags_,
        {input_.reading.get(), out_.writing.get(), error_.writing.get()},
        cancellation_);
    return result;
  });
  char byte = 0;
  EXPECT_EQ(read(out_.reading.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
  seen.Notify();
  EXPECT_EQ(ended.get().exit_code, 0);
}

TEST_F(RunCommandTest, AnInterruptCancelsTheRun) {
  flags_.file = WriteFile("main.py", "");
  absl::Notification cancelled;
  service_.on_execute = [&](const v1::ExecuteRequest&,
                            FakeService::Call& call) {
    cancellation_.Request(SIGINT);
    call.WaitUntilCancelled();
    cancelled.Notify();
    return grpc::Status::CANCELLED;
  };
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, 130);
  EXPECT_EQ(ended.error, "cordon: interrupted; the run was cancelled\n");
  cancelled.WaitForNotification();
}

TEST_F(RunCommandTest, AClosedStandardOutputCancelsTheRun) {
  flags_.file = WriteFile("main.py", "");
  absl::Notification cancelled;
  service_.on_execute = [&](const v1::ExecuteRequest&,
                            FakeService::Call& call) {
    call.Output(v1::STDOUT, "nobody reads this");
    call.WaitUntilCancelled();
    cancelled.Notify();
    return grpc::Status::CANCELLED;
  };
  out_.CloseReading();
  EXPECT_EQ(RunCommand(flags_,
                       {input_.reading.get(), out_.writing.get(),
                        error_.writing.get()},
                       cancellation_),
            141);
  cancelled.WaitForNotification();
  error_.CloseWriting();
  EXPECT_EQ(error_.Drain(), "");
}

TEST_F(RunCommandTest, ATimeoutReachesTheServerAndHasItsCode) {
  flags_.file = WriteFile("main.py", "");
  flags_.timeout = "50ms";
  bool has_deadline = false;
  absl::Notification cancelled;
  service_.on_execute = [&](const v1::ExecuteRequest&,
                            FakeService::Call& call) {
    has_deadline = call.has_deadline();
    call.WaitUntilCancelled();
    cancelled.Notify();
    return grpc::Status::CANCELLED;
  };
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, static_cast<int>(ExitCode::kTimedOut));
  EXPECT_THAT(ended.error, StartsWith("cordon: --timeout passed"));
  cancelled.WaitForNotification();
  EXPECT_TRUE(has_deadline);
}

TEST_F(RunCommandTest, AServerThatIsNotThereIsNamedWithTheReason) {
  flags_.file = WriteFile("main.py", "");
  flags_.server = "127.0.0.1:1";
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, static_cast<int>(ExitCode::kUnavailable));
  EXPECT_THAT(ended.error,
              AllOf(StartsWith("cordon: no server answers at 127.0.0.1:1"),
                    HasSubstr("Connection refused")));
}

TEST_F(RunCommandTest, EveryBadFieldIsPrinted) {
  flags_.file = WriteFile("main.py", "");
  google::rpc::BadRequest bad_request;
  for (const char* name : {"limits.cpu_time", "files[0].path"}) {
    auto& field = *bad_request.add_field_violations();
    field.set_field(name);
    field.set_description("is bad");
  }
  google::rpc::Status details;
  details.add_details()->PackFrom(bad_request);
  AnswerWith(grpc::Status(grpc::INVALID_ARGUMENT, "2 fields",
                          details.SerializeAsString()));
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, static_cast<int>(ExitCode::kBadRequest));
  EXPECT_EQ(ended.error,
            "cordon: limits.cpu_time is bad\ncordon: files[0].path is bad\n");
}

TEST_F(RunCommandTest, AStreamWithoutAResultIsAServiceFailure) {
  flags_.file = WriteFile("main.py", "");
  AnswerWith(grpc::Status::OK);
  EXPECT_EQ(Run().exit_code, static_cast<int>(ExitCode::kServiceFailed));
}

TEST_F(RunCommandTest, ALimitIsOneSentenceAfterThePartialOutput) {
  flags_.file = WriteFile("main.py", "");
  service_.on_execute = [](const v1::ExecuteRequest&, FakeService::Call& call) {
    call.Output(v1::STDERR, "partial\n");
    v1::Result result;
    result.set_outcome(v1::WALL_TIME_LIMIT);
    result.set_message("ran for 2s; the limit is 2s");
    call.Finish(result);
    return grpc::Status::OK;
  };
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, static_cast<int>(ExitCode::kLimit));
  EXPECT_EQ(ended.error, "partial\ncordon: ran for 2s; the limit is 2s\n");
}

TEST_F(RunCommandTest, QuietKeepsTheCodeAndDropsTheWords) {
  flags_.file = WriteFile("main.py", "");
  flags_.verbosity = Verbosity::kQuiet;
  v1::Result result;
  result.set_outcome(v1::SYSCALL_VIOLATION);
  result.add_violations()->set_syscall("ptrace");
  AnswerWith(result);
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, static_cast<int>(ExitCode::kBreach));
  EXPECT_EQ(ended.error, "");
}

TEST_F(RunCommandTest, TheCompilersOutputIsPrinted) {
  flags_.file = WriteFile("main.py", "");
  v1::Result result;
  result.set_outcome(v1::COMPILE_FAILED);
  result.mutable_compilation()->set_outcome(v1::EXITED);
  result.mutable_compilation()->set_stderr("main.c:1: error: no\n");
  AnswerWith(result);
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, static_cast<int>(ExitCode::kNotStarted));
  EXPECT_EQ(ended.error,
            "main.c:1: error: no\ncordon: the program did not compile\n");
}

TEST_F(RunCommandTest, OutputFilesAreWrittenAndAMissingOneIsAnError) {
  flags_.file = WriteFile("main.py", "");
  v1::Result result = Exited(0);
  v1::OutputFile& file = *result.add_files();
  file.set_path("plots/1.png");
  file.set_content("png");
  v1::OutputFile& escape = *result.add_files();
  escape.set_path("../escaped");
  escape.set_content("evil");
  AnswerWith(result);
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, static_cast<int>(ExitCode::kOutputFailed));
  EXPECT_THAT(ended.error, HasSubstr("../escaped"));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "plots/1.png"));
  EXPECT_FALSE(std::filesystem::exists(directory_.parent_path() / "escaped"));
}

TEST_F(RunCommandTest, JsonIsOneObjectALine) {
  flags_.file = WriteFile("main.py", "");
  flags_.format = OutputFormat::kJson;
  service_.on_execute = [](const v1::ExecuteRequest&, FakeService::Call& call) {
    call.Output(v1::STDOUT, std::string("\0\n", 2));
    call.Finish(Exited(0));
    return grpc::Status::OK;
  };
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, 0);
  const std::vector<std::string> lines = absl::StrSplit(ended.out, '\n');
  ASSERT_EQ(lines.size(), 3u) << ended.out;
  EXPECT_THAT(lines[0],
              AllOf(StartsWith("{\"output\":"), HasSubstr("\"AAo=\"")));
  EXPECT_THAT(lines[1], AllOf(StartsWith("{\"result\":"),
                              HasSubstr("\"outcome\":\"EXITED\""),
                              HasSubstr("\"exitCode\":0")));
  EXPECT_EQ(lines[2], "");
}

TEST_F(RunCommandTest, JsonOfAFailedCallHasItsDetails) {
  flags_.file = WriteFile("main.py", "");
  flags_.format = OutputFormat::kJson;
  google::rpc::Status details;
  details.add_details()->PackFrom(google::rpc::RetryInfo());
  AnswerWith(grpc::Status(grpc::RESOURCE_EXHAUSTED, "full",
                          details.SerializeAsString()));
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, static_cast<int>(ExitCode::kUnavailable));
  EXPECT_THAT(ended.out,
              AllOf(StartsWith("{\"error\":{\"code\":8,\"message\":\"full\""),
                    HasSubstr("google.rpc.RetryInfo")));
}

TEST_F(RunCommandTest, AMessageOfAnySizeIsReceived) {
  flags_.file = WriteFile("main.py", "");
  v1::Result result = Exited(0);
  v1::OutputFile& file = *result.add_files();
  file.set_path("large");
  file.set_content(std::string(16 << 20, 'x'));
  AnswerWith(result);
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, 0) << ended.error;
  EXPECT_EQ(std::filesystem::file_size(directory_ / "large"), 16u << 20);
}

TEST_F(RunCommandTest, LocalMistakesNeedNoServer) {
  flags_.server = "127.0.0.1:1";
  flags_.file = directory_ / "missing.py";
  flags_.files = {"x=also-missing"};
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, static_cast<int>(ExitCode::kBadRequest));
  EXPECT_THAT(ended.error,
              AllOf(HasSubstr("missing.py"), HasSubstr("also-missing")));
}

TEST_F(RunCommandTest, ADirectoryIsNotAFile) {
  flags_.file = directory_;
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, static_cast<int>(ExitCode::kBadRequest));
  EXPECT_THAT(ended.error, StartsWith("cordon: "));
}

TEST_F(RunCommandTest, AnUnknownExtensionNamesTheLanguages) {
  flags_.language = "";
  flags_.file = WriteFile("main.xyz", "");
  const Ended ended = Run();
  EXPECT_EQ(ended.exit_code, static_cast<int>(ExitCode::kBadRequest));
  EXPECT_THAT(ended.error,
              AllOf(HasSubstr("main.xyz"), HasSubstr("one of: python")));
}

}  // namespace
}  // namespace cordon::client
