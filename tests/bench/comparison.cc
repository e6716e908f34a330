#include "tests/bench/comparison.h"

#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "sandbox/base/monotonic_clock.h"
#include "tests/bench/bench_runs.h"
#include "tests/bench/latency_table.h"

ABSL_FLAG(int, batch, 25, "operations of one subject in one turn");
ABSL_FLAG(absl::Duration, pause, absl::ZeroDuration(),
          "time between two operations of a thread, in none of the figures but "
          "operations a second");

namespace cordon::bench {
namespace {

// One turn: `concurrency` threads share `batch` operations.
void TakeTurn(const Subject& subject, int concurrency, int batch,
              Latencies& into) {
  absl::Mutex mutex;
  std::atomic<int> left = batch;
  const absl::Time start = sandbox::MonotonicNow();
  std::vector<std::thread> threads;
  for (int i = 0; i < concurrency; ++i) {
    threads.emplace_back([&] {
      while (left.fetch_sub(1) > 0) {
        absl::SleepFor(absl::GetFlag(FLAGS_pause));
        const absl::Time begin = sandbox::MonotonicNow();
        subject.operation();
        const absl::Duration took = sandbox::MonotonicNow() - begin;
        absl::MutexLock lock(&mutex);
        into.samples.push_back(took);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  into.elapsed += sandbox::MonotonicNow() - start;
}

}  // namespace

// Output goes to /dev/null, as the others' goes to pipes that nobody fills.
void SpawnBare(const Argv& argv) {
  std::vector<char*> pointers;
  for (const std::string& argument : argv) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  const char* environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin",
                               "LANG=C.UTF-8", nullptr};
  pid_t pid;
  if (posix_spawn(&pid, pointers[0], nullptr, nullptr, pointers.data(),
                  const_cast<char**>(environment)) != 0) {
    Die("posix_spawn failed");
  }
  int status;
  if (waitpid(pid, &status, 0) != pid || status != 0) Die("a bare run failed");
}

void Compare(const std::string& title, const std::vector<Subject>& subjects,
             int concurrency, int rounds) {
  std::vector<Latencies> rows;
  for (const Subject& subject : subjects)
    rows.push_back({subject.name, {}, {}});
  Latencies warm_up;
  for (const Subject& subject : subjects) {
    TakeTurn(subject, concurrency, concurrency * 2, warm_up);
  }
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < subjects.size(); ++i) {
      // Another first one each round: nobody always runs after the same.
      const size_t turn = (i + static_cast<size_t>(round)) % subjects.size();
      TakeTurn(subjects[turn], concurrency, absl::GetFlag(FLAGS_batch),
               rows[turn]);
    }
  }
  PrintTable(absl::StrCat(title, ", ", concurrency, " at a time"), rows);
}

}  // namespace cordon::bench
