#include "client/command_line.h"

#include <stdlib.h>

#include <string>
#include <vector>

#include "client/exit_codes.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cordon::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

RunFlags ParseRun(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "run");
  CommandLine command_line = ParseCommandLine(arguments);
  const UsageError* const error = std::get_if<UsageError>(&command_line);
  EXPECT_EQ(error, nullptr) << error->message;
  return error == nullptr ? std::get<RunFlags>(command_line) : RunFlags();
}

std::string ErrorOf(const std::vector<std::string>& arguments) {
  CommandLine command_line = ParseCommandLine(arguments);
  const UsageError* const error = std::get_if<UsageError>(&command_line);
  return error == nullptr ? "" : error->message;
}

std::string HelpOf(const std::vector<std::string>& arguments) {
  CommandLine command_line = ParseCommandLine(arguments);
  const HelpText* const help = std::get_if<HelpText>(&command_line);
  return help == nullptr ? "" : help->text;
}

TEST(CommandLineTest, AFileAloneIsEnough) {
  unsetenv("CORDON_SERVER");
  const RunFlags flags = ParseRun({"hello.py"});
  EXPECT_EQ(flags.file, "hello.py");
  EXPECT_EQ(flags.server, "localhost:50051");
  EXPECT_EQ(flags.program, ProgramKind::kSource);
  EXPECT_EQ(flags.output_directory, ".");
  EXPECT_EQ(flags.format, OutputFormat::kText);
  EXPECT_THAT(flags.arguments, IsEmpty());
}

TEST(CommandLineTest, WhatStandsAfterTheDashesBelongsToTheProgram) {
  const RunFlags flags =
      ParseRun({"--cpu=2s", "a.cc", "--", "arg1", "--cpu=9s", "--", "-x"});
  EXPECT_EQ(flags.file, "a.cc");
  EXPECT_EQ(flags.cpu, "2s");
  EXPECT_THAT(flags.arguments, ElementsAre("arg1", "--cpu=9s", "--", "-x"));
}

TEST(CommandLineTest, ProgramArgumentsAreNotTakenForTheFile) {
  const RunFlags flags = ParseRun({"--language=python", "--", "one", "two"});
  EXPECT_EQ(flags.file, "");
  EXPECT_THAT(flags.arguments, ElementsAre("one", "two"));
}

TEST(CommandLineTest, ADashIsStandardInput) {
  EXPECT_EQ(ParseRun({"--language=c", "-"}).file, "-");
  EXPECT_EQ(ParseRun({"--stdin=-", "a.py"}).stdin_file, "-");
}

TEST(CommandLineTest, ARepeatedFlagDoesNotSwallowTheFile) {
  const RunFlags flags =
      ParseRun({"--file", "a", "--file=b=c", "--output", "*.png", "--env",
                "A=1", "--env=B=2", "main.py"});
  EXPECT_EQ(flags.file, "main.py");
  EXPECT_THAT(flags.files, ElementsAre("a", "b=c"));
  EXPECT_THAT(flags.outputs, ElementsAre("*.png"));
  EXPECT_THAT(flags.environment, ElementsAre("A=1", "B=2"));
}

TEST(CommandLineTest, EveryFlagHasItsPlace) {
  const RunFlags flags = ParseRun({"--server=h:1",
                                   "--language=c",
                                   "--stdin=in",
                                   "--output-dir=out",
                                   "--cwd=sub",
                                   "--cpu=1s",
                                   "--wall=2s",
                                   "--memory=3M",
                                   "--output-limit=4M",
                                   "--file-size=5M",
                                   "--disk=6M",
                                   "--open-files=7",
                                   "--processes=8",
                                   "--output-mode=head",
                                   "--network=full",
                                   "--allow-host=a:1",
                                   "--on-violation=syscall=deny",
                                   "--audit=all",
                                   "--filesystem=virtual",
                                   "--request-id=r",
                                   "--label=l",
                                   "--timeout=9s",
                                   "--json",
                                   "--quiet"});
  EXPECT_EQ(flags.server, "h:1");
  EXPECT_EQ(flags.language, "c");
  EXPECT_EQ(flags.stdin_file, "in");
  EXPECT_EQ(flags.output_directory, "out");
  EXPECT_EQ(flags.working_directory, "sub");
  EXPECT_EQ(flags.cpu, "1s");
  EXPECT_EQ(flags.wall, "2s");
  EXPECT_EQ(flags.memory, "3M");
  EXPECT_EQ(flags.output_limit, "4M");
  EXPECT_EQ(flags.file_size, "5M");
  EXPECT_EQ(flags.disk, "6M");
  EXPECT_EQ(flags.open_files, "7");
  EXPECT_EQ(flags.processes, "8");
  EXPECT_EQ(flags.output_mode, "head");
  EXPECT_EQ(flags.network, "full");
  EXPECT_THAT(flags.allowed_hosts, ElementsAre("a:1"));
  EXPECT_THAT(flags.on_violation, ElementsAre("syscall=deny"));
  EXPECT_EQ(flags.audit, "all");
  EXPECT_EQ(flags.filesystem, "virtual");
  EXPECT_EQ(flags.request_id, "r");
  EXPECT_EQ(flags.label, "l");
  EXPECT_EQ(flags.timeout, "9s");
  EXPECT_EQ(flags.format, OutputFormat::kJson);
  EXPECT_EQ(flags.verbosity, Verbosity::kQuiet);
}

TEST(CommandLineTest, ACommandTakesItsArgumentsAndNoFile) {
  const RunFlags flags = ParseRun({"--command", "--", "/bin/echo", "hi"});
  EXPECT_EQ(flags.program, ProgramKind::kCommand);
  EXPECT_THAT(flags.arguments, ElementsAre("/bin/echo", "hi"));
  EXPECT_THAT(ErrorOf({"run", "--command", "a.py"}), HasSubstr("no FILE"));
  EXPECT_THAT(ErrorOf({"run", "--command", "--language=c", "--", "x"}),
              HasSubstr("no --language"));
}

TEST(CommandLineTest, TheEnvironmentNamesTheServerAndTheFlagWins) {
  setenv("CORDON_SERVER", "from-env:1", 1);
  EXPECT_EQ(ParseRun({"a.py"}).server, "from-env:1");
  EXPECT_EQ(ParseRun({"--server=from-flag:2", "a.py"}).server, "from-flag:2");
  const CommandLine info = ParseCommandLine({"info"});
  EXPECT_EQ(std::get<InfoFlags>(info).server, "from-env:1");
  unsetenv("CORDON_SERVER");
}

TEST(CommandLineTest, MistakesAreNamed) {
  EXPECT_THAT(ErrorOf({}), HasSubstr("cordon --help"));
  EXPECT_THAT(ErrorOf({"walk"}), HasSubstr("walk"));
  EXPECT_THAT(ErrorOf({"run", "--cpus=1", "a.py"}), HasSubstr("--cpus"));
  EXPECT_THAT(ErrorOf({"run", "a.py", "extra"}), HasSubstr("stand after --"));
  EXPECT_THAT(ErrorOf({"run", "--cpu"}), HasSubstr("--cpu"));
}

TEST(CommandLineTest, HelpIsCompleteHoweverItIsAskedFor) {
  const std::string help = HelpOf({"run", "--help"});
  for (const char* part :
       {"Usage: cordon run", "Examples:", "Exit codes:", "--memory", "--json",
        "--on-violation", "[DEST=]PATH", "localhost:50051", "CORDON_SERVER"}) {
    EXPECT_THAT(help, HasSubstr(part));
  }
  EXPECT_THAT(help, HasSubstr(ExitCodeTable()));
  EXPECT_EQ(HelpOf({"help", "run"}), help);
  EXPECT_THAT(HelpOf({"--help"}), HasSubstr("cordon info"));
  EXPECT_EQ(HelpOf({"help"}), HelpOf({"--help"}));
  EXPECT_EQ(HelpOf({"help", "info"}), HelpOf({"info", "--help"}));
  EXPECT_THAT(HelpOf({"--version"}), HasSubstr("cordon "));
}

}  // namespace
}  // namespace cordon::client
