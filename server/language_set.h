// LanguageSet: the languages that this server knows, from their files.
//
//   absl::StatusOr<LanguageSet> languages =
//       LanguageSet::Make({BuiltinLanguageFiles(), *operator_files});
//   const Language* python = languages->Find("py");
//
// What it does not do: look at the host. Whether a toolchain is there is found
// by language_probe.h.
//
// Contract: a plain value; const methods from any thread.

#ifndef CORDON_SERVER_LANGUAGE_SET_H_
#define CORDON_SERVER_LANGUAGE_SET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/languages/language_config.pb.h"

namespace cordon::server {

// One file in the schema of languages/language_config.proto.
struct LanguageFile {
  std::string path;
  std::string text;
};

struct Language {
  LanguageConfig config;
  // The file it came from.
  std::string origin;
  // What the toolchain printed at start-up; empty when it is not there.
  std::string version;
  // Why it cannot be used here; empty when it can.
  std::string unavailable_reason;
};

// The name of the compiled program in the run's directory.
inline constexpr absl::string_view kProgramName = "program";

// Reads one file. INVALID_ARGUMENT "PATH:LINE: ..." for every field that is
// unknown, missing or malformed.
absl::StatusOr<Language> ParseLanguage(const LanguageFile& file);

// The files that are compiled into the binary.
std::vector<LanguageFile> BuiltinLanguageFiles();

// Every *.textproto of a directory, by name. NOT_FOUND or INTERNAL when it
// cannot be read.
absl::StatusOr<std::vector<LanguageFile>> ReadLanguageDirectory(
    const std::string& path);

class LanguageSet {
 public:
  LanguageSet() = default;

  // A language of a later layer replaces one of the same name in an earlier
  // one. INVALID_ARGUMENT when a file is malformed, or when two languages share
  // a name or an alias.
  static absl::StatusOr<LanguageSet> Make(
      const std::vector<std::vector<LanguageFile>>& layers);

  // By name or alias; nullptr when there is none.
  const Language* Find(absl::string_view name) const;

  const std::vector<Language>& all() const { return languages_; }
  std::vector<Language>& mutable_all() { return languages_; }

  // "bash, c, c++, python", for messages.
  std::string Names() const;

 private:
  std::vector<Language> languages_;
};

}  // namespace cordon::server

#endif  // CORDON_SERVER_LANGUAGE_SET_H_
