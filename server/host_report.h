// HostReportText: what `cordond --check` prints. What this host gives to runs,
// what the server could not do for want of it, and what to change.
//
//   const HostReport report = {.host = sandbox->host(), ...};
//   std::cout << HostReportText(report);
//   return WouldServe(report) ? 0 : 3;
//
// Pure: the same report gives the same text.

#ifndef CORDON_SERVER_HOST_REPORT_H_
#define CORDON_SERVER_HOST_REPORT_H_

#include <string>
#include <vector>

#include "sandbox/host/host_features.h"
#include "sandbox/spec/enforcement.h"
#include "server/language_set.h"

namespace cordon::server {

struct HostReport {
  sandbox::HostFeatures host;
  // What a run gets, and what holds the server itself.
  sandbox::Enforcement enforcement;
  sandbox::LayerEnforcement service;
  // Probed.
  std::vector<Language> languages;
  // Why runs get no control groups; empty when they do.
  std::string no_cgroups;
  // Why no run gets a network of its own (NETWORK_LOOPBACK); empty when they
  // do.
  std::string no_networks;
  // --allow_degraded was given.
  bool allow_degraded = false;
};

// Whether the server starts here, as it was called.
bool WouldServe(const HostReport& report);

// Several lines, the last of which says that.
std::string HostReportText(const HostReport& report);

}  // namespace cordon::server

#endif  // CORDON_SERVER_HOST_REPORT_H_
