// What a template is: a program that finds its way to a fork point
// (fork_point.h) by itself.

#ifndef CORDON_SANDBOX_WARM_TEMPLATE_PROGRAM_H_
#define CORDON_SANDBOX_WARM_TEMPLATE_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace cordon::sandbox {

// Runs that start alike: one template serves them.
struct WarmProfile {
  std::string name;
  // Absolute.
  std::string interpreter;
  // Imported before the first run.
  std::vector<std::string> modules;
  // "NAME=value": what the interpreter starts with.
  std::vector<std::string> environment;
  // Beginnings of the names of variables that it reads as it starts.
  std::vector<std::string> start_variables;
  // A run that would wait for its fork for longer is better off executed.
  absl::Duration fork_patience = absl::Milliseconds(100);
};

// Whether an interpreter that is started with `environment` would read what the
// profile's has read.
bool StartsAlike(const WarmProfile& profile,
                 const std::vector<std::string>& environment);

// As a process.
struct TemplateProgram {
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  // Contents of files that it gets open: descriptors behind kTemplateControl.
  std::vector<std::string> files;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WARM_TEMPLATE_PROGRAM_H_
