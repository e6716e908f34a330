#include "server/language_probe.h"

#include <functional>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/server/fake_sandbox.h"

namespace cordon::server {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

// A language whose tool is on every host that runs this test.
ValidatorConfig ConfigWith(const std::string& tool) {
  ValidatorConfig config;
  config.languages =
      *LanguageSet::Make({{{"test",
                            "name: \"test\" file_name: \"main\"\n"
                            "run { argv: \"" +
                                tool +
                                "\" }\n"
                                "version { argv: [\"" +
                                tool +
                                "\", \"--version\"] }\n"
                                "view { read: \"/etc/test\" }\n"}}});
  return config;
}

// Probes while `play` acts the version's part; the language afterwards.
Language Probe(const std::function<void(FakeRun&)>& play,
               absl::Status expected = absl::OkStatus()) {
  FakeSandbox sandbox;
  ValidatorConfig config = ConfigWith("/bin/sh");
  std::thread player([&] { play(*sandbox.AwaitRun()); });
  const absl::Status status = ProbeLanguages(sandbox, config);
  player.join();
  EXPECT_EQ(status, expected);
  return config.languages.all()[0];
}

TEST(LanguageProbeTest, TheFirstLineIsTheVersion) {
  const Language language = Probe([](FakeRun& run) {
    EXPECT_EQ(run.spec.program.argv[0], "/bin/sh");
    EXPECT_THAT(run.spec.view.read, Contains("/etc/test"));
    run.observer->OnOutput(sandbox::OutputStream::kStdout, "\nsh 1", 0);
    run.observer->OnOutput(sandbox::OutputStream::kStdout, ".2\nmore\n", 4);
    run.Finish(sandbox::Outcome());
  });
  EXPECT_EQ(language.version, "sh 1.2");
  EXPECT_EQ(language.unavailable_reason, "");
}

TEST(LanguageProbeTest, AVersionOnStandardErrorCounts) {
  const Language language = Probe([](FakeRun& run) {
    run.observer->OnOutput(sandbox::OutputStream::kStderr, "old 1\n", 0);
    run.Finish(sandbox::Outcome());
  });
  EXPECT_EQ(language.version, "old 1");
}

TEST(LanguageProbeTest, AMissingToolIsNamedAndNotRun) {
  FakeSandbox sandbox;
  ValidatorConfig config = ConfigWith("/usr/bin/no-such-tool");
  EXPECT_TRUE(ProbeLanguages(sandbox, config).ok());
  EXPECT_EQ(config.languages.all()[0].unavailable_reason,
            "/usr/bin/no-such-tool is not installed");
  EXPECT_EQ(sandbox.started(), 0);
}

TEST(LanguageProbeTest, AToolThatFailsIsUnavailable) {
  EXPECT_THAT(Probe([](FakeRun& run) {
                sandbox::Outcome outcome;
                outcome.exit_code = 7;
                run.Finish(outcome);
              }).unavailable_reason,
              HasSubstr("exited with 7"));
  EXPECT_THAT(Probe([](FakeRun& run) {
                sandbox::Outcome outcome;
                outcome.kind = sandbox::OutcomeKind::kWallTimeLimit;
                outcome.message = "too slow";
                run.Finish(outcome);
              }).unavailable_reason,
              HasSubstr("too slow"));
}

TEST(LanguageProbeTest, ASandboxThatCannotRunIsAnError) {
  const absl::Status failure = absl::InternalError("clone: EPERM");
  Probe([&](FakeRun& run) { run.Finish(failure); }, failure);
}

}  // namespace
}  // namespace cordon::server
