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
#include "tests/kernel/directory_race.h"
#include "tests/kernel/race.h"
#include "tests/kernel/virtual_run.h"

namespace cordon::testing {
namespace {

constexpr char kReads[] =
    "int got = is_own(OPEN); did += got == 1; reached += got == 0;";

Race Reading(const std::string& open) {
  Race race = DirectoryRace("/etc", "hostname");
  race.body = absl::StrReplaceAll(kReads, {{"OPEN", open}});
  return race;
}

void ExpectRaced(const Race& race) {
  const auto run = RunSwapping(race);
  EXPECT_EQ(run->stdout_data(), kRaced)
      << run->stderr_data() << run->outcome().message;
}

TEST(VirtualFilesystemRace, APathThatChangesMeanwhile) {
  Race race = Reading("open(path, O_RDONLY)");
  race.declarations += "static char path[64] = \"/box/own\";\n";
  race.other =
      "strcpy(path, \"/etc/hostname\"); pause_();\n"
      "strcpy(path, \"/box/own\"); pause_();";
  ExpectRaced(race);
}

// A directory that the program is in by a race, as chdir(2) is its own.
TEST(VirtualFilesystemRace, ADirectoryOfTheHostsThatTheProgramIsIn) {
  const HostFile file("outside");
  Race race = DirectoryRace("/usr", "own");
  race.declarations += "static char path[64] = \"/tmp\";\n";
  race.other =
      "strcpy(path, \"/tmp\"); pause_(); strcpy(path, \"/usr\"); pause_();";
  race.body = absl::StrReplaceAll(
      "struct stat s; char c[99] = \"\"; chdir(path); getcwd(c, 99);\n"
      "reached += stat(\"NAME\", &s) == 0 || access(\"NAME\", 0) == 0 ||\n"
      "           open(\"NAME\", O_RDONLY) >= 0;\n"
      "did += !strcmp(c, \"/tmp\");",
      {{"NAME", file.path().substr(sizeof("/tmp/") - 1)}});
  ExpectRaced(race);
}

TEST(VirtualFilesystemRace, ADirectoryThatChangesMeanwhile) {
  ExpectRaced(Reading("open(VICTIM, O_RDONLY)"));
}

TEST(VirtualFilesystemRace, ADescriptorThatChangesMeanwhile) {
  Race race = Reading("openat(at_fd, \"../dir/hostname\", O_RDONLY)");
  race.declarations += "static int own_fd, other_fd, at_fd;\n";
  race.setup +=
      "own_fd = open(\"/tmp/dir\", O_RDONLY);\n"
      "other_fd = open(\"/usr\", O_RDONLY); at_fd = dup(own_fd);\n"
      "if (other_fd < 0 || at_fd < 0) return 4;\n";
  race.other =
      "dup2(other_fd, at_fd); pause_(); dup2(own_fd, at_fd); pause_();";
  ExpectRaced(race);
}

TEST(VirtualFilesystemRace, AFileThatBecomesALinkMeanwhile) {
  Race race = Reading("open(\"/tmp/dir\", O_RDONLY)");
  race.declarations += "#undef OUTSIDE\n#define OUTSIDE \"/etc/hostname\"\n";
  race.setup +=
      "unlink(VICTIM); rmdir(\"/tmp/dir\"); link(\"own\", \"/tmp/dir\");\n";
  race.body =
      "truncate(\"/tmp/dir\", 1); chmod(\"/tmp/dir\", 0600);\n" + race.body;
  ExpectRaced(race);
}

TEST(VirtualFilesystemRace, NamesAreMadeInOwnDirectoriesOnly) {
  const HostDirectory outside;
  Race race = DirectoryRace(outside.path(), "hostname");
  race.kinds = 5;
  race.body =
      "char n[64]; sprintf(n, \"/tmp/dir/%ld\", acts);\n"
      "int made = 0; switch (kind) {\n"
      "  case 0: made = mkdir(n, 0700) == 0; break;\n"
      "  case 1: made = mknod(n, S_IFIFO | 0600, 0) == 0; break;\n"
      "  case 2: made = symlink(\"x\", n) == 0; break;\n"
      "  case 3: made = link(\"/box/own\", n) == 0; break;\n"
      "  case 4: { int fd = open(n, O_CREAT | O_RDWR, 0600);\n"
      "    made = fd >= 0; close(fd); break; } }\n"
      "did += made;\n"
      "char o[64]; sprintf(o, OUTSIDE \"/%ld\", acts); struct stat s;\n"
      "reached += lstat(o, &s) == 0;\n"
      "if (made && unlink(n) != 0) rmdir(n);";
  ExpectRaced(race);
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
  Race race = DirectoryRace(outside.path(), name);
  race.setup += "link(\"/box/own\", \"/box/own2\");\n";
  race.kinds = 8;
  race.body =
      "int f = open(VICTIM, O_CREAT | O_WRONLY, 0600);\n"
      "if (f >= 0) { write(f, \"o\", 1); close(f); }\n"
      "struct timespec t[2] = {{7, 0}, {7, 0}};\n"
      "int r = -1; switch (kind) {\n"
      "  case 0: r = unlink(VICTIM); break;\n"
      "  case 1: r = rename(VICTIM, \"/tmp/gone\"); break;\n"
      "  case 2: r = chmod(VICTIM, 0611); break;\n"
      "  case 3: r = utimensat(AT_FDCWD, VICTIM, t, 0); break;\n"
      "  case 4: r = truncate(VICTIM, 0); break;\n"
      "  case 5: r = open(VICTIM, O_WRONLY | O_TRUNC); if (r >= 0) close(r);\n"
      "    break;\n"
      "  case 6: r = rename(\"/box/own2\", VICTIM);\n"
      "    link(\"/box/own\", \"/box/own2\"); break;\n"
      "  case 7: r = link(VICTIM, \"/tmp/l\");\n"
      "    if (r == 0) { char c = 0; int q = open(\"/tmp/l\", O_RDONLY);\n"
      "      reached += read(q, &c, 1) == 1 && c != 'o';\n"
      "      close(q); unlink(\"/tmp/l\"); } break; }\n"
      "did += r >= 0;";
  ExpectRaced(race);
  struct stat after;
  ASSERT_EQ(stat(victim.c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(after.st_uid, before.st_uid);
  EXPECT_EQ(after.st_size, before.st_size);
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_nlink, before.st_nlink);
  EXPECT_EQ(after.st_mtime, before.st_mtime);
  if (outside.made()) {
    EXPECT_EQ(unlink(victim.c_str()), 0);
  }
}

// What a run could change whose user is the server's: the supervisor does it.
TEST(VirtualFilesystemRace, TheHostsTemporaryFilesStayAsTheyAre) {
  const HostFile file("changed");
  struct stat before;
  ASSERT_EQ(stat(file.path().c_str(), &before), 0);
  Race race = DirectoryRace("/tmp", file.path().substr(sizeof("/tmp/") - 1));
  race.declarations +=
      "#include <sys/syscall.h>\n#include <sys/time.h>\n#include <utime.h>\n";
  race.kinds = 10;
  race.body =
      "struct timespec t[2] = {{7, 0}, {7, 0}};\n"
      "struct timeval v[2] = {{7, 0}, {7, 0}}; struct utimbuf u = {7, 7};\n"
      "int r = -1; switch (kind) {\n"
      "  case 0: r = syscall(SYS_chmod, VICTIM, 0611); break;\n"
      "  case 1: r = fchmodat(AT_FDCWD, VICTIM, 0611, 0); break;\n"
      "  case 2: r = syscall(SYS_chown, VICTIM, getuid(), -1); break;\n"
      "  case 3: r = syscall(SYS_lchown, VICTIM, getuid(), -1); break;\n"
      "  case 4: r = fchownat(AT_FDCWD, VICTIM, getuid(), -1, 0); break;\n"
      "  case 5: r = utimensat(AT_FDCWD, VICTIM, t, 0); break;\n"
      "  case 6: r = syscall(SYS_utime, VICTIM, &u); break;\n"
      "  case 7: r = syscall(SYS_utimes, VICTIM, v); break;\n"
      "  case 8: r = syscall(SYS_futimesat, AT_FDCWD, VICTIM, v); break;\n"
      "  case 9: r = truncate(VICTIM, 0); break; }\n"
      "did += r == 0;";
  ExpectRaced(race);
  struct stat after;
  ASSERT_EQ(stat(file.path().c_str(), &after), 0);
  EXPECT_EQ(after.st_mode, before.st_mode);
  // Every change changes it, one to what there was as well.
  EXPECT_EQ(after.st_ctim.tv_sec, before.st_ctim.tv_sec);
  EXPECT_EQ(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
  EXPECT_EQ(file.content(), "secret");
}

}  // namespace
}  // namespace cordon::testing
