#include "sandbox/supervise/process_counter.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "sandbox/base/unique_fd.h"

namespace cordon::sandbox {
namespace {

struct ProcText {
  std::string text;
  int error_number = 0;
};

ProcText ReadProc(pid_t id, absl::string_view name) {
  const UniqueFd fd(open(absl::StrCat("/proc/", id, "/", name).c_str(),
                         O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return {"", errno};
  char buffer[1024];
  const ssize_t size = read(fd.get(), buffer, sizeof(buffer));
  if (size < 0) return {"", errno};
  return {std::string(buffer, static_cast<size_t>(size)), 0};
}

bool IsGone(int error_number) {
  return error_number == ENOENT || error_number == ESRCH;
}

// The parent of a vfork(2) sleeps in the kernel's function of that name, or in
// the one that it is a part of, and there only when its child exists.
bool WaitsForItsVfork(pid_t tid) {
  const std::string where = ReadProc(tid, "wchan").text;
  return where == "kernel_clone" || where == "wait_for_vfork_done";
}

// What follows the name in proc_pid_stat(5), from field 3 on; nothing: it could
// not be read. The name, in parentheses, may hold anything.
std::vector<std::string> FieldsOf(const ProcText& stat) {
  const size_t name_end = stat.text.rfind(')');
  if (stat.error_number != 0 || name_end == std::string::npos) return {};
  return absl::StrSplit(absl::string_view(stat.text).substr(name_end + 1), ' ',
                        absl::SkipEmpty());
}

// Whoever is dead executes nothing more, though nobody has waited for it.
bool IsDead(pid_t tid) {
  const std::vector<std::string> fields = FieldsOf(ReadProc(tid, "stat"));
  return !fields.empty() && (fields[0] == "Z" || fields[0] == "X");
}

// Whether a clone that thread `tid` was allowed earlier is over. "running" says
// nothing: it may run inside of clone. Neither does a refusal to tell, which is
// what a server that shares the run's uid gets of the dead.
bool IsPastItsClone(pid_t tid) {
  const ProcText call = ReadProc(tid, "syscall");
  if (call.error_number != 0) return IsGone(call.error_number) || IsDead(tid);
  int number;
  const absl::string_view text = call.text;
  if (!absl::SimpleAtoi(text.substr(0, text.find(' ')), &number)) return false;
  if (number != __NR_clone && number != __NR_fork && number != __NR_vfork) {
    return true;
  }
  return WaitsForItsVfork(tid);
}

// From the kernel's own counter: a directory of threads that come and go cannot
// be read without missing some.
uint32_t ThreadsOf(pid_t pid) {
  const ProcText stat = ReadProc(pid, "stat");
  if (IsGone(stat.error_number)) return 0;
  const std::vector<std::string> fields = FieldsOf(stat);
  constexpr size_t kThreads = 17;  // Field 20.
  uint32_t threads;
  if (fields.size() <= kThreads ||
      !absl::SimpleAtoi(fields[kThreads], &threads)) {
    return 1;
  }
  return threads;
}

}  // namespace

bool ProcessCounter::Take(pid_t tid) {
  has_grown_ = true;
  if (held_ >= limit_) return false;
  ++held_;
  ++taken_;
  ++allowed_;
  pending_.insert(tid);
  return true;
}

void ProcessCounter::GiveBack(pid_t tid) {
  --held_;
  --taken_;
  pending_.erase(tid);
}

bool ProcessCounter::AllAreMade() {
  ForgetThoseThatMovedOn();
  return pending_.empty();
}

void ProcessCounter::ForgetThoseThatMovedOn() {
  for (auto tid = pending_.begin(); tid != pending_.end();) {
    tid = IsPastItsClone(*tid) ? pending_.erase(tid) : std::next(tid);
  }
}

uint64_t ProcessCounter::NewIn(const Threads& now, const Threads& before) {
  uint64_t count = 0;
  for (const auto& [pid, threads] : now) {
    const auto old = before.find(pid);
    const uint32_t known = old == before.end() ? 0 : old->second;
    if (threads > known) count += threads - known;
  }
  return count;
}

void ProcessCounter::Recount() {
  // Before the walk: what is past its clone now has made what the walk will
  // see. Nothing else of the run can clone meanwhile, because it would have to
  // ask.
  ForgetThoseThatMovedOn();
  Threads now;
  uint64_t count = 0;
  for (const pid_t pid : table_->CurrentMembers(pgid_)) {
    const uint32_t threads = ThreadsOf(pid);
    now[pid] = threads;
    count += threads;
  }
  // The first process is there as long as it was not reaped: a /proc that does
  // not show it shows nothing.
  if (count == 0) return;
  if (seen_.empty()) seen_[pgid_] = 1;
  const uint64_t allowed = unseen_ + taken_;
  const uint64_t made = NewIn(now, seen_);
  unseen_ =
      std::min<uint64_t>(pending_.size(), allowed > made ? allowed - made : 0);
  taken_ = 0;
  held_ = count + unseen_;
  seen_ = std::move(now);
  peak_ = std::max(peak_, static_cast<uint32_t>(count));
}

}  // namespace cordon::sandbox
