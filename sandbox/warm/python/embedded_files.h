// The files that a template of Python is made of.

#ifndef CORDON_SANDBOX_WARM_PYTHON_EMBEDDED_FILES_H_
#define CORDON_SANDBOX_WARM_PYTHON_EMBEDDED_FILES_H_

#include <string>

namespace cordon::sandbox {

// A shared object, and a script.
std::string PythonForkPoint();
std::string PythonTemplateScript();

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WARM_PYTHON_EMBEDDED_FILES_H_
