// One call that the user can cancel.

#ifndef CORDON_CLIENT_CALL_H_
#define CORDON_CLIENT_CALL_H_

#include <grpcpp/client_context.h>

#include "absl/time/time.h"
#include "client/cancellation.h"

namespace cordon::client {

// Returns `call(context)`, where `context` ends at `deadline` and is cancelled
// when `cancellation` is asked to stop.
template <typename Call>
grpc::Status CallCancellable(Cancellation& cancellation, absl::Time deadline,
                             Call call) {
  grpc::ClientContext context;
  if (deadline != absl::InfiniteFuture()) {
    context.set_deadline(absl::ToChronoTime(deadline));
  }
  cancellation.Arm([&context] { context.TryCancel(); });
  grpc::Status status = call(context);
  cancellation.Disarm();
  return status;
}

}  // namespace cordon::client

#endif  // CORDON_CLIENT_CALL_H_
