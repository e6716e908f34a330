// The door is PrepareChild.

#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "sandbox/base/errno_status.h"
#include "sandbox/launch/prepared_child.h"

namespace cordon::sandbox {
namespace {

// A pipe's default capacity, which a single write fills without blocking.
constexpr size_t kPipeCapacity = 65536;

// More than any PATH has in earnest: what is behind them is not searched.
constexpr size_t kMostPathDirectories = 64;

constexpr uint64_t kReservationAllowance = uint64_t{4} << 30;

struct PipeEnds {
  UniqueFd read;
  UniqueFd write;
};

absl::StatusOr<PipeEnds> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoToStatus(errno, "pipe2");
  return PipeEnds{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Non-blocking is a property of the open file description, which the two ends
// of a pipe do not share: the program's end stays blocking, as programs expect.
absl::Status SetNonBlocking(int fd) {
  if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
    return ErrnoToStatus(errno, "fcntl O_NONBLOCK");
  }
  return absl::OkStatus();
}

absl::Status OpenStandardInput(const std::string& data, UniqueFd& child_end,
                               UniqueFd& parent_end) {
  if (data.empty()) {
    child_end.Reset(open("/dev/null", O_RDONLY | O_CLOEXEC));
    return child_end.valid() ? absl::OkStatus()
                             : ErrnoToStatus(errno, "open /dev/null");
  }
  absl::StatusOr<PipeEnds> pipe = MakePipe();
  if (!pipe.ok()) return pipe.status();
  child_end = std::move(pipe->read);
  if (absl::Status status = SetNonBlocking(pipe->write.get()); !status.ok()) {
    return status;
  }
  if (data.size() <= kPipeCapacity &&
      write(pipe->write.get(), data.data(), data.size()) ==
          static_cast<ssize_t>(data.size())) {
    return absl::OkStatus();  // Closed with `pipe`: end of file follows the
                              // data.
  }
  // A short write here would feed the beginning twice; the fresh pipe of a user
  // over its pipe quota is smaller (pipe(7), pipe-user-pages-soft).
  if (data.size() <= kPipeCapacity) {
    absl::StatusOr<PipeEnds> fresh = MakePipe();
    if (!fresh.ok()) return fresh.status();
    child_end = std::move(fresh->read);
    pipe->write = std::move(fresh->write);
    if (absl::Status status = SetNonBlocking(pipe->write.get()); !status.ok()) {
      return status;
    }
  }
  parent_end = std::move(pipe->write);
  return absl::OkStatus();
}

absl::Status OpenOutput(UniqueFd& child_end, UniqueFd& parent_end) {
  absl::StatusOr<PipeEnds> pipe = MakePipe();
  if (!pipe.ok()) return pipe.status();
  child_end = std::move(pipe->write);
  parent_end = std::move(pipe->read);
  return SetNonBlocking(parent_end.get());
}

std::vector<ChildResourceLimit> ResourceLimits(const Limits& limits) {
  // Whole seconds, one more than asked: the supervisor ends the run at the
  // exact time; this is for the case that it does not. Soft equal to hard is
  // SIGKILL, which cannot be caught (setrlimit(2)).
  const uint64_t cpu_seconds =
      static_cast<uint64_t>(
          absl::ToInt64Seconds(absl::Ceil(limits.cpu_time, absl::Seconds(1)))) +
      1;
  const uint64_t data = DataLimitBytes(limits.memory_bytes);
  std::vector<ChildResourceLimit> wanted = {
      {RLIMIT_CPU, cpu_seconds, cpu_seconds},
      {RLIMIT_DATA, data, data},
      {RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes},
      {RLIMIT_NOFILE, limits.open_files, limits.open_files},
      {RLIMIT_CORE, 0, 0},
      {RLIMIT_MSGQUEUE, 0, 0},
      {RLIMIT_NICE, 0, 0},
      {RLIMIT_RTPRIO, 0, 0},
  };
  // A limit of the server's own cannot be raised without privilege, and is
  // kept.
  for (ChildResourceLimit& limit : wanted) {
    rlimit own;
    if (getrlimit(static_cast<__rlimit_resource>(limit.resource), &own) != 0) {
      continue;
    }
    limit.hard = std::min<uint64_t>(limit.hard, own.rlim_max);
    limit.soft = std::min(limit.soft, limit.hard);
  }
  return wanted;
}

std::vector<std::string> Environment(const LaunchPlan& plan) {
  std::vector<std::string> environment = plan.step->environment;
  const std::pair<const char*, const std::string&> own[] = {
      {"HOME=", plan.home}, {"TMPDIR=", plan.temporary_directory}};
  for (const auto& [name, value] : own) {
    const bool present = std::any_of(environment.begin(), environment.end(),
                                     [name = name](const std::string& entry) {
                                       return absl::StartsWith(entry, name);
                                     });
    if (!present) environment.push_back(absl::StrCat(name, value));
  }
  return environment;
}

std::vector<std::string> Candidates(const LaunchPlan& plan) {
  const std::string& program =
      plan.program.empty() ? plan.step->argv.front() : plan.program;
  // A name that no directory can hold is ENAMETOOLONG at once, as it is.
  if (absl::StrContains(program, '/') || program.size() > NAME_MAX) {
    return {program};
  }
  std::vector<std::string> candidates;
  for (const std::string& directory : *plan.path_directories) {
    if (candidates.size() == kMostPathDirectories) break;
    candidates.push_back(absl::StrCat(directory, "/", program));
  }
  return candidates;
}

}  // namespace

uint64_t DataLimitBytes(uint64_t memory_bytes) {
  return memory_bytes + kReservationAllowance;
}

absl::StatusOr<PreparedChild> PrepareChild(const LaunchPlan& plan) {
  PreparedChild child;
  child.argv_ = plan.step->argv;
  child.environment_ = Environment(plan);
  child.candidates_ = Candidates(plan);
  child.resource_limits_ = ResourceLimits(plan.step->limits);
  for (absl::Status status :
       {OpenStandardInput(plan.step->stdin_data, child.child_stdin_,
                          child.stdin_),
        OpenOutput(child.child_stdout_, child.stdout_),
        OpenOutput(child.child_stderr_, child.stderr_)}) {
    if (!status.ok()) return status;
  }
  return child;
}

}  // namespace cordon::sandbox
