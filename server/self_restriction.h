// RestrictSelf: what cordond gives up before it serves, so that a fault in it
// is not a fault of the whole host.
//
//   auto restriction = RestrictSelf({.runs = views, .state = &state,
//                                    .listen = flags.listen});
//   info.service = restriction->enforcement;
//
// Afterwards this process and all that it starts cannot gain a privilege
// (no_new_privs), have no capability but those that the code uses, write
// nothing but the state directory and what runs may write, read what they need,
// open no TCP connection, and signal nobody but their runs.
//
// What it does not do: limit system calls (the service's own are most of those
// there are), or UDP, which Landlock does not know.
//
// Contract: to be called once, while the process has one thread: a domain is a
// thread's, and its later threads' and children's (landlock(7)). A path of
// `runs` that comes into being later is out of reach of every run.

#ifndef CORDON_SERVER_SELF_RESTRICTION_H_
#define CORDON_SERVER_SELF_RESTRICTION_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "sandbox/cgroup/cgroup_tree.h"
#include "sandbox/policy/landlock/ruleset.h"
#include "sandbox/spec/enforcement.h"
#include "sandbox/spec/file_view.h"
#include "sandbox/spec/network.h"
#include "server/language_set.h"
#include "server/listen_address.h"
#include "server/state_directory.h"

namespace cordon::server {

struct SelfRestrictionPlan {
  // Everything that any run may see.
  sandbox::FileView runs;
  const StateDirectory* state = nullptr;
  // Null: runs get no control groups.
  const sandbox::CgroupTree* cgroups = nullptr;
  ListenAddress listen;
  // The most that a run can be granted: the server makes its connections.
  sandbox::NetworkAccess network = sandbox::NetworkAccess::kNone;
};

struct SelfRestriction {
  // Of this process; the reason says what this kernel cannot confine.
  sandbox::LayerEnforcement enforcement;
  // Holds the descriptors that its rules are tied to (ruleset.h).
  sandbox::ViewRuleset ruleset;
};

// INTERNAL with step and errno when something that this kernel has fails: the
// process may be restricted in part then.
absl::StatusOr<SelfRestriction> RestrictSelf(const SelfRestrictionPlan& plan);

// `base` and the views of all languages.
sandbox::FileView UnionOfViews(const sandbox::FileView& base,
                               const LanguageSet& languages);

// The capabilities that RestrictSelf keeps of those that there are, bit N for
// capability N (capabilities(7)). `effective_uid` is this process's.
uint64_t KeptCapabilities(const ListenAddress& listen, uint32_t effective_uid);

}  // namespace cordon::server

#endif  // CORDON_SERVER_SELF_RESTRICTION_H_
