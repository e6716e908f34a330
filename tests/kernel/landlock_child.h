// Runs an act in a child, confined by Landlock as a run is, or not at all, and
// says with which errno it ended: an attack and its control are the same act.
//
//   LandlockSite site;
//   auto act = [] { return Try(open("/etc/shadow", O_RDONLY)); };
//   EXPECT_EQ(site.Run(Confinement::kNone, act), 0);
//   EXPECT_EQ(site.Run(Confinement::kRun, act), EACCES);

#ifndef CORDON_TESTS_KERNEL_LANDLOCK_CHILD_H_
#define CORDON_TESTS_KERNEL_LANDLOCK_CHILD_H_

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <string>

#include "gtest/gtest.h"
#include "sandbox/policy/landlock/ruleset.h"
#include "sandbox/sandbox.h"

namespace cordon::sandbox {

enum class Confinement { kNone, kRun };

// 0, or the errno of the call that gave `result`.
inline int Try(long result) { return result < 0 ? errno : 0; }

// A workspace and, outside it, a directory of somebody else's.
class LandlockSite {
 public:
  explicit LandlockSite(const FileView& view = DefaultFileView()) {
    char name[] = "/tmp/cordon-landlock-XXXXXX";
    path_ = mkdtemp(name);
    for (const std::string directory : {"/run", "/other"}) {
      EXPECT_EQ(mkdir((path_ + directory).c_str(), 0777), 0);
    }
    std::ofstream(path_ + "/other/file") << "secret";
    std::ofstream(path_ + "/run/file") << "own";
    auto rulesets = ViewRuleset::Open(view, ProbeLandlockAbi());
    EXPECT_TRUE(rulesets.ok()) << rulesets.status();
    UniqueFd workspace(open(run().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    auto ruleset = rulesets->Create({workspace.get()});
    EXPECT_TRUE(ruleset.ok()) << ruleset.status();
    ruleset_ = *std::move(ruleset);
    EXPECT_TRUE(ruleset_.valid()) << "this kernel has no Landlock";
  }
  ~LandlockSite() { EXPECT_EQ(system(("rm -rf '" + path_ + "'").c_str()), 0); }
  LandlockSite(const LandlockSite&) = delete;
  LandlockSite& operator=(const LandlockSite&) = delete;

  std::string run() const { return path_ + "/run"; }
  std::string other() const { return path_ + "/other"; }

  // What `act` returned: 0, or an errno below 250. 255 when the child could not
  // be made, was killed, or could not be confined.
  int Run(Confinement confinement, const std::function<int()>& act) const {
    fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
      if (confinement == Confinement::kRun &&
          (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
           syscall(SYS_landlock_restrict_self, ruleset_.get(), 0) != 0)) {
        _exit(255);
      }
      _exit(act());
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child ||
        !WIFEXITED(status)) {
      return 255;
    }
    return WEXITSTATUS(status);
  }

 private:
  std::string path_;
  UniqueFd ruleset_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_TESTS_KERNEL_LANDLOCK_CHILD_H_
