// SameProcessor: while it lives, the calling thread stays on the processor that
// it is on, and what it clones begins there.
//
//   {
//     const SameProcessor here;
//     pid = clone(...);
//     // The child, if here.holds(): sched_setaffinity(AllProcessors()).
//   }
//
// Where there are two processors, a program that has just been ordered has one,
// most likely, and the thread that arms the next child the other. The kernel
// sees as much to do on both, and may begin the child behind the program,
// although this thread will soon wait and leave its own processor free. With
// more than two it finds another.
//
// What it does not do: keep the child there once it has gone back.

#ifndef CORDON_SANDBOX_LAUNCH_SAME_PROCESSOR_H_
#define CORDON_SANDBOX_LAUNCH_SAME_PROCESSOR_H_

#include <sched.h>
#include <string.h>

namespace cordon::sandbox {

// As many as a mask has. The kernel gives of them what there is and what the
// cpuset allows, now and whenever that changes (sched_setaffinity(2)); a mask
// that was asked for would stay what it was.
inline const cpu_set_t& AllProcessors() {
  static const cpu_set_t all = [] {
    cpu_set_t mask;
    memset(&mask, 0xff, sizeof(mask));
    return mask;
  }();
  return all;
}

// Whether this thread, and so what it starts, may use all that its cpuset
// allows: it can leave a processor and go back. Not if somebody has chosen some
// for it, as taskset(1) does.
inline bool HasAllProcessors() {
  cpu_set_t before, after;
  if (sched_getaffinity(0, sizeof(before), &before) != 0 ||
      sched_setaffinity(0, sizeof(cpu_set_t), &AllProcessors()) != 0) {
    return false;
  }
  if (sched_getaffinity(0, sizeof(after), &after) == 0 &&
      CPU_EQUAL(&before, &after)) {
    return true;
  }
  sched_setaffinity(0, sizeof(before), &before);
  return false;
}

class SameProcessor {
 public:
  // On a thread that HasAllProcessors(), or was started by one that has.
  SameProcessor() {
    cpu_set_t usable;
    const int processor = sched_getcpu();
    if (processor < 0 || processor >= CPU_SETSIZE ||
        sched_getaffinity(0, sizeof(usable), &usable) != 0 ||
        CPU_COUNT(&usable) != 2) {
      return;
    }
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(processor, &here);
    holds_ = sched_setaffinity(0, sizeof(here), &here) == 0;
  }
  ~SameProcessor() {
    if (holds_) sched_setaffinity(0, sizeof(cpu_set_t), &AllProcessors());
  }
  SameProcessor(const SameProcessor&) = delete;
  SameProcessor& operator=(const SameProcessor&) = delete;

  bool holds() const { return holds_; }

 private:
  bool holds_ = false;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_LAUNCH_SAME_PROCESSOR_H_
