// The rules for a path inside a run's directory.

#ifndef CORDON_SERVER_RELATIVE_PATH_H_
#define CORDON_SERVER_RELATIVE_PATH_H_

#include <string>

#include "absl/strings/string_view.h"

namespace cordon::server {

// Longest path, in bytes, and longest component (NAME_MAX, limits.h).
inline constexpr size_t kMaxPathBytes = 1024;
// Making and collecting a file costs a step for each directory above it.
inline constexpr int kMaxPathDepth = 32;
inline constexpr size_t kMaxComponentBytes = 255;

// What is wrong with `path`, and what to do instead, as the rest of a sentence
// that starts with the path; empty when nothing is. A good path is relative and
// in its one normal form: no "..", no ".", no empty component. Glob characters
// are ordinary ones.
std::string RelativePathProblem(absl::string_view path);

// `text` for a message: quoted, escaped, and cut to a bounded length.
std::string Quoted(absl::string_view text);

}  // namespace cordon::server

#endif  // CORDON_SERVER_RELATIVE_PATH_H_
