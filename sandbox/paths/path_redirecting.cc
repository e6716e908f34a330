// What only the program can do itself: on which path (call_redirects.h).

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "sandbox/base/descriptor_copies.h"
#include "sandbox/paths/path_broker.h"
#include "sandbox/paths/path_request.h"

namespace cordon::sandbox {
namespace {

using Kind = BrokeredPath::Kind;

// As the kernel strips a script's first line.
absl::string_view WithoutBlanks(absl::string_view text) {
  constexpr absl::string_view kBlanks = " \t";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == absl::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// What a script is executed by, and the one argument that it may give; empty:
// it is none, or not one that this may read (execve(2), "Interpreter scripts").
std::vector<std::string> InterpreterOf(const UniqueFd& object) {
  constexpr size_t kLongestLine = 256;  // BINPRM_BUF_SIZE, linux/binfmts.h
  const UniqueFd file(open(LinkTo(object).c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[kLongestLine];
  const ssize_t size =
      file.valid() ? pread(file.get(), buffer, sizeof(buffer), 0) : -1;
  if (size < 0) return {};
  absl::string_view line(buffer, static_cast<size_t>(size));
  if (!absl::ConsumePrefix(&line, "#!")) return {};
  // A NUL ends it for the kernel as well.
  line = line.substr(0, line.find('\0'));
  line = WithoutBlanks(line.substr(0, line.find('\n')));
  const size_t end = line.find_first_of(" \t");
  std::vector<std::string> words;
  if (!line.empty()) words.emplace_back(line.substr(0, end));
  if (end != absl::string_view::npos) {
    words.emplace_back(WithoutBlanks(line.substr(end)));
  }
  return words;
}

}  // namespace

BrokeredPath PathBroker::ChangeDirectory(const Request& request) const {
  Found found = FindObject(request);
  if (found.answer.has_value()) return *std::move(found.answer);
  if (!S_ISDIR(found.status.st_mode)) return Answered(ENOTDIR);
  if (const int error = CheckAccess(found.object, X_OK); error != 0) {
    return Answered(error);
  }
  if (!found.place.needs_view) return {};
  std::string path = PathOfDescriptor(found.object.get());
  if (path.empty()) return Answered(ENAMETOOLONG);
  return {.kind = Kind::kElsewhere, .path = std::move(path)};
}

// The kernel would look for a script's interpreter where the host has it, and
// tell it a name of the script that the run does not know (execve(2)).
BrokeredPath PathBroker::Execute(const Request& request) const {
  const Place place = Find(request, request.call.path, FinalLink::kFollow);
  if (place.error_number != 0) return Answered(place.error_number);
  if (!place.needs_view && place.region != Region::kOwn) return {};
  const UniqueFd object = OpenPlace(place);
  struct stat status;
  if (!object.valid() || fstat(object.get(), &status) != 0) {
    return Answered(errno);
  }
  if (!S_ISREG(status.st_mode)) return Answered(EACCES);
  if (const int error = CheckAccess(object, X_OK); error != 0) {
    return Answered(error);
  }
  BrokeredPath elsewhere = {.kind = Kind::kElsewhere,
                            .path = PathOfDescriptor(object.get())};
  // Landlock's answer, which would tell nobody.
  if (!IsExpectedExecution(grant_.writable, grant_.readable, elsewhere.path)) {
    elsewhere.kind = Kind::kAnswered;
    elsewhere.error_number = EACCES;
    if (grant_.audit != AuditScope::kAll) elsewhere.path.clear();
    return elsewhere;
  }
  // What the supervisor opened for its writer may be in a child's hands still.
  constexpr absl::Duration kPatience = absl::Milliseconds(100);
  if (place.region == Region::kOwn) {
    DescriptorCopies::Of().AwaitOlder(kPatience);
  }
  std::vector<std::string> interpreter = InterpreterOf(object);
  if (interpreter.empty()) {
    return place.needs_view ? std::move(elsewhere) : BrokeredPath();
  }
  const Place found = tree_.Find({request.tid(), grant_.pgid}, AT_FDCWD,
                                 interpreter.front(), FinalLink::kFollow);
  if (!place.needs_view && !found.needs_view) return {};
  elsewhere.path = interpreter.front();
  if (found.needs_view) {
    const UniqueFd program = OpenPlace(found);
    if (found.error_number != 0 || !program.valid()) return Answered(ENOENT);
    elsewhere.path = PathOfDescriptor(program.get());
  }
  elsewhere.arguments = std::move(interpreter);
  elsewhere.arguments.push_back(request.path);
  return elsewhere;
}

}  // namespace cordon::sandbox
