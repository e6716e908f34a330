#include "client/connection.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/printable.h"
#include "proto/cordon/v1/execution.grpc.pb.h"

namespace cordon::client {
namespace {

constexpr char kDefaultPort[] = ":50051";
// Details of an error that lists many bad fields exceed gRPC's default of 8
// KiB.
constexpr int kMaxMetadataBytes = 64 << 10;

// Without a port gRPC would take that of HTTPS.
std::string WithPort(const std::string& address) {
  const bool has_port =
      absl::StrContains(address, ":") && !absl::EndsWith(address, "]");
  return has_port ? address : absl::StrCat(address, kDefaultPort);
}

// A failed channel says why only to a call. Its message nests one cause in the
// other; the last one is what a person wants.
std::string FailureOf(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(1)));
  v1::ServerInfo info;
  const grpc::Status status =
      v1::CodeExecution::NewStub(channel)->GetServerInfo(
          &context, v1::GetServerInfoRequest(), &info);
  const std::string message = status.error_message();
  const size_t colon = message.rfind(": ");
  return Printable(colon == std::string::npos ? message
                                              : message.substr(colon + 2));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(
    const std::string& address, absl::Duration timeout) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  const std::string target = WithPort(address);
  std::shared_ptr<grpc::Channel> channel = grpc::CreateCustomChannel(
      target, grpc::InsecureChannelCredentials(), arguments);

  const auto deadline = absl::ToChronoTime(absl::Now() + timeout);
  grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/true);
  while (state != GRPC_CHANNEL_READY) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE ||
        state == GRPC_CHANNEL_SHUTDOWN) {
      return absl::UnavailableError(absl::StrCat("no server answers at ",
                                                 Printable(target), ": ",
                                                 FailureOf(channel)));
    }
    if (!channel->WaitForStateChange(state, deadline)) {
      return absl::UnavailableError(
          absl::StrCat("no server answers at ", Printable(target), " within ",
                       absl::FormatDuration(timeout)));
    }
    state = channel->GetState(/*try_to_connect=*/true);
  }
  return channel;
}

}  // namespace cordon::client
