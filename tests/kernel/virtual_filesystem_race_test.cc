// Races on a file system of the run's own: a second thread changes what a call
// is about while the supervisor performs it. Both outcomes are met, and nothing
// of the host's is.

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "tests/kernel/race.h"
#include "tests/kernel/virtual_run.h"

namespace cordon::testing {
namespace {

using sandbox::ExecutionSpec;

// Its directories: /tmp/dir is the run's own, with a link to its file
// /box/own, and /tmp/away is a link out of them, until they change places.
ExecutionSpec Racing(const std::string& other, const std::string& body) {
  return RaceSpec({.declarations = "static char path[64] = \"/box/own\";\n"
                                   "static int own_fd, other_fd, at_fd;\n"
                                   "static int is_own(int fd) {\n"
                                   "  char c = 0; if (fd < 0) return -1;\n"
                                   "  if (read(fd, &c, 1) != 1) c = 0;\n"
                                   "  close(fd); return c == 'o';\n"
                                   "}\n",
                   .setup =
                       "int f = open(\"/box/own\", O_CREAT | O_WRONLY, 0600);\n"
                       "if (f < 0 || write(f, \"o\", 1) != 1) return 1;\n"
                       "mkdir(\"/tmp/dir\", 0700);\n"
                       "link(\"own\", \"/tmp/dir/hostname\");\n"
                       "symlink(\"/etc\", \"/tmp/away\");\n"
                       "own_fd = open(\"/tmp/dir\", O_RDONLY);\n"
                       "other_fd = open(\"/etc\", O_PATH);\n"
                       "at_fd = dup(own_fd);\n"
                       "if (other_fd < 0 || at_fd < 0) return 2;\n",
                   .other = other,
                   .body = body});
}

constexpr const char* kRead =
    "int got = is_own(OPEN); did += got == 1; reached += got == 0;";

TEST(VirtualFilesystemRace, APathThatChangesMeanwhile) {
  const auto run = RunVirtual(
      Racing("strcpy(path, \"/etc/hostname\"); pause_();\n"
             "strcpy(path, \"/box/own\"); pause_();",
             absl::StrReplaceAll(kRead, {{"OPEN", "open(path, O_RDONLY)"}})));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
}

TEST(VirtualFilesystemRace, ADirectoryThatChangesMeanwhile) {
  const auto run = RunVirtual(
      Racing("renameat2(AT_FDCWD, \"/tmp/dir\", AT_FDCWD, \"/tmp/away\", 2);"
             "pause_();",
             absl::StrReplaceAll(
                 kRead, {{"OPEN", "open(\"/tmp/dir/hostname\", O_RDONLY)"}})));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
}

TEST(VirtualFilesystemRace, ADescriptorThatChangesMeanwhile) {
  const auto run = RunVirtual(
      Racing("dup2(other_fd, at_fd); pause_(); dup2(own_fd, at_fd); pause_();",
             absl::StrReplaceAll(kRead, {{"OPEN",
                                          "openat(at_fd, \"../dir/hostname\", "
                                          "O_RDONLY)"}})));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
}

TEST(VirtualFilesystemRace, AFileThatBecomesALinkMeanwhile) {
  const auto run = RunVirtual(
      Racing("symlink(\"/etc/hostname\", \"/tmp/l\"); pause_();\n"
             "rename(\"/tmp/l\", \"/tmp/x\"); link(\"/box/own\", \"/tmp/y\");\n"
             "rename(\"/tmp/y\", \"/tmp/x\"); pause_();",
             "truncate(\"/tmp/x\", 1); chmod(\"/tmp/x\", 0600);\n" +
                 absl::StrReplaceAll(
                     kRead, {{"OPEN", "open(\"/tmp/x\", O_RDONLY)"}})));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
}

// A directory of the host's that everybody may write to, where this user may
// make one that no run sees its own in place of; else one that exists.
class HostDirectory {
 public:
  HostDirectory() {
    for (const char* where : {"/opt", "/srv", "/var/lib"}) {
      path_ = absl::StrCat(where, "/cordon-outside-", getpid());
      made_ =
          mkdir(path_.c_str(), 0777) == 0 && chmod(path_.c_str(), 0777) == 0;
      if (made_) return;
    }
    path_ = "/etc";
  }
  // Whether nothing was made in it.
  ~HostDirectory() {
    if (!made_) return;
    EXPECT_EQ(rmdir(path_.c_str()), 0);
  }
  HostDirectory(const HostDirectory&) = delete;
  HostDirectory& operator=(const HostDirectory&) = delete;

  const std::string& path() const { return path_; }
  bool made() const { return made_; }

 private:
  std::string path_;
  bool made_ = false;
};

// Of Racing: /tmp/dir is the run's own directory, or a link to one outside.
std::string SwapsWithALinkTo(const std::string& directory) {
  return absl::StrCat(
      "static int first = 1; if (first) { first = 0; "
      "unlink(\"/tmp/away\"); symlink(\"",
      directory,
      "\", \"/tmp/away\"); }\n"
      "renameat2(AT_FDCWD, \"/tmp/dir\", AT_FDCWD, \"/tmp/away\", 2);"
      "pause_();");
}

TEST(VirtualFilesystemRace, NamesAreMadeInOwnDirectoriesOnly) {
  const HostDirectory outside;
  const auto run = RunVirtual(
      Racing(SwapsWithALinkTo(outside.path()),
             absl::StrReplaceAll(
                 "char n[64]; sprintf(n, \"/tmp/dir/%ld\", acts);\n"
                 "int made = 0; switch (acts % 5) {\n"
                 "  case 0: made = mkdir(n, 0700) == 0; break;\n"
                 "  case 1: made = mknod(n, S_IFIFO | 0600, 0) == 0; break;\n"
                 "  case 2: made = symlink(\"x\", n) == 0; break;\n"
                 "  case 3: made = link(\"/box/own\", n) == 0; break;\n"
                 "  case 4: { int fd = open(n, O_CREAT | O_RDWR, 0600);\n"
                 "    made = fd >= 0; close(fd); break; } }\n"
                 "did += made;\n"
                 "char o[64]; sprintf(o, \"OUT/%ld\", acts); struct stat s;\n"
                 "reached += lstat(o, &s) == 0;\n"
                 "if (made && unlink(n) != 0) rmdir(n);",
                 {{"OUT", outside.path()}})));
  EXPECT_EQ(run->stdout_data(), kRaced)
      << run->stderr_data() << run->outcome().message;
}

// Everything else that the supervisor changes by a path.
TEST(VirtualFilesystemRace, WhatIsOutsideStaysAsItIs) {
  const HostDirectory outside;
  const std::string name = outside.made() ? "victim" : "hostname";
  const std::string victim = absl::StrCat(outside.path(), "/", name);
  if (outside.made()) {
    std::ofstream(victim) << "secret";
    ASSERT_EQ(chmod(victim.c_str(), 0666), 0);
  }
  struct stat before;
  ASSERT_EQ(stat(victim.c_str(), &before), 0);
  const auto run = RunVirtual(Racing(
      SwapsWithALinkTo(outside.path()),
      absl::StrReplaceAll(
          "int f = open(VICTIM, O_CREAT | O_WRONLY, 0600);\n"
          "if (f >= 0) { write(f, \"o\", 1); close(f); }\n"
          "int r = -1; switch (acts % 8) {\n"
          "  case 0: r = unlink(VICTIM); break;\n"
          "  case 1: r = rename(VICTIM, \"/tmp/gone\"); break;\n"
          "  case 2: r = chmod(VICTIM, 0611); break;\n"
          "  case 3: { struct timespec t[2] = {{7, 0}, {7, 0}};\n"
          "    r = utimensat(AT_FDCWD, VICTIM, t, 0); break; }\n"
          "  case 4: r = truncate(VICTIM, 0); break;\n"
          "  case 5: r = open(VICTIM, O_WRONLY | O_TRUNC); if (r >= 0) "
          "close(r);\n"
          "    break;\n"
          "  case 6: r = rename(\"/box/own2\", VICTIM);\n"
          "    link(\"/box/own\", \"/box/own2\"); break;\n"
          "  case 7: r = link(VICTIM, \"/tmp/l\");\n"
          "    if (r == 0) { char c = 0; int q = open(\"/tmp/l\", O_RDONLY);\n"
          "      reached += read(q, &c, 1) == 1 && c != 'o';\n"
          "      close(q); unlink(\"/tmp/l\"); } break; }\n"
          "did += r >= 0;",
          {{"VICTIM", absl::StrCat("\"/tmp/dir/", name, "\"")}})));
  EXPECT_EQ(run->stdout_data(), kRaced)
      << run->stderr_data() << run->outcome().message;
  struct stat after;
  ASSERT_EQ(stat(victim.c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(after.st_size, before.st_size);
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_nlink, before.st_nlink);
  EXPECT_EQ(after.st_mtime, before.st_mtime);
  if (outside.made()) {
    EXPECT_EQ(unlink(victim.c_str()), 0);
  }
}

}  // namespace
}  // namespace cordon::testing
