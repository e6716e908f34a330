// SameProcessor: while it lives, the calling thread stays on the processor that
// it is on, and what it clones begins there.
//
//   cpu_set_t before;
//   {
//     const SameProcessor here(before);
//     pid = clone(...);
//     // The child, first of all, if here.holds(): sched_setaffinity(before).
//   }
//
// With two processors, a program that has just been ordered has one and the
// thread that arms a child the other. The kernel sees as much to do on both,
// and half of the time begins the child behind the program, and behind the next
// one; while this thread will soon wait and leave its own processor free. Where
// there are more, there is a free one.
//
// What it does not do: keep the child there, once it has gone back.

#ifndef CORDON_SANDBOX_LAUNCH_SAME_PROCESSOR_H_
#define CORDON_SANDBOX_LAUNCH_SAME_PROCESSOR_H_

#include <sched.h>

namespace cordon::sandbox {

class SameProcessor {
 public:
  // `before`: the processors that the thread may use otherwise; outlives this.
  explicit SameProcessor(cpu_set_t& before) : before_(before) {
    constexpr int kAsManyAsBusy = 2;
    const int processor = sched_getcpu();
    if (processor < 0 || processor >= CPU_SETSIZE ||
        sched_getaffinity(0, sizeof(before_), &before_) != 0 ||
        CPU_COUNT(&before_) != kAsManyAsBusy) {
      return;
    }
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(processor, &here);
    holds_ = sched_setaffinity(0, sizeof(here), &here) == 0;
  }
  ~SameProcessor() {
    if (holds_) sched_setaffinity(0, sizeof(before_), &before_);
  }
  SameProcessor(const SameProcessor&) = delete;
  SameProcessor& operator=(const SameProcessor&) = delete;

  // Whether the child has something to go back to.
  bool holds() const { return holds_; }

 private:
  cpu_set_t& before_;
  bool holds_ = false;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_LAUNCH_SAME_PROCESSOR_H_
