#include "server/event_encoder.h"

#include <string>
#include <utility>

#include "server/durations.h"
#include "server/utf8.h"

namespace cordon::server {
namespace {

v1::Violation::Kind EncodeKind(sandbox::ViolationKind kind) {
  switch (kind) {
    case sandbox::ViolationKind::kSyscall:
      return v1::Violation::SYSCALL;
    case sandbox::ViolationKind::kFilesystem:
      return v1::Violation::FILESYSTEM;
    case sandbox::ViolationKind::kNetwork:
      return v1::Violation::NETWORK;
    case sandbox::ViolationKind::kProcess:
      return v1::Violation::PROCESS;
  }
  return v1::Violation::KIND_UNSPECIFIED;
}

v1::Violation::Action EncodeAction(sandbox::ViolationAction action) {
  switch (action) {
    case sandbox::ViolationAction::kTerminate:
      return v1::Violation::TERMINATED;
    case sandbox::ViolationAction::kDeny:
      return v1::Violation::DENIED;
  }
  return v1::Violation::ACTION_UNSPECIFIED;
}

v1::Enforcement::Level EncodeLevel(sandbox::EnforcementLevel level) {
  switch (level) {
    case sandbox::EnforcementLevel::kFull:
      return v1::Enforcement::FULL;
    case sandbox::EnforcementLevel::kPartial:
      return v1::Enforcement::PARTIAL;
    case sandbox::EnforcementLevel::kNone:
      return v1::Enforcement::NONE;
  }
  return v1::Enforcement::LEVEL_UNSPECIFIED;
}

v1::Usage::CompileCache EncodeUse(sandbox::CompileCacheUse use) {
  switch (use) {
    case sandbox::CompileCacheUse::kNone:
      return v1::Usage::COMPILE_CACHE_UNSPECIFIED;
    case sandbox::CompileCacheUse::kMiss:
      return v1::Usage::MISS;
    case sandbox::CompileCacheUse::kHit:
      return v1::Usage::HIT;
  }
  return v1::Usage::COMPILE_CACHE_UNSPECIFIED;
}

void EncodeUsage(const sandbox::Usage& usage, v1::Usage* proto) {
  *proto->mutable_wall_time() = ToProto(usage.wall_time);
  *proto->mutable_cpu_user() = ToProto(usage.cpu_user);
  *proto->mutable_cpu_system() = ToProto(usage.cpu_system);
  proto->set_peak_memory_bytes(usage.peak_memory_bytes);
  proto->set_peak_processes(usage.peak_processes);
  proto->set_stdout_bytes(usage.stdout_bytes);
  proto->set_stderr_bytes(usage.stderr_bytes);
  proto->set_warm(usage.warm);
  proto->set_compile_cache(EncodeUse(usage.compile_cache));
}

void EncodeFile(sandbox::CollectedFile file, v1::OutputFile* proto) {
  proto->set_path(ToUtf8(file.path));
  proto->set_content(std::move(file.content));
  proto->set_error(ToUtf8(file.error));
}

}  // namespace

v1::Enforcement::Layer EncodeLayer(const sandbox::LayerEnforcement& layer) {
  v1::Enforcement::Layer proto;
  proto.set_level(EncodeLevel(layer.level));
  proto.set_reason(layer.reason);
  return proto;
}

v1::Enforcement EncodeEnforcement(const sandbox::Enforcement& enforcement) {
  v1::Enforcement proto;
  *proto.mutable_filesystem() = EncodeLayer(enforcement.filesystem);
  *proto.mutable_network() = EncodeLayer(enforcement.network);
  *proto.mutable_syscalls() = EncodeLayer(enforcement.syscalls);
  *proto.mutable_signals() = EncodeLayer(enforcement.signals);
  *proto.mutable_memory() = EncodeLayer(enforcement.memory);
  *proto.mutable_processes() = EncodeLayer(enforcement.processes);
  *proto.mutable_identity() = EncodeLayer(enforcement.identity);
  return proto;
}

v1::Violation EncodeViolation(const sandbox::Violation& violation) {
  v1::Violation proto;
  proto.set_kind(EncodeKind(violation.kind));
  proto.set_syscall(violation.syscall);
  proto.set_syscall_number(violation.syscall_number);
  for (const uint64_t argument : violation.arguments) {
    proto.add_arguments(argument);
  }
  for (const std::string& candidate : violation.candidates) {
    proto.add_candidates(candidate);
  }
  proto.set_path(ToUtf8(violation.path));
  proto.set_address(ToUtf8(violation.address));
  proto.set_process_id(violation.process_id);
  *proto.mutable_offset() = ToProto(violation.offset);
  proto.set_action(EncodeAction(violation.action));
  proto.set_errno(violation.error_number);
  return proto;
}

v1::Output EncodeOutput(sandbox::OutputStream stream, absl::string_view data,
                        uint64_t offset) {
  v1::Output proto;
  proto.set_stream(stream == sandbox::OutputStream::kStdout ? v1::STDOUT
                                                            : v1::STDERR);
  proto.set_data(data.data(), data.size());
  proto.set_offset(offset);
  return proto;
}

v1::Outcome EncodeOutcomeKind(sandbox::OutcomeKind kind) {
  switch (kind) {
    case sandbox::OutcomeKind::kExited:
      return v1::EXITED;
    case sandbox::OutcomeKind::kSignaled:
      return v1::SIGNALED;
    case sandbox::OutcomeKind::kStartFailed:
      return v1::START_FAILED;
    case sandbox::OutcomeKind::kCompileFailed:
      return v1::COMPILE_FAILED;
    case sandbox::OutcomeKind::kCpuTimeLimit:
      return v1::CPU_TIME_LIMIT;
    case sandbox::OutcomeKind::kWallTimeLimit:
      return v1::WALL_TIME_LIMIT;
    case sandbox::OutcomeKind::kMemoryLimit:
      return v1::MEMORY_LIMIT;
    case sandbox::OutcomeKind::kOutputLimit:
      return v1::OUTPUT_LIMIT;
    case sandbox::OutcomeKind::kDiskLimit:
      return v1::DISK_LIMIT;
    case sandbox::OutcomeKind::kSyscallViolation:
      return v1::SYSCALL_VIOLATION;
    case sandbox::OutcomeKind::kFilesystemViolation:
      return v1::FILESYSTEM_VIOLATION;
    case sandbox::OutcomeKind::kNetworkViolation:
      return v1::NETWORK_VIOLATION;
  }
  return v1::OUTCOME_UNSPECIFIED;
}

v1::Result EncodeResult(sandbox::Outcome outcome) {
  v1::Result proto;
  proto.set_outcome(EncodeOutcomeKind(outcome.kind));
  proto.set_exit_code(outcome.exit_code);
  proto.set_signal(outcome.signal);
  proto.set_message(ToUtf8(outcome.message));
  proto.set_stdout_truncated(outcome.stdout_truncated);
  proto.set_stderr_truncated(outcome.stderr_truncated);
  EncodeUsage(outcome.usage, proto.mutable_usage());
  for (const sandbox::Violation& violation : outcome.violations) {
    *proto.add_violations() = EncodeViolation(violation);
  }
  proto.set_violations_dropped(outcome.violations_dropped);
  for (sandbox::CollectedFile& file : outcome.files) {
    EncodeFile(std::move(file), proto.add_files());
  }
  *proto.mutable_enforcement() = EncodeEnforcement(outcome.enforcement);
  if (outcome.compilation != nullptr) {
    v1::Result* compilation = proto.mutable_compilation();
    *compilation = EncodeResult(outcome.compilation->outcome);
    compilation->set_stdout(outcome.compilation->stdout_data);
    compilation->set_stderr(outcome.compilation->stderr_data);
  }
  return proto;
}

}  // namespace cordon::server
