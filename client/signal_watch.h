// Turns SIGINT, SIGTERM and SIGHUP into a request to cancel.
//
//   Cancellation cancellation;
//   SignalWatch watch(cancellation);  // First thing in main.
//
// Contract: made before any other thread, since it blocks these signals and new
// threads inherit that; one per process. A signal with nothing armed ends the
// process; so does a second signal, and a cancelled call that does not end
// soon, as when the reader of standard output is stuck.

#ifndef CORDON_CLIENT_SIGNAL_WATCH_H_
#define CORDON_CLIENT_SIGNAL_WATCH_H_

#include <thread>

#include "client/cancellation.h"
#include "client/descriptor.h"

namespace cordon::client {

class SignalWatch final {
 public:
  // `cancellation` outlives this.
  explicit SignalWatch(Cancellation& cancellation);
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  ~SignalWatch();

 private:
  void Watch();

  Cancellation& cancellation_;
  OwnedDescriptor signals_;
  OwnedDescriptor stop_;
  std::thread thread_;
};

}  // namespace cordon::client

#endif  // CORDON_CLIENT_SIGNAL_WATCH_H_
