// How to start a template of Python.

#ifndef CORDON_SANDBOX_WARM_PYTHON_PYTHON_TEMPLATE_H_
#define CORDON_SANDBOX_WARM_PYTHON_PYTHON_TEMPLATE_H_

#include "sandbox/warm/template_program.h"

namespace cordon::sandbox {

TemplateProgram PythonTemplate(const WarmProfile& profile);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WARM_PYTHON_PYTHON_TEMPLATE_H_
