// deploy/seccomp.json against the policy: what a program may do must pass a
// container's filter, and what ends a run must reach cordon's.

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "sandbox/policy/seccomp/syscall_policy.h"
#include "sandbox/policy/seccomp/syscall_table_x86_64.h"

namespace cordon::sandbox {
namespace {

google::protobuf::Struct ReadProfile() {
  std::stringstream text;
  text << std::ifstream("deploy/seccomp.json").rdbuf();
  google::protobuf::Struct profile;
  EXPECT_TRUE(
      google::protobuf::util::JsonStringToMessage(text.str(), &profile).ok());
  return profile;
}

std::set<std::string> Allowed(const google::protobuf::Struct& profile) {
  std::set<std::string> allowed;
  for (const auto& entry :
       profile.fields().at("syscalls").list_value().values()) {
    const auto& fields = entry.struct_value().fields();
    EXPECT_EQ(fields.at("action").string_value(), "SCMP_ACT_ALLOW");
    for (const auto& name : fields.at("names").list_value().values()) {
      EXPECT_TRUE(allowed.insert(name.string_value()).second)
          << name.string_value() << " is there twice";
    }
  }
  return allowed;
}

// Whether the kernel may execute it for a program.
bool MayHappen(const Verdict& verdict) {
  return verdict.kind == VerdictKind::kAllow ||
         verdict.kind == VerdictKind::kAsk;
}

bool MayHappen(const SyscallRow& row) {
  if (MayHappen(row.otherwise)) return true;
  for (const Rule& rule : row.rules) {
    if (MayHappen(rule.verdict)) return true;
  }
  return false;
}

// SCMP_ACT_TRACE without a tracer is ENOSYS, and the one action of those that
// execute nothing which a notification outranks (seccomp(2)): what the profile
// does not name fails for the server, and is named by cordon for a run.
TEST(ContainerProfile, HidesNothingFromTheSupervisor) {
  EXPECT_EQ(ReadProfile().fields().at("defaultAction").string_value(),
            "SCMP_ACT_TRACE");
}

TEST(ContainerProfile, AllowsWhatProgramsMayDo) {
  const std::set<std::string> allowed = Allowed(ReadProfile());
  int rows = 0;
  for (const PolicyOptions& options :
       {PolicyOptions{.signals = SignalScope::kByLandlock},
        PolicyOptions{.signals = SignalScope::kBySupervisor}}) {
    const SyscallPolicy policy = DefaultPolicy(options);
    for (const SyscallRow& row : policy.rows()) {
      if (!MayHappen(row)) continue;
      ++rows;
      EXPECT_EQ(allowed.count(std::string(SyscallName(row.number))), 1u)
          << SyscallName(row.number);
    }
  }
  EXPECT_GT(rows, 400);
}

// A filter for one architecture kills the calls of the others, which outranks a
// notification: the run would end as if by a signal.
TEST(ContainerProfile, LeavesOtherArchitecturesToTheSupervisor) {
  const google::protobuf::Struct profile = ReadProfile();
  std::set<std::string> architectures;
  for (const auto& architecture :
       profile.fields().at("architectures").list_value().values()) {
    architectures.insert(architecture.string_value());
  }
  EXPECT_EQ(architectures,
            (std::set<std::string>{"SCMP_ARCH_X86", "SCMP_ARCH_X86_64",
                                   "SCMP_ARCH_X32"}));
}

TEST(ContainerProfile, NamesCallsThatExist) {
  for (const std::string& name : Allowed(ReadProfile())) {
    EXPECT_TRUE(SyscallNumber(name).has_value()) << name;
  }
}

}  // namespace
}  // namespace cordon::sandbox
