// Races on a name in a run's own /tmp that changes places with a link out of
// it, for runs with a file system of their own.
//
//   Race race = DirectoryRace("/etc", "hostname");
//   race.body = "struct stat s; did += stat(VICTIM, &s) == 0;";
//   const auto run = RunSwapping(race);

#ifndef CORDON_TESTS_KERNEL_DIRECTORY_RACE_H_
#define CORDON_TESTS_KERNEL_DIRECTORY_RACE_H_

#include <memory>
#include <string>

#include "tests/kernel/race.h"
#include "tests/support/sandbox_fixture.h"

namespace cordon::testing {

// /tmp/dir is the run's own directory, with a link `name` to its file /box/own,
// which holds "o". /tmp/away is a link to `outside`. VICTIM is the file's name,
// and OUTSIDE where the link leads; is_own(fd) closes the descriptor and says 1
// for the run's own file, 0 for another, -1 for none.
Race DirectoryRace(const std::string& outside, const std::string& name);

// Two names in a run's /tmp.
struct SwappedNames {
  std::string one = "dir";
  std::string other = "away";
};

// Runs it while this process makes the names change places, over and over. The
// run could not: its own calls are performed one at a time, by the one thread
// whose walk is to be raced. That walk is to hold whoever moves things.
std::shared_ptr<RecordingObserver> RunSwapping(const Race& race,
                                               const SwappedNames& names = {});

// A directory of the host's that everybody may write to, where this user may
// make one that no run sees its own in place of; else one that exists.
class HostDirectory {
 public:
  HostDirectory();
  // Finds out whether nothing was made in it.
  ~HostDirectory();
  HostDirectory(const HostDirectory&) = delete;
  HostDirectory& operator=(const HostDirectory&) = delete;

  const std::string& path() const { return path_; }
  bool made() const { return made_; }

 private:
  std::string path_;
  bool made_ = false;
};

}  // namespace cordon::testing

#endif  // CORDON_TESTS_KERNEL_DIRECTORY_RACE_H_
