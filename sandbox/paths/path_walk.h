// PathWalk: one walk of VirtualTree::Find.
//
// It reads like the kernel's (path_resolution(7)): what is left of the path is
// taken a component at a time, and a link's target is put in front of the
// rest.

#ifndef CORDON_SANDBOX_PATHS_PATH_WALK_H_
#define CORDON_SANDBOX_PATHS_PATH_WALK_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/paths/virtual_tree.h"

namespace cordon::sandbox {

// The process of a thread; `tid` itself where /proc does not tell.
pid_t ProcessOf(pid_t tid);

class PathWalk {
 public:
  PathWalk(const VirtualTree& tree, const PathCaller& caller,
           FinalLink final_link)
      : tree_(tree), caller_(caller), final_link_(final_link) {}

  // Once.
  Place Run(int directory_fd, absl::string_view path);

 private:
  // The directories of the host that something virtual is in.
  enum class Spot { kRoot, kDev, kVar, kProc, kOther };
  // What a step did.
  enum class Step { kWalked, kFailed, kFinal };

  bool Begin(int directory_fd, absl::string_view path);
  bool IsPlainlyHost() const;
  // Of such a path: all of it at once, or all but its last name.
  Step TakePlainly();
  // Whether the last name's link is not followed.
  bool EndsIn(bool is_last) const;
  void Push(absl::string_view path);
  Step Take(const std::string& name, bool is_last);
  Step TakeInHost(const std::string& name, bool is_last);
  Step TakeInProcess(const std::string& name, bool is_last);
  Step TakeComponent(const std::string& name, bool is_last);
  Step FollowLink(const std::string& target);
  Step FollowMagicLink(const std::string& name);
  Step Up();
  Step Fail(int error_number);

  void GoToSpot(Spot spot);
  Step GoToMount(size_t index);
  Step GoToProcess(const std::string& name);
  // Where an open descriptor leads.
  Step GoToObject(UniqueFd object);
  // Whether `at_` is, or is beneath, the entry of a process of the run.
  bool IsOfRun(int levels_below_entry) const;
  // Makes `at_` valid, for a spot that was only named.
  bool Open();

  const VirtualTree& tree_;
  const PathCaller caller_;
  const FinalLink final_link_;

  // Where the walk is.
  Region region_ = Region::kHost;
  Spot spot_ = Spot::kRoot;
  UniqueFd at_;
  // In a process's entry: the names below it.
  std::vector<std::string> process_path_;
  // Components to come, the next one last.
  std::vector<std::string> rest_;
  bool must_be_directory_ = false;
  bool needs_view_ = false;
  int links_ = 0;
  size_t components_ = 0;
  int error_number_ = 0;
  std::string final_name_;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_PATHS_PATH_WALK_H_
