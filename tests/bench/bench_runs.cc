#include "tests/bench/bench_runs.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/support/child_process.h"

namespace cordon::bench {
namespace {

// Below the runfiles directory, where `bazel run` starts.
constexpr char kBinary[] = "tests/bench/workload";

const std::string& WorkloadBinary() {
  static const auto& content = *[] {
    std::ifstream file(kBinary, std::ios::binary);
    if (!file) Die(absl::StrCat("cannot read ", kBinary));
    return new std::string(std::istreambuf_iterator<char>(file), {});
  }();
  return content;
}

absl::Duration ReportedTime(std::string text) {
  absl::StripAsciiWhitespace(&text);
  int64_t nanoseconds = 0;
  if (!absl::SimpleAtoi(text, &nanoseconds)) {
    Die(absl::StrCat("the workload said \"", text, "\""));
  }
  return absl::Nanoseconds(nanoseconds);
}

}  // namespace

void Die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

v1::Result RunOrDie(testing::TestClient& client,
                    const v1::ExecuteRequest& request) {
  v1::Result result;
  const grpc::Status status = client.TryRun(request, &result);
  if (!status.ok()) Die(status.error_message());
  if (result.outcome() != v1::EXITED || result.exit_code() != 0) {
    Die(absl::StrCat("a run failed: ", result.message(), result.stderr()));
  }
  return result;
}

v1::ExecuteRequest WorkloadRequest(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {kWorkload};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  v1::ExecuteRequest request = testing::CommandRequest(argv);
  v1::File& file = *request.add_files();
  file.set_path(kWorkload + 2);
  file.set_content(WorkloadBinary());
  file.set_executable(true);
  return request;
}

absl::Duration TimeInRun(testing::TestClient& client,
                         const v1::ExecuteRequest& request) {
  return ReportedTime(RunOrDie(client, request).stdout());
}

absl::Duration TimeBare(const std::vector<std::string>& arguments,
                        const std::string& directory) {
  static const auto& binary =
      *new std::string(std::filesystem::absolute(kBinary));
  std::vector<std::string> argv = {"/usr/bin/env", "-C", directory, binary};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const testing::CommandOutput output = testing::RunCommand(argv, "");
  if (output.exit_code != 0) {
    Die(absl::StrCat("a bare run failed: ", output.stderr_data));
  }
  return ReportedTime(output.stdout_data);
}

}  // namespace cordon::bench
