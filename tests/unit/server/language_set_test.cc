#include "server/language_set.h"

#include <cstdlib>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cordon::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kRuby[] = R"(name: "ruby"
aliases: ["rb"]
file_name: "main.rb"
run { argv: ["/usr/bin/ruby", "{source}"] }
version { argv: ["/usr/bin/ruby", "--version"] }
)";

std::string ErrorOf(const std::string& text) {
  return std::string(
      ParseLanguage({"ruby.textproto", text}).status().message());
}

// kRuby with one line replaced.
std::string With(const std::string& line, const std::string& replacement) {
  std::string text = kRuby;
  const size_t at = text.find(line);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, line.size(), replacement);
}

TEST(LanguageSetTest, BuiltinFilesAreWellFormed) {
  const auto set = LanguageSet::Make({BuiltinLanguageFiles()});
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->Names(), "bash, c, c++, python");
  for (const char* alias : {"python3", "py", "sh", "cpp", "cxx", "cc"}) {
    EXPECT_NE(set->Find(alias), nullptr) << alias;
  }
  EXPECT_EQ(set->Find("cobol"), nullptr);
}

TEST(LanguageSetTest, AGoodFileIsRead) {
  const auto language = ParseLanguage({"ruby.textproto", kRuby});
  ASSERT_TRUE(language.ok()) << language.status();
  EXPECT_EQ(language->config.name(), "ruby");
  EXPECT_EQ(language->origin, "ruby.textproto");
  EXPECT_THAT(language->config.run().argv(),
              ElementsAre("/usr/bin/ruby", "{source}"));
}

TEST(LanguageSetTest, AnUnknownFieldIsNamedWithFileAndLine) {
  EXPECT_THAT(ErrorOf(With("aliases:", "alias:")),
              AllOf(HasSubstr("ruby.textproto:2: "), HasSubstr("alias")));
}

TEST(LanguageSetTest, EachRequiredFieldIsRequired) {
  EXPECT_THAT(ErrorOf(With("name: \"ruby\"\n", "")), HasSubstr("\"name\""));
  EXPECT_THAT(ErrorOf(With("file_name: \"main.rb\"\n", "")),
              HasSubstr("\"file_name\""));
  EXPECT_THAT(
      ErrorOf(With("run { argv: [\"/usr/bin/ruby\", \"{source}\"] }\n", "")),
      HasSubstr("\"run.argv\""));
  EXPECT_THAT(
      ErrorOf(
          With("version { argv: [\"/usr/bin/ruby\", \"--version\"] }\n", "")),
      HasSubstr("\"version.argv\""));
}

TEST(LanguageSetTest, EveryMistakeIsListedAtItsLine) {
  EXPECT_THAT(
      ErrorOf(With("file_name: \"main.rb\"", "file_name: \"a/main.rb\"") +
              "limits { wall_time { seconds: -3 } }\n"),
      AllOf(HasSubstr("ruby.textproto:3: "), HasSubstr("ruby.textproto:6: ")));
}

TEST(LanguageSetTest, PlaceholdersAreChecked) {
  EXPECT_THAT(ErrorOf(With("{source}", "{sauce}")), HasSubstr("{sauce}"));
  EXPECT_THAT(ErrorOf(With("{source}", "{program}")), HasSubstr("compile"));
}

TEST(LanguageSetTest, APrecompiledHeaderHasWhatItsCompilerNeeds) {
  const std::string compiled = absl::StrCat(
      kRuby, "compile { argv: [\"/usr/bin/cc\", \"-I{headers}\"] }\n");
  const auto header = [&](const std::string& name, const std::string& argv) {
    return absl::StrCat(compiled, "precompiled_header { name: \"", name,
                        "\" argv: [", argv, "] }\n");
  };
  const std::string good =
      header("a/b.h", "\"/usr/bin/cc\", \"{header}\", \"-o\", \"{output}\"");
  EXPECT_TRUE(ParseLanguage({"f", good}).ok()) << ErrorOf(good);
  EXPECT_THAT(ErrorOf(header("../b.h", "\"/usr/bin/cc\"")),
              HasSubstr("\"name\""));
  EXPECT_THAT(ErrorOf(header("b.h", "\"cc\"")), HasSubstr("absolute"));
  EXPECT_THAT(ErrorOf(header("b.h", "")), HasSubstr("absolute"));
  EXPECT_THAT(ErrorOf(header("b.h", "\"/usr/bin/cc\", \"{source}\"")),
              HasSubstr("{header}, {output}"));
  EXPECT_THAT(ErrorOf(With("{source}", "{headers}")), HasSubstr("{headers}"));
  EXPECT_THAT(ErrorOf(absl::StrCat(kRuby,
                                   "precompiled_header { name: \"b.h\" argv: "
                                   "[\"/usr/bin/cc\"] }\n")),
              HasSubstr("\"compile\""));
}

TEST(LanguageSetTest, WarmTakesAnInterpreterAndASource) {
  const std::string warm = absl::StrCat(
      kRuby, "warm { modules: \"json\" cold_words: \"ObjectSpace\" }\n");
  EXPECT_TRUE(ParseLanguage({"f", warm}).ok()) << ErrorOf(warm);
  EXPECT_THAT(ErrorOf(absl::StrCat(
                  warm, "compile { argv: [\"/usr/bin/cc\", \"{source}\"] }\n")),
              HasSubstr("\"warm\" needs"));
  EXPECT_THAT(ErrorOf(absl::StrCat(kRuby, "warm { modules: \"json\" }\n")),
              HasSubstr("\"cold_words\" must name"));
}

TEST(LanguageSetTest, ALaterLayerReplacesByName) {
  const auto set = LanguageSet::Make(
      {{{"a", kRuby}}, {{"b", With("main.rb", "script.rb")}}});
  ASSERT_TRUE(set.ok()) << set.status();
  ASSERT_EQ(set->all().size(), 1u);
  EXPECT_EQ(set->Find("rb")->config.file_name(), "script.rb");
}

TEST(LanguageSetTest, TwoLanguagesCannotShareAnAlias) {
  const auto set = LanguageSet::Make(
      {{{"a", kRuby}}, {{"b", With("name: \"ruby\"", "name: \"jruby\"")}}});
  EXPECT_THAT(std::string(set.status().message()),
              AllOf(HasSubstr("\"rb\""), HasSubstr("a")));
}

TEST(LanguageSetTest, ADirectoryHoldsOneFileALanguage) {
  const std::string directory = testing::TempDir();
  std::ofstream(directory + "/ruby.textproto") << kRuby;
  std::ofstream(directory + "/README") << "no language";
  const auto files = ReadLanguageDirectory(directory);
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 1u);
  EXPECT_EQ((*files)[0].text, kRuby);
  EXPECT_EQ(ReadLanguageDirectory(directory + "/absent").status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace cordon::server
