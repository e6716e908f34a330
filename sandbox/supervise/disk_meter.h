// DiskMeter decides when a run's directory is worth a look, and has it measured
// by a thread that may take its time.
//
//   DiskMeter meter(limits, std::move(directory), path, queue);
//   if (meter.Due(cpu_time)) meter.Start(members, loop, [&] { ... });
//   ...                                  // meter.over_limit()
//
// A run cannot fill a disk without using a processor, so what it can have
// written since the last look is bounded by its processor time, and a run that
// computes little is never looked at. fallocate(2), the exception, is announced
// by Reserve.
//
// Contract: one thread, an event loop's; what Start posts to it keeps the meter
// alive by itself (`done` must). Costs nothing until the first Start.

#ifndef CORDON_SANDBOX_SUPERVISE_DISK_METER_H_
#define CORDON_SANDBOX_SUPERVISE_DISK_METER_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/spec/limits.h"
#include "sandbox/supervise/disk_usage.h"
#include "sandbox/supervise/event_loop.h"
#include "sandbox/work_queue.h"

namespace cordon::sandbox {

struct DiskWorker {};
using DiskQueue = WorkQueue<DiskWorker>;

class DiskMeter {
 public:
  // `directory`: the run's, readable, and its absolute path. `queue` outlives
  // the meter; null: nothing is measured.
  DiskMeter(const Limits& limits, UniqueFd directory, std::string path,
            DiskQueue* queue);
  ~DiskMeter();
  DiskMeter(const DiskMeter&) = delete;
  DiskMeter& operator=(const DiskMeter&) = delete;

  // Bytes that the run is about to have reserved at once. False when that may
  // pass the limit: a Start and its end must come first.
  bool Reserve(uint64_t bytes);

  // Whether a run that has used `cpu` of processor time by now may have passed
  // its limit. Never while a measurement is on its way, and not so often that
  // measuring takes more than a tenth of a processor.
  bool Due(absl::Duration cpu, absl::Time now) const;
  // The same for its end, when its processor time may not have been seen in
  // full, and one more look is always worth its price.
  bool DueAtEnd(absl::Time now) const;
  // How long until the run can have passed its limit, or infinite when it
  // cannot have without Due saying so.
  absl::Duration UntilDue(absl::Duration cpu, absl::Time now) const;

  // Measures, with the descriptors of `members`; then `done` runs on `loop`.
  // Not while one is on its way.
  void Start(absl::Duration cpu, std::vector<pid_t> members, EventLoop* loop,
             absl::AnyInvocable<void()> done);
  // Makes the measurement on its way end soon; its result says nothing.
  void Hurry();

  bool running() const { return running_; }
  // False when nobody measures for this run.
  bool measures() const { return queue_ != nullptr; }
  bool over_limit() const;
  // Several measurements in a row were disturbed (Completeness).
  bool evaded() const { return disturbed_in_a_row_ >= kMostDisturbed; }
  // Of the last measurement that was not hurried.
  const DiskUsage& usage() const { return usage_; }

 private:
  static constexpr int kMostDisturbed = 8;

  // What one measurement and the meter share.
  struct Task {
    std::atomic<bool> stop = false;
    DiskUsage usage;
    absl::Duration cost;
    // When it began, and what was reserved until then since the one before.
    absl::Duration cpu_at_start;
    absl::Time started;
    uint64_t reserved_before = 0;
  };

  void Finish(const Task& task);
  bool MayPass(double processor_seconds) const;

  const Limits limits_;
  const std::shared_ptr<const UniqueFd> directory_;
  const std::string path_;
  DiskQueue* const queue_;

  std::shared_ptr<Task> task_;
  bool running_ = false;
  DiskUsage usage_;
  int disturbed_in_a_row_ = 0;
  // A reservation waits for the next measurement.
  bool wanted_ = false;
  // Bytes reserved since the last measurement began, and from the one before
  // on: a call that was allowed may happen behind a measurement's back.
  uint64_t reserved_ = 0;
  uint64_t reserved_before_ = 0;
  // When the last measurement that was not hurried began: in the run's
  // processor time, and by the clock.
  absl::Duration cpu_at_start_;
  absl::Time started_;
  absl::Time not_before_ = absl::InfinitePast();
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SUPERVISE_DISK_METER_H_
