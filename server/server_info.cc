#include "server/server_info.h"

#include <string>

#include "sandbox/policy/seccomp/syscall_names_x86_64.h"
#include "server/event_encoder.h"
#include "server/limit_rules.h"
#include "server/network_grant.h"
#include "server/version.h"

namespace cordon::server {
namespace {

void AddLanguage(const Language& language, const sandbox::Limits& ceilings,
                 const sandbox::Limits& defaults, v1::ServerInfo& info) {
  v1::Language* proto = info.add_languages();
  proto->set_name(language.config.name());
  *proto->mutable_aliases() = language.config.aliases();
  *proto->mutable_extensions() = language.config.extensions();
  proto->set_version(language.version);
  proto->set_unavailable_reason(language.unavailable_reason);
  if (language.config.has_warm()) {
    *proto->mutable_warm()->mutable_modules() =
        language.config.warm().modules();
  }
  if (language.config.has_limits()) {
    *proto->mutable_default_limits() =
        ToProto(Clamp(Override(defaults, language.config.limits()), ceilings));
  }
}

void SetHost(const sandbox::HostFeatures& host, v1::HostFeatures* proto) {
  proto->set_kernel(host.kernel);
  proto->set_landlock_abi(host.landlock_abi);
  proto->set_seccomp_user_notification(host.seccomp_user_notification);
  proto->set_cgroup_version(host.cgroup_version);
  proto->set_outer_seccomp_filter(host.outer_seccomp_filter);
  for (const int number : host.masked_syscalls) {
    proto->add_masked_syscalls(std::string(sandbox::SyscallName(number)));
  }
}

}  // namespace

v1::ServerInfo BuildServerInfo(const ValidatorConfig& config,
                               const sandbox::HostFeatures& host,
                               const sandbox::Enforcement& enforcement,
                               const sandbox::LayerEnforcement& service,
                               const Admission::Options& admission,
                               uint64_t max_request_bytes) {
  v1::ServerInfo info;
  info.set_version(kVersion);
  SetHost(host, info.mutable_host());
  const LimitSettings& limits = config.limits;
  for (const Language& language : config.languages.all()) {
    AddLanguage(language, limits.ceilings, limits.defaults, info);
  }
  *info.mutable_default_limits() =
      ToProto(Clamp(limits.defaults, limits.ceilings));
  *info.mutable_ceilings() = ToProto(limits.ceilings);
  info.set_slots(admission.slots);
  info.set_queue_capacity(admission.queue_capacity);
  *info.mutable_enforcement() = EncodeEnforcement(enforcement);
  *info.mutable_service() = EncodeLayer(service);
  info.set_max_request_bytes(max_request_bytes);
  info.set_max_network(ToProto(config.max_network));
  return info;
}

}  // namespace cordon::server
