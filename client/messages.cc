#include "client/messages.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/descriptor.h"

namespace cordon::client {

void Say(int descriptor, absl::string_view text) {
  std::string lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::StrAppend(&lines, "cordon: ", line, "\n");
  }
  // There is no one left to tell when this fails.
  WriteAll(descriptor, lines).IgnoreError();
}

void Say(int descriptor, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) Say(descriptor, line);
}

std::string UnreachableText(const absl::Status& status) {
  return absl::StrCat(
      status.message(),
      "; start one with cordond, or name another with --server=HOST:PORT");
}

}  // namespace cordon::client
