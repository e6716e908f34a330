#include "client/input_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/descriptor.h"
#include "client/printable.h"

namespace cordon::client {
namespace {

bool IsStandardInput(const std::string& path) {
  return path.empty() || path == "-";
}

class Loader {
 public:
  explicit Loader(int standard_input) : standard_input_(standard_input) {}

  std::string ReadStandardInput() {
    absl::StatusOr<std::string> data = ReadAll(standard_input_);
    if (!data.ok()) Problem("standard input", data.status());
    return data.ok() ? *std::move(data) : "";
  }

  v1::File ReadFile(const std::string& path) {
    v1::File file;
    const OwnedDescriptor descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!descriptor.is_open()) {
      Problem(path, absl::ErrnoToStatus(errno, "cannot open"));
      return file;
    }
    absl::StatusOr<std::string> content = ReadAll(descriptor.get());
    if (!content.ok()) {
      Problem(path, content.status());
      return file;
    }
    struct stat attributes = {};
    const bool known = fstat(descriptor.get(), &attributes) == 0;
    file.set_content(*std::move(content));
    file.set_executable(known && (attributes.st_mode & 0111) != 0);
    return file;
  }

  void Problem(const std::string& path, const absl::Status& status) {
    problems_.push_back(absl::StrCat(Printable(path), ": ", status.message()));
  }

  absl::Status status() const {
    if (problems_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrJoin(problems_, "\n"));
  }

 private:
  const int standard_input_;
  std::vector<std::string> problems_;
};

}  // namespace

absl::StatusOr<RunInputs> LoadInputs(const RunFlags& flags,
                                     int standard_input) {
  const bool is_source = flags.program == ProgramKind::kSource;
  const bool source_is_stdin = is_source && IsStandardInput(flags.file);
  if (source_is_stdin && flags.stdin_file == "-") {
    return absl::InvalidArgumentError(
        "standard input cannot be both the source and what the program reads");
  }
  if (source_is_stdin && isatty(standard_input) && flags.file.empty()) {
    return absl::InvalidArgumentError(
        "there is no program: name a FILE, or - to type it here; see cordon "
        "run --help");
  }
  Loader loader(standard_input);
  RunInputs inputs;
  if (source_is_stdin) {
    inputs.code = loader.ReadStandardInput();
  } else if (is_source) {
    inputs.code = std::move(*loader.ReadFile(flags.file).mutable_content());
  }
  if (flags.stdin_file == "-") {
    inputs.stdin_data = loader.ReadStandardInput();
  } else if (!flags.stdin_file.empty()) {
    inputs.stdin_data =
        std::move(*loader.ReadFile(flags.stdin_file).mutable_content());
  }
  for (const std::string& text : flags.files) {
    FileArgument argument = ParseFileArgument(text);
    v1::File file = loader.ReadFile(argument.path);
    file.set_path(std::move(argument.destination));
    inputs.files.push_back(std::move(file));
  }
  if (!loader.status().ok()) return loader.status();
  return inputs;
}

}  // namespace cordon::client
