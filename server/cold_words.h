// What a program's source must not name for the program to be a fork of an
// interpreter that has started already (LanguageConfig.Warm.cold_words).
//
//   if (NamesColdWord(language, spec.files)) ...  // executed
//
// A source that spells a name in another way, as getattr() with pieces of it,
// is not found out: it sees what docs/performance.md says that it may see.

#ifndef CORDON_SERVER_COLD_WORDS_H_
#define CORDON_SERVER_COLD_WORDS_H_

#include <vector>

#include "sandbox/spec/execution_spec.h"
#include "server/languages/language_config.pb.h"

namespace cordon::server {

// Looks at the language's source file, and at the files with one of its
// extensions, for whole words: letters, digits and underscores of ASCII. More
// than a mebibyte is not looked at, and counts as if it had one.
bool NamesColdWord(const LanguageConfig& language,
                   const std::vector<sandbox::InputFile>& files);

}  // namespace cordon::server

#endif  // CORDON_SERVER_COLD_WORDS_H_
