// Runs that are forks of a template: what they share with it and with each
// other, and what happens when something ends one. What a program may do is in
// the attack tests, which all run with forks as well (the *_warm_test targets);
// what it looks like to a program is in warm_semantics_test.cc.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/degraded_host.h"
#include "tests/support/process_view.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;
using sandbox::OutcomeKind;
using sandbox::WarmProfile;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Warm : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fixture_->sandbox().WarmState("python").ok())
        << fixture_->sandbox().WarmState("python");
  }
  // Zombies count.
  void TearDown() override {
    EXPECT_TRUE(Eventually([] { return ChildrenOf(getpid()).empty(); }));
  }

  // What it printed; fails the test unless it was a fork.
  std::string RunForked(const std::string& code) {
    const auto run = fixture_->Run(WarmSpec(code));
    EXPECT_TRUE(run->outcome().usage.warm);
    EXPECT_EQ(run->stderr_data(), "");
    return run->stdout_data();
  }

  // Whether a run of this is a fork; fails the test unless it prints `output`.
  bool Forks(ExecutionSpec spec, const std::string& output) {
    const auto run = fixture_->Run(std::move(spec));
    EXPECT_EQ(run->stdout_data(), output);
    EXPECT_EQ(run->stderr_data(), "");
    return run->outcome().usage.warm;
  }

  // A server's own.
  void UseShortPatience() {
    sandbox::WarmProfile profile = PythonProfile({});
    profile.fork_patience = sandbox::WarmProfile().fork_patience;
    fixture_.reset();
    fixture_ = std::make_unique<SandboxFixture>(
        FixtureOptions{.warm_profiles = {std::move(profile)}});
  }

  std::unique_ptr<SandboxFixture> fixture_ = std::make_unique<SandboxFixture>(
      FixtureOptions{.warm_profiles = {PythonProfile({"json", "random"})}});
};

TEST_F(Warm, WhatIsRandomIsItsOwn) {
  std::set<std::string> seen;
  for (int i = 0; i < 12; ++i) {
    seen.insert(RunForked("import random\nprint(random.random())"));
    seen.insert(RunForked("import uuid\nprint(uuid.uuid4())"));
    seen.insert(RunForked("import tempfile\nprint(tempfile.mktemp(dir=''))"));
  }
  EXPECT_THAT(seen, SizeIs(36));
}

// What would be alike in all of them had the template's copy been used.
TEST_F(Warm, WhatIsKeptOfRandomnessIsMadeAnew) {
  fixture_.reset();
  fixture_ = std::make_unique<SandboxFixture>(FixtureOptions{
      .warm_profiles = {PythonProfile({"random", "uuid", "secrets", "tempfile",
                                       "ssl", "hashlib", "threading"})}});
  std::set<std::string> seen;
  for (int i = 0; i < 6; ++i) {
    const std::string printed = RunForked(
        "import os, random, secrets, ssl, tempfile, threading, uuid\n"
        "print(secrets.token_hex(8))\nprint(random.getrandbits(64))\n"
        "print(random.SystemRandom().getrandbits(64))\n"
        "print(next(tempfile._get_candidate_names()))\n"
        "print(uuid.uuid4())\nprint(uuid.uuid1())\n"
        "print(ssl.RAND_bytes(8))\nprint(os.urandom(8))\n"
        "print(os.getpid(), threading.get_native_id() == os.getpid())\n");
    for (const absl::string_view line :
         absl::StrSplit(printed, '\n', absl::SkipEmpty())) {
      seen.insert(std::string(line));
    }
    EXPECT_THAT(printed, ::testing::HasSubstr(" True\n"));
  }
  EXPECT_THAT(seen, SizeIs(6 * 9));
}

// A module of the template that wants to know of forks. The control: it does
// not think that it is in one where it is not.
TEST_F(Warm, WhatModulesDoAfterAForkIsDone) {
  const std::string directory = fixture_->state_directory() + "-modules";
  fixture_.reset();
  std::filesystem::create_directory(directory);
  std::ofstream(directory + "/cordon_probe.py")
      << "import os\nevents = ['imported in %d' % os.getpid()]\n"
         "os.register_at_fork(after_in_child=lambda: "
         "events.append('forked'))\n";
  sandbox::WarmProfile profile = PythonProfile({"cordon_probe"});
  profile.environment.push_back("PYTHONPATH=" + directory);
  fixture_ = std::make_unique<SandboxFixture>(
      FixtureOptions{.warm_profiles = {profile}});
  ExecutionSpec spec = WarmSpec(
      "import cordon_probe as p, os\n"
      "print(len(p.events), p.events[-1], str(os.getpid()) in p.events[0])");
  spec.program.environment.push_back("PYTHONPATH=" + directory);
  EXPECT_TRUE(Forks(spec, "2 forked False\n"));
  std::filesystem::remove_all(directory);
}

// What a module of a template tries as it is imported.
constexpr char kTries[] = R"(
import os, signal, socket
def attempt(act):
  try: act(); return 'done'
  except OSError as e: return type(e).__name__
listener = socket.socket(); bound = attempt(lambda: listener.bind(('127.0.0.1', 0)))
port = int(os.environ['CORDON_PROBE_PORT'])
connected = attempt(lambda: socket.create_connection(('127.0.0.1', port), 9))
signalled = attempt(lambda: os.kill(os.getppid(), 0))
status = open('/proc/self/status').read()
kept = 1 << 1 | 1 << 6 | 1 << 7
capabilities = int(status.split('CapPrm:')[1].split()[0], 16) & ~kept
said = (bound, connected, signalled, capabilities)
if __name__ == '__main__': print(said)
)";

// The control: the same file, executed by this process.
TEST_F(Warm, ATemplateHasGivenUpWhatItDoesNotNeed) {
  if (NeedsLandlock(6, "keep a template from its network")) return;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener, any, size), 0);
  ASSERT_EQ(listen(listener, 9), 0);
  ASSERT_EQ(getsockname(listener, any, &size), 0);
  const std::string port =
      absl::StrCat("CORDON_PROBE_PORT=", ntohs(address.sin_port));
  const std::string directory = fixture_->state_directory() + "-modules";
  fixture_.reset();
  std::filesystem::create_directory(directory);
  std::ofstream(directory + "/cordon_probe.py") << kTries;
  FILE* const control = popen(
      absl::StrCat(port, " /usr/bin/python3 ", directory, "/cordon_probe.py")
          .c_str(),
      "re");
  char said[256] = {};
  ASSERT_NE(fgets(said, sizeof(said), control), nullptr);
  pclose(control);
  EXPECT_THAT(said, ::testing::HasSubstr("('done', 'done', 'done', "));
  sandbox::WarmProfile profile = PythonProfile({"cordon_probe"});
  profile.environment.push_back("PYTHONPATH=" + directory);
  profile.environment.push_back(port);
  fixture_ = std::make_unique<SandboxFixture>(
      FixtureOptions{.warm_profiles = {profile}});
  ExecutionSpec spec =
      WarmSpec("import cordon_probe\nprint(cordon_probe.said)");
  spec.program.environment.push_back("PYTHONPATH=" + directory);
  EXPECT_TRUE(Forks(spec,
                    "('PermissionError', 'PermissionError', "
                    "'PermissionError', 0)\n"));
  std::filesystem::remove_all(directory);
  close(listener);
}

TEST_F(Warm, WhatARunChangesIsItsOwn) {
  const std::string look =
      "import json, os, builtins, sys\n"
      "print(hasattr(json, 'secret'), hasattr(builtins, 'secret'), 'SECRET' in "
      "os.environ, 'secret' in sys.modules, json.dumps('x'))\n";
  const std::string untouched = "False False False False \"x\"\n";
  EXPECT_EQ(RunForked(absl::StrCat(
                look,
                "json.secret = builtins.secret = os.environ['SECRET'] = 's'\n"
                "sys.modules['secret'] = json\n"
                "json.dumps = lambda x: 'mine'\n",
                look)),
            absl::StrCat(untouched, "True True True True mine\n"));
  EXPECT_EQ(RunForked(look), untouched);
}

// The control: a run does find what its own memory holds.
TEST_F(Warm, ARunFindsNothingOfAnothersInItsMemory) {
  const auto program = [](const std::string& keep) {
    return absl::StrCat(
        "import gc, sys\n", keep,
        "word = 'sibling' + 's-' + 'secret'\n"
        "found = [d for d in gc.get_objects() if type(d) is list and len(d) == "
        "2 and d[0] == word]\nprint(len(found))\n");
  };
  EXPECT_EQ(RunForked(program("kept = ['siblings-' + 'secret', 1]\n")), "1\n");
  EXPECT_EQ(RunForked(program("")), "0\n");
}

TEST_F(Warm, ARunCannotReachItsTemplate) {
  const std::vector<pid_t> templates = TemplatesOf(getpid());
  ASSERT_THAT(templates, SizeIs(1));
  const std::string act = absl::StrCat(
      "import os\nfor target in (", templates[0], ", -", templates[0],
      "):\n  try: os.kill(target, 9); print('killed')\n"
      "  except OSError as e: print(type(e).__name__)\n"
      "for name in ('mem', 'maps', 'environ', 'fd', 'fd/3', 'root'):\n"
      "  try: os.open('/proc/",
      templates[0],
      "/' + name, os.O_RDONLY); print('opened')\n"
      "  except OSError as e: print(e.errno)\n");
  EXPECT_EQ(RunForked(act),
            "PermissionError\nPermissionError\n13\n13\n13\n13\n13\n13\n");
  EXPECT_EQ(TemplatesOf(getpid()), templates);
  EXPECT_EQ(RunForked("print('on')"), "on\n");
}

TEST_F(Warm, ATemplateThatWasKilledIsReplaced) {
  const std::vector<pid_t> before = TemplatesOf(getpid());
  for (const pid_t one : before) kill(one, SIGKILL);
  for (int i = 0; i < 20; ++i) {
    const auto run = fixture_->Run(WarmSpec("print('here')"));
    ASSERT_EQ(run->outcome().kind, OutcomeKind::kExited);
    EXPECT_EQ(run->stdout_data(), "here\n");
  }
  EXPECT_TRUE(Eventually(
      [&] { return fixture_->Run(WarmSpec(""))->outcome().usage.warm; }));
  EXPECT_NE(TemplatesOf(getpid()), before);
}

// Nobody waits for it: what is not in stock is executed, until there is another
// template.
TEST_F(Warm, ATemplateThatWasStoppedIsReplaced) {
  UseShortPatience();
  const std::vector<pid_t> before = TemplatesOf(getpid());
  ASSERT_THAT(before, SizeIs(1));
  kill(before[0], SIGSTOP);
  bool was_executed = false;
  EXPECT_TRUE(Eventually([&] {
    const auto run = fixture_->Run(WarmSpec("print('here')"));
    EXPECT_EQ(run->stdout_data(), "here\n");
    was_executed = was_executed || !run->outcome().usage.warm;
    return was_executed && run->outcome().usage.warm;
  }));
  EXPECT_NE(TemplatesOf(getpid()), before);
}

// One that goes on in time is not, and what it had been asked for before is
// nobody's any more: TearDown finds no child.
TEST_F(Warm, ATemplateThatWasStoppedForAMomentServesOn) {
  UseShortPatience();
  const std::vector<pid_t> before = TemplatesOf(getpid());
  ASSERT_THAT(before, SizeIs(1));
  kill(before[0], SIGSTOP);
  EXPECT_TRUE(Eventually([&] {
    return !fixture_->Run(WarmSpec("print('here')"))->outcome().usage.warm;
  }));
  kill(before[0], SIGCONT);
  EXPECT_TRUE(Eventually(
      [&] { return fixture_->Run(WarmSpec(""))->outcome().usage.warm; }));
}

TEST_F(Warm, AForkThatWasKilledAheadIsNoRunsMatter) {
  EXPECT_EQ(RunForked("print(1)"), "1\n");
  ASSERT_TRUE(Eventually([] { return !ArmedChildrenOf(getpid()).empty(); }));
  for (int round = 0; round < 5; ++round) {
    for (const pid_t child : ArmedChildrenOf(getpid())) kill(child, SIGKILL);
    for (int i = 0; i < 6; ++i) {
      const auto run = fixture_->Run(WarmSpec("print('here')"));
      ASSERT_EQ(run->outcome().kind, OutcomeKind::kExited);
      EXPECT_EQ(run->stdout_data(), "here\n");
    }
  }
}

// As if the interpreter could not begin in them: each run pays for that, once,
// and after a few nobody does.
TEST_F(Warm, ATemplateWhoseForksAreAllLostIsReplaced) {
  const std::vector<pid_t> before = TemplatesOf(getpid());
  EXPECT_TRUE(Eventually([&] {
    for (const pid_t child : ArmedChildrenOf(getpid())) kill(child, SIGKILL);
    EXPECT_EQ(fixture_->Run(WarmSpec("print(1)"))->stdout_data(), "1\n");
    return TemplatesOf(getpid()) != before;
  }));
  // With what was killed and is in stock still.
  fixture_.reset();
}

TEST_F(Warm, AModuleBesideTheProgramIsWhatItImports) {
  ExecutionSpec spec = WarmSpec("import json\nprint(json.mine)");
  EXPECT_TRUE(Forks(WarmSpec("import json\nprint(json.__name__)"), "json\n"));
  spec.files.push_back({"json.py", "mine = 5\n"});
  EXPECT_FALSE(Forks(spec, "5\n"));
  spec.files.back() = {"json/__init__.py", "mine = 6\n"};
  EXPECT_FALSE(Forks(spec, "6\n"));
  spec = WarmSpec(
      "import sys\nsys.path.insert(0, 'deep/er')\n"
      "import json\nprint(json.mine)");
  spec.files.push_back({"deep/er/json.py", "mine = 9\n"});
  EXPECT_FALSE(Forks(spec, "9\n"));
  spec = WarmSpec(
      "import sys\nsys.path.insert(0, 'deep/er')\n"
      "import other\nprint(other.mine)");
  spec.files.push_back({"deep/er/other.py", "mine = 10\n"});
  EXPECT_TRUE(Forks(spec, "10\n"));
  spec = WarmSpec("import other\nprint(other.mine)");
  spec.files.push_back({"other.py", "mine = 7\n"});
  EXPECT_TRUE(Forks(spec, "7\n"));
}

TEST_F(Warm, ModulesOfTheUsersOwnAreFound) {
  ExecutionSpec spec = WarmSpec("import mine\nprint(mine.x)");
  spec.files.push_back(
      {".local/lib/python3.11/site-packages/mine.py", "x = 8\n"});
  EXPECT_FALSE(Forks(spec, "8\n"));
}

TEST_F(Warm, AnInterpreterThatWouldStartAnotherWayIsStarted) {
  ExecutionSpec spec = WarmSpec(
      "import sys\nprint(sys.flags.hash_randomization, hash('x') == "
      "hash('x'))");
  EXPECT_TRUE(Forks(spec, "1 True\n"));
  spec.program.environment.push_back("PYTHONHASHSEED=0");
  EXPECT_FALSE(Forks(spec, "0 True\n"));
  spec = WarmSpec("import os\nprint(os.environ['A'])");
  spec.program.environment.push_back("A=1");
  EXPECT_TRUE(Forks(spec, "1\n"));
  spec.program.environment.push_back("HOME=/nowhere");
  EXPECT_FALSE(Forks(spec, "1\n"));
}

TEST_F(Warm, WhatIsNoScriptIsExecuted) {
  ExecutionSpec spec = WarmSpec("print('here')");
  spec.program.argv = {"/usr/bin/python3", "-c", "print('there')"};
  EXPECT_FALSE(Forks(spec, "there\n"));
  spec.program.argv = {"/usr/bin/python3", "main.py", "-c"};
  EXPECT_TRUE(Forks(spec, "here\n"));
  spec.program.argv = {"/usr/bin/python3", "package"};
  spec.files.push_back({"package/__main__.py", "print('package')"});
  EXPECT_FALSE(Forks(spec, "package\n"));
  spec.program.argv = {"/usr/bin/python3", "none.py"};
  const auto run = fixture_->Run(spec);
  EXPECT_FALSE(run->outcome().usage.warm);
  EXPECT_EQ(run->outcome().exit_code, 2);
  // An archive with a comment behind its end.
  spec = WarmSpec(
      "import zipfile, subprocess, sys\nz = zipfile.ZipFile('a.zip', 'w')\n"
      "z.writestr('__main__.py', 'print(5)'); z.comment = b'words'; z.close()\n"
      "sys.stdout.buffer.write(open('a.zip', 'rb').read())");
  const std::string archive = fixture_->Run(spec)->stdout_data();
  EXPECT_FALSE(Forks(WarmSpec(archive), "5\n"));
}

TEST_F(Warm, WhatATemplateDoesNotServeIsExecuted) {
  ExecutionSpec usual = WarmSpec("print('here')");
  EXPECT_TRUE(Forks(usual, "here\n"));
  ExecutionSpec spec = usual;
  spec.audit = sandbox::AuditScope::kAll;
  EXPECT_FALSE(Forks(spec, "here\n"));
  spec = usual;
  spec.network.access = sandbox::NetworkAccess::kLoopback;
  EXPECT_FALSE(Forks(spec, "here\n"));
  spec = usual;
  spec.filesystem = sandbox::Filesystem::kVirtual;
  EXPECT_FALSE(Forks(spec, "here\n"));
  spec = usual;
  spec.warm_profile = "unknown";
  EXPECT_FALSE(Forks(spec, "here\n"));
  spec = usual;
  spec.program.working_directory = "beneath";
  spec.program.argv.back() = "../main.py";
  EXPECT_FALSE(Forks(spec, "here\n"));
  spec = usual;
  spec.program.argv.emplace_back(100000, 'x');
  EXPECT_FALSE(Forks(spec, "here\n"));
  spec.program.argv.back().resize(1000);
  EXPECT_TRUE(Forks(spec, "here\n"));
}

TEST_F(Warm, MemoryHasItsLimit) {
  ExecutionSpec spec = WarmSpec("x = bytearray(b'x') * (200 << 20)\nprint(1)");
  spec.program.limits.memory_bytes = uint64_t{400} << 20;
  EXPECT_TRUE(Forks(spec, "1\n"));
  spec.program.limits.memory_bytes = uint64_t{100} << 20;
  EXPECT_EQ(fixture_->Run(spec)->outcome().kind, OutcomeKind::kMemoryLimit);
}

TEST_F(Warm, NothingIsLeftOpen) {
  const auto run_often = [&] {
    for (int i = 0; i < 40; ++i) EXPECT_EQ(RunForked("print(1)"), "1\n");
  };
  run_often();
  // Directories that are being made ready come and go.
  constexpr int kInStock = 30;
  const int before = DescriptorsOf(getpid());
  const int templates_before = DescriptorsOf(TemplatesOf(getpid())[0]);
  run_often();
  EXPECT_TRUE(
      Eventually([&] { return DescriptorsOf(getpid()) <= before + kInStock; }));
  EXPECT_TRUE(Eventually([&] {
    return DescriptorsOf(TemplatesOf(getpid())[0]) <= templates_before;
  }));
}

TEST_F(Warm, ATemplateThatCannotStartIsNamedAndMissed) {
  fixture_.reset();
  fixture_ = std::make_unique<SandboxFixture>(FixtureOptions{
      .warm_profiles = {PythonProfile({"json", "no_such_module"})}});
  EXPECT_THAT(std::string(fixture_->sandbox().WarmState("python").message()),
              ::testing::HasSubstr("No module named 'no_such_module'"));
  EXPECT_FALSE(Forks(WarmSpec("print('here')"), "here\n"));
}

// Its arithmetic has threads of its own, and its random numbers a state.
TEST_F(Warm, NumpyComputesInAFork) {
  fixture_.reset();
  fixture_ = std::make_unique<SandboxFixture>(
      FixtureOptions{.warm_profiles = {PythonProfile({"numpy"})}});
  const absl::Status state = fixture_->sandbox().WarmState("python");
  if (!state.ok()) {  // It is not installed.
    EXPECT_THAT(state.message(), ::testing::HasSubstr("named 'numpy'"));
    return;
  }
  const std::string code =
      "import numpy as np, threading\nm = np.ones((600, 600))\n"
      "print(float((m @ m).sum()), threading.active_count())\n";
  EXPECT_EQ(RunForked(code), "216000000.0 1\n");
  const std::string draw =
      "import numpy as np\nprint(np.random.random(), "
      "np.random.default_rng().random())";
  EXPECT_NE(RunForked(draw), RunForked(draw));
}

// Neither by who starts nor by who stops: it would have come to its end.
TEST_F(Warm, OneThatDoesNotBeginIsNotWaitedForLong) {
  fixture_.reset();
  const std::string path = ::testing::TempDir() + "/sleeps";
  const std::string ended = path + ".ended";
  std::ofstream(path) << "#!/usr/bin/python3\nimport time\ntime.sleep(40)\n"
                      << "open('" << ended << "', 'w')\n";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  WarmProfile profile = PythonProfile({});
  profile.interpreter = path;
  fixture_ = std::make_unique<SandboxFixture>(
      FixtureOptions{.warm_profiles = {profile}});
  EXPECT_THAT(fixture_->sandbox().WarmState("python").message(),
              ::testing::HasSubstr("has not started yet"));
  EXPECT_FALSE(Forks(WarmSpec("print(1)"), "1\n"));
  fixture_.reset();
  EXPECT_FALSE(std::filesystem::exists(ended));
}

TEST_F(Warm, NoneOutlivesItsSandbox) {
  RunForked("print(1)");
  fixture_.reset();
  EXPECT_THAT(TemplatesOf(getpid()), IsEmpty());
  EXPECT_THAT(ArmedChildrenOf(getpid()), IsEmpty());
}

}  // namespace
}  // namespace cordon::testing
