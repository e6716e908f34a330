#include "client/info_command.h"

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/call.h"
#include "client/connection.h"
#include "client/descriptor.h"
#include "client/exit_codes.h"
#include "client/explain.h"
#include "client/info_text.h"
#include "client/messages.h"
#include "proto/cordon/v1/execution.grpc.pb.h"

namespace cordon::client {
namespace {

// A server that is there answers at once: it only copies a message.
constexpr absl::Duration kAnswerTimeout = absl::Seconds(10);

}  // namespace

int InfoCommand(const InfoFlags& flags, StandardStreams streams,
                Cancellation& cancellation) {
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
      Connect(flags.server, kConnectTimeout);
  if (!channel.ok()) {
    Say(streams.error, UnreachableText(channel.status()));
    return static_cast<int>(ExitCode::kUnavailable);
  }
  const auto stub = v1::CodeExecution::NewStub(*channel);
  v1::ServerInfo info;
  const grpc::Status status = CallCancellable(
      cancellation, absl::Now() + kAnswerTimeout,
      [&](grpc::ClientContext& context) {
        return stub->GetServerInfo(&context, v1::GetServerInfoRequest(), &info);
      });
  if (const int signal = cancellation.signal(); signal != 0) {
    return 128 + signal;
  }
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    Say(streams.error, absl::StrCat("the server did not answer within ",
                                    absl::FormatDuration(kAnswerTimeout)));
    return static_cast<int>(ExitCode::kUnavailable);
  }
  if (!status.ok()) {
    const Explanation explanation = ExplainStatus(status);
    Say(streams.error, explanation.lines);
    return explanation.exit_code;
  }
  const bool is_json = flags.format == OutputFormat::kJson;
  const absl::Status written =
      WriteAll(streams.out, is_json ? ToJson(info, JsonLayout::kIndented)
                                    : InfoText(flags.server, info));
  return written.ok() ? 0 : static_cast<int>(ExitCode::kOutputFailed);
}

}  // namespace cordon::client
