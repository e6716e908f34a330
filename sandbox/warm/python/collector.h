// The lists of CPython's cyclic collector, by which a fork tells what its
// program has made from what its template had (the collector's permanent
// generation, gc.freeze()), and gives the interpreter both back in the order
// that they would have in a new one.
//
// Nothing of this is the interpreter's interface: FindCollector looks whether
// everything is where it is expected, and a template that finds something else
// does not serve.

#ifndef CORDON_SANDBOX_WARM_PYTHON_COLLECTOR_H_
#define CORDON_SANDBOX_WARM_PYTHON_COLLECTOR_H_

#include <stddef.h>

#include "sandbox/warm/python/python_api.h"

namespace cordon::sandbox {

// In the template, with everything frozen: `garbage` and `callbacks` are the
// gc module's, `frozen` what gc.get_freeze_count() says.
bool FindCollector(PyObject* garbage, PyObject* callbacks, ptrdiff_t frozen);

// In a fork, before its program: what gc.get_count() would be in a new
// interpreter, so that collections come when they would there.
void SetCollectorCounts(const int counts[3]);

// Whether nobody has it report what it does (gc.garbage, gc.callbacks and
// gc.set_debug()), and nothing was frozen or thawed since SetCollectorCounts.
bool CollectorIsAsItWas();

// Calls `visit` with what the collector knows and is not frozen, until it
// returns false; returns whether it never did. No object may be made or
// destroyed meanwhile.
bool ForEachOwnObject(bool (*visit)(PyObject* object));

// Puts what was frozen where a new interpreter has what it started with.
void ThawCollector();

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WARM_PYTHON_COLLECTOR_H_
