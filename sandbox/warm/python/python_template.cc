#include "sandbox/warm/python/python_template.h"

#include "sandbox/warm/python/embedded_files.h"

namespace cordon::sandbox {

TemplateProgram PythonTemplate(const WarmProfile& profile) {
  // The second file (template.py, NATIVE and SOURCE).
  constexpr char kBegin[] =
      "exec(compile(open(5, 'rb', closefd=False).read(), 'cordon', 'exec'),"
      " {'__name__': 'cordon'})";
  TemplateProgram program;
  program.argv = {profile.interpreter, "-c", kBegin};
  program.argv.insert(program.argv.end(), profile.modules.begin(),
                      profile.modules.end());
  program.environment = profile.environment;
  // No run's, and nobody's: modules of a user's own are not for runs.
  program.environment.push_back("HOME=/nonexistent");
  program.files = {PythonForkPoint(), PythonTemplateScript()};
  return program;
}

}  // namespace cordon::sandbox
