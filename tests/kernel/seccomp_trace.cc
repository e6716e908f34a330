// Runs a program with every system call reported, answers as the policy says,
// and lists the calls that are not simply allowed (with --all: every call),
// each with its verdict and how often it was made:
//   bazel run //tests/kernel:seccomp_trace -- python3 -c 'import asyncio'
// It is how the table's reasons are checked, and how to find out what a program
// that does not work would need.

#include <linux/seccomp.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/policy/seccomp/filter_compiler.h"
#include "sandbox/policy/seccomp/filter_dump.h"
#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/syscall_table_x86_64.h"
#include "tests/kernel/seccomp_harness.h"

namespace cordon::sandbox {
namespace {

// All but what the harness itself does before the program starts.
Filter ReportEverything() {
  std::vector<SyscallRow> rows;
  for (const Sys call : {Sys::sendmsg, Sys::close, Sys::rt_sigreturn}) {
    rows.push_back({static_cast<int>(call), {}, Allow(), "the harness"});
  }
  return CompileFilter(SyscallPolicy::Create(Violate(), rows).value(),
                       {.audit_arch = kX86_64AuditArch,
                        .number_limit = kX86_64NumberLimit})
      .value();
}

int Trace(const std::vector<std::string>& argv, bool all) {
  const SyscallPolicy policy =
      DefaultPolicy({.signals = SignalScope::kByLandlock});
  std::map<std::pair<int, std::string>, int> seen;
  const auto decide = [&](const seccomp_data& call) {
    const Verdict verdict = policy.Evaluate(call.nr, ArgumentsOf(call));
    ++seen[{call.nr, DescribeVerdict(verdict)}];
    switch (verdict.kind) {
      case VerdictKind::kAllow:
      case VerdictKind::kAsk:
        return Answer::Continue();
      case VerdictKind::kRefuse:
      case VerdictKind::kDeny:
        return Answer::Fail(verdict.error_number);
      case VerdictKind::kViolation:
        break;
    }
    return Answer::Fail(EPERM);
  };
  const ProgramRun program = RunProgram(ReportEverything(), ".", argv, decide);
  std::printf("%s\nwait status %#x\n", program.output.c_str(),
              static_cast<unsigned>(program.run.wait_status));
  for (const auto& [call, count] : seen) {
    if (!all && call.second == "allow") continue;
    std::printf("%7d  %-22s %s\n", count,
                std::string(SyscallName(call.first)).c_str(),
                call.second.c_str());
  }
  return 0;
}

}  // namespace
}  // namespace cordon::sandbox

int main(int argc, char** argv) {
  const bool all = argc > 1 && std::strcmp(argv[1], "--all") == 0;
  const std::vector<std::string> program(argv + 1 + all, argv + argc);
  if (program.empty()) {
    std::fputs("usage: seccomp_trace [--all] PROGRAM [ARGUMENT]...\n", stderr);
    return 2;
  }
  return cordon::sandbox::Trace(program, all);
}
