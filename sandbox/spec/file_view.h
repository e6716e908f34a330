// What a run may see of the host's files, besides its own directory, and under
// which names.

#ifndef CORDON_SANDBOX_SPEC_FILE_VIEW_H_
#define CORDON_SANDBOX_SPEC_FILE_VIEW_H_

#include <string>
#include <vector>

namespace cordon::sandbox {

// Absolute paths of files or directories; a directory stands for everything
// beneath it. A path that does not exist on the host is left out.
struct FileView {
  std::vector<std::string> read_execute;
  std::vector<std::string> read;
  std::vector<std::string> read_write;
};

// What a run's paths mean.
enum class Filesystem {
  // What they mean on the host.
  kHost,
  // /tmp, /var/tmp, /dev/shm and /box are directories of the run's own, and
  // /proc/self is its processes' entries; the rest is the host's.
  kVirtual,
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_SPEC_FILE_VIEW_H_
