// What was enforced, layer by layer: reported with every run, never assumed.

#ifndef CORDON_SANDBOX_SPEC_ENFORCEMENT_H_
#define CORDON_SANDBOX_SPEC_ENFORCEMENT_H_

#include <string>

namespace cordon::sandbox {

enum class EnforcementLevel { kFull, kPartial, kNone };

struct LayerEnforcement {
  EnforcementLevel level = EnforcementLevel::kNone;
  // Why it is not kFull, in one line; empty when it is.
  std::string reason;
};

struct Enforcement {
  LayerEnforcement filesystem;
  LayerEnforcement network;
  LayerEnforcement syscalls;
  LayerEnforcement signals;
  LayerEnforcement memory;
  LayerEnforcement processes;
  LayerEnforcement identity;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SPEC_ENFORCEMENT_H_
