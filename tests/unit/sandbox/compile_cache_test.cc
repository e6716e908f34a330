#include "sandbox/compile_cache.h"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

ExecutionSpec Spec() {
  ExecutionSpec spec;
  spec.files = {{"main.c", "int main(){}", FileMode::kRegular}};
  spec.compile.emplace();
  spec.compile->argv = {"/bin/sh", "-c", "compile"};
  spec.compile->artefacts = {"program"};
  return spec;
}

Compiled Program(const std::string& content) {
  Compiled compiled;
  compiled.files = {{"program", content, FileMode::kExecutable}};
  return compiled;
}

CompileCache::OnClaim Nobody() {
  return [](CompileClaim&) {
    ADD_FAILURE() << "nobody was to wait";
    return false;
  };
}

std::string Kept(const CompileClaim& claim) {
  return claim.kept() == nullptr ? "" : claim.kept()->files[0].content;
}

// ----------------------------------------------------------------------- keys

TEST(CompileKeyTest, EqualStepsHaveOne) {
  EXPECT_EQ(CompileKey(Spec()), CompileKey(Spec()));
  EXPECT_NE(CompileKey(Spec()), "");
}

TEST(CompileKeyTest, WhateverGoesInMakesAnotherOne) {
  const std::vector<std::function<void(ExecutionSpec&)>> changes = {
      [](ExecutionSpec& spec) { spec.files[0].content += " "; },
      [](ExecutionSpec& spec) { spec.files[0].path = "main.d"; },
      [](ExecutionSpec& spec) { spec.files[0].mode = FileMode::kExecutable; },
      [](ExecutionSpec& spec) {
        spec.files.push_back({"a.h", "", {}});
      },
      [](ExecutionSpec& spec) { spec.compile->argv.push_back("-O2"); },
      [](ExecutionSpec& spec) { spec.compile->argv[0] = "/bin/cat"; },
      [](ExecutionSpec& spec) { spec.compile->argv[2] = "compile "; },
      [](ExecutionSpec& spec) { spec.compile->environment = {"A=B"}; },
      [](ExecutionSpec& spec) { spec.compile->working_directory = "d"; },
      [](ExecutionSpec& spec) { spec.compile->stdin_data = "x"; },
      [](ExecutionSpec& spec) { spec.compile->artefacts = {"other"}; },
      [](ExecutionSpec& spec) {
        spec.compile->limits.cpu_time = absl::Seconds(11);
      },
      [](ExecutionSpec& spec) { spec.compile->limits.memory_bytes += 1; },
      [](ExecutionSpec& spec) { spec.view.read = {"/etc/x"}; },
      [](ExecutionSpec& spec) { spec.view.read_execute = {"/etc/x"}; },
      [](ExecutionSpec& spec) { spec.path_directories = {"/bin"}; },
      [](ExecutionSpec& spec) { spec.program.working_directory = "d"; },
      [](ExecutionSpec& spec) { spec.audit = AuditScope::kAll; },
      [](ExecutionSpec& spec) { spec.filesystem = Filesystem::kVirtual; }};
  std::set<std::string> keys = {CompileKey(Spec())};
  for (size_t i = 0; i < changes.size(); ++i) {
    ExecutionSpec spec = Spec();
    changes[i](spec);
    EXPECT_TRUE(keys.insert(CompileKey(spec)).second) << i;
  }
}

// Where one field ends and the next begins is no matter of taste.
TEST(CompileKeyTest, FieldsDoNotRunIntoEachOther) {
  ExecutionSpec one = Spec();
  one.compile->argv = {"/bin/sh", "ab", "c"};
  ExecutionSpec other = Spec();
  other.compile->argv = {"/bin/sh", "a", "bc"};
  EXPECT_NE(CompileKey(one), CompileKey(other));
  one.compile->argv = {"/bin/sh", "a"};
  one.compile->environment = {"b"};
  other.compile->argv = {"/bin/sh", "a", "b"};
  other.compile->environment = {};
  EXPECT_NE(CompileKey(one), CompileKey(other));
}

TEST(CompileKeyTest, WhatTheProgramGetsIsNoMatter) {
  ExecutionSpec spec = Spec();
  spec.program.argv = {"program", "argument"};
  spec.program.stdin_data = "x";
  spec.request_id = "x";
  EXPECT_EQ(CompileKey(spec), CompileKey(Spec()));
}

TEST(CompileKeyTest, ThereIsNoneForWhatIsNotToBeKept) {
  ExecutionSpec spec = Spec();
  spec.compile->artefacts.clear();
  EXPECT_EQ(CompileKey(spec), "");
  spec = Spec();
  spec.compile->argv[0] = "sh";
  EXPECT_EQ(CompileKey(spec), "");
  spec.compile.reset();
  EXPECT_EQ(CompileKey(spec), "");
  for (const char* const time : {"__TIME__", "__DATE__", "__TIMESTAMP__"}) {
    spec = Spec();
    spec.files.push_back({"t.h", time, FileMode::kRegular});
    EXPECT_EQ(CompileKey(spec), "") << time;
  }
  spec = Spec();
  spec.files[0].content = std::string((1 << 20) + 1, 'x');
  EXPECT_EQ(CompileKey(spec), "");
}

// --------------------------------------------------------------------- claims

TEST(CompileCacheTest, WhatWasKeptIsThere) {
  CompileCache cache(1000);
  std::optional<CompileClaim> first = cache.Get("k", Nobody());
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->kept(), nullptr);
  first->Keep(Program("one"));
  const std::optional<CompileClaim> second = cache.Get("k", Nobody());
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(Kept(*second), "one");
  EXPECT_EQ(cache.Get("other", Nobody())->kept(), nullptr);
}

TEST(CompileCacheTest, OneCompilesForAllThatWait) {
  CompileCache cache(1000);
  std::optional<CompileClaim> first = cache.Get("k", Nobody());
  std::vector<std::string> got;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(cache
                     .Get("k",
                          [&got](const CompileClaim& claim) {
                            got.push_back(Kept(claim));
                            return true;
                          })
                     .has_value());
  }
  EXPECT_TRUE(got.empty());
  first->Keep(Program("one"));
  EXPECT_EQ(got, std::vector<std::string>(3, "one"));
}

TEST(CompileCacheTest, WhoeverDropsItLeavesItToTheNext) {
  CompileCache cache(1000);
  std::optional<CompileClaim> first = cache.Get("k", Nobody());
  std::optional<CompileClaim> second;
  std::string third;
  EXPECT_FALSE(cache
                   .Get("k",
                        [&second](CompileClaim& claim) {
                          second.emplace(std::move(claim));
                          return true;
                        })
                   .has_value());
  EXPECT_FALSE(cache
                   .Get("k",
                        [&third](const CompileClaim& claim) {
                          third = Kept(claim);
                          return true;
                        })
                   .has_value());
  first.reset();
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->kept(), nullptr);
  EXPECT_EQ(third, "");
  second->Keep(Program("two"));
  EXPECT_EQ(third, "two");
}

// As many as a server has slots for, all cancelled while they waited.
TEST(CompileCacheTest, ThoseThatDoNotWantItAreAskedOnceEach) {
  constexpr int kMany = 1000000;
  CompileCache cache(1000);
  std::optional<CompileClaim> first = cache.Get("k", Nobody());
  int asked = 0;
  for (int i = 0; i < kMany; ++i) {
    cache.Get("k", [&asked](const CompileClaim&) { return ++asked == 0; });
  }
  first.reset();
  EXPECT_EQ(asked, kMany);
  EXPECT_TRUE(cache.Get("k", Nobody()).has_value());
}

TEST(CompileCacheTest, AfterTheLastDropsItItIsNew) {
  CompileCache cache(1000);
  cache.Get("k", Nobody()).reset();
  EXPECT_TRUE(cache.Get("k", Nobody()).has_value());
}

// They do it at the same time then, and what one keeps is not another's.
TEST(CompileCacheTest, WhereNothingCanBeKeptEachCompilesForItself) {
  CompileCache cache(1000);
  std::optional<CompileClaim> first = cache.Get("k", Nobody());
  std::vector<CompileClaim> others;
  for (int i = 0; i < 3; ++i) {
    cache.Get("k", [&others](CompileClaim& claim) {
      others.push_back(std::move(claim));
      return true;
    });
  }
  first->GiveUp();
  ASSERT_EQ(others.size(), 3u);
  for (CompileClaim& claim : others) {
    EXPECT_EQ(claim.kept(), nullptr);
    claim.Keep(Program("x"));
  }
  others.clear();
  EXPECT_EQ(cache.Get("k", Nobody())->kept(), nullptr);
}

// --------------------------------------------------------------------- memory

TEST(CompileCacheTest, WhatWasAskedForLongestAgoGoesFirst) {
  const std::string program(300, 'x');
  CompileCache cache(1000);
  for (const char* key : {"a", "b", "c"}) {
    cache.Get(key, Nobody())->Keep(Program(program));
  }
  EXPECT_NE(cache.Get("a", Nobody())->kept(), nullptr);
  cache.Get("d", Nobody())->Keep(Program(program));
  EXPECT_EQ(cache.Get("b", Nobody())->kept(), nullptr);
  for (const char* key : {"a", "c", "d"}) {
    EXPECT_NE(cache.Get(key, Nobody())->kept(), nullptr) << key;
  }
  EXPECT_LE(cache.bytes(), 1000u);
}

TEST(CompileCacheTest, KeysAndOutputCount) {
  CompileCache cache(1000);
  cache.Get(std::string(600, 'k'), Nobody())->Keep(Program(""));
  EXPECT_GE(cache.bytes(), 600u);
  Compiled chatty = Program("");
  chatty.compilation.stderr_data = std::string(600, 'w');
  cache.Get("b", Nobody())->Keep(std::move(chatty));
  EXPECT_EQ(cache.Get(std::string(600, 'k'), Nobody())->kept(), nullptr);
}

TEST(CompileCacheTest, WhatIsLargerThanItIsNotKept) {
  CompileCache cache(1000);
  cache.Get("a", Nobody())->Keep(Program("x"));
  std::optional<CompileClaim> large = cache.Get("b", Nobody());
  large->Keep(Program(std::string(2000, 'x')));
  EXPECT_EQ(Kept(*large).size(), 2000u);
  EXPECT_EQ(cache.Get("b", Nobody())->kept(), nullptr);
  EXPECT_NE(cache.Get("a", Nobody())->kept(), nullptr);
}

}  // namespace
}  // namespace cordon::sandbox
