#include "sandbox/supervise/disk_meter.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "sandbox/base/monotonic_clock.h"

namespace cordon::sandbox {
namespace {

// More than a processor can write into the page cache, and make of names: 4.5
// GiB and 150,000 were seen.
constexpr double kBytesPerCpuSecond = 16.0 * (uint64_t{1} << 30);
constexpr double kInodesPerCpuSecond = 500'000;
constexpr absl::Duration kShortestPause = absl::Milliseconds(5);
// Measuring takes at most a tenth of a processor for a run.
constexpr int kPausePerCost = 9;

double Processors() {
  static const double processors =
      std::max(1u, std::thread::hardware_concurrency());
  return processors;
}

}  // namespace

DiskMeter::DiskMeter(const Limits& limits, UniqueFd directory, std::string path,
                     DiskQueue* queue)
    : limits_(limits),
      directory_(std::make_shared<const UniqueFd>(std::move(directory))),
      path_(std::move(path)),
      queue_(directory_->valid() ? queue : nullptr),
      started_(MonotonicNow()) {}

DiskMeter::~DiskMeter() { Hurry(); }

bool DiskMeter::MayPass(double processor_seconds) const {
  const double bytes =
      static_cast<double>(usage_.bytes + reserved_before_ + reserved_) +
      processor_seconds * kBytesPerCpuSecond;
  const double inodes = static_cast<double>(usage_.inodes) +
                        processor_seconds * kInodesPerCpuSecond;
  return bytes > static_cast<double>(limits_.disk_bytes) ||
         inodes > static_cast<double>(limits_.disk_inodes);
}

bool DiskMeter::Reserve(uint64_t bytes) {
  if (queue_ == nullptr) return true;
  // No file is longer than this (RLIMIT_FSIZE).
  bytes = std::min(bytes, limits_.file_bytes);
  const bool fits =
      usage_.bytes + reserved_before_ + reserved_ + bytes <= limits_.disk_bytes;
  // The first one after a measurement goes ahead, and the next one waits for
  // another: what they pass the limit by is one file.
  const bool is_first = reserved_ == 0 && usage_.inodes > 0 && !running_;
  if (!fits && !is_first) {
    wanted_ = true;
    return false;
  }
  reserved_ += bytes;
  return true;
}

bool DiskMeter::Due(absl::Duration cpu, absl::Time now) const {
  if (queue_ == nullptr || running_ || now < not_before_) return false;
  return wanted_ || MayPass(absl::ToDoubleSeconds(cpu - cpu_at_start_));
}

bool DiskMeter::DueAtEnd(absl::Time now) const {
  return queue_ != nullptr && !over_limit() &&
         MayPass(absl::ToDoubleSeconds(now - started_) * Processors());
}

absl::Duration DiskMeter::UntilDue(absl::Duration cpu, absl::Time now) const {
  if (queue_ == nullptr || running_) return absl::InfiniteDuration();
  if (wanted_) return std::max(not_before_ - now, absl::ZeroDuration());
  const double bytes =
      static_cast<double>(limits_.disk_bytes) -
      static_cast<double>(std::min(usage_.bytes, limits_.disk_bytes));
  const double inodes =
      static_cast<double>(limits_.disk_inodes) -
      static_cast<double>(std::min(usage_.inodes, limits_.disk_inodes));
  const double processor_seconds =
      std::min(bytes / kBytesPerCpuSecond, inodes / kInodesPerCpuSecond) -
      absl::ToDoubleSeconds(cpu - cpu_at_start_);
  return std::max({absl::Seconds(processor_seconds / Processors()),
                   not_before_ - now, kShortestPause});
}

void DiskMeter::Start(absl::Duration cpu, std::vector<pid_t> members,
                      EventLoop* loop, absl::AnyInvocable<void()> done) {
  running_ = true;
  wanted_ = false;
  task_ = std::make_shared<Task>();
  task_->cpu_at_start = cpu;
  task_->started = MonotonicNow();
  task_->reserved_before = std::exchange(reserved_, 0);
  reserved_before_ += task_->reserved_before;
  queue_->Submit([task = task_, directory = directory_, path = path_,
                  members = std::move(members), limits = limits_, loop,
                  done = std::move(done), this](DiskWorker&) mutable {
    const absl::Duration begin = ThreadCpuTime();
    task->usage = MeasureDisk({.directory = directory->get(),
                               .path = std::move(path),
                               .members = std::move(members),
                               .most_bytes = limits.disk_bytes,
                               .most_inodes = limits.disk_inodes,
                               .stop = &task->stop});
    task->cost = ThreadCpuTime() - begin;
    loop->Post(
        [task = std::move(task), done = std::move(done), this]() mutable {
          Finish(*task);
          done();
        });
  });
}

void DiskMeter::Hurry() {
  if (task_ != nullptr) task_->stop.store(true, std::memory_order_relaxed);
}

void DiskMeter::Finish(const Task& task) {
  running_ = false;
  task_.reset();
  not_before_ =
      MonotonicNow() + std::max(kShortestPause, task.cost * kPausePerCost);
  // As if it had never begun: what came before it was not seen either.
  if (task.stop.load(std::memory_order_relaxed)) return;
  cpu_at_start_ = task.cpu_at_start;
  started_ = task.started;
  reserved_before_ = task.reserved_before;
  usage_ = task.usage;
  const bool disturbed = usage_.completeness == Completeness::kDisturbed;
  disturbed_in_a_row_ = disturbed ? disturbed_in_a_row_ + 1 : 0;
}

bool DiskMeter::over_limit() const {
  return usage_.bytes > limits_.disk_bytes ||
         usage_.inodes > limits_.disk_inodes;
}

}  // namespace cordon::sandbox
