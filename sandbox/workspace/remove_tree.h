// Removes what a program left behind, however hard it made that: a tree of any
// depth and width, directories without permissions, names of any bytes.
//
//   absl::Status status = RemoveTree(runs_fd, "3f9c...");
//
// No recursion, a handful of descriptors and constant memory whatever the tree
// looks like. Links are removed, never followed; nothing outside the directory
// is touched. It may take as long as the tree is large: call it off the
// critical path. No process may still be writing to the tree.
//
// Thread-safe for different trees.

#ifndef CORDON_SANDBOX_WORKSPACE_REMOVE_TREE_H_
#define CORDON_SANDBOX_WORKSPACE_REMOVE_TREE_H_

#include "absl/status/status.h"

namespace cordon::sandbox {

// Removes the entry `name` (one component) of the directory `parent`, and all
// beneath it if it is a directory. OK when there is none. Errors: INTERNAL with
// step and errno; what could be removed is gone even then.
absl::Status RemoveTree(int parent, const char* name);

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WORKSPACE_REMOVE_TREE_H_
