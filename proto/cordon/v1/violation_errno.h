// Violation.errno in C++: the field's name is a macro of <errno.h>.

#ifndef CORDON_PROTO_CORDON_V1_VIOLATION_ERRNO_H_
#define CORDON_PROTO_CORDON_V1_VIOLATION_ERRNO_H_

#include "proto/cordon/v1/execution.pb.h"

#pragma push_macro("errno")
#undef errno
namespace cordon::v1 {

// What the program saw, as an errno(3) number; 0 when the run was killed.
inline int ErrnoOf(const Violation& violation) { return violation.errno(); }

}  // namespace cordon::v1
#pragma pop_macro("errno")

#endif  // CORDON_PROTO_CORDON_V1_VIOLATION_ERRNO_H_
