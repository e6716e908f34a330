#include "sandbox/policy/seccomp/filter_dump.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/verdict.h"
#include "sandbox/spec/violation.h"

namespace cordon::sandbox {
namespace {

std::string ErrnoName(int error_number) {
  const char* name = strerrorname_np(error_number);
  return name != nullptr ? name : absl::StrCat("errno ", error_number);
}

absl::string_view KindName(ViolationKind kind) {
  switch (kind) {
    case ViolationKind::kSyscall:
      return "syscall";
    case ViolationKind::kFilesystem:
      return "filesystem";
    case ViolationKind::kNetwork:
      return "network";
    case ViolationKind::kProcess:
      return "process";
  }
  return "?";
}

std::string DescribeTest(const ArgumentTest& test) {
  const std::string argument = absl::StrCat(
      "arg", test.argument, test.width == ArgumentWidth::k64 ? ":64" : "");
  switch (test.operation) {
    case ArgumentOperation::kEquals:
      return absl::StrFormat("%s == %#x", argument, test.value);
    case ArgumentOperation::kMaskedEquals:
      return absl::StrFormat("%s & %#x == %#x", argument, test.mask,
                             test.value);
    case ArgumentOperation::kAnyBitSet:
      return absl::StrFormat("%s & %#x != 0", argument, test.mask);
  }
  return "?";
}

std::string DescribeRule(const Rule& rule) {
  if (rule.all_of.empty()) return "always";
  return absl::StrJoin(rule.all_of, " and ",
                       [](std::string* out, const ArgumentTest& test) {
                         absl::StrAppend(out, DescribeTest(test));
                       });
}

std::string DumpRow(const SyscallRow& row, absl::string_view name) {
  const std::string head = absl::StrFormat("%4d %-24s", row.number, name);
  if (row.rules.empty()) {
    return absl::StrCat(head, DescribeVerdict(row.otherwise), "  # ",
                        row.reason, "\n");
  }
  std::string text = absl::StrCat(head, "# ", row.reason, "\n");
  const std::string indent(head.size() + 2, ' ');
  for (const Rule& rule : row.rules) {
    absl::StrAppend(&text, indent, DescribeRule(rule), " -> ",
                    DescribeVerdict(rule.verdict), "\n");
  }
  absl::StrAppend(&text, indent, "otherwise -> ",
                  DescribeVerdict(row.otherwise), "\n");
  return text;
}

std::string DescribeAction(uint32_t action) {
  switch (action) {
    case SECCOMP_RET_ALLOW:
      return "allow";
    case SECCOMP_RET_USER_NOTIF:
      return "notify";
    case SECCOMP_RET_KILL_PROCESS:
      return "kill";
  }
  if ((action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO) {
    return ErrnoName(static_cast<int>(action & SECCOMP_RET_DATA));
  }
  return absl::StrFormat("%#x", action);
}

std::string DescribeField(uint32_t offset) {
  if (offset == offsetof(seccomp_data, nr)) return "number";
  if (offset == offsetof(seccomp_data, arch)) return "arch";
  if (offset < offsetof(seccomp_data, args))
    return absl::StrCat("[", offset, "]");
  const uint32_t word = (offset - offsetof(seccomp_data, args)) / 4;
  return absl::StrCat("arg", word / 2, word % 2 == 0 ? ".low" : ".high");
}

absl::string_view ComparisonSign(uint16_t code) {
  switch (BPF_OP(code)) {
    case BPF_JEQ:
      return "==";
    case BPF_JGE:
      return ">=";
    case BPF_JGT:
      return ">";
    case BPF_JSET:
      return "&";
  }
  return "?";
}

std::string DescribeInstruction(const sock_filter& instruction, size_t at) {
  switch (instruction.code) {
    case BPF_LD | BPF_W | BPF_ABS:
      return absl::StrCat("load ", DescribeField(instruction.k));
    case BPF_ALU | BPF_AND | BPF_K:
      return absl::StrFormat("and %#x", instruction.k);
    case BPF_RET | BPF_K:
      return absl::StrCat("return ", DescribeAction(instruction.k));
    case BPF_JMP | BPF_JA:
      return absl::StrCat("goto ", at + 1 + instruction.k);
  }
  if (BPF_CLASS(instruction.code) == BPF_JMP &&
      BPF_SRC(instruction.code) == BPF_K) {
    return absl::StrFormat("if %s %#x goto %d else %d",
                           ComparisonSign(instruction.code), instruction.k,
                           at + 1 + instruction.jt, at + 1 + instruction.jf);
  }
  return absl::StrFormat("code %#x jt %d jf %d k %#x", instruction.code,
                         instruction.jt, instruction.jf, instruction.k);
}

}  // namespace

std::string DescribeVerdict(const Verdict& verdict) {
  switch (verdict.kind) {
    case VerdictKind::kAllow:
      return "allow";
    case VerdictKind::kRefuse:
      if (verdict.error_number == 0) return "pretend";
      return absl::StrCat("refuse ", ErrnoName(verdict.error_number));
    case VerdictKind::kDeny:
      return absl::StrCat("deny ", ErrnoName(verdict.error_number), " (",
                          KindName(verdict.violation), ")");
    case VerdictKind::kViolation:
      return "violation";
    case VerdictKind::kAsk:
      break;
  }
  switch (verdict.question) {
    case Question::kTargetProcess:
      return absl::StrCat("ask target process in arg", verdict.argument);
    case Question::kOpenForWrite:
      return "ask open for write";
    case Question::kOpenForRead:
      return "ask open for read";
    case Question::kExecute:
      return "ask execution";
    case Question::kLargeMapping:
      return absl::StrCat("ask large mapping of arg", verdict.argument);
    case Question::kSharedMapping:
      return absl::StrCat("ask shared mapping of arg", verdict.argument);
    case Question::kNewProcess:
      return "ask new process";
    case Question::kSocketCall:
      return "ask socket call";
    case Question::kReserveSpace:
      return absl::StrCat("ask space of arg", verdict.argument);
    case Question::kFileSizeSignal:
      return "ask file size signal";
    case Question::kChildSignal:
      return "ask child signal";
    case Question::kMetadataChange:
      return "ask metadata change";
    case Question::kPath:
      return "ask path";
  }
  return "?";
}

std::string DumpPolicy(const SyscallPolicy& policy,
                       absl::FunctionRef<absl::string_view(int)> name) {
  std::string text = absl::StrCat(
      "numbers without a row: ", DescribeVerdict(policy.default_verdict()),
      "\n");
  for (const SyscallRow& row : policy.rows()) {
    absl::StrAppend(&text, DumpRow(row, name(row.number)));
  }
  return text;
}

std::string DumpFilter(absl::Span<const sock_filter> program) {
  std::string text;
  for (size_t at = 0; at < program.size(); ++at) {
    absl::StrAppendFormat(&text, "%4d  %s\n", at,
                          DescribeInstruction(program[at], at));
  }
  return text;
}

}  // namespace cordon::sandbox
