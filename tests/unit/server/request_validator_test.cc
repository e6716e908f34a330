#include "server/request_validator.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/error_info.pb.h"
#include "gtest/gtest.h"
#include "server/status_details.h"

namespace cordon::server {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

ValidatorConfig TestConfig() {
  ValidatorConfig config;
  config.languages = *LanguageSet::Make({BuiltinLanguageFiles()});
  config.limits.defaults.cpu_time = absl::Seconds(2);
  config.limits.ceilings.cpu_time = absl::Seconds(60);
  config.limits.ceilings.memory_bytes = uint64_t{2} << 30;
  config.view.read = {"/etc/passwd"};
  config.headers_directory = "/headers";
  return config;
}

const ValidatorConfig& Config() {
  static const auto& config = *new ValidatorConfig(TestConfig());
  return config;
}

v1::ExecuteRequest Source(const std::string& language) {
  v1::ExecuteRequest request;
  request.mutable_source()->set_language(language);
  request.mutable_source()->set_code("text");
  return request;
}

v1::ExecuteRequest Command() {
  v1::ExecuteRequest request;
  request.mutable_command()->add_argv("/bin/true");
  return request;
}

v1::ExecuteRequest WithFile(v1::ExecuteRequest request,
                            const std::string& path) {
  request.add_files()->set_path(path);
  return request;
}

// Field -> description of every violation.
std::map<std::string, std::string> ViolationsOf(
    const v1::ExecuteRequest& request) {
  std::map<std::string, std::string> result;
  const auto spec = ValidateRequest(request, Config());
  if (spec.ok()) return result;
  EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
  google::rpc::BadRequest bad;
  const auto payload = spec.status().GetPayload(
      absl::StrCat(kTypeUrlPrefix, "google.rpc.BadRequest"));
  EXPECT_TRUE(payload.has_value());
  EXPECT_TRUE(bad.ParseFromString(std::string(*payload)));
  for (const auto& violation : bad.field_violations()) {
    result[violation.field()] = violation.description();
  }
  return result;
}

absl::Status StatusOf(const v1::ExecuteRequest& request) {
  return ValidateRequest(request, Config()).status();
}

sandbox::ExecutionSpec SpecOf(const v1::ExecuteRequest& request) {
  auto spec = ValidateRequest(request, Config());
  EXPECT_TRUE(spec.ok()) << spec.status();
  return *std::move(spec);
}

// ------------------------------------------------------------- what is made

TEST(RequestValidatorTest, AnInterpretedSourceBecomesAFileAndACommand) {
  v1::ExecuteRequest request = Source("py");
  request.mutable_source()->add_args("one");
  const sandbox::ExecutionSpec spec = SpecOf(request);
  EXPECT_THAT(spec.program.argv,
              ElementsAre("/usr/bin/python3", "main.py", "one"));
  ASSERT_EQ(spec.files.size(), 1u);
  EXPECT_EQ(spec.files[0].path, "main.py");
  EXPECT_EQ(spec.files[0].content, "text");
  EXPECT_FALSE(spec.compile.has_value());
  EXPECT_THAT(spec.view.read, Contains("/etc/passwd"));
  EXPECT_THAT(spec.view.read, Contains("/etc/python3.11"));
  EXPECT_THAT(spec.program.environment, Contains("LANG=C.UTF-8"));
  EXPECT_THAT(spec.program.environment, Contains("PYTHONDONTWRITEBYTECODE=1"));
}

TEST(RequestValidatorTest, ACompiledSourceHasACompileStepWithItsOwnLimits) {
  v1::ExecuteRequest request = Source("c++");
  request.mutable_limits()->mutable_cpu_time()->set_seconds(5);
  (*request.mutable_environment())["CPATH"] = "/x";
  const sandbox::ExecutionSpec spec = SpecOf(request);
  ASSERT_TRUE(spec.compile.has_value());
  EXPECT_THAT(spec.compile->argv,
              ElementsAre("/usr/bin/g++", "-O2", "-std=c++20", "-isystem",
                          "/headers/c++", "-o", "./program", "main.cc"));
  EXPECT_THAT(spec.compile->artefacts, ElementsAre("program"));
  EXPECT_EQ(spec.compile->limits.cpu_time, absl::Seconds(30));
  EXPECT_EQ(spec.compile->output_mode, sandbox::OutputMode::kKeepHead);
  EXPECT_THAT(spec.compile->environment, Not(Contains("CPATH=/x")));
  EXPECT_THAT(spec.program.argv, ElementsAre("./program"));
  EXPECT_EQ(spec.program.limits.cpu_time, absl::Seconds(5));
  EXPECT_THAT(spec.program.environment, Contains("CPATH=/x"));
}

TEST(RequestValidatorTest, AWorkingDirectoryStillFindsTheSource) {
  v1::ExecuteRequest request = Source("python");
  request.set_working_directory("a/b");
  EXPECT_THAT(SpecOf(request).program.argv,
              ElementsAre("/usr/bin/python3", "../../main.py"));
  request = Source("c");
  request.set_working_directory("a");
  EXPECT_THAT(SpecOf(request).program.argv, ElementsAre("../program"));
}

TEST(RequestValidatorTest, ACommandKeepsItsArgumentsAndSeesEveryLanguage) {
  v1::ExecuteRequest request = Command();
  request.mutable_command()->add_argv("x");
  const sandbox::ExecutionSpec spec = SpecOf(request);
  EXPECT_THAT(spec.program.argv, ElementsAre("/bin/true", "x"));
  EXPECT_THAT(spec.files, IsEmpty());
  EXPECT_THAT(spec.view.read, Contains("/etc/python3.11"));
}

TEST(RequestValidatorTest, UnsetAndZeroLimitsAreTheDefaults) {
  v1::ExecuteRequest request = Command();
  EXPECT_EQ(SpecOf(request).program.limits.cpu_time, absl::Seconds(2));
  request.mutable_limits()->mutable_cpu_time();
  EXPECT_EQ(SpecOf(request).program.limits.cpu_time, absl::Seconds(2));
}

TEST(RequestValidatorTest, TheRequestsPathIsWhereProgramsAreLookedUp) {
  v1::ExecuteRequest request = Command();
  EXPECT_THAT(SpecOf(request).path_directories,
              ElementsAre("/usr/local/bin", "/usr/bin", "/bin"));
  (*request.mutable_environment())["PATH"] = "/opt/x:here:/bin";
  EXPECT_THAT(SpecOf(request).path_directories, ElementsAre("/opt/x", "/bin"));
}

TEST(RequestValidatorTest, EveryOtherFieldArrives) {
  v1::ExecuteRequest request = WithFile(Command(), "dir/tool");
  request.mutable_files(0)->set_content("#!/bin/sh\n");
  request.mutable_files(0)->set_executable(true);
  request.set_stdin("in");
  request.add_output_files("out/*.txt");
  request.set_output_mode(v1::OUTPUT_MODE_KEEP_TAIL);
  request.set_request_id("id-1");
  request.mutable_policy()->mutable_on_violation()->set_network(
      v1::VIOLATION_ACTION_TERMINATE);
  request.mutable_policy()->mutable_on_violation()->set_syscall(
      v1::VIOLATION_ACTION_DENY);
  const sandbox::ExecutionSpec spec = SpecOf(request);
  ASSERT_EQ(spec.files.size(), 1u);
  EXPECT_EQ(spec.files[0].path, "dir/tool");
  EXPECT_EQ(spec.files[0].mode, sandbox::FileMode::kExecutable);
  EXPECT_EQ(spec.program.stdin_data, "in");
  EXPECT_THAT(spec.output_files, ElementsAre("out/*.txt"));
  EXPECT_EQ(spec.program.output_mode, sandbox::OutputMode::kKeepTail);
  EXPECT_EQ(spec.request_id, "id-1");
  EXPECT_EQ(spec.on_violation.network, sandbox::ViolationAction::kTerminate);
  EXPECT_EQ(spec.on_violation.syscall, sandbox::ViolationAction::kDeny);
  EXPECT_EQ(spec.on_violation.process, sandbox::ViolationAction::kDeny);
}

// ---------------------------------------------------------- what is refused

TEST(RequestValidatorTest, AProgramIsRequired) {
  EXPECT_THAT(ViolationsOf({}), ElementsAre(Pair("program", HasSubstr("set"))));
}

TEST(RequestValidatorTest, EveryBadFieldIsListed) {
  v1::ExecuteRequest request = Source("cobol");
  request.add_files()->set_path("/abs");
  request.add_files()->set_path("ok");
  request.add_files()->set_path("../up");
  (*request.mutable_environment())["A=B"] = "x";
  request.mutable_limits()->mutable_cpu_time()->set_seconds(-1);
  request.mutable_limits()->set_memory_bytes(uint64_t{1} << 40);
  request.set_working_directory("a/../b");
  request.set_label("two\nlines");
  EXPECT_THAT(
      ViolationsOf(request),
      UnorderedElementsAre(
          Pair("source.language", HasSubstr("bash, c, c++, python")),
          Pair("files[0].path", HasSubstr("absolute")),
          Pair("files[2].path", HasSubstr("..")),
          Pair("environment[\"A=B\"]", HasSubstr("'='")),
          Pair("limits.cpu_time", HasSubstr("negative")),
          Pair("limits.memory_bytes", HasSubstr("ceiling is 2147483648")),
          Pair("working_directory", HasSubstr("..")),
          Pair("label", HasSubstr("printable"))));
}

TEST(RequestValidatorTest, APathHasOneFormOnly) {
  const std::string long_name(256, 'a');
  for (const std::string& path :
       {std::string(""), std::string("/a"), std::string("a//b"),
        std::string("a/"), std::string("./a"), std::string("a/./b"),
        std::string(".."), std::string("a/../b"), std::string("a\0b", 3),
        long_name, std::string(1025, 'a')}) {
    EXPECT_THAT(ViolationsOf(WithFile(Command(), path)),
                ElementsAre(Key("files[0].path")))
        << path;
  }
  for (const std::string path : {"a", "a/b", "..a", "a b", ".hidden", "*"}) {
    EXPECT_THAT(ViolationsOf(WithFile(Command(), path)), IsEmpty()) << path;
  }
}

TEST(RequestValidatorTest, FilesCannotRepeatOrCollide) {
  EXPECT_THAT(ViolationsOf(WithFile(WithFile(Command(), "a"), "a")),
              ElementsAre(Pair("files[1].path", HasSubstr("files[0].path"))));
  EXPECT_THAT(ViolationsOf(WithFile(WithFile(Command(), "a/b/c"), "a/b")),
              ElementsAre(Pair("files[0].path", HasSubstr("files[1].path"))));
  EXPECT_THAT(ViolationsOf(WithFile(Source("python"), "main.py")),
              ElementsAre(Pair("files[0].path", HasSubstr("source.code"))));
  EXPECT_THAT(ViolationsOf(WithFile(Source("c"), "program/x")),
              ElementsAre(Pair("files[0].path", HasSubstr("compiled"))));
  EXPECT_THAT(ViolationsOf(WithFile(WithFile(Command(), "a/b"), "a/c")),
              IsEmpty());
  EXPECT_THAT(ViolationsOf(WithFile(Source("python"), "program")), IsEmpty());
}

TEST(RequestValidatorTest, AWorkingDirectoryIsNoFile) {
  v1::ExecuteRequest request = WithFile(Command(), "a");
  for (const char* path : {"a", "a/b"}) {
    request.set_working_directory(path);
    EXPECT_THAT(ViolationsOf(request), ElementsAre(Key("working_directory")));
  }
  request.set_working_directory("b");
  EXPECT_THAT(ViolationsOf(request), IsEmpty());
}

TEST(RequestValidatorTest, ACommandNeedsAName) {
  v1::ExecuteRequest request;
  request.mutable_command();
  EXPECT_THAT(ViolationsOf(request), ElementsAre(Key("command.argv")));
  request.mutable_command()->add_argv("");
  EXPECT_THAT(ViolationsOf(request), ElementsAre(Key("command.argv[0]")));
}

TEST(RequestValidatorTest, NulBytesAreNamed) {
  const std::string nul("a\0b", 3);
  v1::ExecuteRequest request = Command();
  request.mutable_command()->add_argv(nul);
  (*request.mutable_environment())["X"] = nul;
  request.add_output_files(nul);
  EXPECT_THAT(
      ViolationsOf(request),
      UnorderedElementsAre(Key("command.argv[1]"), Key("environment[\"X\"]"),
                           Key("output_files[0]")));
}

TEST(RequestValidatorTest, SizesAndCountsHaveCeilings) {
  v1::ExecuteRequest request = Source("bash");
  const RequestCeilings& ceilings = Config().ceilings;
  request.mutable_source()->set_code(std::string(ceilings.code_bytes + 1, ' '));
  request.set_stdin(std::string(ceilings.stdin_bytes + 1, ' '));
  request.mutable_source()->add_args(std::string(ceilings.argument_bytes, ' '));
  for (size_t i = 0; i <= ceilings.output_files; ++i) {
    request.add_output_files("x");
  }
  request.set_request_id(std::string(129, 'x'));
  EXPECT_THAT(ViolationsOf(request),
              UnorderedElementsAre(Pair("source.code", HasSubstr("code_bytes")),
                                   Pair("stdin", HasSubstr("stdin_bytes")),
                                   Pair("source.args[0]", HasSubstr("131071")),
                                   Pair("output_files", HasSubstr("256")),
                                   Key("request_id")));
}

TEST(RequestValidatorTest, ArgumentsAndEnvironmentTogetherHaveACeiling) {
  v1::ExecuteRequest request = Command();
  for (int i = 0; i < 9; ++i) {
    request.mutable_command()->add_argv(std::string(128 * 1024 - 1, 'x'));
  }
  EXPECT_THAT(ViolationsOf(request), ElementsAre(Key("command.argv")));
}

TEST(RequestValidatorTest, UnknownEnumValuesAreInvalid) {
  v1::ExecuteRequest request = Command();
  request.set_output_mode(static_cast<v1::OutputMode>(77));
  request.mutable_policy()->set_network(static_cast<v1::Network>(78));
  request.mutable_policy()->set_audit(static_cast<v1::Audit>(79));
  request.mutable_policy()->set_filesystem(static_cast<v1::Filesystem>(81));
  request.mutable_policy()->mutable_on_violation()->set_process(
      static_cast<v1::ViolationAction>(80));
  EXPECT_THAT(
      ViolationsOf(request),
      UnorderedElementsAre(Key("output_mode"), Key("policy.network"),
                           Key("policy.audit"), Key("policy.filesystem"),
                           Key("policy.on_violation.process")));
}

TEST(RequestValidatorTest, AMalformedDurationIsInvalid) {
  v1::ExecuteRequest request = Command();
  request.mutable_limits()->mutable_wall_time()->set_seconds(1);
  request.mutable_limits()->mutable_wall_time()->set_nanos(-1);
  EXPECT_THAT(ViolationsOf(request), ElementsAre(Key("limits.wall_time")));
}

// -------------------------------------------------------- what is not ready

TEST(RequestValidatorTest, ANetworkBeyondTheServersIsRefusedByName) {
  v1::ExecuteRequest request = Command();
  request.mutable_policy()->set_network(v1::NETWORK_FULL);
  const auto violations = ViolationsOf(request);
  ASSERT_THAT(violations, ElementsAre(Key("policy.network")));
  EXPECT_THAT(violations.begin()->second,
              AllOf(HasSubstr("NETWORK_FULL"), HasSubstr("NETWORK_NONE")));
}

TEST(RequestValidatorTest, AGrantedNetworkComesWithTheResolversFiles) {
  ValidatorConfig config = Config();
  config.max_network = sandbox::NetworkAccess::kAllowList;
  config.network_files = {"/etc/hosts"};
  v1::ExecuteRequest request = Command();
  request.mutable_policy()->set_network(v1::NETWORK_ALLOW_LIST);
  request.mutable_policy()->add_allowed_hosts("192.0.2.0/24:80");
  const auto spec = ValidateRequest(request, config);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->network.access, sandbox::NetworkAccess::kAllowList);
  ASSERT_EQ(spec->network.allowed.size(), 1);
  EXPECT_EQ(spec->network.allowed[0].prefix_bits, 96 + 24);
  EXPECT_THAT(spec->view.read, Contains("/etc/hosts"));
  const auto none = ValidateRequest(Command(), config);
  ASSERT_TRUE(none.ok());
  EXPECT_THAT(none->view.read, Not(Contains("/etc/hosts")));
}

TEST(RequestValidatorTest, TheFilesystemIsTheRequestsOrTheLanguages) {
  ValidatorConfig config = Config();
  const auto filesystem_of = [&config](v1::ExecuteRequest request) {
    const auto spec = ValidateRequest(std::move(request), config);
    EXPECT_TRUE(spec.ok()) << spec.status();
    return spec->filesystem;
  };
  EXPECT_EQ(filesystem_of(Command()), sandbox::Filesystem::kHost);
  v1::ExecuteRequest request = Command();
  request.mutable_policy()->set_filesystem(v1::FILESYSTEM_VIRTUAL);
  EXPECT_EQ(filesystem_of(request), sandbox::Filesystem::kVirtual);
  request.mutable_policy()->set_filesystem(v1::FILESYSTEM_HOST);
  EXPECT_EQ(filesystem_of(request), sandbox::Filesystem::kHost);
}

TEST(RequestValidatorTest, AWarmStartIsTheLanguagesUnlessTheRequestSaysNo) {
  ValidatorConfig config = Config();
  const auto profile_of = [&config](v1::ExecuteRequest request) {
    const auto spec = ValidateRequest(std::move(request), config);
    EXPECT_TRUE(spec.ok()) << spec.status();
    return spec->warm_profile;
  };
  v1::ExecuteRequest request;
  request.mutable_source()->set_language("python");
  EXPECT_EQ(profile_of(request), "python");
  request.mutable_policy()->set_start(v1::START_COLD);
  EXPECT_EQ(profile_of(request), "");
  request.clear_policy();
  request.mutable_source()->set_language("bash");
  EXPECT_EQ(profile_of(request), "");
  EXPECT_EQ(profile_of(Command()), "");
}

TEST(RequestValidatorTest, AProgramThatCouldTellAForkIsStartedAnew) {
  const ValidatorConfig config = Config();
  const auto profile_of = [&config](const std::string& code,
                                    const std::string& path,
                                    const std::string& content) {
    v1::ExecuteRequest request;
    request.mutable_source()->set_language("python");
    request.mutable_source()->set_code(code);
    v1::File* const file = request.add_files();
    file->set_path(path);
    file->set_content(content);
    const auto spec = ValidateRequest(std::move(request), config);
    EXPECT_TRUE(spec.ok()) << spec.status();
    return spec->warm_profile;
  };
  EXPECT_EQ(profile_of("", "b.py", ""), "python");
  EXPECT_EQ(profile_of("import gc", "b.py", ""), "");
  EXPECT_EQ(profile_of("gc", "b.py", ""), "");
  EXPECT_EQ(profile_of("x = 1\nx.gc()", "b.py", ""), "");
  EXPECT_EQ(profile_of("def __del__(self): pass", "b.py", ""), "");
  EXPECT_EQ(profile_of("import sys; sys.modules['re']", "b.py", ""), "");
  EXPECT_EQ(profile_of("math.gcd(1, 2); _gc; gc_; gc1", "b.py", ""), "python");
  EXPECT_EQ(profile_of("collections.abc.Sized", "b.py", ""), "");
  EXPECT_EQ(profile_of("x(collections.abc)", "b.py", ""), "");
  EXPECT_EQ(profile_of("import collections.abc", "b.py", ""), "python");
  EXPECT_EQ(profile_of("from collections.abc import Sized", "b.py", ""),
            "python");
  EXPECT_EQ(profile_of("collections.abcd; mycollections.abc", "b.py", ""),
            "python");
  EXPECT_EQ(profile_of("import b", "b.py", "import gc"), "");
  EXPECT_EQ(profile_of("import b", "a/b.py", "import gc"), "");
  EXPECT_EQ(profile_of("import b", "b.txt", "import gc"), "python");
  EXPECT_EQ(profile_of("import b", "bpy", "import gc"), "python");
  const std::string large((size_t{1} << 20) - 3, 'a');
  EXPECT_EQ(profile_of("a=1", "b.py", large), "python");
  EXPECT_EQ(profile_of("a=12", "b.py", large), "");
  EXPECT_EQ(profile_of("a=12", "b.txt", large), "python");
}

TEST(RequestValidatorTest, ExplicitDefaultsAreSupported) {
  v1::ExecuteRequest request = Command();
  request.mutable_policy()->set_network(v1::NETWORK_NONE);
  request.mutable_policy()->set_audit(v1::AUDIT_WRITES);
  EXPECT_TRUE(StatusOf(request).ok());
}

TEST(RequestValidatorTest, AnInvalidRequestIsInvalidFirst) {
  v1::ExecuteRequest request;
  request.mutable_policy()->add_allowed_hosts("a:1");
  EXPECT_EQ(StatusOf(request).code(), absl::StatusCode::kInvalidArgument);
}

TEST(RequestValidatorTest, FieldsOfANewerSchemaAreNotIgnored) {
  v1::ExecuteRequest request = WithFile(Command(), "a");
  v1::File* file = request.mutable_files(0);
  file->GetReflection()->MutableUnknownFields(file)->AddVarint(99, 1);
  v1::ExecuteRequest parsed;
  ASSERT_TRUE(parsed.ParseFromString(request.SerializeAsString()));
  const absl::Status status = StatusOf(parsed);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("files[0].(unknown field 99)"));
}

TEST(RequestValidatorTest, AMissingToolchainIsAPrecondition) {
  ValidatorConfig config = TestConfig();
  for (Language& language : config.languages.mutable_all()) {
    language.unavailable_reason = "/usr/bin/x is not installed";
  }
  const absl::Status status = ValidateRequest(Source("c"), config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  google::rpc::ErrorInfo info;
  const auto payload =
      status.GetPayload(absl::StrCat(kTypeUrlPrefix, "google.rpc.ErrorInfo"));
  ASSERT_TRUE(payload.has_value());
  ASSERT_TRUE(info.ParseFromString(std::string(*payload)));
  EXPECT_EQ(info.reason(), "LANGUAGE_UNAVAILABLE");
  EXPECT_EQ(info.metadata().at("language"), "c");
  EXPECT_TRUE(ValidateRequest(Command(), config).ok());
}

}  // namespace
}  // namespace cordon::server
