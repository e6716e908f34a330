// The built-in languages, their compilers under attack, and an operator's own.

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

namespace cordon::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Prints "hello", its arguments and its input, and exits with 3.
struct Sample {
  const char* language;
  const char* code;
};

const Sample kSamples[] = {
    {"python",
     "import sys\n"
     "print('hello', *sys.argv[1:])\n"
     "print(sys.stdin.read(), end='')\n"
     "sys.exit(3)\n"},
    {"bash", "echo hello \"$@\"; cat; exit 3\n"},
    {"c",
     "#include <stdio.h>\n"
     "int main(int argc, char** argv) {\n"
     "  printf(\"hello\");\n"
     "  for (int i = 1; i < argc; ++i) printf(\" %s\", argv[i]);\n"
     "  puts(\"\");\n"
     "  for (int c; (c = getchar()) != EOF;) putchar(c);\n"
     "  return 3;\n"
     "}\n"},
    {"c++",
     "#include <iostream>\n"
     "#include <string>\n"
     "int main(int argc, char** argv) {\n"
     "  std::cout << \"hello\";\n"
     "  for (int i = 1; i < argc; ++i) std::cout << ' ' << argv[i];\n"
     "  std::cout << std::endl;\n"
     "  std::string line;\n"
     "  while (std::getline(std::cin, line)) std::cout << line << '\\n';\n"
     "  return 3;\n"
     "}\n"},
};

class LanguagesTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new ServerProcess({}); }
  static void TearDownTestSuite() { delete server_; }

  v1::Result Run(const std::string& language, const std::string& code) {
    return client_.Run(SourceRequest(language, code));
  }

  TestClient client_{server_->address()};
  static ServerProcess* server_;
};

ServerProcess* LanguagesTest::server_ = nullptr;

TEST_F(LanguagesTest, EachPassesArgumentsInputAndExitCode) {
  for (const Sample& sample : kSamples) {
    v1::ExecuteRequest request = SourceRequest(sample.language, sample.code);
    request.mutable_source()->add_args("one");
    request.mutable_source()->add_args("two words");
    request.set_stdin("line 1\nline 2\n");
    const v1::Result result = client_.Run(request);
    EXPECT_EQ(result.outcome(), v1::EXITED)
        << sample.language << ": " << result.message();
    EXPECT_EQ(result.stdout(), "hello one two words\nline 1\nline 2\n");
    EXPECT_EQ(result.stderr(), "");
    EXPECT_EQ(result.exit_code(), 3);
    EXPECT_EQ(result.violations_size(), 0);
    EXPECT_EQ(result.compilation().violations_size(), 0);
  }
}

TEST_F(LanguagesTest, AliasesMeanTheSame) {
  for (const char* name : {"python3", "py"}) {
    EXPECT_EQ(Run(name, "print(1)").stdout(), "1\n");
  }
  EXPECT_EQ(Run("sh", "echo 1").stdout(), "1\n");
  EXPECT_EQ(Run("cpp", "int main() { return 1; }").exit_code(), 1);
}

// What ordinary programs do. A violation here is a false alarm.
const Sample kBenign[] = {
    {"python",
     "import collections, json, math, os, random, re, shutil, sqlite3, "
     "subprocess, sys, tempfile, threading, time, datetime, hashlib, decimal, "
     "fractions, itertools, functools, statistics, csv, zlib, gzip, pickle, "
     "asyncio, multiprocessing, concurrent.futures, uuid, urllib.parse, "
     "logging, pathlib, signal, select, socket, ssl, locale, platform\n"
     "print(os.cpu_count() > 0, len(os.listdir('.')) > 0)\n"
     "with tempfile.NamedTemporaryFile('w+') as f: f.write('x'); f.flush()\n"
     "subprocess.run(['ls', '-la'], check=True, capture_output=True)\n"
     "subprocess.run('echo shell | cat > piped', shell=True, check=True)\n"
     "t = threading.Thread(target=lambda: time.sleep(0.01)); t.start(); "
     "t.join()\n"
     "async def main(): await asyncio.sleep(0.01); return 5\n"
     "print(asyncio.run(main()))\n"
     "with concurrent.futures.ThreadPoolExecutor(4) as pool:\n"
     "  print(sum(pool.map(math.sqrt, [1, 4, 9])))\n"
     "pid = os.fork()\n"
     "if pid == 0: os._exit(0)\n"
     "os.waitpid(pid, 0)\n"
     "db = sqlite3.connect('db.sqlite'); db.execute('create table t (a)'); "
     "db.execute('insert into t values (1)'); db.commit(); db.close()\n"
     "os.mkfifo('fifo'); os.symlink('fifo', 'link'); os.rename('link', 'l2'); "
     "os.chmod('l2', 0o600) if False else None\n"
     "shutil.copytree('.', 'copy', symlinks=True, ignore=lambda d, n: "
     "['copy', 'fifo'])\n"
     "os.umask(0o22); os.nice(1); os.getloadavg\n"
     "signal.setitimer(signal.ITIMER_REAL, 0)\n"
     "print(platform.system(), datetime.datetime.now().year > 2000)\n"
     "print(hashlib.sha256(b'').hexdigest()[:4], uuid.uuid4() is not None)\n"},
    {"bash",
     "set -e\n"
     "ls -la > list; cp -a list copy; mv copy c2; ln -s c2 l; readlink l\n"
     "tar czf a.tgz list c2; tar tzf a.tgz | wc -l; gzip -k c2; zcat c2.gz | "
     "head -1 > /dev/null\n"
     "find . -name '*.gz' | xargs -n1 basename; sort list | uniq | awk "
     "'{print NR}' | tail -1 > /dev/null\n"
     "timeout 5 true; nice true; date +%Y > /dev/null; mktemp > /dev/null\n"
     "seq 5 | sed s/1/x/ | tr -d '\\n'; (sleep 0.01 & wait); echo $((2 ** "
     "10))\n"
     "touch -d 2020-01-01 old; stat -c %y old | cut -c1-4; mkdir -p d/e; "
     "rm -rf d; chmod 700 list; du -s . > /dev/null; df . > /dev/null || true\n"
     "exec 3< list; read -r -u 3 line; exec 3<&-; [[ -n $line ]]\n"},
    {"c",
     "#define _GNU_SOURCE\n"
     "#include <math.h>\n"
     "#include <pthread.h>\n"
     "#include <stdio.h>\n"
     "#include <stdlib.h>\n"
     "#include <string.h>\n"
     "#include <sys/mman.h>\n"
     "#include <sys/wait.h>\n"
     "#include <time.h>\n"
     "#include <unistd.h>\n"
     "static void* work(void* p) { return p; }\n"
     "int main(void) {\n"
     "  pthread_t t; pthread_create(&t, 0, work, 0); pthread_join(t, 0);\n"
     "  void* m = mmap(0, 1 << 20, PROT_READ | PROT_WRITE,\n"
     "                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
     "  memset(m, 1, 1 << 20); munmap(m, 1 << 20);\n"
     "  FILE* f = fopen(\"x\", \"w\"); fputs(\"x\", f); fclose(f); "
     "remove(\"x\");\n"
     "  if (fork() == 0) _exit(0);\n"
     "  wait(0);\n"
     "  printf(\"%d %.1f\\n\", system(\"true\"), sqrt(time(0) > 0 ? 4 : 9));\n"
     "  return 0;\n"
     "}\n"},
    {"c++",
     "#include <algorithm>\n"
     "#include <chrono>\n"
     "#include <filesystem>\n"
     "#include <fstream>\n"
     "#include <future>\n"
     "#include <iostream>\n"
     "#include <map>\n"
     "#include <random>\n"
     "#include <thread>\n"
     "#include <vector>\n"
     "int main() {\n"
     "  std::vector<int> v(100000);\n"
     "  std::mt19937 g{std::random_device{}()};\n"
     "  for (int& x : v) x = g();\n"
     "  std::sort(v.begin(), v.end());\n"
     "  try { throw std::runtime_error(\"x\"); } catch (const std::exception&) "
     "{}\n"
     "  auto f = std::async(std::launch::async, [] { return 42; });\n"
     "  std::filesystem::create_directories(\"a/b\");\n"
     "  std::ofstream(\"a/b/c\") << 1;\n"
     "  std::this_thread::sleep_for(std::chrono::milliseconds(1));\n"
     "  std::cout << f.get() << ' ' << std::filesystem::file_size(\"a/b/c\") "
     "<< "
     "'\\n';\n"
     "}\n"},
};

TEST_F(LanguagesTest, OrdinaryProgramsRaiseNoAlarm) {
  for (const Sample& sample : kBenign) {
    const v1::Result result = Run(sample.language, sample.code);
    EXPECT_EQ(result.outcome(), v1::EXITED)
        << sample.language << ": " << result.message();
    EXPECT_EQ(result.exit_code(), 0)
        << sample.language << ": " << result.stderr()
        << result.compilation().stderr();
    for (const v1::Violation& violation : result.violations()) {
      ADD_FAILURE() << sample.language << ": " << violation.ShortDebugString();
    }
    for (const v1::Violation& violation : result.compilation().violations()) {
      ADD_FAILURE() << sample.language
                    << " compiling: " << violation.ShortDebugString();
    }
  }
}

TEST_F(LanguagesTest, AnUncaughtExceptionIsTheProgramsExitCodeAndTraceback) {
  const v1::Result result = Run("python", "print('a')\nraise ValueError('b')");
  EXPECT_EQ(result.outcome(), v1::EXITED);
  EXPECT_EQ(result.exit_code(), 1);
  EXPECT_EQ(result.stdout(), "a\n");
  EXPECT_THAT(result.stderr(), HasSubstr("ValueError: b"));
}

// ------------------------------------------------------ compilers under attack

std::filesystem::path MakeDirectory(const std::string& name) {
  const char* base = getenv("TEST_TMPDIR");
  const std::filesystem::path directory =
      std::filesystem::path(base == nullptr ? "/tmp" : base) / name;
  std::filesystem::create_directories(directory);
  return directory;
}

// The built-in C++, with a compile step that is soon at its limits.
std::string TightCompilerDirectory() {
  const std::filesystem::path directory = MakeDirectory("tight");
  std::ofstream(directory / "tight.textproto") << R"(
name: "tight"
file_name: "main.cc"
compile { argv: ["/usr/bin/g++", "-std=c++20", "-ftemplate-depth=1000000",
                 "-o", "{program}", "{source}"] }
run { argv: ["{program}"] }
version { argv: ["/usr/bin/g++", "--version"] }
compile_limits {
  cpu_time { seconds: 2 }
  wall_time { seconds: 20 }
  memory_bytes: 268435456
  output_bytes: 4096
  file_bytes: 67108864
  open_files: 64
}
)";
  return directory;
}

class CompilersTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ =
        new ServerProcess({"--languages_dir=" + TightCompilerDirectory()});
  }
  static void TearDownTestSuite() { delete server_; }

  v1::Result Compile(const std::string& code) {
    return client_.Run(SourceRequest("tight", code));
  }

  TestClient client_{server_->address()};
  static ServerProcess* server_;
};

ServerProcess* CompilersTest::server_ = nullptr;

TEST_F(CompilersTest, TheTightLimitsSufficeForAnOrdinaryProgram) {
  const v1::Result result =
      Compile("#include <cstdio>\nint main() { std::puts(\"fine\"); }\n");
  EXPECT_EQ(result.outcome(), v1::EXITED) << result.compilation().message();
  EXPECT_EQ(result.stdout(), "fine\n");
}

TEST_F(CompilersTest, ATemplateBombEndsAtALimitOfTheCompileStep) {
  const v1::Result result = Compile(
      "template <int N, int M> struct F { static constexpr long value = "
      "F<N - 1, M * 2>::value + F<N - 1, M * 2 + 1>::value; };\n"
      "template <int M> struct F<0, M> { static constexpr long value = M; };\n"
      "int main() { return F<24, 1>::value & 1; }\n");
  EXPECT_EQ(result.outcome(), v1::COMPILE_FAILED);
  // Which comes first depends on how much else the machine does.
  EXPECT_THAT(result.compilation().outcome(),
              AnyOf(v1::CPU_TIME_LIMIT, v1::MEMORY_LIMIT, v1::WALL_TIME_LIMIT))
      << v1::Outcome_Name(result.compilation().outcome()) << ": "
      << result.compilation().message();
}

TEST_F(CompilersTest, IncludingAnEndlessDeviceEndsAtALimitOrAnError) {
  const v1::Result result = Compile("#include \"/dev/zero\"\nint main() {}\n");
  EXPECT_EQ(result.outcome(), v1::COMPILE_FAILED);
}

TEST_F(CompilersTest, AFloodOfErrorsIsCutAndStillACompilersResult) {
  std::string code;
  for (int i = 0; i < 20000; ++i)
    code += "nonsense x" + std::to_string(i) + ";\n";
  const v1::Result result = Compile(code);
  EXPECT_EQ(result.outcome(), v1::COMPILE_FAILED);
  EXPECT_LE(result.compilation().stderr().size(), 4096u);
  EXPECT_TRUE(result.compilation().stderr_truncated());
}

TEST_F(CompilersTest, TheCompilerCannotReadWhatTheProgramMayNot) {
  const v1::Result included =
      Compile("#include \"/etc/shadow\"\nint main() {}\n");
  EXPECT_EQ(included.outcome(), v1::COMPILE_FAILED);
  EXPECT_THAT(included.compilation().stderr(), HasSubstr("ermission denied"));
  EXPECT_THAT(included.compilation().stderr(), Not(HasSubstr("root:")));
  const std::string incbin_of =
      "asm(\".globl secret\\nsecret: .incbin \\\"%\\\"\\n.byte 0\\n\");\n"
      "extern \"C\" const char secret[];\n"
      "#include <cstdio>\n"
      "int main() { std::fputs(secret, stdout); }\n";
  const auto incbin = [&](const std::string& path) {
    std::string code = incbin_of;
    code.replace(code.find('%'), 1, path);
    return code;
  };
  const v1::Result assembled = Compile(incbin("/etc/shadow"));
  EXPECT_EQ(assembled.outcome(), v1::COMPILE_FAILED);
  EXPECT_THAT(assembled.stdout(), Not(HasSubstr("root:")));
  // The control: the same with a file of the run's own.
  v1::ExecuteRequest control = SourceRequest("tight", incbin("mine.txt"));
  v1::File* file = control.add_files();
  file->set_path("mine.txt");
  file->set_content("mine");
  const v1::Result result = client_.Run(control);
  EXPECT_EQ(result.outcome(), v1::EXITED) << result.compilation().stderr();
  EXPECT_EQ(result.stdout(), "mine");
}

TEST_F(CompilersTest, CompilingDoesNotUseUpTheProgramsTime) {
  v1::ExecuteRequest request =
      SourceRequest("c++", "#include <iostream>\nint main() {}\n");
  SetDuration(request.mutable_limits()->mutable_cpu_time(),
              absl::Milliseconds(100));
  const v1::Result result = client_.Run(request);
  EXPECT_EQ(result.outcome(), v1::EXITED) << result.message();
  EXPECT_GT(ToDuration(result.compilation().usage().cpu_user()),
            absl::Milliseconds(100));
}

TEST_F(CompilersTest, AnEqualSourceIsNotCompiledAgain) {
  const std::string code =
      "#include <cstdio>\nint main() { std::puts(\"kept\"); }\n";
  for (const v1::Usage::CompileCache use : {v1::Usage::MISS, v1::Usage::HIT}) {
    const v1::Result result = Compile(code);
    EXPECT_EQ(result.stdout(), "kept\n") << result.message();
    EXPECT_EQ(result.compilation().usage().compile_cache(), use);
  }
  // The language is another one, and so is its compiler's command.
  EXPECT_EQ(client_.Run(SourceRequest("c++", code))
                .compilation()
                .usage()
                .compile_cache(),
            v1::Usage::MISS);
}

TEST(CompileCacheFlag, NothingIsKeptWithoutRoomForIt) {
  ServerProcess server({"--compile_cache_bytes=0"});
  TestClient client(server.address());
  for (int i = 0; i < 2; ++i) {
    const v1::Result result =
        client.Run(SourceRequest("c", "int main(void) { return 7; }\n"));
    EXPECT_EQ(result.exit_code(), 7) << result.message();
    EXPECT_EQ(result.compilation().usage().compile_cache(),
              v1::Usage::COMPILE_CACHE_UNSPECIFIED);
  }
}

// ------------------------------------------------------------ an operator's
// own

TEST(OperatorsLanguages, ADirectoryAddsALanguageAndReplacesOne) {
  const std::filesystem::path directory = MakeDirectory("operators");
  std::ofstream(directory / "upper.textproto") << R"(
name: "upper"
aliases: ["shout"]
extensions: ["up"]
file_name: "text"
run { argv: ["/usr/bin/tr", "a-z", "A-Z"] }
version { argv: ["/usr/bin/tr", "--version"] }
)";
  std::ofstream(directory / "bash.textproto") << R"(
name: "bash"
file_name: "main.sh"
run { argv: ["/bin/bash", "{source}"] }
version { argv: ["/bin/bash", "--version"] }
environment { key: "REPLACED" value: "yes" }
)";
  std::ofstream(directory / "absent.textproto") << R"(
name: "absent"
file_name: "main.x"
run { argv: ["/usr/bin/no-such-toolchain"] }
version { argv: ["/usr/bin/no-such-toolchain", "--version"] }
)";
  ServerProcess server({"--languages_dir=" + directory.string()});
  TestClient client(server.address());
  v1::ExecuteRequest shout = SourceRequest("shout", "");
  shout.set_stdin("quiet\n");
  v1::Result result;
  // tr takes no further argument, and gets none.
  EXPECT_EQ(client.Run(shout).stdout(), "QUIET\n");
  EXPECT_EQ(client.Run(SourceRequest("bash", "echo $REPLACED")).stdout(),
            "yes\n");
  EXPECT_EQ(client.Run(SourceRequest("python", "print(1)")).stdout(), "1\n");
  const grpc::Status absent =
      client.TryRun(SourceRequest("absent", ""), &result);
  EXPECT_EQ(absent.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(absent.error_message(), HasSubstr("no-such-toolchain"));
}

}  // namespace
}  // namespace cordon::testing
