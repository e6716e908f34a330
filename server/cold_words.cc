#include "server/cold_words.h"

#include <algorithm>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace cordon::server {
namespace {

// An interpreter takes longer to read more than to start.
constexpr size_t kMostLookedAt = size_t{1} << 20;

bool IsOfAName(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' ||
         c == '.';
}

class ColdWords {
 public:
  explicit ColdWords(const LanguageConfig::Warm& warm) {
    for (const std::string& word : warm.cold_words()) {
      if (absl::StrContains(word, '.')) {
        dotted_.push_back(absl::StrCat(".", word, "."));
      } else {
        words_.insert(word);
      }
    }
  }

  bool empty() const { return words_.empty() && dotted_.empty(); }

  bool AreIn(absl::string_view text) const {
    const char* at = text.data();
    const char* const end = at + text.size();
    absl::string_view before;
    while (at != end) {
      const char* const begin = std::find_if(at, end, &IsOfAName);
      at = std::find_if_not(begin, end, &IsOfAName);
      const absl::string_view name(begin, static_cast<size_t>(at - begin));
      if (IsOne(name, before)) return true;
      before = name;
    }
    return false;
  }

 private:
  bool IsOne(absl::string_view name, absl::string_view before) const {
    for (const absl::string_view word : absl::StrSplit(name, '.')) {
      if (words_.contains(word)) return true;
    }
    if (dotted_.empty() || !absl::StrContains(name, '.')) return false;
    if (before == "import" || before == "from") return false;
    const std::string whole = absl::StrCat(".", name, ".");
    return std::any_of(dotted_.begin(), dotted_.end(),
                       [&whole](const std::string& dotted) {
                         return absl::StrContains(whole, dotted);
                       });
  }

  absl::flat_hash_set<std::string> words_;
  // Each between two dots.
  std::vector<std::string> dotted_;
};

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
  const ColdWords words(language.warm());
  if (words.empty()) return false;
  size_t looked_at = 0;
  for (const sandbox::InputFile& file : files) {
    if (!IsSource(file.path, language)) continue;
    looked_at += file.content.size();
    if (looked_at > kMostLookedAt || words.AreIn(file.content)) return true;
  }
  return false;
}

}  // namespace cordon::server
