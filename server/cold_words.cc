#include "server/cold_words.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace cordon::server {
namespace {

using Words = absl::flat_hash_set<absl::string_view>;

bool IsOfAWord(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
}

bool NamesAny(absl::string_view text, const Words& words) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const char* const begin = std::find_if(at, end, &IsOfAWord);
    at = std::find_if_not(begin, end, &IsOfAWord);
    if (words.contains(absl::string_view(begin, at - begin))) return true;
  }
  return false;
}

bool IsSource(const std::string& path, const LanguageConfig& language) {
  if (path == language.file_name()) return true;
  return std::any_of(language.extensions().begin(), language.extensions().end(),
                     [&path](const std::string& extension) {
                       return absl::EndsWith(path,
                                             absl::StrCat(".", extension));
                     });
}

}  // namespace

bool NamesColdWord(const LanguageConfig& language,
                   const std::vector<sandbox::InputFile>& files) {
  const Words words(language.warm().cold_words().begin(),
                    language.warm().cold_words().end());
  return !words.empty() && std::any_of(files.begin(), files.end(),
                                       [&](const sandbox::InputFile& file) {
                                         return IsSource(file.path, language) &&
                                                NamesAny(file.content, words);
                                       });
}

}  // namespace cordon::server
