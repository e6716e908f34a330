// Any notification, with any memory behind its registers -> what the supervisor
// decides. Whatever a program makes of them: what the policy forbids is never
// let through, what it asks about is let through for its own sake only, and
// nothing outside of the run's directory is changed or named.
//
// The "program" is this process: its memory is an input's bytes.
//
// With --config=fuzz this is a libFuzzer target; otherwise fuzz_main.cc feeds
// it a fixed number of pseudo-random inputs.

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "sandbox/policy/seccomp/syscall_table_x86_64.h"
#include "sandbox/supervise/call_judge.h"
#include "sandbox/supervise/internet_address.h"
#include "sandbox/supervise/unix_address.h"
#include "sandbox/supervise/write_target.h"

namespace cordon::sandbox {
namespace {

constexpr size_t kMemoryBytes = 8192;
constexpr int kMaxErrno = 4095;  // MAX_ERRNO, linux/err.h

// What a register may point to.
char memory[kMemoryBytes];

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "call_judge_fuzz: %s\n", what);
  std::abort();
}

void Check(bool holds, const char* what) {
  if (!holds) Die(what);
}

// A run's directory with links out of it, and a file outside.
struct Directories {
  Directories() {
    char base[] = "/tmp/cordon-fuzz-XXXXXX";
    Check(mkdtemp(base) != nullptr, "no directory");
    root = base;
    workspace = root + "/run";
    outside = root + "/outside";
    Check(mkdir(workspace.c_str(), 0700) == 0 && chdir(workspace.c_str()) == 0,
          "no workspace");
    Check(mkdir("d", 0700) == 0 && symlink("..", "up") == 0 &&
              symlink("d", "l") == 0 && symlink("../outside", "o") == 0,
          "no links");
    close(open("f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    close(open(outside.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0640));
    Check(stat(outside.c_str(), &before) == 0, "no file outside");
  }

  ~Directories() { std::filesystem::remove_all(root); }
  Directories(const Directories&) = delete;
  Directories& operator=(const Directories&) = delete;

  void CheckOutside() const {
    struct stat now;
    Check(stat(outside.c_str(), &now) == 0 && now.st_mode == before.st_mode &&
              now.st_uid == before.st_uid && now.st_gid == before.st_gid &&
              now.st_mtim.tv_sec == before.st_mtim.tv_sec &&
              now.st_mtim.tv_nsec == before.st_mtim.tv_nsec,
          "a file outside has changed");
  }

  std::string root, workspace, outside;
  struct stat before = {};
};

class Reader {
 public:
  Reader(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  uint64_t Integer(int width) {
    uint64_t value = 0;
    for (int i = 0; i < width && left_ > 0; ++i, --left_) {
      value = value << 8 | *data_++;
    }
    return value;
  }
  // What is left becomes the memory, or stands behind a path that leads
  // somewhere.
  void FillMemory(const std::string& outside) {
    const std::string paths[] = {
        "",    "o",     "../outside", "up/outside",
        "l/f", outside, "d/../f",     "/proc/self/cwd/o"};
    const std::string& path = paths[Integer(1) % std::size(paths)];
    std::memset(memory, 0, sizeof(memory));
    path.copy(memory, sizeof(memory));
    const size_t begin = path.empty() ? 0 : path.size() + 1;
    std::memcpy(memory + begin, data_, std::min(left_, sizeof(memory) - begin));
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

uint64_t ReadRegister(Reader& reader) {
  const uint64_t kind = reader.Integer(1);
  switch (kind % 8) {
    case 0:
      return reader.Integer(8);
    case 1:
      return static_cast<uint64_t>(getpid());
    case 2:
      return static_cast<uint64_t>(AT_FDCWD);
    case 3:  // Near the end, so that a string may pass it.
      return reinterpret_cast<uint64_t>(memory + kMemoryBytes - kind);
    case 4:
      return reader.Integer(1);
    case 5:
      return reinterpret_cast<uint64_t>(memory + reader.Integer(1));
    default:
      return reinterpret_cast<uint64_t>(memory);
  }
}

// Mostly those that the supervisor looks into, sometimes any.
int ReadNumber(uint64_t choice, Reader& reader) {
  constexpr int kAsked[] = {
      __NR_open,      __NR_openat,    __NR_creat,  __NR_execve,
      __NR_chmod,     __NR_fchmodat,  __NR_chown,  __NR_lchown,
      __NR_fchownat,  __NR_utime,     __NR_utimes, __NR_futimesat,
      __NR_utimensat, __NR_prlimit64, __NR_kill,   __NR_rt_sigaction};
  switch (choice) {
    case 0:
      return static_cast<int>(reader.Integer(4));
    case 1:
      return static_cast<int>(reader.Integer(2) % 512);
    default:
      return kAsked[reader.Integer(1) % std::size(kAsked)];
  }
}

const std::vector<SyscallPolicy>& Policies() {
  static const auto& policies = *[] {
    auto* const all = new std::vector<SyscallPolicy>();
    for (const NetworkAccess network :
         {NetworkAccess::kNone, NetworkAccess::kLoopback,
          NetworkAccess::kFull}) {
      all->push_back(DefaultPolicy({.network = network}));
      all->push_back(
          DefaultPolicy({.network = network,
                         .audit = AuditScope::kAll,
                         .signals = SignalScope::kByLandlock,
                         .metadata = MetadataScope::kBySupervisor,
                         .truncation = TruncationScope::kBySupervisor}));
    }
    return all;
  }();
  return policies;
}

void CheckForbidden(const JudgedCall& judged) {
  Check(judged.answer == CallAnswer::kKillRun ||
            (judged.answer == CallAnswer::kFail && judged.error_number > 0),
        "a forbidden call was let through");
  Check(judged.violation.has_value(), "a breach was not reported");
  Check((judged.answer == CallAnswer::kKillRun) ==
            (judged.violation->action == ViolationAction::kTerminate),
        "the report says something else than what was done");
}

void CheckJudgement(const seccomp_notif& notification, const Verdict& verdict,
                    const JudgedCall& judged, const JudgeContext& context) {
  Check(judged.error_number >= 0 && judged.error_number <= kMaxErrno,
        "not an errno");
  if (notification.data.arch != AUDIT_ARCH_X86_64) {
    return CheckForbidden(judged);
  }
  switch (verdict.kind) {
    case VerdictKind::kAllow:
      return Check(judged.answer == CallAnswer::kContinue &&
                       !judged.violation.has_value(),
                   "an allowed call was not");
    case VerdictKind::kRefuse:
      return Check(judged.answer == CallAnswer::kFail &&
                       judged.error_number == verdict.error_number,
                   "a refused call was not");
    case VerdictKind::kDeny:
    case VerdictKind::kViolation:
      return CheckForbidden(judged);
    case VerdictKind::kAsk:
      break;
  }
  if (verdict.question == Question::kTargetProcess &&
      judged.answer == CallAnswer::kContinue) {
    const auto target =
        static_cast<pid_t>(notification.data.args[verdict.argument]);
    Check(
        target < 0 ? -target == context.pgid : getpgid(target) == context.pgid,
        "a stranger was a target");
  }
  if (verdict.question == Question::kMetadataChange) {
    Check(judged.answer != CallAnswer::kContinue,
          "a change of metadata was left to the program");
  }
}

void CheckAddresses(const std::string& workspace) {
  sockaddr_storage storage;
  std::memcpy(&storage, memory, sizeof(storage));
  const auto length = static_cast<size_t>(static_cast<uint8_t>(memory[0]) +
                                          static_cast<uint8_t>(memory[2])) %
                      (sizeof(storage) + 1);
  for (const sa_family_t family : {AF_INET, AF_INET6, AF_UNIX}) {
    storage.ss_family = family;
    if (const auto address = ParseInternetAddress(storage, length);
        address.has_value()) {
      sockaddr_storage again;
      const auto same = ParseInternetAddress(again, address->Store(again));
      Check(same.has_value() && same->address == address->address &&
                same->port == address->port,
            "an address has changed on its way");
    }
    const auto name = ParseUnixAddress(storage, length);
    if (!name.has_value() || name->is_abstract) continue;
    const UnixPlace place = FindUnixPlace(getpid(), workspace, name->name);
    if (place.error_number != 0) continue;
    Check(place.name.find('/') == std::string::npos && place.name != "..",
          "a name leads elsewhere");
    Check(IsBeneath(PathOfDescriptor(place.parent.get()), workspace),
          "a place is outside of the run's directory");
  }
}

}  // namespace
}  // namespace cordon::sandbox

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cordon::sandbox;  // NOLINT: libFuzzer names the function
  static const Directories directories;
  Reader reader(data, size);
  const uint64_t choices = reader.Integer(2);
  const SyscallPolicy& policy = Policies()[choices % Policies().size()];
  const auto action = [&choices](int bit) {
    return (choices >> bit & 1) != 0 ? ViolationAction::kDeny
                                     : ViolationAction::kTerminate;
  };
  const OnViolation on_violation = {.syscall = action(8),
                                    .filesystem = action(9),
                                    .network = action(10),
                                    .process = action(11)};
  seccomp_notif notification = {};
  notification.id = 1;
  notification.pid = static_cast<uint32_t>(getpid());
  notification.data.arch =
      (choices >> 12) % 8 == 0 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
  notification.data.nr = ReadNumber(choices >> 14, reader);
  for (auto& argument : notification.data.args) {
    argument = ReadRegister(reader);
  }
  reader.FillMemory(directories.outside);

  const WritableView writable = {directories.workspace, {"/dev/null"}};
  const ReadableView readable = {{"/usr"}, {"/etc/passwd"}};
  const JudgeContext context = {
      .policy = &policy,
      .on_violation = &on_violation,
      .writable = &writable,
      .readable = &readable,
      .pgid = getpgrp(),
      .data_limit_bytes = uint64_t{1} << 33,
      .paths = (choices >> 13 & 1) != 0 ? PathReading::kResolved
                                        : PathReading::kAsGiven,
      .file_bytes = uint64_t{1} << 40,
  };
  SyscallArguments arguments;
  std::copy_n(notification.data.args, arguments.size(), arguments.begin());
  CheckJudgement(notification, policy.Evaluate(notification.data.nr, arguments),
                 JudgeCall(notification, context), context);
  CheckAddresses(directories.workspace);
  directories.CheckOutside();
  return 0;
}
