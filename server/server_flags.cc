#include "server/server_flags.h"

#include <algorithm>
#include <iostream>
#include <limits>
#include <map>
#include <thread>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/version.h"

namespace cordon::server {
namespace {

constexpr char kDescription[] =
    "cordond runs untrusted programs for gRPC clients (cordon.v1.CodeExecution)"
    ", restricted\nby Landlock and seccomp. It needs no root and no added "
    "capability.";

constexpr char kFooter[] =
    "Times: 500ms, 10s, 1m30s. Sizes: bytes, or with K, M, G (of 1024).\n\n"
    "When it serves it prints one line on standard output:\n"
    "  cordond listening on HOST:PORT\n"
    "SIGTERM and SIGINT drain: new requests are refused, runs may finish "
    "within "
    "--grace.\nA second signal ends them at once.\n\n"
    "Exit codes:\n"
    "  0  stopped by a signal, or healthy (--probe)\n"
    "  1  cannot serve (address, state directory), or not healthy (--probe)\n"
    "  2  a flag or a language file is wrong\n"
    "  3  the host lacks what the sandbox needs; the message names it";

// The kernel's own word for no limit stays out of reach.
constexpr uint64_t kMaxBytes = uint64_t{1} << 50;

bool ParseBytes(const std::string& text, uint64_t& bytes) {
  static const auto& units =
      *new std::map<char, int>{{'K', 10}, {'M', 20}, {'G', 30}};
  std::string number = text;
  int shift = 0;
  if (!number.empty()) {
    const auto unit = units.find(absl::ascii_toupper(number.back()));
    if (unit != units.end()) {
      shift = unit->second;
      number.pop_back();
    }
  }
  uint64_t value = 0;
  if (!absl::SimpleAtoi(number, &value)) return false;
  if (value > kMaxBytes >> shift) return false;
  bytes = value << shift;
  return true;
}

std::string BytesText(uint64_t bytes) {
  if (bytes % (1 << 20) == 0) return absl::StrCat(bytes >> 20, "M");
  return absl::StrCat(bytes);
}

// Adds options of the kinds that CLI11 does not have.
class Options {
 public:
  explicit Options(CLI::App& app) : app_(app) {}

  void Group(std::string name) { group_ = std::move(name); }

  void Time(const std::string& name, absl::Duration& value,
            const std::string& description) {
    Text(name, absl::FormatDuration(value), "TIME", description,
         [&value, name](const std::string& text) {
           absl::Duration parsed;
           if (!absl::ParseDuration(text, &parsed) ||
               parsed <= absl::ZeroDuration() ||
               parsed == absl::InfiniteDuration()) {
             throw CLI::ValidationError(
                 name, absl::StrCat("\"", text, "\" is no time like 10s"));
           }
           value = parsed;
         });
  }

  void Bytes(const std::string& name, uint64_t& value,
             const std::string& description, uint64_t least = 1) {
    Text(name, BytesText(value), "BYTES", description,
         [&value, name, least](const std::string& text) {
           uint64_t parsed = 0;
           if (!ParseBytes(text, parsed) || parsed < least) {
             throw CLI::ValidationError(
                 name, absl::StrCat("\"", text, "\" is no size like 512M"));
           }
           value = parsed;
         });
  }

  template <typename T>
  void Number(const std::string& name, T& value, T least, T most,
              const std::string& description) {
    app_.add_option(name, value, description)
        ->check(CLI::Range(least, most))
        ->type_name("N")
        ->capture_default_str()
        ->group(group_);
  }

  template <typename Parse>
  void Text(const std::string& name, const std::string& default_text,
            const std::string& type, const std::string& description,
            Parse parse) {
    app_.add_option_function<std::string>(name, parse, description)
        ->type_name(type)
        ->default_str(default_text)
        ->group(group_);
  }

 private:
  CLI::App& app_;
  std::string group_;
};

void AddServing(Options& options, CLI::App& app, ServerFlags& flags) {
  options.Group("Serving");
  options.Text("--listen", "127.0.0.1:50051", "HOST:PORT",
               "Address to listen on; port 0 picks a free one. There is no "
               "authentication: think before leaving loopback",
               [&flags](const std::string& text) {
                 auto address = ParseListenAddress(text);
                 if (!address.ok()) {
                   throw CLI::ValidationError(
                       "--listen", std::string(address.status().message()));
                 }
                 flags.listen = *address;
               });
  options.Number("--slots", flags.slots, 1, 100000,
                 "Runs that can be live at once");
  options.Number<size_t>("--queue", flags.queue, 0, 1000000,
                         "Requests that can wait for a slot");
  options.Bytes("--queue_bytes", flags.queue_bytes,
                "What waiting requests may hold in memory together");
  options.Bytes("--max_request_bytes", flags.max_request_bytes,
                "Largest message that is accepted");
  options.Time("--grace", flags.grace,
               "Time that runs have to finish after SIGTERM");
  options.Time("--delivery_timeout", flags.delivery_timeout,
               "Time that a client has to take a result");
  app.add_option("--log_level", flags.log_level,
                 "What goes to standard error; refused requests are debug")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}))
      ->capture_default_str()
      ->group("Serving");
  app.add_option("--probe", flags.probe,
                 "Ask the server at HOST:PORT for its health, and exit with 0 "
                 "or 1: a health check for containers")
      ->type_name("HOST:PORT")
      ->group("Serving");
  app.add_flag("--check", flags.check,
               "Say what this host gives to runs and what to change, and exit "
               "with 0 if the server would start, or with 3")
      ->group("Serving");
}

void AddSandbox(Options& options, CLI::App& app, ServerFlags& flags) {
  options.Group("Sandbox");
  app.add_option("--state_dir", flags.state_dir,
                 "Directory for the runs' directories, of this server alone; "
                 "created if missing. Default: a new one beneath $TMPDIR or "
                 "/tmp")
      ->type_name("DIR")
      ->group("Sandbox");
  app.add_option(
         "--languages_dir", flags.languages_dirs,
         "Directory of *.textproto files that add languages, or replace "
         "those of the same name; may be repeated")
      ->type_name("DIR")
      ->delimiter(',')
      ->group("Sandbox");
  app.add_flag("--allow_degraded", flags.sandbox.allow_degraded,
               "Serve although the host lacks a feature; the log names what is "
               "given up, and every result says what was enforced")
      ->group("Sandbox");
  using sandbox::NetworkAccess;
  app.add_option(
         "--max_network", flags.max_network,
         "The most that a request may ask for (policy.network). Above none, "
         "the server's own restriction lets it bind and connect")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, NetworkAccess>{
              {"none", NetworkAccess::kNone},
              {"loopback", NetworkAccess::kLoopback},
              {"allow-list", NetworkAccess::kAllowList},
              {"full", NetworkAccess::kFull}},
          CLI::ignore_case))
      ->type_name("none|loopback|allow-list|full")
      ->option_text("none|loopback|allow-list|full")
      ->group("Sandbox");
  app.add_option("--warm", flags.warm,
                 "auto: runs of languages that say so are forks of an "
                 "interpreter that has started already; never: each starts its "
                 "own")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, WarmStarts>{
              {"auto", WarmStarts::kWhereConfigured},
              {"never", WarmStarts::kNever}},
          CLI::ignore_case))
      ->type_name("auto|never")
      ->option_text("auto|never")
      ->group("Sandbox");
  app.add_option("--precompiled_headers", flags.precompiled_headers,
                 "auto: a header that a language says takes long is compiled "
                 "once, when the first source includes it, and kept in the "
                 "state directory (C++: 118 MiB); never: each time")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, HeaderCompilation>{
              {"auto", HeaderCompilation::kWhereConfigured},
              {"never", HeaderCompilation::kNever}},
          CLI::ignore_case))
      ->type_name("auto|never")
      ->option_text("auto|never")
      ->group("Sandbox");
  app.add_option("--cgroups", flags.cgroups,
                 "auto: runs get control groups where the server may make "
                 "some; never: they do not. Limits are the same either way")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, CgroupUse>{{"auto", CgroupUse::kWhereWritable},
                                           {"never", CgroupUse::kNever}},
          CLI::ignore_case))
      ->type_name("auto|never")
      ->option_text("auto|never")
      ->group("Sandbox");
  options.Number("--launcher_threads", flags.sandbox.launcher_threads, 0, 1024,
                 "Threads that start programs; 0: one a processor, at least 2");
  options.Number("--supervisor_threads", flags.sandbox.supervisor_threads, 0,
                 1024, "Threads that watch programs; 0: one a processor");
  options.Number("--max_violations", flags.sandbox.max_violations, 0, 1000,
                 "Violations that a result lists; the rest are counted");
  options.Bytes("--compile_cache_bytes", flags.sandbox.compile_cache_bytes,
                "Compiled programs that are kept in memory for equal sources; "
                "0: none",
                /*least=*/0);
  options.Bytes("--max_collected_bytes", flags.sandbox.max_collected_bytes,
                "All output files of one run together");
  options.Number<uint32_t>(
      "--first_run_uid", flags.sandbox.first_run_uid, 1,
      std::numeric_limits<int32_t>::max(),
      "First uid and gid of runs, when the server is root");
  options.Number<uint32_t>("--run_uid_count", flags.sandbox.run_uid_count, 1,
                           std::numeric_limits<int32_t>::max(),
                           "How many uids there are for runs");
}

void AddLimits(Options& options, const std::string& prefix,
               const std::string& kind, sandbox::Limits& limits) {
  options.Group(kind);
  options.Time(prefix + "cpu_time", limits.cpu_time, "User plus system time");
  options.Time(prefix + "wall_time", limits.wall_time,
               "Time since the program's start");
  options.Bytes(prefix + "memory_bytes", limits.memory_bytes,
                "Resident memory");
  options.Bytes(prefix + "output_bytes", limits.output_bytes,
                "Each of standard output and standard error");
  options.Number<uint32_t>(prefix + "processes", limits.processes, 1, 1 << 22,
                           "Processes and threads alive at once");
  options.Bytes(prefix + "file_bytes", limits.file_bytes, "Any one file");
  options.Bytes(prefix + "disk_bytes", limits.disk_bytes,
                "The run's whole directory");
  options.Number<uint32_t>(prefix + "open_files", limits.open_files, 8, 1 << 20,
                           "Descriptors of each process");
}

void AddRequestCeilings(Options& options, RequestCeilings& ceilings) {
  options.Group("Ceilings of a request's parts");
  options.Bytes("--max_code_bytes", ceilings.code_bytes, "Source text");
  options.Bytes("--max_stdin_bytes", ceilings.stdin_bytes, "Standard input");
  options.Bytes("--max_input_file_bytes", ceilings.file_bytes,
                "One file of the request");
  options.Bytes("--max_input_files_bytes", ceilings.files_bytes,
                "All files of the request");
  options.Number<size_t>("--max_input_files", ceilings.files, 0, 1000000,
                         "Number of files");
}

void SetDefaults(ServerFlags& flags) {
  // Runs wait for pipes and disks as well as for a processor.
  flags.slots =
      std::max(4, 4 * static_cast<int>(std::thread::hardware_concurrency()));
  // Two streams of a Run fit well into the 4 MiB that gRPC clients accept
  // unless they are told otherwise.
  flags.limits.defaults.output_bytes = uint64_t{1} << 20;
  sandbox::Limits& ceilings = flags.limits.ceilings;
  ceilings.cpu_time = absl::Minutes(10);
  ceilings.wall_time = absl::Minutes(30);
  ceilings.memory_bytes = uint64_t{8} << 30;
  ceilings.output_bytes = uint64_t{64} << 20;
  ceilings.processes = 4096;
  ceilings.file_bytes = uint64_t{1} << 30;
  ceilings.disk_bytes = uint64_t{16} << 30;
  ceilings.open_files = 4096;
}

}  // namespace

std::optional<ExitCode> ParseServerFlags(int argc, const char* const* argv,
                                         ServerFlags& flags) {
  SetDefaults(flags);
  CLI::App app(kDescription, "cordond");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("cordond ") + kVersion);
  app.get_formatter()->column_width(38);
  Options options(app);
  AddServing(options, app, flags);
  AddSandbox(options, app, flags);
  AddLimits(options, "--default_", "Limits of a run that asks for none",
            flags.limits.defaults);
  AddLimits(options, "--max_", "Ceilings of what a request may ask for",
            flags.limits.ceilings);
  // No request asks for it: one value is every run's.
  sandbox::Limits& defaults = flags.limits.defaults;
  options.Number<uint64_t>("--max_disk_inodes", defaults.disk_inodes, 16,
                           uint64_t{1} << 32,
                           "Files and directories in a run's directory");
  AddRequestCeilings(options, flags.ceilings);
  try {
    app.parse(argc, argv);
    flags.limits.ceilings.disk_inodes = defaults.disk_inodes;
    // gRPC's own type for it.
    if (flags.max_request_bytes > std::numeric_limits<int>::max()) {
      throw CLI::ValidationError("--max_request_bytes", "is above 2047M");
    }
  } catch (const CLI::Success& asked) {
    app.exit(asked);
    return ExitCode::kStopped;
  } catch (const CLI::ParseError& error) {
    std::cerr << "cordond: " << error.what()
              << "\nRun cordond --help for the flags.\n";
    return ExitCode::kBadConfiguration;
  }
  return std::nullopt;
}

}  // namespace cordon::server
