#include "server/host_report.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "sandbox/host/check_host.h"
#include "server/version.h"

namespace cordon::server {
namespace {

using sandbox::EnforcementLevel;
using sandbox::LayerEnforcement;

std::string LayerText(const LayerEnforcement& layer) {
  switch (layer.level) {
    case EnforcementLevel::kFull:
      return "full";
    case EnforcementLevel::kPartial:
      return absl::StrCat("partial: ", layer.reason);
    case EnforcementLevel::kNone:
      return absl::StrCat("NONE: ", layer.reason);
  }
  return "unknown";
}

std::string Row(absl::string_view name, absl::string_view text) {
  return absl::StrFormat("  %-15s %s\n", name, text);
}

std::string CgroupText(const HostReport& report) {
  return report.host.cgroup_version > 0
             ? absl::StrCat("version ", report.host.cgroup_version)
             : absl::StrCat("none: ", report.no_cgroups);
}

std::string LanguageText(const Language& language) {
  return language.unavailable_reason.empty()
             ? language.version
             : absl::StrCat("unavailable: ", language.unavailable_reason);
}

// What the server refuses to start without.
std::vector<std::string> Lacking(const HostReport& report) {
  std::vector<std::string> lacking = sandbox::AssessHost(report.host).missing;
  if (report.service.level != EnforcementLevel::kFull) {
    lacking.push_back(report.service.reason);
  }
  return lacking;
}

std::vector<std::string> Advice(const HostReport& report) {
  std::vector<std::string> advice = sandbox::AssessHost(report.host).notes;
  if (report.host.outer_seccomp_filter &&
      !report.host.masked_syscalls.empty()) {
    advice.push_back(
        "for the names of all breaches, start the container with the seccomp "
        "profile deploy/seccomp.json (docs/operations.md)");
  }
  if (report.host.cgroup_version == 0) {
    advice.push_back(
        "without control groups limits are kept by sampling, with the same "
        "outcomes and a little more past the limit; to have them, start the "
        "server as root on the host, or let systemd delegate a group to it "
        "(Delegate=yes)");
  }
  return advice;
}

std::string List(absl::string_view title,
                 const std::vector<std::string>& items) {
  if (items.empty()) return "";
  return absl::StrCat("\n", title, "\n  - ", absl::StrJoin(items, "\n  - "),
                      "\n");
}

}  // namespace

bool WouldServe(const HostReport& report) {
  return report.allow_degraded || Lacking(report).empty();
}

std::string HostReportText(const HostReport& report) {
  const sandbox::Enforcement& runs = report.enforcement;
  std::string text = absl::StrCat("cordond ", kVersion, "\n\nThis host\n");
  absl::StrAppend(
      &text, Row("kernel", report.host.kernel),
      Row("Landlock", report.host.landlock_abi > 0
                          ? absl::StrCat("ABI ", report.host.landlock_abi)
                          : "none"),
      Row("control groups", CgroupText(report)));
  absl::StrAppend(&text, "\nWhat a run gets\n",
                  Row("files", LayerText(runs.filesystem)),
                  Row("network", LayerText(runs.network)),
                  Row("loopback", report.no_networks.empty()
                                      ? "a network of its own, if it may "
                                        "have one"
                                      : absl::StrCat("the host's, if it may "
                                                     "have one: ",
                                                     report.no_networks)),
                  Row("system calls", LayerText(runs.syscalls)),
                  Row("signals", LayerText(runs.signals)),
                  Row("memory", LayerText(runs.memory)),
                  Row("processes", LayerText(runs.processes)),
                  Row("a user", LayerText(runs.identity)));
  absl::StrAppend(&text, "\nThe server itself\n",
                  Row("restricted", LayerText(report.service)));
  absl::StrAppend(&text, "\nLanguages\n");
  for (const Language& language : report.languages) {
    absl::StrAppend(&text, Row(language.config.name(), LanguageText(language)));
  }
  const std::vector<std::string> lacking = Lacking(report);
  absl::StrAppend(&text, List("What is missing here", lacking),
                  List("Worth knowing", Advice(report)));
  absl::string_view verdict = "cordond starts here.";
  if (!lacking.empty()) {
    verdict = report.allow_degraded
                  ? "cordond starts here, without what is missing, since "
                    "--allow_degraded is given."
                  : "cordond refuses to start here; with --allow_degraded it "
                    "starts without what is missing.";
  }
  absl::StrAppend(&text, "\n", verdict, "\n");
  return text;
}

}  // namespace cordon::server
