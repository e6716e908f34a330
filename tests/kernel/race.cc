#include "tests/kernel/race.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {
namespace {

constexpr char kProgram[] = R"(
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
static volatile int over;
static void pause_(void) {
  __asm__ volatile("" ::: "memory");
  for (volatile int i = 0; i < 5000; ++i) {}
}
DECLARATIONS
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}
static void* other(void* unused) {
  while (!over) { OTHER }
  return unused;
}
static int done[KINDS], refused[KINDS];
static int all(const int* counts) {
  for (int i = 0; i < KINDS; ++i) if (counts[i] == 0) return 0;
  return 1;
}
int main(int argc, char** argv) {
  SETUP
  pthread_t thread;
  if (pthread_create(&thread, 0, other, 0) != 0) return 1;
  long acts = 0, did = 0, reached = 0;
  const double start = now();
  for (double at = start; at < start + SECONDS
       || (at < start + PATIENCE && !(all(done) && all(refused)));
       at = now(), ++acts) {
    const int kind = acts % KINDS;
    const long before = did;
    { BODY }
    ++(did > before ? done : refused)[kind];
  }
  over = 1;
  pthread_join(thread, 0);
  TEARDOWN
  for (int i = 0; i < KINDS; ++i) {
    fprintf(stderr, "kind %d: %d done, %d not\n", i, done[i], refused[i]);
  }
  printf("%d %d %ld\n", all(done), all(refused), reached);
}
)";

}  // namespace

sandbox::ExecutionSpec RaceSpec(const Race& race) {
  sandbox::ExecutionSpec spec = CommandSpec({"./race"});
  spec.files = {{"race.c",
                 absl::StrReplaceAll(
                     kProgram, {{"DECLARATIONS", race.declarations},
                                {"SETUP", race.setup},
                                {"OTHER", race.other},
                                {"BODY", race.body},
                                {"TEARDOWN", race.teardown},
                                {"KINDS", absl::StrCat(race.kinds)},
                                {"SECONDS", absl::StrCat(RaceSeconds())},
                                {"PATIENCE", absl::StrCat(RaceSeconds() + 8)}}),
                 sandbox::FileMode::kRegular}};
  spec.program.limits = RaceLimits();
  spec.compile = CommandSpec({"/usr/bin/gcc", "-O1", "-w", "-pthread", "race.c",
                              "-o", "race"})
                     .program;
  return spec;
}

}  // namespace cordon::testing
