#include "client/output_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/descriptor.h"
#include "client/printable.h"

namespace cordon::client {
namespace {

absl::StatusOr<std::vector<std::string>> ComponentsOf(const std::string& path) {
  std::vector<std::string> components = absl::StrSplit(path, '/');
  for (const std::string& component : components) {
    if (component.empty() || component == "." || component == ".." ||
        component.find('\0') != std::string::npos) {
      return absl::InvalidArgumentError(
          "the server's path is not a plain relative one; refused");
    }
  }
  return components;
}

absl::StatusOr<OwnedDescriptor> OpenTop(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  OwnedDescriptor top(
      open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top.is_open()) return absl::ErrnoToStatus(errno, directory);
  return top;
}

absl::StatusOr<OwnedDescriptor> OpenChild(int parent, const std::string& name) {
  if (mkdirat(parent, name.c_str(), 0777) != 0 && errno != EEXIST) {
    return absl::ErrnoToStatus(errno, "cannot create its directory");
  }
  OwnedDescriptor child(openat(parent, name.c_str(),
                               O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!child.is_open()) {
    return absl::ErrnoToStatus(
        errno, "its directory is a symbolic link or no directory; refused");
  }
  return child;
}

std::string TemporaryName() {
  std::random_device random;
  return absl::StrCat(".cordon-", absl::Hex(random(), absl::kZeroPad8),
                      absl::Hex(random(), absl::kZeroPad8));
}

// A new file, renamed onto `name`: what stood there, a link or a FIFO, is never
// opened.
absl::Status ReplaceFile(int parent, const std::string& name,
                         const std::string& content) {
  const std::string temporary = TemporaryName();
  OwnedDescriptor file(openat(parent, temporary.c_str(),
                              O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.is_open()) return absl::ErrnoToStatus(errno, "cannot create it");
  absl::Status status = WriteAll(file.get(), content);
  if (status.ok() &&
      renameat(parent, temporary.c_str(), parent, name.c_str()) != 0) {
    status = absl::ErrnoToStatus(errno, "cannot replace what is there");
  }
  if (!status.ok()) unlinkat(parent, temporary.c_str(), 0);
  return status;
}

absl::Status Write(const std::string& directory, const v1::OutputFile& file) {
  if (!file.error().empty()) {
    return absl::NotFoundError(absl::StrCat(Printable(file.error())));
  }
  absl::StatusOr<std::vector<std::string>> components =
      ComponentsOf(file.path());
  if (!components.ok()) return components.status();
  absl::StatusOr<OwnedDescriptor> parent = OpenTop(directory);
  if (!parent.ok()) return parent.status();
  for (size_t i = 0; i + 1 < components->size(); ++i) {
    absl::StatusOr<OwnedDescriptor> child =
        OpenChild(parent->get(), (*components)[i]);
    if (!child.ok()) return child.status();
    *parent = *std::move(child);
  }
  return ReplaceFile(parent->get(), components->back(), file.content());
}

}  // namespace

absl::Status WriteOutputFile(const std::string& directory,
                             const v1::OutputFile& file) {
  const absl::Status status = Write(directory, file);
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat("output file ", Printable(file.path()), ": ",
                                   status.message()));
}

}  // namespace cordon::client
