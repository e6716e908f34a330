#include "client/info_text.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/printable.h"
#include "client/size_and_duration.h"
#include "client/text_table.h"

namespace cordon::client {
namespace {

// One limit: its name here, and as text from a Limits ("-" where it is unset).
struct LimitRow {
  absl::string_view name;
  absl::string_view flag;
  std::string (*format)(const v1::Limits& limits);
};

std::string Size(uint64_t bytes) { return bytes == 0 ? "-" : SizeText(bytes); }
std::string Count(uint32_t count) {
  return count == 0 ? "-" : absl::StrCat(count);
}
std::string Time(const google::protobuf::Duration& time) {
  const absl::Duration duration = FromProto(time);
  return duration == absl::ZeroDuration() ? "-" : DurationText(duration);
}

const LimitRow kLimits[] = {
    {"CPU time", "--cpu",
     [](const v1::Limits& l) { return Time(l.cpu_time()); }},
    {"wall time", "--wall",
     [](const v1::Limits& l) { return Time(l.wall_time()); }},
    {"memory", "--memory",
     [](const v1::Limits& l) { return Size(l.memory_bytes()); }},
    {"output, each stream", "--output-limit",
     [](const v1::Limits& l) { return Size(l.output_bytes()); }},
    {"one file", "--file-size",
     [](const v1::Limits& l) { return Size(l.file_bytes()); }},
    {"disk", "--disk",
     [](const v1::Limits& l) { return Size(l.disk_bytes()); }},
    {"open files", "--open-files",
     [](const v1::Limits& l) { return Count(l.open_files()); }},
    {"processes", "--processes",
     [](const v1::Limits& l) { return Count(l.processes()); }},
};

absl::string_view LevelName(v1::Enforcement::Level level) {
  switch (level) {
    case v1::Enforcement::FULL:
      return "full";
    case v1::Enforcement::PARTIAL:
      return "partial";
    case v1::Enforcement::NONE:
      return "none";
    default:
      return "unknown";
  }
}

// As --network of `cordon run` has it.
std::string NetworkName(v1::Network network) {
  switch (network) {
    case v1::NETWORK_LOOPBACK:
      return "none or loopback";
    case v1::NETWORK_ALLOW_LIST:
      return "none, loopback or allow-list";
    case v1::NETWORK_FULL:
      return "none, loopback, allow-list or full";
    default:
      return "none";
  }
}

absl::string_view Presence(bool present) { return present ? "yes" : "no"; }

std::string HostText(const v1::ServerInfo& info) {
  const v1::HostFeatures& host = info.host();
  TextTable table;
  table.AddRow({"kernel", Printable(host.kernel())});
  table.AddRow({"Landlock", host.landlock_abi() == 0
                                ? "no"
                                : absl::StrCat("ABI ", host.landlock_abi())});
  table.AddRow({"seccomp notification",
                std::string(Presence(host.seccomp_user_notification()))});
  table.AddRow({"cgroups", host.cgroup_version() == 0
                               ? "none writable by the server"
                               : absl::StrCat("v", host.cgroup_version())});
  if (!host.outer_seccomp_filter()) {
    table.AddRow({"outer seccomp filter", "no"});
  } else if (host.masked_syscalls().empty()) {
    table.AddRow({"outer seccomp filter", "yes; it hides no breach"});
  } else {
    table.AddRow({"outer seccomp filter",
                  absl::StrCat("yes; breaches by these calls end a run without "
                               "being told apart: ",
                               absl::StrJoin(host.masked_syscalls(), " "))});
  }
  table.AddRow(
      {"runs at once", absl::StrCat(info.slots(), ", and ",
                                    info.queue_capacity(), " more may wait")});
  table.AddRow({"largest request", Size(info.max_request_bytes())});
  table.AddRow({"network of a run", NetworkName(info.max_network())});
  return table.ToString();
}

// "cpu 20s, memory 512M": where a language differs from the server.
std::string OwnLimits(const v1::Limits& limits) {
  std::vector<std::string> parts;
  for (const LimitRow& row : kLimits) {
    const std::string value = row.format(limits);
    if (value != "-") parts.push_back(absl::StrCat(row.flag, "=", value));
  }
  return absl::StrJoin(parts, " ");
}

std::string LanguagesText(const v1::ServerInfo& info) {
  TextTable table;
  for (const v1::Language& language : info.languages()) {
    const std::string names = absl::StrJoin(language.aliases(), ", ");
    std::vector<std::string> extensions;
    for (const std::string& extension : language.extensions()) {
      extensions.push_back(absl::StrCat(".", extension));
    }
    std::string state =
        language.unavailable_reason().empty()
            ? Printable(language.version())
            : absl::StrCat("unavailable: ",
                           Printable(language.unavailable_reason()));
    if (language.has_warm()) {
      const std::string& reason = language.warm().unavailable_reason();
      absl::StrAppend(&state, "; warm",
                      reason.empty() ? "" : ": not now, " + Printable(reason));
    }
    const std::string limits = OwnLimits(language.default_limits());
    if (!limits.empty()) absl::StrAppend(&state, "; ", limits);
    table.AddRow({language.name(), names.empty() ? "-" : names,
                  extensions.empty() ? "-" : absl::StrJoin(extensions, " "),
                  std::move(state)});
  }
  return table.ToString();
}

std::string LimitsText(const v1::ServerInfo& info) {
  TextTable table;
  table.AddRow({"", "", "default", "ceiling"});
  for (const LimitRow& row : kLimits) {
    table.AddRow({std::string(row.name), std::string(row.flag),
                  row.format(info.default_limits()),
                  row.format(info.ceilings())});
  }
  return table.ToString();
}

std::string EnforcementText(const v1::ServerInfo& info) {
  const v1::Enforcement& enforcement = info.enforcement();
  const std::pair<absl::string_view, const v1::Enforcement::Layer&> layers[] = {
      {"filesystem", enforcement.filesystem()},
      {"network", enforcement.network()},
      {"syscalls", enforcement.syscalls()},
      {"signals", enforcement.signals()},
      {"memory", enforcement.memory()},
      {"processes", enforcement.processes()},
      {"identity", enforcement.identity()},
      {"service", info.service()},
  };
  TextTable table;
  for (const auto& [name, layer] : layers) {
    table.AddRow({std::string(name), std::string(LevelName(layer.level())),
                  Printable(layer.reason())});
  }
  return table.ToString();
}

}  // namespace

std::string InfoText(absl::string_view address, const v1::ServerInfo& info) {
  const absl::Duration uptime =
      absl::Trunc(FromProto(info.uptime()), absl::Seconds(1));
  return absl::StrCat("cordon ", Printable(info.version()), " at ",
                      Printable(address), ", up ", DurationText(uptime), "\n",
                      HostText(info), "\nLanguages\n", LanguagesText(info),
                      "\nLimits of a run\n", LimitsText(info),
                      "\nWhat is enforced\n", EnforcementText(info));
}

}  // namespace cordon::client
