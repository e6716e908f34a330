// What a program leaves behind when it ends.
//
// Most leave nothing whose destruction anybody could notice: numbers, lists,
// functions, objects of their own classes. The process can just end then, and
// an interpreter that would have destroyed them all could not be told from it.
// Whatever is not known to be so is for the interpreter itself to destroy: a
// file, a generator with a `finally` to come, an object with a __del__, one of
// a type that only an extension module knows.

#ifndef CORDON_SANDBOX_WARM_PYTHON_REMAINS_H_
#define CORDON_SANDBOX_WARM_PYTHON_REMAINS_H_

#include "sandbox/warm/python/python_api.h"

namespace cordon::sandbox {

// In the template. `types`: a list of those whose objects nobody notices the
// end of, but for the objects that they hold; before them, and not among them,
// a class, the types of functions and of built-in ones, and that of weak
// references. Classes are judged by their bases. `forgetters`: a list of the
// namespaces whose functions only take notice of an object's end (weakref).
// False: it is no such list.
bool LearnHarmless(PyObject* types, PyObject* forgetters);

// Lets go of what was learned.
void ForgetHarmless();

// In a fork, when its standard streams are there: sys.__stdin__ and so on. They
// are harmless as long as they are what they are now, once they are flushed.
void RememberStreams();

// Whether nobody could notice the end of all that the program has left. Runs no
// instruction of the program.
bool RemainsAreHarmless();

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WARM_PYTHON_REMAINS_H_
