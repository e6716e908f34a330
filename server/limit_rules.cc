#include "server/limit_rules.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/durations.h"

namespace cordon::server {
namespace {

void OverrideTime(const google::protobuf::Duration& value,
                  absl::Duration& limit) {
  const std::optional<absl::Duration> time = FromProto(value);
  if (time.has_value() && *time != absl::ZeroDuration()) limit = *time;
}

template <typename T>
void OverrideNumber(T value, T& limit) {
  if (value != 0) limit = value;
}

void CheckTime(absl::string_view name, const google::protobuf::Duration& value,
               absl::Duration ceiling, FieldViolations& violations) {
  const std::string field = absl::StrCat("limits.", name);
  const std::optional<absl::Duration> time = FromProto(value);
  if (!time.has_value()) {
    violations.Add(field, "is no valid duration");
  } else if (*time < absl::ZeroDuration()) {
    violations.Add(field, "is negative");
  } else if (*time > ceiling) {
    violations.Add(field, absl::StrCat("is ", absl::FormatDuration(*time),
                                       ": this server's ceiling is ",
                                       absl::FormatDuration(ceiling)));
  }
}

void CheckNumber(absl::string_view name, uint64_t value, uint64_t ceiling,
                 FieldViolations& violations) {
  if (value <= ceiling) return;
  violations.Add(
      absl::StrCat("limits.", name),
      absl::StrCat("is ", value, ": this server's ceiling is ", ceiling));
}

}  // namespace

sandbox::Limits Override(const sandbox::Limits& base,
                         const v1::Limits& limits) {
  sandbox::Limits result = base;
  OverrideTime(limits.cpu_time(), result.cpu_time);
  OverrideTime(limits.wall_time(), result.wall_time);
  OverrideNumber<uint64_t>(limits.memory_bytes(), result.memory_bytes);
  OverrideNumber<uint32_t>(limits.processes(), result.processes);
  OverrideNumber<uint64_t>(limits.output_bytes(), result.output_bytes);
  OverrideNumber<uint64_t>(limits.file_bytes(), result.file_bytes);
  OverrideNumber<uint64_t>(limits.disk_bytes(), result.disk_bytes);
  OverrideNumber<uint32_t>(limits.open_files(), result.open_files);
  return result;
}

sandbox::Limits Clamp(const sandbox::Limits& limits,
                      const sandbox::Limits& ceilings) {
  sandbox::Limits result;
  result.cpu_time = std::min(limits.cpu_time, ceilings.cpu_time);
  result.wall_time = std::min(limits.wall_time, ceilings.wall_time);
  result.memory_bytes = std::min(limits.memory_bytes, ceilings.memory_bytes);
  result.processes = std::min(limits.processes, ceilings.processes);
  result.output_bytes = std::min(limits.output_bytes, ceilings.output_bytes);
  result.file_bytes = std::min(limits.file_bytes, ceilings.file_bytes);
  result.disk_bytes = std::min(limits.disk_bytes, ceilings.disk_bytes);
  result.disk_inodes = std::min(limits.disk_inodes, ceilings.disk_inodes);
  result.open_files = std::min(limits.open_files, ceilings.open_files);
  return result;
}

void CheckLimits(const v1::Limits& limits, const sandbox::Limits& ceilings,
                 FieldViolations& violations) {
  CheckTime("cpu_time", limits.cpu_time(), ceilings.cpu_time, violations);
  CheckTime("wall_time", limits.wall_time(), ceilings.wall_time, violations);
  CheckNumber("memory_bytes", limits.memory_bytes(), ceilings.memory_bytes,
              violations);
  CheckNumber("processes", limits.processes(), ceilings.processes, violations);
  CheckNumber("output_bytes", limits.output_bytes(), ceilings.output_bytes,
              violations);
  CheckNumber("file_bytes", limits.file_bytes(), ceilings.file_bytes,
              violations);
  CheckNumber("disk_bytes", limits.disk_bytes(), ceilings.disk_bytes,
              violations);
  CheckNumber("open_files", limits.open_files(), ceilings.open_files,
              violations);
}

v1::Limits ToProto(const sandbox::Limits& limits) {
  v1::Limits proto;
  *proto.mutable_cpu_time() = ToProto(limits.cpu_time);
  *proto.mutable_wall_time() = ToProto(limits.wall_time);
  proto.set_memory_bytes(limits.memory_bytes);
  proto.set_processes(limits.processes);
  proto.set_output_bytes(limits.output_bytes);
  proto.set_file_bytes(limits.file_bytes);
  proto.set_disk_bytes(limits.disk_bytes);
  proto.set_open_files(limits.open_files);
  return proto;
}

}  // namespace cordon::server
