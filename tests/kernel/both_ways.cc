#include "tests/kernel/both_ways.h"

#include <cctype>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;

// What the standard library's more usual modules are: which of them a program
// imports must make no difference.
SandboxFixture& Fixture() {
  static SandboxFixture fixture(
      {.warm_profiles = {PythonProfile(
           {"json", "random", "re", "threading", "dataclasses", "logging"})}});
  return fixture;
}

size_t HexadecimalDigits(absl::string_view text) {
  size_t count = 0;
  while (count < text.size() &&
         std::isxdigit(static_cast<unsigned char>(text[count])) != 0) {
    ++count;
  }
  return count;
}

// Directories have other names each time, 32 hexadecimal digits, and objects
// are elsewhere.
std::string WithoutNames(absl::string_view text) {
  constexpr size_t kName = 32;
  std::string result;
  while (!text.empty()) {
    const bool is_address = absl::StartsWith(text, "0x");
    const size_t digits = HexadecimalDigits(is_address ? text.substr(2) : text);
    if (is_address && digits > 0) {
      text.remove_prefix(2 + digits);
      result += "NAME";
    } else if (!is_address && digits >= kName) {
      text.remove_prefix(kName);
      result += "NAME";
    } else {
      result += text[0];
      text.remove_prefix(1);
    }
  }
  return result;
}

std::string Shown(const RecordingObserver& run) {
  const sandbox::Outcome outcome = run.outcome();
  std::string files;
  for (const sandbox::CollectedFile& file : outcome.files) {
    absl::StrAppend(&files, file.path, ": ", file.content, "\n");
  }
  return WithoutNames(absl::StrCat(
      "outcome ", static_cast<int>(outcome.kind), ", exit code ",
      outcome.exit_code, ", signal ", outcome.signal, ", ", outcome.message,
      "\n--- stdout\n", run.stdout_data(), "\n--- stderr\n", run.stderr_data(),
      "\n--- files\n", files));
}

}  // namespace

void PrintTo(const PythonProgram& program, std::ostream* out) {
  *out << program.name;
}

BothWays RunBothWays(const PythonProgram& program) {
  ExecutionSpec warm = WarmSpec(program.code);
  warm.program.stdin_data = program.input;
  for (const std::string& argument : program.arguments) {
    warm.program.argv.push_back(argument);
  }
  for (const std::string& variable : program.environment) {
    warm.program.environment.push_back(variable);
  }
  warm.files.push_back({"neighbour.py", "value = 7\n"});
  warm.output_files = {"out*"};
  ExecutionSpec cold = warm;
  cold.warm_profile.clear();
  const auto forked = Fixture().Run(std::move(warm));
  const auto executed = Fixture().Run(std::move(cold));
  EXPECT_TRUE(forked->outcome().usage.warm);
  EXPECT_FALSE(executed->outcome().usage.warm);
  return {Shown(*forked), Shown(*executed)};
}

}  // namespace cordon::testing
