#include "client/run_command.h"

#include <signal.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/call.h"
#include "client/connection.h"
#include "client/descriptor.h"
#include "client/exit_codes.h"
#include "client/explain.h"
#include "client/input_files.h"
#include "client/messages.h"
#include "client/output_files.h"
#include "client/request_builder.h"
#include "client/size_and_duration.h"
#include "proto/cordon/v1/execution.grpc.pb.h"

namespace cordon::client {
namespace {

// How the stream of one run came to its end.
struct Stream {
  grpc::Status status;
  std::optional<v1::Result> result;
  // Of writing the program's output.
  absl::Status written;
};

class RunSession {
 public:
  RunSession(const RunFlags& flags, StandardStreams streams,
             Cancellation& cancellation)
      : flags_(flags),
        streams_(streams),
        cancellation_(cancellation),
        printer_(streams, flags.format) {}

  int Run();

 private:
  int Fail(ExitCode code, absl::string_view lines);
  int Finish(const Stream& stream);
  int FinishResult(const v1::Result& result);
  int FinishFailure(const grpc::Status& status);
  int FinishUnreachable(const absl::Status& status);
  // Whether every file was written.
  bool WriteFiles(const v1::Result& result);

  absl::StatusOr<v1::ExecuteRequest> Prepare();
  // Asks the server, unless the user said it: `language` is not empty.
  grpc::Status FindLanguage(v1::CodeExecution::StubInterface& stub,
                            std::string& language);
  Stream Execute(v1::CodeExecution::StubInterface& stub,
                 const v1::ExecuteRequest& request);

  const RunFlags& flags_;
  const StandardStreams streams_;
  Cancellation& cancellation_;
  EventPrinter printer_;
  // Of --timeout; infinite without.
  absl::Time deadline_ = absl::InfiniteFuture();
};

int RunSession::Fail(ExitCode code, absl::string_view lines) {
  Say(streams_.error, lines);
  return static_cast<int>(code);
}

grpc::Status RunSession::FindLanguage(v1::CodeExecution::StubInterface& stub,
                                      std::string& language) {
  if (!language.empty()) return grpc::Status::OK;
  v1::ServerInfo info;
  grpc::Status status = CallCancellable(
      cancellation_, deadline_, [&](grpc::ClientContext& context) {
        return stub.GetServerInfo(&context, v1::GetServerInfoRequest(), &info);
      });
  if (!status.ok()) return status;
  absl::StatusOr<std::string> found = LanguageOfFile(
      flags_.file.empty() || flags_.file == "-" ? "standard input"
                                                : flags_.file,
      info);
  if (!found.ok()) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                        std::string(found.status().message()));
  }
  language = *std::move(found);
  return grpc::Status::OK;
}

Stream RunSession::Execute(v1::CodeExecution::StubInterface& stub,
                           const v1::ExecuteRequest& request) {
  Stream stream;
  stream.status = CallCancellable(
      cancellation_, deadline_, [&](grpc::ClientContext& context) {
        const std::unique_ptr<grpc::ClientReaderInterface<v1::ExecuteResponse>>
            reader = stub.Execute(&context, request);
        v1::ExecuteResponse response;
        while (stream.written.ok() && reader->Read(&response)) {
          stream.written = printer_.Print(response);
          if (response.has_result()) {
            stream.result = std::move(*response.mutable_result());
          }
        }
        if (!stream.written.ok()) context.TryCancel();
        return reader->Finish();
      });
  return stream;
}

bool RunSession::WriteFiles(const v1::Result& result) {
  bool complete = true;
  for (const v1::OutputFile& file : result.files()) {
    const absl::Status status = WriteOutputFile(flags_.output_directory, file);
    if (status.ok()) continue;
    Say(streams_.error, status.message());
    complete = false;
  }
  return complete;
}

int RunSession::FinishResult(const v1::Result& result) {
  const Explanation explanation = ExplainResult(result);
  const bool complete = WriteFiles(result);
  if (result.outcome() == v1::COMPILE_FAILED &&
      flags_.format == OutputFormat::kText) {
    for (const std::string& text :
         {result.compilation().stdout(), result.compilation().stderr()}) {
      WriteAll(streams_.error, text).IgnoreError();
    }
  }
  if (flags_.verbosity == Verbosity::kNormal) {
    Say(streams_.error, DescribeRemarks(result));
    Say(streams_.error, explanation.lines);
  }
  if (!complete && explanation.exit_code == 0) {
    return static_cast<int>(ExitCode::kOutputFailed);
  }
  return explanation.exit_code;
}

int RunSession::FinishUnreachable(const absl::Status& status) {
  printer_
      .PrintFailure(grpc::Status(grpc::StatusCode::UNAVAILABLE,
                                 std::string(status.message())))
      .IgnoreError();
  return Fail(ExitCode::kUnavailable, UnreachableText(status));
}

int RunSession::FinishFailure(const grpc::Status& status) {
  if (const int signal = cancellation_.signal(); signal != 0) {
    Say(streams_.error, "interrupted; the run was cancelled");
    return 128 + signal;
  }
  printer_.PrintFailure(status).IgnoreError();
  const Explanation explanation = ExplainStatus(status);
  Say(streams_.error, explanation.lines);
  return explanation.exit_code;
}

int RunSession::Finish(const Stream& stream) {
  if (absl::IsFailedPrecondition(stream.written)) return 128 + SIGPIPE;
  if (!stream.written.ok()) {
    return Fail(
        ExitCode::kOutputFailed,
        absl::StrCat("the program's output: ", stream.written.message()));
  }
  if (!stream.status.ok()) return FinishFailure(stream.status);
  if (!stream.result) {
    return FinishFailure(grpc::Status(grpc::StatusCode::INTERNAL,
                                      "the stream ended without a result"));
  }
  return FinishResult(*stream.result);
}

absl::StatusOr<v1::ExecuteRequest> RunSession::Prepare() {
  if (!flags_.timeout.empty()) {
    absl::StatusOr<absl::Duration> timeout = ParseDuration(flags_.timeout);
    if (!timeout.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--timeout=", flags_.timeout, " ", timeout.status().message()));
    }
    deadline_ = absl::Now() + *timeout;
  }
  absl::StatusOr<RunInputs> inputs = LoadInputs(flags_, streams_.in);
  if (!inputs.ok()) return inputs.status();
  return BuildRequest(flags_, *std::move(inputs), flags_.language);
}

int RunSession::Run() {
  absl::StatusOr<v1::ExecuteRequest> request = Prepare();
  if (!request.ok()) {
    return Fail(ExitCode::kBadRequest, request.status().message());
  }
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = Connect(
      flags_.server, std::min(kConnectTimeout, deadline_ - absl::Now()));
  if (!channel.ok()) return FinishUnreachable(channel.status());
  const auto stub = v1::CodeExecution::NewStub(*channel);
  if (request->has_source()) {
    const grpc::Status found =
        FindLanguage(*stub, *request->mutable_source()->mutable_language());
    if (!found.ok()) return FinishFailure(found);
  }
  return Finish(Execute(*stub, *request));
}

}  // namespace

int RunCommand(const RunFlags& flags, StandardStreams streams,
               Cancellation& cancellation) {
  return RunSession(flags, streams, cancellation).Run();
}

}  // namespace cordon::client
