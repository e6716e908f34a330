#include "tests/kernel/directory_race.h"

#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cordon::testing {

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
              "if (mkdir(\"/tmp/dir\", 0700) || link(\"own\", VICTIM) ||\n"
              "    symlink(OUTSIDE, \"/tmp/away\")) return 3;\n",
          .other =
              "renameat2(AT_FDCWD, \"/tmp/dir\", AT_FDCWD, \"/tmp/away\","
              " RENAME_EXCHANGE); pause_();\n",
          .body = ""};
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
