// Compile steps whose results are kept, and what a hostile source, a hostile
// program or a client that leaves makes of that.

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "sandbox/sandbox.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::CompileCacheUse;
using sandbox::ExecutionSpec;
using sandbox::FileMode;
using sandbox::OutcomeKind;
using sandbox::Run;

// `compile` is a script that makes `program`. Each test has a source of its
// own, so that none finds what another left.
ExecutionSpec Spec(const std::string& source, const std::string& compile) {
  ExecutionSpec spec = CommandSpec({"./program"});
  spec.files = {{"source", source, FileMode::kRegular}};
  spec.compile = CommandSpec({"/bin/bash", "-c", compile}).program;
  spec.compile->artefacts = {"program"};
  return spec;
}

constexpr const char* kCopy = "cp source program; chmod 755 program";

CompileCacheUse UseOf(const RecordingObserver& run) {
  const sandbox::Outcome outcome = run.outcome();
  if (outcome.compilation == nullptr) return CompileCacheUse::kNone;
  return outcome.compilation->outcome.usage.compile_cache;
}

TEST(CompileCache, TheSecondIsNotCompiledAndRunsTheSame) {
  const ExecutionSpec spec =
      Spec("#!/bin/bash\n# second\necho ran; exit 3\n",
           absl::StrCat("echo words >&2; date +%N; ", kCopy));
  const auto first = SharedSandbox().Run(spec);
  const auto second = SharedSandbox().Run(spec);
  EXPECT_EQ(UseOf(*first), CompileCacheUse::kMiss);
  EXPECT_EQ(UseOf(*second), CompileCacheUse::kHit);
  for (const auto& run : {first, second}) {
    EXPECT_EQ(run->stdout_data(), "ran\n") << run->outcome().message;
    EXPECT_EQ(run->outcome().exit_code, 3);
    EXPECT_EQ(run->outcome().compilation->stderr_data, "words\n");
  }
  // Its output is the first one's: a nanosecond does not come twice.
  EXPECT_EQ(first->outcome().compilation->stdout_data,
            second->outcome().compilation->stdout_data);
  EXPECT_EQ(second->outcome().compilation->outcome.usage.wall_time,
            absl::ZeroDuration());
}

TEST(CompileCache, AnotherSourceIsCompiled) {
  EXPECT_EQ(UseOf(*SharedSandbox().Run(Spec("#!/bin/true\n# one\n", kCopy))),
            CompileCacheUse::kMiss);
  EXPECT_EQ(UseOf(*SharedSandbox().Run(Spec("#!/bin/true\n# two\n", kCopy))),
            CompileCacheUse::kMiss);
  EXPECT_EQ(UseOf(*SharedSandbox().Run(Spec("#!/bin/true\n# one\n", kCopy))),
            CompileCacheUse::kHit);
}

TEST(CompileCache, InAFileSystemOfItsOwn) {
  ExecutionSpec spec = Spec("#!/bin/bash\n# own\npwd; ls\n", kCopy);
  spec.filesystem = sandbox::Filesystem::kVirtual;
  for (const CompileCacheUse use :
       {CompileCacheUse::kMiss, CompileCacheUse::kHit}) {
    const auto run = SharedSandbox().Run(spec);
    EXPECT_EQ(UseOf(*run), use);
    EXPECT_EQ(run->stdout_data(), "/box\nprogram\nsource\n")
        << run->outcome().message;
  }
}

// ------------------------------------------------------------------ poisoning

// What a program makes of its own file is its own.
TEST(CompileCacheAttack, AProgramThatChangesItself) {
  const ExecutionSpec spec = Spec(
      "#!/bin/bash\necho mine\n"
      "echo '#!/bin/bash' > other; echo 'echo poison' >> other\n"
      "chmod 755 other; mv -f other program\n"
      "./program\n",
      kCopy);
  for (int i = 0; i < 3; ++i) {
    const auto run = SharedSandbox().Run(spec);
    EXPECT_EQ(run->stdout_data(), "mine\npoison\n") << run->stderr_data();
    EXPECT_EQ(UseOf(*run),
              i == 0 ? CompileCacheUse::kMiss : CompileCacheUse::kHit);
  }
}

TEST(CompileCacheAttack, WhatIsNoRegularFileIsNotKept) {
  const ExecutionSpec spec =
      Spec("linked", "ln -s /etc/passwd program; mkfifo f; rm f");
  for (int i = 0; i < 2; ++i) {
    const auto run = SharedSandbox().Run(spec);
    EXPECT_EQ(run->outcome().kind, OutcomeKind::kStartFailed);
    EXPECT_EQ(UseOf(*run), CompileCacheUse::kMiss);
  }
}

// A program that needs what its compiler made beside it does not run without.
TEST(CompileCacheAttack, AStepThatMakesMoreIsNotKept) {
  for (const std::string more :
       {"echo data > data", "mkdir d; echo data > d/e; mv d/e data",
        "mkdir -p .hidden; echo data > data"}) {
    const ExecutionSpec spec =
        Spec(absl::StrCat("#!/bin/bash\n# ", more, "\ncat data\n"),
             absl::StrCat(more, "; ", kCopy));
    for (int i = 0; i < 2; ++i) {
      const auto run = SharedSandbox().Run(spec);
      EXPECT_EQ(run->stdout_data(), "data\n") << run->stderr_data();
      EXPECT_EQ(UseOf(*run), CompileCacheUse::kMiss);
    }
  }
}

// Each run is told what its compiler tried.
TEST(CompileCacheAttack, AStepWithABreachIsNotKept) {
  const ExecutionSpec spec = Spec("#!/bin/true\n# breach\n",
                                  absl::StrCat("echo > /etc/passwd; ", kCopy));
  for (int i = 0; i < 2; ++i) {
    const auto run = SharedSandbox().Run(spec);
    EXPECT_EQ(run->outcome().kind, OutcomeKind::kExited);
    EXPECT_EQ(run->outcome().compilation->outcome.violations.size(), 1u);
    EXPECT_EQ(UseOf(*run), CompileCacheUse::kMiss);
  }
}

TEST(CompileCacheAttack, AFailureIsNotKept) {
  const ExecutionSpec spec = Spec("fails", "echo no >&2; exit 1");
  for (int i = 0; i < 2; ++i) {
    const auto run = SharedSandbox().Run(spec);
    EXPECT_EQ(run->outcome().kind, OutcomeKind::kCompileFailed);
    EXPECT_EQ(UseOf(*run), CompileCacheUse::kMiss);
  }
}

// -------------------------------------------------------------------- waiting

// One whose compile step begins, and does not end by itself.
struct Started {
  std::shared_ptr<RecordingObserver> observer;
  std::shared_ptr<Run> run;
};

Started StartEndless() {
  ExecutionSpec spec = Spec("endless", "sleep 1000");
  spec.compile->limits.wall_time = absl::Minutes(10);
  auto observer = std::make_shared<RecordingObserver>();
  return {observer, SharedSandbox().sandbox().Start(std::move(spec), observer)};
}

void AwaitStart(const RecordingObserver& observer) {
  while (!observer.started()) absl::SleepFor(absl::Milliseconds(1));
}

TEST(CompileCache, OneThatWaitsForAnothersCompilerEndsAtOnceWhenItIsCancelled) {
  const Started first = StartEndless();
  AwaitStart(*first.observer);
  const Started second = StartEndless();
  second.run->Cancel();
  second.observer->WaitForEnd();
  EXPECT_TRUE(absl::IsCancelled(second.observer->result().status()));
  EXPECT_FALSE(second.observer->started());
  EXPECT_TRUE(absl::IsUnknown(first.observer->result().status()));
  first.run->Cancel();
  first.observer->WaitForEnd();
  EXPECT_TRUE(absl::IsCancelled(first.observer->result().status()));
}

TEST(CompileCache, WhenTheFirstIsCancelledTheNextCompiles) {
  const Started first = StartEndless();
  AwaitStart(*first.observer);
  const Started second = StartEndless();
  const Started third = StartEndless();
  first.run->Cancel();
  first.observer->WaitForEnd();
  while (!second.observer->started() && !third.observer->started()) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_NE(second.observer->started(), third.observer->started());
  for (const Started& started : {second, third}) {
    started.run->Cancel();
    started.observer->WaitForEnd();
    EXPECT_TRUE(absl::IsCancelled(started.observer->result().status()));
  }
}

TEST(CompileCache, ManyAtOnceAreCompiledOnce) {
  const ExecutionSpec spec = Spec("#!/bin/bash\n# many\necho ran\n",
                                  absl::StrCat("sleep .3; ", kCopy));
  std::vector<Started> all;
  for (int i = 0; i < 20; ++i) {
    auto observer = std::make_shared<RecordingObserver>();
    all.push_back({observer, SharedSandbox().sandbox().Start(spec, observer)});
  }
  int misses = 0;
  for (const Started& started : all) {
    started.observer->WaitForEnd();
    EXPECT_EQ(started.observer->stdout_data(), "ran\n");
    misses += UseOf(*started.observer) == CompileCacheUse::kMiss ? 1 : 0;
  }
  EXPECT_EQ(misses, 1);
}

}  // namespace
}  // namespace cordon::testing
