#include "sandbox/warm/template_program.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"

namespace cordon::sandbox {
namespace {

std::set<std::string> ReadAtStart(const WarmProfile& profile,
                                  const std::vector<std::string>& environment) {
  std::set<std::string> read;
  for (const std::string& variable : environment) {
    if (std::any_of(profile.start_variables.begin(),
                    profile.start_variables.end(),
                    [&variable](const std::string& beginning) {
                      return absl::StartsWith(variable, beginning);
                    })) {
      read.insert(variable);
    }
  }
  return read;
}

}  // namespace

bool StartsAlike(const WarmProfile& profile,
                 const std::vector<std::string>& environment) {
  return ReadAtStart(profile, environment) ==
         ReadAtStart(profile, profile.environment);
}

}  // namespace cordon::sandbox
