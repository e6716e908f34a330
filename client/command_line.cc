#include "client/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/exit_codes.h"
#include "client/version.h"

namespace cordon::client {
namespace {

constexpr char kServerVariable[] = "CORDON_SERVER";
// Fits "--output-mode terminate|head|tail" and leaves room for a sentence.
constexpr size_t kHelpColumn = 36;

constexpr char kTopUsage[] = "Usage: cordon COMMAND [FLAGS]\n";
constexpr char kRunUsage[] =
    "Usage: cordon run [FLAGS] [FILE|-] [-- ARGS...]\n"
    "       cordon run --command [FLAGS] -- PROGRAM [ARGS...]\n";
constexpr char kInfoUsage[] = "Usage: cordon info [FLAGS]\n";

constexpr char kRunDescription[] =
    "Runs a program on the server, restricted, and streams its output.";

constexpr char kRunNotes[] =
    "\nFILE is source text; without it, or as -, it is read from standard "
    "input.\nThe program reads nothing on its standard input unless --stdin is "
    "given;\n--stdin=- forwards this command's own. What stands after -- are "
    "the program's\narguments. SIZE is bytes, or a number with K, M, G or T "
    "(powers of 1024); TIME\nis seconds, or a number with ms, s, m or h. A "
    "limit "
    "that is not given is the\nlanguage's or the server's default: see cordon "
    "info.\n";

constexpr char kRunExamples[] =
    "\nExamples:\n"
    "  cordon run hello.py\n"
    "  cordon run --cpu=2s --memory=256M --stdin=in.txt sort.cc -- --reverse\n"
    "  echo 'print(6 * 7)' | cordon run --language=python\n"
    "  cordon run --file=data.csv --output='*.png' plot.py\n"
    "  cordon run --command -- /bin/ls -l\n"
    "  cordon run --json hello.py | jq .result.usage\n";

constexpr char kTopExamples[] =
    "\nExamples:\n"
    "  cordon run hello.py              run a file, its output as it comes\n"
    "  cordon run --cpu=2s a.cc -- 10   with a limit and an argument\n"
    "  cordon info                      languages, limits, what is enforced\n"
    "  cordon help run                  everything about run\n";

std::string ExitCodeNotes() {
  return absl::StrCat("\nExit codes:\n", ExitCodeTable());
}

// The parser's own usage line knows nothing of "--", and its help has two empty
// lines where one is enough.
class HelpFormatter final : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) {}

  std::string make_usage(const CLI::App*, std::string) const override {
    return absl::StrCat("\n", usage_);
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text = CLI::Formatter::make_option_opts(option);
    absl::StrReplaceAll({{" ...", ""}}, &text);
    return text;
  }
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    std::string text = CLI::Formatter::make_help(app, std::move(name), mode);
    absl::StrReplaceAll({{"\n\n\n", "\n\n"}}, &text);
    return text;
  }

 private:
  const std::string usage_;
};

std::shared_ptr<CLI::FormatterBase> FormatterWith(std::string usage) {
  auto formatter = std::make_shared<HelpFormatter>(std::move(usage));
  formatter->column_width(kHelpColumn);
  return formatter;
}

CLI::Option* AddText(CLI::App& app, std::string name, std::string& value,
                     std::string description, std::string type,
                     std::string group) {
  return app.add_option(std::move(name), value, std::move(description))
      ->type_name(std::move(type))
      ->group(std::move(group));
}

CLI::Option* AddList(CLI::App& app, std::string name,
                     std::vector<std::string>& values, std::string description,
                     std::string type, std::string group) {
  // Without the second line a list would take the FILE that follows it.
  return app.add_option(std::move(name), values, std::move(description))
      ->allow_extra_args(false)
      ->type_name(std::move(type))
      ->group(std::move(group));
}

void AddServer(CLI::App& app, std::string& server) {
  app.add_option("--server", server,
                 absl::StrCat("Where the server listens; ", kDefaultServer,
                              " when neither is given"))
      ->type_name("HOST:PORT")
      ->envname(kServerVariable);
}

void AddProgramFlags(CLI::App& app, RunFlags& flags) {
  const char group[] = "Program";
  AddText(app, "FILE", flags.file, "Source text", "", "Positionals");
  AddText(app, "--language", flags.language,
          "Language of FILE; by its extension when absent", "NAME", group);
  app.add_flag_callback(
         "--command", [&flags] { flags.program = ProgramKind::kCommand; },
         "Run a program of the server's host: -- PROGRAM ARGS...")
      ->group(group);
  AddText(app, "--stdin", flags.stdin_file, "What the program reads", "FILE|-",
          group);
  AddList(app, "--env", flags.environment, "Environment variable (repeatable)",
          "NAME=VALUE", group);
  AddText(app, "--cwd", flags.working_directory,
          "Directory to start in, inside the run's own", "DIR", group);
}

void AddFileFlags(CLI::App& app, RunFlags& flags) {
  const char group[] = "Files";
  AddList(app, "--file", flags.files,
          "File to give to the run (repeatable); it stays executable",
          "[DEST=]PATH", group);
  AddList(app, "--output", flags.outputs,
          "File to bring back: a path or a pattern (repeatable)", "PATH|GLOB",
          group);
  AddText(app, "--output-dir", flags.output_directory,
          "Where such files are written, \".\" by default; links in it are not "
          "followed",
          "DIR", group);
}

void AddLimitFlags(CLI::App& app, RunFlags& flags) {
  const char group[] = "Limits";
  AddText(app, "--cpu", flags.cpu, "CPU time", "TIME", group);
  AddText(app, "--wall", flags.wall, "Time since the start", "TIME", group);
  AddText(app, "--memory", flags.memory, "Memory", "SIZE", group);
  AddText(app, "--output-limit", flags.output_limit,
          "Each of standard output and error", "SIZE", group);
  AddText(app, "--output-mode", flags.output_mode,
          "At the output limit: end the run, or keep the first or last bytes",
          "terminate|head|tail", group);
  AddText(app, "--file-size", flags.file_size, "Any one file", "SIZE", group);
  AddText(app, "--disk", flags.disk, "The run's whole directory", "SIZE",
          group);
  AddText(app, "--open-files", flags.open_files, "Descriptors of each process",
          "N", group);
  AddText(app, "--processes", flags.processes,
          "Processes and threads alive at once", "N", group);
  AddText(app, "--timeout", flags.timeout,
          "Cancel the call after this, queueing included", "TIME", group);
}

void AddPolicyFlags(CLI::App& app, RunFlags& flags) {
  const char group[] = "Policy";
  AddText(app, "--network", flags.network, "What the run may reach",
          "none|loopback|allow-list|full", group);
  AddList(app, "--allow-host", flags.allowed_hosts,
          "With --network=allow-list (repeatable)", "HOST:PORT|CIDR:PORT",
          group);
  AddList(app, "--on-violation", flags.on_violation,
          "What a breach does (repeatable). KIND: syscall, filesystem, network "
          "or process; ACTION: terminate or deny",
          "KIND=ACTION", group);
  AddText(app, "--audit", flags.audit, "What is recorded besides breaches",
          "writes|all", group);
  AddText(app, "--filesystem", flags.filesystem,
          "Whether /tmp, /dev/shm and /proc/self are the run's own",
          "host|virtual", group);
  AddText(
      app, "--start", flags.start,
      "Whether an interpreter may be a fork of one that has started already",
      "auto|cold", group);
}

void AddReportFlags(CLI::App& app, RunFlags& flags) {
  const char group[] = "Report";
  AddText(app, "--request-id", flags.request_id, "Name of this run in the logs",
          "TEXT", group);
  AddText(app, "--label", flags.label, "Free text for the logs", "TEXT", group);
  app.add_flag_callback(
         "--json", [&flags] { flags.format = OutputFormat::kJson; },
         "Print every event as one line of JSON (bytes are base64)")
      ->group(group);
  app.add_flag_callback(
         "--quiet", [&flags] { flags.verbosity = Verbosity::kQuiet; },
         "Say nothing about how the run ended; the exit code does")
      ->group(group);
}

// The parser, with the values that it fills.
class Parser {
 public:
  Parser();
  CommandLine Parse(std::vector<std::string> arguments);

 private:
  CommandLine Result();
  HelpText HelpOf(const std::string& command);

  RunFlags run_flags_;
  InfoFlags info_flags_;
  CLI::App app_{"Runs untrusted programs on a cordon server.", "cordon"};
  CLI::App* run_ = nullptr;
  CLI::App* info_ = nullptr;
};

Parser::Parser() {
  app_.formatter(FormatterWith(kTopUsage));
  app_.require_subcommand(1);
  app_.set_version_flag("--version", absl::StrCat("cordon ", kVersion),
                        "Print the version");
  app_.set_help_flag("--help", "Print this");
  app_.footer(absl::StrCat(kTopExamples, ExitCodeNotes()));

  run_ = app_.add_subcommand("run", kRunDescription);
  run_->formatter(FormatterWith(kRunUsage));
  run_->footer(absl::StrCat(kRunNotes, kRunExamples, ExitCodeNotes()));
  AddServer(*run_, run_flags_.server);
  AddProgramFlags(*run_, run_flags_);
  AddFileFlags(*run_, run_flags_);
  AddLimitFlags(*run_, run_flags_);
  AddPolicyFlags(*run_, run_flags_);
  AddReportFlags(*run_, run_flags_);

  info_ = app_.add_subcommand(
      "info", "Says what the server can run and what it enforces.");
  info_->formatter(FormatterWith(kInfoUsage));
  info_->footer(ExitCodeNotes());
  AddServer(*info_, info_flags_.server);
  info_->add_flag_callback(
      "--json", [this] { info_flags_.format = OutputFormat::kJson; },
      "Print one JSON document");
}

HelpText Parser::HelpOf(const std::string& command) {
  if (command == "run") return {run_->help()};
  if (command == "info") return {info_->help()};
  return {app_.help()};
}

CommandLine Parser::Result() {
  if (info_->parsed()) return info_flags_;
  if (run_flags_.program == ProgramKind::kCommand &&
      (!run_flags_.file.empty() || !run_flags_.language.empty())) {
    return UsageError{
        "--command takes no FILE and no --language: the program and its "
        "arguments stand after --"};
  }
  return run_flags_;
}

CommandLine Parser::Parse(std::vector<std::string> arguments) {
  if (!arguments.empty() && arguments[0] == "help") {
    // "help run" is "run --help".
    std::rotate(arguments.begin(), arguments.begin() + 1, arguments.end());
    arguments.back() = "--help";
  }
  if (arguments.empty()) {
    return UsageError{"there is no command; see cordon --help"};
  }
  if (!absl::StartsWith(arguments[0], "-") &&
      arguments[0] != run_->get_name() && arguments[0] != info_->get_name()) {
    return UsageError{absl::StrCat("there is no command ", arguments[0],
                                   "; see cordon --help")};
  }
  // Split here, so that the program's arguments are never taken for FILE.
  const auto separator = std::find(arguments.begin(), arguments.end(), "--");
  if (separator != arguments.end()) {
    run_flags_.arguments.assign(separator + 1, arguments.end());
    arguments.erase(separator, arguments.end());
  }
  const auto topic = [this] {
    return run_->parsed() ? "run" : info_->parsed() ? "info" : "";
  };
  std::reverse(arguments.begin(), arguments.end());  // As the parser wants it.
  try {
    app_.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    return HelpOf(topic());
  } catch (const CLI::CallForVersion& version) {
    return HelpText{absl::StrCat(version.what(), "\n")};
  } catch (const CLI::ExtrasError& error) {
    return UsageError{absl::StrCat(
        error.what(), "; the program's own arguments stand after --")};
  } catch (const CLI::ParseError& error) {
    const std::string command = topic();
    return UsageError{absl::StrCat(error.what(), "; see cordon ",
                                   command.empty() ? "" : command + " ",
                                   "--help")};
  }
  return Result();
}

}  // namespace

CommandLine ParseCommandLine(const std::vector<std::string>& arguments) {
  return Parser().Parse(arguments);
}

}  // namespace cordon::client
