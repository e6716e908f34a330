// How exactly each limit is kept: asked, what was used when it ended or
// refused, the overshoot, the outcome, as the Markdown table that
// docs/limits.md quotes.
//
//   bazel run -c opt //tests/bench:limits_table             # under a minute
//   bazel run -c opt //tests/bench:limits_table -- --times=20
//
// Each row is the worst of several runs. What was used is cordon's own figure
// where it is exact, and an observer's where it is not: the disk is looked at
// from outside, and processes that nobody waits for report their own time.

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "sandbox/sandbox.h"
#include "tests/support/sandbox_fixture.h"

ABSL_FLAG(int, times, 5, "runs of each row");
ABSL_FLAG(std::string, only, "", "rows with this in their name");

namespace cordon::bench {
namespace {

using sandbox::ExecutionSpec;
using sandbox::Limits;
using sandbox::Outcome;
using sandbox::OutcomeKind;
using sandbox::Usage;
using testing::BashSpec;
using testing::CommandSpec;
using testing::PythonSpec;
using testing::SharedSandbox;

constexpr double kMebibyte = 1 << 20;

struct Measured {
  Outcome outcome;
  std::string stdout_data;
  // The most that was seen in the run's directory from outside, in bytes.
  uint64_t disk_bytes = 0;
};

struct Row {
  std::string limit;
  std::string unit;
  double asked = 0;
  ExecutionSpec spec;
  std::function<double(const Measured&)> used;
  // The disk is watched from outside.
  bool watches_disk = false;
};

const char* Name(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::kExited:
      return "EXITED";
    case OutcomeKind::kCpuTimeLimit:
      return "CPU_TIME_LIMIT";
    case OutcomeKind::kWallTimeLimit:
      return "WALL_TIME_LIMIT";
    case OutcomeKind::kMemoryLimit:
      return "MEMORY_LIMIT";
    case OutcomeKind::kOutputLimit:
      return "OUTPUT_LIMIT";
    case OutcomeKind::kDiskLimit:
      return "DISK_LIMIT";
    default:
      return "another one";
  }
}

// Blocks of the files in the directories of runs: there is one run.
uint64_t BytesInRuns() {
  namespace fs = std::filesystem;
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator
           entry(SharedSandbox().state_directory(), error),
       end;
       !error && entry != end; entry.increment(error)) {
    struct stat status;
    if (lstat(entry->path().c_str(), &status) == 0) {
      bytes += static_cast<uint64_t>(status.st_blocks) * 512;
    }
  }
  return bytes;
}

Measured Run(const Row& row) {
  Measured measured;
  std::atomic<bool> over = false;
  std::thread observer;
  if (row.watches_disk) {
    // The one before is removed behind its result's back.
    while (BytesInRuns() > 1 << 20) absl::SleepFor(absl::Milliseconds(10));
    observer = std::thread([&] {
      while (!over) {
        measured.disk_bytes = std::max(measured.disk_bytes, BytesInRuns());
      }
    });
  }
  const auto run = SharedSandbox().Run(row.spec);
  over = true;
  if (observer.joinable()) observer.join();
  measured.outcome = run->outcome();
  measured.stdout_data = run->stdout_data();
  return measured;
}

double Cpu(const Measured& m) {
  return absl::ToDoubleMilliseconds(m.outcome.usage.cpu_user +
                                    m.outcome.usage.cpu_system);
}

double Wall(const Measured& m) {
  return absl::ToDoubleMilliseconds(m.outcome.usage.wall_time);
}

double Memory(const Measured& m) {
  return static_cast<double>(m.outcome.usage.peak_memory_bytes) / kMebibyte;
}

double Disk(const Measured& m) {
  return static_cast<double>(m.disk_bytes) / kMebibyte;
}

double Printed(const Measured& m) {
  double number = 0;
  return absl::SimpleAtod(m.stdout_data, &number) ? number : -1;
}

// Microseconds, one a line.
double SumOfReported(const Measured& m) {
  double sum = 0;
  for (const absl::string_view line :
       absl::StrSplit(m.stdout_data, '\n', absl::SkipWhitespace())) {
    double time = 0;
    if (absl::SimpleAtod(line, &time)) sum += time;
  }
  return sum / 1000;
}

ExecutionSpec With(ExecutionSpec spec, std::function<void(Limits&)> change) {
  Limits& limits = spec.program.limits;
  limits.wall_time = absl::Seconds(20);
  limits.cpu_time = absl::Seconds(20);
  change(limits);
  return spec;
}

void AddTimes(std::vector<Row>& rows) {
  const auto cpu = [](Limits& l) { l.cpu_time = absl::Milliseconds(500); };
  rows.push_back(
      {"wall time, a sleeper", "ms", 500,
       With(BashSpec("sleep 100"),
            [](Limits& l) { l.wall_time = absl::Milliseconds(500); }),
       Wall});
  rows.push_back({"CPU time, one spinner", "ms", 500,
                  With(BashSpec("while :; do :; done"), cpu), Cpu});
  rows.push_back({"CPU time, four spinners", "ms", 500,
                  With(BashSpec("for i in 1 2 3; do while :; do :; done & "
                                "done; while :; do :; done"),
                       cpu),
                  Cpu});
  rows.push_back(
      {"CPU time, a chain of children, waited for", "ms", 500,
       With(BashSpec("while :; do (for ((i = 0; i < 3000; ++i)); do :; done); "
                     "done"),
            cpu),
       Cpu});
  const char* const kChain =
      "import os, signal, time\n"
      "own = 0\n"
      "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
      "while True:\n"
      "  r, w = os.pipe()\n"
      "  if os.fork() == 0:\n"
      "    while time.process_time() < %s: pass\n"
      "    os.write(1, b'%%8d\\n' %% (time.process_time() * 1e6))\n"
      "    os._exit(0)\n"
      "  os.close(w); os.read(r, 1); os.close(r)\n"
      "  os.write(1, b'%%8d\\n' %% ((time.process_time() - own) * 1e6))\n"
      "  own = time.process_time()\n";
  rows.push_back({"CPU time, children of 20 ms that nobody waits for", "ms",
                  500,
                  With(PythonSpec(absl::StrReplaceAll(
                           kChain, {{"%s", ".02"}, {"%%", "%"}})),
                       cpu),
                  SumOfReported});
  rows.push_back({"CPU time, children of 5 ms that nobody waits for", "ms", 500,
                  With(PythonSpec(absl::StrReplaceAll(
                           kChain, {{"%s", ".005"}, {"%%", "%"}})),
                       cpu),
                  SumOfReported});
}

void AddMemory(std::vector<Row>& rows) {
  const auto memory = [](Limits& l) { l.memory_bytes = uint64_t{128} << 20; };
  rows.push_back({"memory, one process", "MiB", 128,
                  With(PythonSpec("x = []\nwhile True: "
                                  "x.append(bytearray(b'x' * (1 << 20)))"),
                       memory),
                  Memory});
  rows.push_back(
      {"memory, a mapping filled at full speed", "MiB", 128,
       With(PythonSpec("import mmap, ctypes\nm = mmap.mmap(-1, 2 << 30)\n"
                       "ctypes.memset(ctypes.addressof("
                       "ctypes.c_char.from_buffer(m)), 1, 2 << 30)"),
            memory),
       Memory});
  rows.push_back(
      {"memory, shared pages that are dropped", "MiB", 128,
       With(PythonSpec("import mmap\nm = mmap.mmap(-1, 2 << 30)\n"
                       "for at in range(0, 2 << 30, 4 << 20):\n"
                       "  m[at:at + (4 << 20)] = bytes(4 << 20)\n"
                       "  m.madvise(mmap.MADV_DONTNEED, at, 4 << 20)\n"),
            memory),
       Memory});
  rows.push_back(
      {"memory, a child whose parent goes on", "MiB", 128,
       With(BashSpec("python3 -c 'x = bytearray(b\"x\" * (1 << 30))'; sleep 9"),
            memory),
       Memory});
  rows.push_back(
      {"memory, six processes together", "MiB", 128,
       With(PythonSpec("import os, time\n"
                       "for i in range(6):\n"
                       "  if os.fork() == 0:\n"
                       "    x = bytearray(b'x' * (40 << 20)); time.sleep(9)\n"
                       "time.sleep(9)"),
            memory),
       Memory});
}

void AddDisk(std::vector<Row>& rows) {
  const auto disk = [](Limits& l) { l.disk_bytes = uint64_t{256} << 20; };
  const auto writers = [](const char* count) {
    return BashSpec(absl::StrCat(
        "for j in ", count,
        "; do for ((i = 0; i < 60; ++i)); do dd if=/dev/zero of=f$j.$i bs=1M "
        "count=60 2> /dev/null; done & done; wait"));
  };
  rows.push_back({"disk, one dd at full speed", "MiB", 256,
                  With(writers("1"), disk), Disk, true});
  rows.push_back({"disk, four dd at full speed", "MiB", 256,
                  With(writers("1 2 3 4"), disk), Disk, true});
  rows.push_back({"disk, fallocate", "MiB", 256,
                  With(PythonSpec("import os\n"
                                  "for i in range(1000):\n"
                                  "  f = os.open(f'f{i}', 66)\n"
                                  "  os.posix_fallocate(f, 0, 60 << 20)"),
                       disk),
                  Disk, true});
  rows.push_back({"files in the directory", "", 2000,
                  With(PythonSpec("import os\nn = 0\nwhile True:\n"
                                  "  os.mkdir(str(n)); n += 1\n"
                                  "  if n % 10 == 0: os.write(1, b'%10d' % n)"),
                       [](Limits& l) { l.disk_inodes = 2000; }),
                  [](const Measured& m) {
                    double n = 0;
                    const std::string& text = m.stdout_data;
                    (void)absl::SimpleAtod(text.substr(text.size() - 10), &n);
                    return n;
                  }});
  rows.push_back({"one file", "bytes", 1000000,
                  With(CommandSpec({"/bin/sh", "-c",
                                    "head -c 2000000 /dev/zero > f; stat -c %s "
                                    "f"}),
                       [](Limits& l) { l.file_bytes = 1000000; }),
                  Printed});
}

void AddRest(std::vector<Row>& rows) {
  rows.push_back({"processes, a fork bomb", "", 32,
                  With(PythonSpec("import os, time\n"
                                  "end = time.time() + 1\n"
                                  "while time.time() < end:\n"
                                  "  try: os.fork()\n"
                                  "  except OSError: pass\n"),
                       [](Limits& l) { l.processes = 32; }),
                  [](const Measured& m) {
                    return static_cast<double>(m.outcome.usage.peak_processes);
                  }});
  rows.push_back({"output", "bytes", 1000000,
                  With(CommandSpec({"/usr/bin/yes"}),
                       [](Limits& l) { l.output_bytes = 1000000; }),
                  [](const Measured& m) {
                    return static_cast<double>(m.stdout_data.size());
                  }});
  rows.push_back({"open files", "", 64,
                  With(PythonSpec("import os\nn = 3\ntry:\n"
                                  "  while True: os.dup(0); n += 1\n"
                                  "except OSError: print(n)"),
                       [](Limits& l) { l.open_files = 64; }),
                  Printed});
}

void PrintRow(const Row& row) {
  double worst = 0;
  OutcomeKind kind = OutcomeKind::kExited;
  for (int i = 0; i < absl::GetFlag(FLAGS_times); ++i) {
    const Measured measured = Run(row);
    worst = std::max(worst, row.used(measured));
    kind = measured.outcome.kind;
  }
  const std::string unit = row.unit.empty() ? "" : absl::StrCat(" ", row.unit);
  absl::PrintF("| %s | %.0f%s | %.1f%s | %.1f%s | %s |\n", row.limit, row.asked,
               unit, worst, unit, std::max(0.0, worst - row.asked), unit,
               Name(kind));
  std::fflush(stdout);
}

int Main() {
  std::vector<Row> rows;
  AddTimes(rows);
  AddMemory(rows);
  AddRest(rows);
  AddDisk(rows);
  std::puts("| limit | asked | used | overshoot | outcome |");
  std::puts("|---|---|---|---|---|");
  for (const Row& row : rows) {
    if (absl::StrContains(row.limit, absl::GetFlag(FLAGS_only))) PrintRow(row);
  }
  return 0;
}

}  // namespace
}  // namespace cordon::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return cordon::bench::Main();
}
