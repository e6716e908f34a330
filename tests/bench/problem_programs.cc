#include "tests/bench/problem_programs.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "tests/bench/bench_runs.h"
#include "tests/support/child_process.h"

namespace cordon::bench {
namespace {

std::string ProgramOrDie(absl::string_view line) {
  google::protobuf::Struct problem;
  if (!google::protobuf::util::JsonStringToMessage(std::string(line), &problem)
           .ok()) {
    Die("a problem is not JSON");
  }
  const auto field = [&problem](const std::string& name) {
    return problem.fields().at(name).string_value();
  };
  return absl::StrCat(field("prompt"), field("canonical_solution"), "\n",
                      field("test"), "\ncheck(", field("entry_point"), ")\n");
}

}  // namespace

std::vector<std::string> ReadProgramsOrDie(const std::string& path) {
  const testing::CommandOutput file =
      testing::RunCommand({"/bin/gzip", "-dcf", "--", path}, "");
  if (file.exit_code != 0) Die(file.stderr_data);
  std::vector<std::string> programs;
  for (const absl::string_view line :
       absl::StrSplit(file.stdout_data, '\n', absl::SkipEmpty())) {
    programs.push_back(ProgramOrDie(line));
  }
  return programs;
}

}  // namespace cordon::bench
