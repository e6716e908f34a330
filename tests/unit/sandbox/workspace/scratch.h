// A temporary directory that any user of the machine may write in, removed at
// the end by means that the code under test has no part in.

#ifndef CORDON_TESTS_UNIT_SANDBOX_WORKSPACE_SCRATCH_H_
#define CORDON_TESTS_UNIT_SANDBOX_WORKSPACE_SCRATCH_H_

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace cordon::sandbox {

// In memory, for trees that would take a disk's journal a minute.
inline constexpr const char* kInMemory = "/dev/shm";

class Scratch {
 public:
  explicit Scratch(const std::string& where = "/tmp") {
    std::string name = where + "/cordon-workspace-XXXXXX";
    const char* made = mkdtemp(name.data());
    EXPECT_NE(made, nullptr) << name;
    path_ = name;
    EXPECT_EQ(chmod(path_.c_str(), 0777), 0);
  }
  ~Scratch() {
    const std::string command =
        "chmod -R u+rwx '" + path_ + "' 2>/dev/null; rm -rf '" + path_ + "'";
    EXPECT_EQ(system(command.c_str()), 0);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline void WriteTextFile(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string ReadTextFile(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

inline bool Exists(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0;
}

}  // namespace cordon::sandbox

#endif  // CORDON_TESTS_UNIT_SANDBOX_WORKSPACE_SCRATCH_H_
