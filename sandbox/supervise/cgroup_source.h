// CgroupSource: what the kernel counts for a run that has a control group.
//
// Contract: one thread at a time; `group` outlives it.

#ifndef CORDON_SANDBOX_SUPERVISE_CGROUP_SOURCE_H_
#define CORDON_SANDBOX_SUPERVISE_CGROUP_SOURCE_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "sandbox/cgroup/cgroup_tree.h"
#include "sandbox/supervise/resource_meter.h"

namespace cordon::sandbox {

class CgroupSource : public UsageSource {
 public:
  // Null: the run has none, and nothing is known.
  explicit CgroupSource(const RunCgroup* group) : group_(group) {}

  std::optional<absl::Duration> CpuTime() override {
    if (group_ == nullptr) return std::nullopt;
    // A look that fails is made up for by the next.
    last_cpu_ = group_->CpuTime().value_or(last_cpu_);
    return last_cpu_;
  }
  std::optional<uint64_t> MemoryBytes() override {
    if (group_ == nullptr) return std::nullopt;
    const absl::StatusOr<uint64_t> bytes = group_->MemoryBytes();
    return bytes.ok() ? std::optional(*bytes) : std::nullopt;
  }
  // Whether the kernel killed a process because the run was at its limit.
  bool KilledForMemory() const {
    return group_ != nullptr && group_->OomKills().value_or(0) > 0;
  }

 private:
  const RunCgroup* group_;
  absl::Duration last_cpu_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_CGROUP_SOURCE_H_
