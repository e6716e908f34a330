// Children that restricted themselves ahead of their run: what happens to them
// is never a run's matter.

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process_view.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

using sandbox::OutcomeKind;

class ArmedChild : public ::testing::Test {
 protected:
  // The first run of a view makes the stock for it.
  void SetUp() override {
    ASSERT_EQ(fixture_->Run(BashSpec("exit 4"))->outcome().exit_code, 4);
    ASSERT_TRUE(Eventually([] { return !ArmedChildrenOf(getpid()).empty(); }));
  }
  // Zombies count.
  void TearDown() override {
    EXPECT_TRUE(Eventually([] { return ChildrenOf(getpid()).empty(); }));
  }

  std::unique_ptr<SandboxFixture> fixture_ = std::make_unique<SandboxFixture>();
};

TEST_F(ArmedChild, OneThatWasKilledIsReplaced) {
  for (const pid_t child : ArmedChildrenOf(getpid())) kill(child, SIGKILL);
  for (int i = 0; i < 20; ++i) {
    const auto run = fixture_->Run(BashSpec("echo here; exit 3"));
    ASSERT_EQ(run->outcome().kind, OutcomeKind::kExited);
    EXPECT_EQ(run->outcome().exit_code, 3);
    EXPECT_EQ(run->stdout_data(), "here\n");
  }
  fixture_.reset();
}

// As a program does not that is slow to load.
TEST_F(ArmedChild, OneThatDoesNotStartKeepsOneCallerOnly) {
  ASSERT_TRUE(Eventually([] { return ArmedChildrenOf(getpid()).size() >= 4; }));
  const std::vector<pid_t> armed = ArmedChildrenOf(getpid());
  for (const pid_t child : armed) kill(child, SIGSTOP);
  std::vector<std::shared_ptr<RecordingObserver>> observers;
  std::vector<std::thread> callers;
  std::atomic<int> returned = 0;
  for (int i = 0; i < 3; ++i) {
    observers.push_back(std::make_shared<RecordingObserver>());
    callers.emplace_back([&, observer = observers.back()] {
      fixture_->sandbox().Start(BashSpec("exit 3"), observer,
                                sandbox::StartOn::kCallersThread);
      ++returned;
    });
  }
  EXPECT_TRUE(Eventually([&] { return returned == 2; }));
  EXPECT_FALSE(observers[0]->started() || observers[1]->started() ||
               observers[2]->started());
  for (const pid_t child : armed) kill(child, SIGCONT);
  for (std::thread& caller : callers) caller.join();
  for (const auto& observer : observers) {
    observer->WaitForEnd();
    EXPECT_EQ(observer->outcome().exit_code, 3);
  }
}

// As with taskset(1).
TEST(ArmedChildOfANarrowedServer, StaysOnTheServersProcessor) {
  cpu_set_t all, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  CPU_ZERO(&one);
  for (int i = 0; CPU_COUNT(&one) == 0; ++i) {
    if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  {
    SandboxFixture fixture;
    for (int i = 0; i < 16; ++i) {
      EXPECT_EQ(fixture.Run(CommandSpec({"nproc"}))->stdout_data(), "1\n");
    }
  }
  EXPECT_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
}

// It dies with the thread that arms it, which a caller's may do any time.
TEST_F(ArmedChild, NoneIsACallersChild) {
  for (int i = 0; i < 40; ++i) {
    // Without one in stock, every other time.
    if (i % 2 == 0) {
      for (const pid_t child : ArmedChildrenOf(getpid())) kill(child, SIGKILL);
    }
    const auto observer = std::make_shared<RecordingObserver>();
    std::thread([&] {
      fixture_->sandbox().Start(BashSpec("sleep 0.05; exit 3"), observer,
                                sandbox::StartOn::kCallersThread);
    }).join();
    observer->WaitForEnd();
    ASSERT_EQ(observer->outcome().kind, OutcomeKind::kExited);
    EXPECT_EQ(observer->outcome().exit_code, 3);
  }
  fixture_.reset();
}

TEST_F(ArmedChild, ARunThatStartsElsewhereDoesNotGetOne) {
  sandbox::ExecutionSpec spec = BashSpec("basename \"$PWD\"");
  spec.program.working_directory = "beneath/here";
  const auto run = fixture_->Run(std::move(spec));
  EXPECT_EQ(run->stdout_data(), "here\n");
  EXPECT_TRUE(Eventually([] { return ChildrenOf(getpid()).empty(); }));
}

// Its filter's listener was in the server's table already.
TEST_F(ArmedChild, OneThatIsNotNeededLeavesNoDescriptor) {
  sandbox::ExecutionSpec spec = BashSpec("exit 3");
  spec.program.working_directory = "elsewhere";
  const auto run_often = [&] {
    for (int i = 0; i < 40; ++i) {
      ASSERT_EQ(fixture_->Run(spec)->outcome().exit_code, 3);
    }
  };
  run_often();
  // Directories that are being made ready come and go.
  constexpr int kInStock = 20;
  const int before = DescriptorsOf(getpid());
  run_often();
  EXPECT_TRUE(
      Eventually([&] { return DescriptorsOf(getpid()) <= before + kInStock; }));
}

TEST_F(ArmedChild, ARunCannotSignalOne) {
  const std::vector<pid_t> armed = ArmedChildrenOf(getpid());
  std::string script = "sleep 100 & kill -9 $! && echo its own;";
  for (const pid_t child : armed) {
    absl::StrAppend(&script, "kill -9 ", child, " && echo another;");
  }
  const auto run = fixture_->Run(BashSpec(script));
  EXPECT_EQ(run->stdout_data(), "its own\n");
}

// It has the server's memory still.
TEST_F(ArmedChild, ARunReadsNothingOfOne) {
  std::string script = "echo x > own; dd bs=1 count=1 status=none if=own;";
  for (const pid_t child : ArmedChildrenOf(getpid())) {
    for (const char* file : {"mem", "environ", "maps", "fd", "cwd/.", "root"}) {
      // Not of the one that became this program.
      absl::StrAppend(&script, "[ $$ = ", child, " ] || { ",
                      "dd bs=1 count=1 status=none if=/proc/", child, "/", file,
                      " && echo read; ls /proc/", child, "/", file,
                      "/ && echo listed; };");
    }
  }
  const auto run = fixture_->Run(BashSpec(script));
  EXPECT_EQ(run->stdout_data(), "x");
}

TEST_F(ArmedChild, NoneOutlivesItsSandbox) {
  fixture_.reset();
  EXPECT_THAT(ArmedChildrenOf(getpid()), ::testing::IsEmpty());
}

}  // namespace
}  // namespace cordon::testing
