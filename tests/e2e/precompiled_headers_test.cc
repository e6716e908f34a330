// Precompiled headers as a client of the server sees them: by how its sources
// are compiled, with the languages' own file and the compiler's word for it (-H
// of g++(1) says "! FILE" of a precompiled header that it uses, and "x FILE" of
// one that it does not).

#include <signal.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process_view.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kProgram[] =
    "#include <vector>\n"
    "#include <cstdio>\n"
    "int main() { for (int i : std::vector<int>{1, 2}) std::printf(\"%d\", "
    "i);\n"
    "  std::puts(\"\"); }\n";

// The C++ that the server has, but for a compiler that tells what it reads, and
// a header that takes it less.
std::string TellingLanguages() {
  const fs::path directory =
      fs::path(std::getenv("TEST_TMPDIR")) / "telling_languages";
  fs::create_directories(directory);
  std::stringstream text;
  text << std::ifstream("server/languages/cpp.textproto").rdbuf();
  const std::string telling = absl::StrReplaceAll(
      text.str(), {{"\"{headers}\",", "\"{headers}\", \"-H\","},
                   {"bits/stdc++.h", "vector"}});
  EXPECT_NE(telling, text.str());
  std::ofstream(directory / "cpp.textproto") << telling;
  return directory.string();
}

std::string HeaderOf(const ServerProcess& server) {
  return server.state_directory() + "/headers/c++/vector.gch";
}

class PrecompiledHeaders : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    // What runs read is for all to read, whoever starts the server.
    const mode_t before = umask(077);
    server_ = new ServerProcess({"--languages_dir=" + TellingLanguages()});
    umask(before);
    TestClient client(server_->address());
    const v1::Result first = client.Run(SourceRequest("cpp", kProgram));
    EXPECT_EQ(first.stdout(), "12\n");
    EXPECT_TRUE(Eventually([] { return fs::exists(HeaderOf(*server_)); }));
  }
  static void TearDownTestSuite() { delete server_; }

  v1::Result Compile(const std::string& code) {
    return client_.Run(SourceRequest("c++", code));
  }

  TestClient client_{server_->address()};
  static ServerProcess* server_;
};

ServerProcess* PrecompiledHeaders::server_ = nullptr;

TEST_F(PrecompiledHeaders, ServeTheNextSource) {
  const v1::Result result = Compile(absl::StrCat("// Another.\n", kProgram));
  EXPECT_EQ(result.stdout(), "12\n");
  EXPECT_THAT(result.compilation().stderr(),
              HasSubstr("! " + HeaderOf(*server_)));
}

// Macros that the header asks about, its options changed, tokens before it.
TEST_F(PrecompiledHeaders, DoNotServeASourceThatChangesThem) {
  for (const char* before :
       {"#define _GLIBCXX_ASSERTIONS\n", "#pragma GCC optimize(\"O1\")\n",
        "#pragma GCC target(\"avx2\")\n", "#include <map>\n", "int x;\n"}) {
    const v1::Result result = Compile(absl::StrCat(before, kProgram));
    EXPECT_EQ(result.stdout(), "12\n") << before;
    EXPECT_THAT(result.compilation().stderr(), Not(HasSubstr("! ")));
  }
}

// Whoever includes it again finds the header itself.
TEST_F(PrecompiledHeaders, AreIncludedAgain) {
  for (const char* again : {"<vector>", "\"vector\"", "<map>", "\"own.h\""}) {
    v1::ExecuteRequest request = SourceRequest(
        "c++",
        absl::StrReplaceAll(
            kProgram,
            {{"int main", absl::StrCat("#include ", again, "\nint main")}}));
    v1::File& own = *request.add_files();
    own.set_path("own.h");
    own.set_content("#include <vector>\n");
    const v1::Result result = client_.Run(request);
    EXPECT_EQ(result.stdout(), "12\n")
        << again << result.compilation().stderr();
    EXPECT_THAT(result.compilation().stderr(),
                HasSubstr("! " + HeaderOf(*server_)));
  }
}

// The check of libstdc++ is there, which the header was compiled without.
TEST_F(PrecompiledHeaders, AMacroBeforeTheHeaderHasItsEffect) {
  const std::string out_of_range =
      "#include <vector>\n"
      "int main() { std::vector<int> v(1); volatile int at = 1;\n"
      "  return v[at] & 0; }\n";
  EXPECT_EQ(Compile(out_of_range).outcome(), v1::EXITED);
  const v1::Result checked =
      Compile(absl::StrCat("#define _GLIBCXX_ASSERTIONS\n", out_of_range));
  EXPECT_EQ(checked.outcome(), v1::SIGNALED);
  EXPECT_EQ(checked.signal(), SIGABRT);
}

TEST_F(PrecompiledHeaders, ErrorsAreOfTheSource) {
  const v1::Result result = Compile(
      "#include <vector>\nint main() { std::vector<int> v; v.no(); }\n");
  EXPECT_EQ(result.outcome(), v1::COMPILE_FAILED);
  EXPECT_THAT(result.compilation().stderr(), HasSubstr("main.cc:2:"));
}

// What is made is the same, byte for byte.
TEST_F(PrecompiledHeaders, MakeTheProgramThatTheHeaderMakes) {
  v1::ExecuteRequest request =
      SourceRequest("c++", absl::StrCat("// A program to keep.\n", kProgram));
  request.add_output_files("program");
  const v1::Result with = client_.Run(request);
  ASSERT_EQ(with.files_size(), 1);
  EXPECT_NE(with.files(0).content(), "");
  EXPECT_THAT(with.compilation().stderr(), HasSubstr(".gch"));
  ServerProcess plain(
      {"--precompiled_headers=never", "--languages_dir=" + TellingLanguages()});
  TestClient client(plain.address());
  const v1::Result without = client.Run(request);
  ASSERT_EQ(without.files_size(), 1);
  EXPECT_THAT(without.compilation().stderr(), Not(HasSubstr(".gch")));
  EXPECT_TRUE(without.files(0).content() == with.files(0).content());
  EXPECT_TRUE(fs::is_empty(fs::path(plain.state_directory()) / "headers"));
}

// All runs read them, and none can change what others are compiled from.
TEST_F(PrecompiledHeaders, NoRunChangesThem) {
  const std::string header = HeaderOf(*server_);
  const fs::path directory = fs::path(header).parent_path();
  const auto before = fs::last_write_time(header);
  const std::string attack = absl::StrCat(
      "import os\n"
      "header, directory = '",
      header, "', '", directory.string(),
      "'\n"
      "acts = [lambda: open(header, 'r+b'),\n"
      "        lambda: open(header, 'wb'),\n"
      "        lambda: os.truncate(header, 0),\n"
      "        lambda: os.unlink(header),\n"
      "        lambda: os.rename(header, directory + '/x'),\n"
      "        lambda: os.chmod(header, 0o777),\n"
      "        lambda: os.fchmod(os.open(header, os.O_RDONLY), 0o777),\n"
      "        lambda: os.fchmod(os.open(directory, os.O_RDONLY), 0o777),\n"
      "        lambda: os.utime(os.open(header, os.O_RDONLY), (1, 1)),\n"
      "        lambda: open(directory + '/vector', 'w'),\n"
      "        lambda: os.symlink('/etc/passwd', directory + '/list'),\n"
      "        lambda: os.link(header, directory + '/y'),\n"
      "        lambda: os.mkdir(directory + '/z'),\n"
      "        lambda: os.rmdir(directory)]\n"
      "for number, act in enumerate(acts):\n"
      "  try: act(); print('DONE', number)\n"
      "  except PermissionError: pass\n"
      "print(open(header, 'rb').read(4))\n");
  const v1::Result result = client_.Run(SourceRequest("python", attack));
  EXPECT_EQ(result.stdout(), "b'gpch'\n") << result.stderr();
  EXPECT_GT(result.violations_size(), 0);
  EXPECT_EQ(fs::last_write_time(header), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory),
                          fs::directory_iterator()),
            2);
  // The control: in its own directory it may do all of it.
  const v1::Result own = client_.Run(SourceRequest(
      "python",
      absl::StrReplaceAll(
          attack,
          {{header, "d/own"},
           {directory.string(), "d"},
           {"import os\n",
            "import os\nos.mkdir('d'); open('d/own', 'w').write('x')\n"},
           {"'/x')", "'/x') or os.rename('d/x', header)"},
           {"os.unlink(header)",
            "os.unlink(header) or "
            "open(header, 'w').close()"},
           {"os.rmdir(directory)", "os.mkdir('e') or os.rmdir('e')"}})));
  for (int number = 0; number <= 13; ++number) {
    EXPECT_THAT(own.stdout(), HasSubstr(absl::StrCat("DONE ", number, "\n")))
        << own.stderr();
  }
}

constexpr char kJudged[] =
    "#include <bits/stdc++.h>\n#include <bits/extc++.h>\n"
    "int main() { std::cout << 12 << std::endl; }\n";

TEST(PrecompiledHeadersOfAServer, TheBuiltinOneIsMadeAndServes) {
  ServerProcess server({});
  TestClient client(server.address());
  EXPECT_EQ(client.Run(SourceRequest("c++", kJudged)).stdout(), "12\n");
  EXPECT_TRUE(Eventually([&] {
    return fs::exists(server.state_directory() +
                      "/headers/c++/bits/stdc++.h.gch");
  }));
  const v1::Result result =
      client.Run(SourceRequest("c++", absl::StrCat(kJudged, "// Another.\n")));
  EXPECT_EQ(result.stdout(), "12\n") << result.compilation().stderr();
}

TEST(PrecompiledHeadersOfAServer, EndWithItAndWithItsWork) {
  ServerProcess server({});
  TestClient client(server.address());
  EXPECT_EQ(client.Run(SourceRequest("c++", kJudged)).stdout(), "12\n");
  // While it compiles, or has just done so.
  server.Signal(SIGTERM);
  EXPECT_EQ(server.WaitForExit(), 0);
  const fs::path headers = fs::path(server.state_directory()) / "headers";
  EXPECT_TRUE(fs::is_empty(headers));
  // What a server left that was killed is gone when the next one serves.
  std::ofstream(headers / "left") << "x";
  server.Restart();
  EXPECT_TRUE(fs::is_empty(headers));
}

TEST(PrecompiledHeadersOfAServer, OneThatDoesNotCompileIsNobodysFailure) {
  const fs::path directory =
      fs::path(std::getenv("TEST_TMPDIR")) / "broken_languages";
  fs::create_directories(directory);
  std::ofstream(directory / "broken.textproto") << R"(name: "broken"
file_name: "main.cc"
compile { argv: ["/usr/bin/g++", "-isystem", "{headers}", "-o", "{program}", "{source}"] }
precompiled_header { name: "cstdio" argv: ["/usr/bin/g++", "--no-such-option"] }
run { argv: ["{program}"] }
version { argv: ["/usr/bin/g++", "--version"] }
)";
  ServerProcess server({"--languages_dir=" + directory.string()});
  TestClient client(server.address());
  const std::string code =
      "#include <cstdio>\nint main() { std::puts(\"hello\"); }\n";
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(client.Run(SourceRequest("broken", code)).stdout(), "hello\n");
  }
}

}  // namespace
}  // namespace cordon::testing
