// Attributes for posix_spawn(3): the program starts with the default action of
// every signal and none blocked, whatever the test itself was started with. In
// the background of a script, or under nohup(1), SIGINT or SIGHUP are ignored,
// and a program leaves it at that.
//
//   DefaultSignals attributes;
//   posix_spawn(&pid, path, nullptr, attributes.get(), argv, environ);

#ifndef CORDON_TESTS_SUPPORT_DEFAULT_SIGNALS_H_
#define CORDON_TESTS_SUPPORT_DEFAULT_SIGNALS_H_

#include <signal.h>
#include <spawn.h>

namespace cordon::testing {

class DefaultSignals {
 public:
  DefaultSignals() {
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    sigset_t signals;
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
  }
  ~DefaultSignals() { posix_spawnattr_destroy(&attributes_); }
  DefaultSignals(const DefaultSignals&) = delete;
  DefaultSignals& operator=(const DefaultSignals&) = delete;

  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

}  // namespace cordon::testing

#endif  // CORDON_TESTS_SUPPORT_DEFAULT_SIGNALS_H_
