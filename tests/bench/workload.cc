// One act, for ever or so many times: what a benchmark runs in the sandbox and
// bare.
//
//   workload compute                   # until it is killed
//   workload open-for-reading 10000    # prints the nanoseconds that it took
//
// An act that leaves processes behind is repeated by all of them.

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr size_t kMebibyte = 1 << 20;
char block[kMebibyte];

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

// About a millisecond.
void Compute() {
  volatile uint32_t value = 0;
  for (int i = 0; i < 1'000'000; ++i) value = value + 1;
}

void AskKernel() { syscall(SYS_getppid); }

// As much as a pipe holds.
void Print() {
  if (write(STDOUT_FILENO, block, 1 << 16) < 0) Die("write");
}

void KeepForking() { fork(); }

// One that spins for each process that the limit allows.
void ForkSpinner() {
  if (fork() > 0) return;
  for (;;) Compute();
}

void* Sleep(void*) {
  for (;;) pause();
}

void KeepThread() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 1 << 16);
  pthread_t thread;
  pthread_create(&thread, &attributes, &Sleep, nullptr);
  pthread_attr_destroy(&attributes);
}

void* Return(void*) { return nullptr; }

void JoinThread() {
  pthread_t thread;
  if (pthread_create(&thread, nullptr, &Return, nullptr) != 0) {
    Die("pthread_create");
  }
  pthread_join(thread, nullptr);
}

void AwaitChild(pid_t child) {
  if (child < 0 || waitpid(child, nullptr, 0) != child) Die("a child");
}

void ForkChild() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  AwaitChild(child);
}

void SpawnChild() {
  char name[] = "/bin/true";
  char* const argv[] = {name, nullptr};
  char* const environment[] = {nullptr};
  pid_t child = -1;
  if (posix_spawn(&child, name, nullptr, nullptr, argv, environment) != 0) {
    Die("posix_spawn");
  }
  AwaitChild(child);
}

void TakeMemory() {
  void* const memory = mmap(nullptr, kMebibyte, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) Die("mmap");
}

// Written to and given back.
void ShareMemory() {
  void* const memory = mmap(nullptr, kMebibyte, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED || munmap(memory, kMebibyte) != 0) Die("mmap");
}

// A mebibyte; a new file for every sixteen.
void WriteDisk() {
  static int fd = -1;
  static int written = 0;
  if (written % 16 == 0) {
    if (fd >= 0) close(fd);
    char name[32];
    std::snprintf(name, sizeof(name), "file%d", written / 16);
    fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  }
  ++written;
  if (write(fd, block, sizeof(block)) < 0) Die("write");
}

void OpenWith(const char* path, int flags) {
  const int fd = open(path, flags | O_CLOEXEC, 0600);
  if (fd < 0) Die(path);
  close(fd);
}

void OpenForReading() { OpenWith("/etc/ld.so.cache", O_RDONLY); }
void OpenForWriting() { OpenWith("opened", O_WRONLY | O_CREAT); }
void OpenTemporary() {
  static bool is_there = false;
  if (!is_there) OpenWith("/tmp/cordon-opened", O_WRONLY | O_CREAT);
  is_there = true;
  OpenWith("/tmp/cordon-opened", O_RDONLY);
}

// Of root's: refused in a run.
void OpenForbidden() {
  const int fd = open("/etc/hostname", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) close(fd);
}

struct Act {
  const char* name;
  void (*once)();
};

constexpr Act kActs[] = {
    {"compute", Compute},
    {"ask-kernel", AskKernel},
    {"print", Print},
    {"keep-forking", KeepForking},
    {"fork-spinner", ForkSpinner},
    {"keep-thread", KeepThread},
    {"join-thread", JoinThread},
    {"fork-child", ForkChild},
    {"spawn-child", SpawnChild},
    {"take-memory", TakeMemory},
    {"share-memory", ShareMemory},
    {"write-disk", WriteDisk},
    {"open-for-reading", OpenForReading},
    {"open-for-writing", OpenForWriting},
    {"open-temporary", OpenTemporary},
    {"open-forbidden", OpenForbidden},
};

int64_t Nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

void Repeat(const Act& act, const char* times) {
  if (times == nullptr) {
    for (;;) act.once();
  }
  const int64_t start = Nanoseconds();
  for (long left = std::atol(times); left > 0; --left) act.once();
  std::printf("%lld\n", static_cast<long long>(Nanoseconds() - start));
}

}  // namespace

int main(int argc, char** argv) {
  for (const Act& act : kActs) {
    if (argc > 1 && std::strcmp(argv[1], act.name) == 0) {
      Repeat(act, argc > 2 ? argv[2] : nullptr);
      return 0;
    }
  }
  std::fprintf(stderr, "workload ACT [TIMES]; acts:\n");
  for (const Act& act : kActs) std::fprintf(stderr, "  %s\n", act.name);
  return 2;
}
