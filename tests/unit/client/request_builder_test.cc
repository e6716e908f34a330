#include "client/request_builder.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cordon::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

RunInputs Code(std::string code) {
  RunInputs inputs;
  inputs.code = std::move(code);
  return inputs;
}

std::string ProblemsOf(const RunFlags& flags, RunInputs inputs = {}) {
  const absl::StatusOr<v1::ExecuteRequest> request =
      BuildRequest(flags, std::move(inputs), "python");
  EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(request.status().message());
}

TEST(BuildRequestTest, SourceCarriesLanguageCodeAndArguments) {
  RunFlags flags;
  flags.file = "hello.py";
  flags.arguments = {"one", "--two"};
  const v1::ExecuteRequest request =
      BuildRequest(flags, Code("print(1)"), "python").value();
  EXPECT_EQ(request.source().language(), "python");
  EXPECT_EQ(request.source().code(), "print(1)");
  EXPECT_THAT(request.source().args(), ElementsAre("one", "--two"));
}

TEST(BuildRequestTest, CommandCarriesItsArguments) {
  RunFlags flags;
  flags.program = ProgramKind::kCommand;
  flags.arguments = {"/bin/echo", "hi"};
  const v1::ExecuteRequest request = BuildRequest(flags, {}, "").value();
  EXPECT_FALSE(request.has_source());
  EXPECT_THAT(request.command().argv(), ElementsAre("/bin/echo", "hi"));
}

TEST(BuildRequestTest, WhatWasNotGivenIsNotSet) {
  const v1::ExecuteRequest request = BuildRequest({}, Code("x"), "c").value();
  EXPECT_FALSE(request.has_limits());
  EXPECT_FALSE(request.has_policy());
  EXPECT_EQ(request.output_mode(), v1::OUTPUT_MODE_UNSPECIFIED);
  EXPECT_TRUE(request.stdin().empty());
  EXPECT_EQ(request.environment_size(), 0);
}

TEST(BuildRequestTest, EveryLimitReachesItsField) {
  RunFlags flags;
  flags.cpu = "2s";
  flags.wall = "10";
  flags.memory = "256M";
  flags.output_limit = "1M";
  flags.file_size = "64M";
  flags.disk = "1G";
  flags.open_files = "32";
  flags.processes = "8";
  flags.output_mode = "tail";
  const v1::ExecuteRequest request = BuildRequest(flags, {}, "c").value();
  const v1::Limits& limits = request.limits();
  EXPECT_EQ(limits.cpu_time().seconds(), 2);
  EXPECT_EQ(limits.wall_time().seconds(), 10);
  EXPECT_EQ(limits.memory_bytes(), 256u << 20);
  EXPECT_EQ(limits.output_bytes(), 1u << 20);
  EXPECT_EQ(limits.file_bytes(), 64u << 20);
  EXPECT_EQ(limits.disk_bytes(), 1u << 30);
  EXPECT_EQ(limits.open_files(), 32u);
  EXPECT_EQ(limits.processes(), 8u);
  EXPECT_EQ(request.output_mode(), v1::OUTPUT_MODE_KEEP_TAIL);
}

TEST(BuildRequestTest, EveryPolicyFlagReachesItsField) {
  RunFlags flags;
  flags.network = "allow-list";
  flags.allowed_hosts = {"example.org:443", "10.0.0.0/8:80"};
  flags.audit = "all";
  flags.filesystem = "virtual";
  flags.on_violation = {"syscall=deny", "filesystem=terminate",
                        "network=terminate", "process=deny"};
  const v1::Policy policy = BuildRequest(flags, {}, "c").value().policy();
  EXPECT_EQ(policy.network(), v1::NETWORK_ALLOW_LIST);
  EXPECT_THAT(policy.allowed_hosts(),
              ElementsAre("example.org:443", "10.0.0.0/8:80"));
  EXPECT_EQ(policy.audit(), v1::AUDIT_ALL);
  EXPECT_EQ(policy.filesystem(), v1::FILESYSTEM_VIRTUAL);
  const v1::OnViolation& rules = policy.on_violation();
  EXPECT_EQ(rules.syscall(), v1::VIOLATION_ACTION_DENY);
  EXPECT_EQ(rules.filesystem(), v1::VIOLATION_ACTION_TERMINATE);
  EXPECT_EQ(rules.network(), v1::VIOLATION_ACTION_TERMINATE);
  EXPECT_EQ(rules.process(), v1::VIOLATION_ACTION_DENY);
}

TEST(BuildRequestTest, InputsAndNamesReachTheirFields) {
  RunFlags flags;
  flags.environment = {"A=1", "EMPTY=", "URL=a=b"};
  flags.outputs = {"out.txt", "*.png"};
  flags.working_directory = "sub";
  flags.request_id = "id-1";
  flags.label = "nightly";
  RunInputs inputs;
  inputs.stdin_data = std::string("\0\xff", 2);
  inputs.files.emplace_back().set_path("data.bin");
  const v1::ExecuteRequest request =
      BuildRequest(flags, std::move(inputs), "c").value();
  EXPECT_EQ(request.stdin(), std::string("\0\xff", 2));
  EXPECT_EQ(request.files(0).path(), "data.bin");
  EXPECT_EQ(request.environment().at("A"), "1");
  EXPECT_EQ(request.environment().at("EMPTY"), "");
  EXPECT_EQ(request.environment().at("URL"), "a=b");
  EXPECT_THAT(request.output_files(), ElementsAre("out.txt", "*.png"));
  EXPECT_EQ(request.working_directory(), "sub");
  EXPECT_EQ(request.request_id(), "id-1");
  EXPECT_EQ(request.label(), "nightly");
}

TEST(BuildRequestTest, EveryProblemIsNamedAtOnce) {
  RunFlags flags;
  flags.cpu = "fast";
  flags.wall = "0";
  flags.memory = "-1";
  flags.processes = "many";
  flags.output_mode = "middle";
  flags.network = "some";
  flags.audit = "none";
  flags.on_violation = {"syscall", "files=deny"};
  flags.environment = {"=1", "NAME"};
  const std::string problems = ProblemsOf(flags);
  EXPECT_THAT(
      problems,
      AllOf(HasSubstr("--cpu=fast is not a time"),
            HasSubstr("--wall=0 is zero"),
            HasSubstr("--memory=-1 is not a size"),
            HasSubstr("--processes=many is not a whole number"),
            HasSubstr("--output-mode=middle is not one of terminate, head, "
                      "tail"),
            HasSubstr("--network=some is not one of"),
            HasSubstr("--audit=none is not one of writes, all"),
            HasSubstr("--on-violation=syscall is not one of terminate, deny")));
  EXPECT_THAT(
      problems,
      AllOf(HasSubstr("--on-violation=files=deny is not one of syscall, "
                      "filesystem, network, process"),
            HasSubstr("--env==1 is not NAME=VALUE"),
            HasSubstr("--env=NAME is not NAME=VALUE")));
}

TEST(BuildRequestTest, TextThatIsNotUtf8IsRefusedAndNamed) {
  RunFlags flags;
  flags.file = "latin1.py";
  flags.label = "\xff";
  EXPECT_THAT(ProblemsOf(flags, Code("# \xe4")),
              AllOf(HasSubstr("latin1.py is not UTF-8"),
                    HasSubstr("--label is not UTF-8")));
}

TEST(BuildRequestTest, ACommandWithoutAProgramIsRefused) {
  RunFlags flags;
  flags.program = ProgramKind::kCommand;
  EXPECT_THAT(ProblemsOf(flags), HasSubstr("-- PROGRAM"));
}

v1::ServerInfo ServerWithLanguages() {
  v1::ServerInfo info;
  v1::Language& cpp = *info.add_languages();
  cpp.set_name("c++");
  cpp.add_extensions("cc");
  cpp.add_extensions("cpp");
  v1::Language& python = *info.add_languages();
  python.set_name("python");
  python.add_extensions("py");
  v1::Language& ruby = *info.add_languages();
  ruby.set_name("ruby");
  ruby.add_extensions("rb");
  ruby.set_unavailable_reason("/usr/bin/ruby is not there");
  return info;
}

TEST(LanguageOfFileTest, TheServersExtensionsDecide) {
  const v1::ServerInfo info = ServerWithLanguages();
  EXPECT_EQ(LanguageOfFile("a.cc", info).value(), "c++");
  EXPECT_EQ(LanguageOfFile("/x.d/a.b.cpp", info).value(), "c++");
  EXPECT_EQ(LanguageOfFile("./main.py", info).value(), "python");
}

TEST(LanguageOfFileTest, AnUnknownNameListsTheLanguagesThatThereAre) {
  for (const char* file : {"Makefile", "a.txt", "a.", "dir.py/main", ""}) {
    const absl::Status status =
        LanguageOfFile(file, ServerWithLanguages()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << file;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("c++, python"), Not(HasSubstr("ruby"))));
  }
}

TEST(LanguageOfFileTest, AMissingToolchainSaysWhy) {
  const absl::Status status =
      LanguageOfFile("a.rb", ServerWithLanguages()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("/usr/bin/ruby is not there"));
}

TEST(ParseFileArgumentTest, TheDestinationIsTypedOrFollowsThePath) {
  const std::vector<std::pair<std::string, std::pair<std::string, std::string>>>
      rows = {
          {"in.txt", {"in.txt", "in.txt"}},
          {"data/in.txt", {"data/in.txt", "data/in.txt"}},
          {"./a//b", {"a/b", "./a//b"}},
          {"/etc/hostname", {"hostname", "/etc/hostname"}},
          {"../up/in.txt", {"in.txt", "../up/in.txt"}},
          {"x=/etc/hostname", {"x", "/etc/hostname"}},
          {"x=a=b", {"x", "a=b"}},
      };
  for (const auto& [text, expected] : rows) {
    const FileArgument argument = ParseFileArgument(text);
    EXPECT_EQ(argument.destination, expected.first) << text;
    EXPECT_EQ(argument.path, expected.second) << text;
  }
}

}  // namespace
}  // namespace cordon::client
