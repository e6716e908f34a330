// ForkPoint: where a template waits, and becomes runs.
//
//   extern "C" functions of a runtime's own:
//   if (CordonServeForks(hooks)) {           // returns in each fork, armed
//     const CordonProgram* program = CordonAwaitProgram();
//     ... make the runtime ready for program->arguments ...
//     CordonReportStart(/*starts=*/true);
//     ... the program's first instruction ...
//   }                                        // false: the server is gone
//
// It runs inside a runtime that the server does not link to, so it is built
// into a shared object, depends on nothing, and makes raw system calls only.
//
// A fork is a child of the server (CLONE_PARENT, clone(2)), which waits for it
// as for every other run. It takes the same steps as one that executes its
// program (launch/child): what it shares with its template is memory, copied
// when it is written to, and nothing else. While it restricts itself it shares
// the template's descriptors, too: the listener of its filter has to reach the
// server, and after the filter it could not send it itself.
//
// Contract: the process has one thread, and kTemplateControl is its socket.

#ifndef CORDON_SANDBOX_WARM_FORK_POINT_H_
#define CORDON_SANDBOX_WARM_FORK_POINT_H_

#include <stdint.h>

namespace cordon::sandbox {

// Around each fork; what a runtime's own fork would do. `tid` is where the C
// library keeps the thread's id, which a fork changes; may be null.
struct CordonForkHooks {
  void (*before)();
  void (*after_in_template)();
  int* tid;
};

struct CordonProgram {
  // Both ended by null.
  char* const* arguments;
  char** environment;
};

// True in a fork: it is restricted, and waits for nobody. False in the
// template, when the server's end of the socket is closed.
extern "C" bool CordonServeForks(const CordonForkHooks* hooks);

// In a fork: waits for its program, and takes its streams and limits. Ends the
// process when the server does not want it any more.
extern "C" const CordonProgram* CordonAwaitProgram();

// In a fork: says whether the program begins, and forgets the server. One that
// it cannot be a new interpreter for is executed, and this process ends.
extern "C" void CordonReportStart(bool starts);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WARM_FORK_POINT_H_
