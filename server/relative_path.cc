#include "server/relative_path.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cordon::server {
namespace {

constexpr size_t kMaxQuotedBytes = 64;

std::string ComponentProblem(absl::string_view component) {
  if (component.empty()) return "has an empty component: remove the extra '/'";
  if (component == ".") return "has a component \".\": remove it";
  if (component == "..") {
    return "leaves the run's directory: \"..\" is not allowed";
  }
  if (component.size() > kMaxComponentBytes) {
    return absl::StrCat("has a component of ", component.size(),
                        " bytes: at most ", kMaxComponentBytes,
                        " are possible");
  }
  return "";
}

}  // namespace

std::string RelativePathProblem(absl::string_view path) {
  if (path.empty())
    return "is empty: give a path relative to the run's directory";
  if (path.find('\0') != absl::string_view::npos) return "holds a NUL byte";
  if (path.size() > kMaxPathBytes) {
    return absl::StrCat("has ", path.size(), " bytes: at most ", kMaxPathBytes,
                        " are allowed");
  }
  if (path.front() == '/') {
    return "is absolute: give a path relative to the run's directory";
  }
  int depth = 0;
  for (absl::string_view component : absl::StrSplit(path, '/')) {
    if (++depth > kMaxPathDepth) {
      return absl::StrCat("has more than ", kMaxPathDepth, " components");
    }
    std::string problem = ComponentProblem(component);
    if (!problem.empty()) return problem;
  }
  return "";
}

std::string Quoted(absl::string_view text) {
  const bool cut = text.size() > kMaxQuotedBytes;
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kMaxQuotedBytes)),
                      cut ? "...\"" : "\"");
}

}  // namespace cordon::server
