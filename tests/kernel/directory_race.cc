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
                                       "static int tmp_fd;\n"
                                       "static int is_own(int fd) {\n"
                                       "  char c = 0; if (fd < 0) return -1;\n"
                                       "  if (read(fd, &c, 1) != 1) c = 0;\n"
                                       "  close(fd); return c == 'o';\n"
                                       "}\n"),
          .setup =
              "int f = open(\"/box/own\", O_CREAT | O_WRONLY, 0600);\n"
              "if (f < 0 || write(f, \"o\", 1) != 1) return 2;\n"
              "if (mkdir(\"/tmp/dir\", 0700) || link(\"own\", VICTIM) ||\n"
              "    symlink(OUTSIDE, \"/tmp/away\")) return 3;\n"
              "if ((tmp_fd = open(\"/tmp\", O_RDONLY)) < 0) return 4;\n",
          // By names beneath a descriptor, which the supervisor leaves to the
          // kernel: it performs one call of a run at a time, and would wait
          // with this one until the other is over.
          .other =
              "renameat2(tmp_fd, \"dir\", tmp_fd, \"away\", RENAME_EXCHANGE);\n"
              "pause_();\n",
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
