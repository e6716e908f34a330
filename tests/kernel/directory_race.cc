#include "tests/kernel/directory_race.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "sandbox/base/unique_fd.h"
#include "tests/kernel/virtual_run.h"
#include "tests/support/process_view.h"

namespace cordon::testing {
namespace {

// What each run has as /tmp, on the host.
std::vector<std::filesystem::path> TemporaryDirectories() {
  namespace fs = std::filesystem;
  std::vector<fs::path> directories;
  std::error_code error;
  for (fs::directory_iterator
           run(SharedSandbox().state_directory() + "/runs", error),
       end;
       !error && run != end; run.increment(error)) {
    directories.push_back(run->path() / "tmp");
  }
  return directories;
}

// Of an earlier run, whose directory is removed a moment after its result: to
// swap them there would keep it there.
bool AreSomewhere(const SwappedNames& names) {
  for (const std::filesystem::path& directory : TemporaryDirectories()) {
    std::error_code unseen;
    if (exists(symlink_status(directory / names.one, unseen))) return true;
  }
  return false;
}

// In each run there is, until one of the two is gone.
void Swap(const SwappedNames& names, const std::atomic<bool>& over) {
  for (const std::filesystem::path& path : TemporaryDirectories()) {
    const sandbox::UniqueFd directory(
        open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    while (directory.valid() && !over &&
           renameat2(directory.get(), names.one.c_str(), directory.get(),
                     names.other.c_str(), RENAME_EXCHANGE) == 0) {
      // As long as a walk takes.
      const absl::Time until = absl::Now() + absl::Microseconds(20);
      while (absl::Now() < until) {
      }
    }
  }
}

}  // namespace

Race DirectoryRace(const std::string& outside, const std::string& name) {
  return {.declarations = absl::StrCat("#define OUTSIDE \"", outside,
                                       "\"\n"
                                       "#define VICTIM \"/tmp/dir/",
                                       name,
                                       "\"\n"
                                       "static int is_own(int fd) {\n"
                                       "  char c = 0; if (fd < 0) return -1;\n"
                                       "  if (read(fd, &c, 1) != 1) c = 0;\n"
                                       "  close(fd); return c == 'o';\n"
                                       "}\n"),
          .setup =
              "int f = open(\"/box/own\", O_CREAT | O_WRONLY, 0600);\n"
              "if (f < 0 || write(f, \"o\", 1) != 1) return 2;\n"
              "if (mkdir(\"/tmp/dir\", 0700) || link(\"own\", VICTIM))\n"
              "  return 3;\n",
          .other = "usleep(1000);\n",
          .body = ""};
}

std::shared_ptr<RecordingObserver> RunSwapping(const Race& race,
                                               const SwappedNames& names) {
  Race complete = race;
  // Last, so that nothing is swapped before.
  complete.setup += "if (symlink(OUTSIDE, \"/tmp/away\")) return 9;\n";
  // So that nothing is swapped while the directory is removed, which begins as
  // soon as the run has its result.
  complete.teardown = absl::StrCat("if (rename(\"/tmp/", names.one,
                                   "\", \"/tmp/unswapped\")) return 8;\n");
  EXPECT_TRUE(Eventually([&] { return !AreSomewhere(names); }));
  std::atomic<bool> over = false;
  std::thread swapper([&] {
    while (!over) Swap(names, over);
  });
  auto run = RunVirtual(RaceSpec(complete));
  over = true;
  swapper.join();
  return run;
}

HostDirectory::HostDirectory() {
  for (const char* where : {"/opt", "/srv", "/var/lib"}) {
    path_ = absl::StrCat(where, "/cordon-outside-", getpid());
    made_ = mkdir(path_.c_str(), 0777) == 0 && chmod(path_.c_str(), 0777) == 0;
    if (made_) return;
  }
  path_ = "/etc";
}

HostDirectory::~HostDirectory() {
  if (!made_) return;
  EXPECT_EQ(rmdir(path_.c_str()), 0);
}

}  // namespace cordon::testing
