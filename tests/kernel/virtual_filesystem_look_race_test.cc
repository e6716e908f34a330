// Races on what a run looks at in a file system of its own: the host's /tmp and
// the processes of others, which it has none of, are not seen by a call whose
// way there changes meanwhile.

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/attack.h"
#include "tests/kernel/directory_race.h"
#include "tests/kernel/race.h"
#include "tests/kernel/virtual_run.h"

namespace cordon::testing {
namespace {

using ::testing::AnyOf;

void ExpectRaced(const Race& race) {
  const auto run = RunSwapping(race);
  EXPECT_EQ(run->stdout_data(), kRaced)
      << run->stderr_data() << run->outcome().message;
}

// The link leads to the host's /tmp, where the host's file has the name that
// the run's own has in its directory.
Race RaceFor(const HostFile& file) {
  Race race = DirectoryRace("/tmp", file.path().substr(sizeof("/tmp/") - 1));
  struct stat status;
  EXPECT_EQ(stat(file.path().c_str(), &status), 0);
  absl::StrAppend(&race.declarations,
                  "#include <sys/syscall.h>\n#include <sys/xattr.h>\n"
                  "static int is_hosts(long device, long inode) {\n"
                  "  return device == ",
                  status.st_dev, " && inode == ", status.st_ino, "; }\n");
  return race;
}

TEST(VirtualFilesystemRace, TheStatusOfAHostsFileIsNotSeen) {
  const HostFile file("stat");
  Race race = RaceFor(file);
  race.kinds = 5;
  race.body =
      "struct stat s = {0}; struct statx x = {0}; int r = -1, fd;\n"
      "switch (kind) {\n"
      "  case 0: r = syscall(SYS_stat, VICTIM, &s); break;\n"
      "  case 1: r = syscall(SYS_lstat, VICTIM, &s); break;\n"
      "  case 2: r = fstatat(AT_FDCWD, VICTIM, &s, 0); break;\n"
      "  case 3: r = statx(AT_FDCWD, VICTIM, 0, STATX_BASIC_STATS, &x);\n"
      "    s.st_dev = (dev_t)x.stx_dev_major << 8 | x.stx_dev_minor;\n"
      "    s.st_ino = x.stx_ino; s.st_size = x.stx_size; break;\n"
      "  case 4: fd = open(VICTIM, O_PATH); r = fd < 0 ? -1 : fstat(fd, &s);\n"
      "    close(fd); break; }\n"
      "did += r == 0 && s.st_size == 1;\n"
      "reached += r == 0 && (is_hosts(s.st_dev, s.st_ino) || s.st_size != 1);";
  ExpectRaced(race);
  EXPECT_EQ(Free(absl::StrCat("return os.stat('", file.path(), "').st_size")),
            "6");
}

// What is executable is the host's.
TEST(VirtualFilesystemRace, TheRightsToAHostsFileAreNotSeen) {
  const HostFile file("access");
  ASSERT_EQ(chmod(file.path().c_str(), 0777), 0);
  Race race = RaceFor(file);
  race.kinds = 3;
  race.body =
      "const int modes[] = {R_OK, X_OK}; int r[2], i;\n"
      "for (i = 0; i < 2; ++i) switch (kind) {\n"
      "  case 0: r[i] = syscall(SYS_access, VICTIM, modes[i]); break;\n"
      "  case 1: r[i] = syscall(SYS_faccessat, AT_FDCWD, VICTIM, modes[i]);\n"
      "    break;\n"
      "  case 2: r[i] = syscall(439, AT_FDCWD, VICTIM, modes[i], AT_EACCESS);\n"
      "    break; }\n"
      "did += r[0] == 0; reached += r[1] == 0;";
  ExpectRaced(race);
  EXPECT_EQ(
      Free(absl::StrCat("return os.access('", file.path(), "', os.X_OK)")),
      "True");
}

TEST(VirtualFilesystemRace, ALinkOfTheHostsIsNotRead) {
  const HostFile file("readlink");
  const std::string link = file.path() + ".link";
  ASSERT_EQ(symlink("secret", link.c_str()), 0);
  Race race = RaceFor(file);
  race.setup += "symlink(\"own\", VICTIM \".link\");\n";
  race.kinds = 2;
  race.body =
      "char text[64] = {0};\n"
      "const char* name = VICTIM \".link\";\n"
      "if (kind == 0) syscall(SYS_readlink, name, text, 63);\n"
      "else readlinkat(AT_FDCWD, name, text, 63);\n"
      "did += strcmp(text, \"own\") == 0;\n"
      "reached += strcmp(text, \"own\") != 0 && *text != 0;";
  ExpectRaced(race);
  EXPECT_EQ(Free(absl::StrCat("return os.readlink('", link, "')")), "secret");
  EXPECT_EQ(unlink(link.c_str()), 0);
}

TEST(VirtualFilesystemRace, TheAttributesOfAHostsFileAreNotSeen) {
  const HostFile file("attributes");
  if (setxattr(file.path().c_str(), "user.cordon", "secret", 6, 0) != 0) {
    // Of a file system that has none: that it is found is a sign as well.
    ASSERT_THAT(errno, AnyOf(ENOTSUP, EPERM)) << file.path();
  }
  Race race = RaceFor(file);
  race.kinds = 4;
  // A run's own files have none.
  race.body =
      "char text[64]; int r = -1; errno = 0; switch (kind) {\n"
      "  case 0: r = getxattr(VICTIM, \"user.cordon\", text, 64); break;\n"
      "  case 1: r = lgetxattr(VICTIM, \"user.cordon\", text, 64); break;\n"
      "  case 2: r = listxattr(VICTIM, text, 64); break;\n"
      "  case 3: r = llistxattr(VICTIM, text, 64); break; }\n"
      "did += r == 0 || errno == EOPNOTSUPP;\n"
      "reached += r > 0 || errno == ENODATA;";
  ExpectRaced(race);
}

// ------------------------------------------------------------ other processes

// Names that the run's own directory has as well, one in the other's entry.
Race RaceForThisProcess() {
  Race race = DirectoryRace(absl::StrCat("/proc/", getpid()), "status");
  race.declarations +=
      "#include <linux/magic.h>\n#include <sys/vfs.h>\n"
      "static int is_procs(const char* name) {\n"
      "  struct statfs s;\n"
      "  return statfs(name, &s) ? -1 : s.f_type == PROC_SUPER_MAGIC; }\n";
  race.setup +=
      "symlink(\"/box/own\", \"/tmp/dir/exe\");\n"
      "symlink(\"/box\", \"/tmp/dir/cwd\");\n";
  return race;
}

TEST(VirtualFilesystemRace, AnothersEntryIsNotSeen) {
  struct stat program;
  ASSERT_EQ(stat("/proc/self/exe", &program), 0);
  Race race = RaceForThisProcess();
  race.kinds = 5;
  race.body = absl::StrCat(
      "struct stat s; char text[99] = {0}; int r = -1; switch (kind) {\n"
      "  case 0: r = is_own(open(VICTIM, O_RDONLY)); break;\n"
      "  case 1: r = stat(VICTIM, &s) ? -1 : s.st_size == 1; break;\n"
      "  case 2: if (readlink(\"/tmp/dir/exe\", text, 98) > 0)\n"
      "      r = !strcmp(text, \"/box/own\"); break;\n"
      "  case 3: r = stat(\"/tmp/dir/exe\", &s) ? -1 : s.st_size == 1; break;\n"
      "  case 4: r = is_procs(VICTIM); if (r >= 0) r = !r; break; }\n"
      "did += r == 1; reached += r == 0;");
  ExpectRaced(race);
  EXPECT_EQ(
      Free(absl::StrCat("return os.stat('/proc/", getpid(), "/exe').st_ino")),
      absl::StrCat(program.st_ino));
}

// By a working directory that is the own entry, or another's, which the program
// gets to by a race only: of a chdir(2) that may go on.
TEST(VirtualFilesystemRace, WhoseEntryChangesMeanwhile) {
  Race race = RaceForThisProcess();
  race.declarations +=
      // Of the open file "status", which process it is of.
      "static int is_ours(int fd) {\n"
      "  char text[4096] = {0}; if (fd < 0) return -1;\n"
      "  int size = read(fd, text, 4095); close(fd);\n"
      "  if (size <= 0) return -1;\n"
      "  return atoi(strstr(text, \"\\nTgid:\\t\") + 7) == getpid(); }\n"
      "static int is_our_program(const struct stat* s) {\n"
      "  struct stat own; stat(\"/box/race\", &own);\n"
      "  return s->st_ino == own.st_ino && s->st_dev == own.st_dev; }\n";
  race.declarations +=
      "#include <errno.h>\n#include <stdlib.h>\n"
      "static char where[64] = \"/usr\"; static int met;\n";
  race.other =
      "strcpy(where, OUTSIDE); pause_(); strcpy(where, \"/usr\"); pause_();";
  race.kinds = 3;
  race.body =
      "struct stat s; char text[99] = {0}; int r = -1;\n"
      "chdir(acts % 2 ? where : \"/proc/self\"); errno = 0;\n"
      "switch (kind) {\n"
      "  case 0: r = is_ours(open(\"status\", O_RDONLY)); break;\n"
      "  case 1: if (readlink(\"exe\", text, 98) > 0)\n"
      "      r = strstr(text, \"/box/race\") != 0; break;\n"
      "  case 2: r = stat(\"exe\", &s) ? -1 : is_our_program(&s); break; }\n"
      "met |= r < 0 && errno == EACCES;\n"
      "did += r == 1 && met; reached += r == 0;";
  const auto run = RunVirtual(RaceSpec(race));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
  EXPECT_EQ(Free(absl::StrCat("return os.readlink('/proc/", getpid(),
                              "/exe') != ''")),
            "True");
}

// /proc/self/fd/N, where N is changed, says what the number stood for at one
// moment: of a file of the run's own, by the name that the run knows.
TEST(VirtualFilesystemRace, ADescriptorsLinkThatChangesMeanwhile) {
  Race race = DirectoryRace("/usr", "own");
  race.declarations +=
      "#include <stdlib.h>\nstatic int fds[2], at_fd; static char link_[64];\n";
  race.setup +=
      "fds[0] = open(VICTIM, O_RDONLY); fds[1] = open(OUTSIDE, O_RDONLY);\n"
      "at_fd = dup(fds[0]);\n"
      "if (fds[1] < 0 || at_fd < 0) return 4;\n"
      "sprintf(link_, \"/proc/self/fd/%d\", at_fd);\n";
  race.other = "dup2(fds[1], at_fd); pause_(); dup2(fds[0], at_fd); pause_();";
  race.kinds = 2;
  race.body =
      "char text[99] = {0};\n"
      "if (kind == 0) {\n"
      "  readlink(link_, text, 98); did += !strcmp(text, VICTIM);\n"
      "  reached += strcmp(text, VICTIM) && strcmp(text, OUTSIDE);\n"
      "} else {\n"
      "  struct stat s; int r = stat(link_, &s);\n"
      "  did += r == 0 && S_ISREG(s.st_mode) && s.st_size == 1;\n"
      "  reached += r != 0 || (S_ISREG(s.st_mode) && s.st_size != 1); }\n";
  // Names stay: the one of a directory is its name of that moment.
  const auto run = RunVirtual(RaceSpec(race));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
}

// --------------------------------------------------------- working directory

// The answer is whole, and one of the two: by the name that the run knows, or,
// where it was elsewhere when the supervisor looked, by the kernel's.
TEST(VirtualFilesystemRace, TheWorkingDirectoryChangesMeanwhile) {
  Race race = DirectoryRace("/usr", "own");
  race.declarations += "#include <sys/syscall.h>\n";
  race.other = "chdir(\"/tmp/dir\"); pause_(); chdir(\"/usr\"); pause_();";
  race.body =
      "char text[999]; memset(text, 'x', 999);\n"
      "const long size = syscall(SYS_getcwd, text, 998); text[998] = 0;\n"
      "const char own[] = \"/tmp/dir\"; const long tail = size - sizeof(own);\n"
      "const int is_whole = size > 0 && strlen(text) + 1 == size;\n"
      "did += is_whole && !strcmp(text, own);\n"
      "reached += !is_whole || (strcmp(text, \"/usr\") && strcmp(text, "
      "\"/box\")\n"
      "    && (tail < 0 || strcmp(text + tail, own)));";
  // Names stay: the one of a directory is its name of that moment.
  const auto run = RunVirtual(RaceSpec(race));
  EXPECT_EQ(run->stdout_data(), kRaced) << run->stderr_data();
}

}  // namespace
}  // namespace cordon::testing
