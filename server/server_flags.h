// The command line of cordond.

#ifndef CORDON_SERVER_SERVER_FLAGS_H_
#define CORDON_SERVER_SERVER_FLAGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "sandbox/sandbox.h"
#include "server/limit_rules.h"
#include "server/listen_address.h"
#include "server/request_validator.h"

namespace cordon::server {

// Exit codes of cordond, which --help documents.
enum class ExitCode {
  kStopped = 0,
  // Cannot serve: the address, or the state directory.
  kCannotServe = 1,
  // Flags or language files.
  kBadConfiguration = 2,
  // The host lacks what the sandbox needs.
  kHostLacksFeatures = 3,
};

enum class CgroupUse { kWhereWritable, kNever };

enum class WarmStarts { kWhereConfigured, kNever };

enum class HeaderCompilation { kWhereConfigured, kNever };

struct ServerFlags {
  ListenAddress listen = {"127.0.0.1", "50051"};
  int slots = 4;
  size_t queue = 1024;
  uint64_t queue_bytes = uint64_t{256} << 20;
  absl::Duration grace = absl::Seconds(30);
  absl::Duration delivery_timeout = absl::Seconds(60);
  uint64_t max_request_bytes = uint64_t{64} << 20;

  std::string state_dir;
  CgroupUse cgroups = CgroupUse::kWhereWritable;
  WarmStarts warm = WarmStarts::kWhereConfigured;
  HeaderCompilation precompiled_headers = HeaderCompilation::kWhereConfigured;
  sandbox::NetworkAccess max_network = sandbox::NetworkAccess::kNone;
  std::vector<std::string> languages_dirs;
  LimitSettings limits;
  RequestCeilings ceilings;
  // Without the state directory.
  sandbox::SandboxOptions sandbox;

  std::string log_level = "info";
  // Set: ask the server there for its health, and exit.
  std::string probe;
  // Say what this host gives, and exit.
  bool check = false;
};

// Fills in `flags`. A value: the process has nothing more to do than exit with
// it, because help was asked for or a flag is bad; what there is to say has
// been printed.
std::optional<ExitCode> ParseServerFlags(int argc, const char* const* argv,
                                         ServerFlags& flags);

}  // namespace cordon::server

#endif  // CORDON_SERVER_SERVER_FLAGS_H_
