// The language files that are compiled into the server.

#ifndef CORDON_SERVER_LANGUAGES_BUILTIN_LANGUAGES_H_
#define CORDON_SERVER_LANGUAGES_BUILTIN_LANGUAGES_H_

#include <string>
#include <vector>

namespace cordon::server {

struct BuiltinLanguage {
  // "python.textproto", for messages.
  std::string file_name;
  std::string text;
};

const std::vector<BuiltinLanguage>& BuiltinLanguages();

}  // namespace cordon::server

#endif  // CORDON_SERVER_LANGUAGES_BUILTIN_LANGUAGES_H_
