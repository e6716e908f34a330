#include "sandbox/supervise/unix_address.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "sandbox/supervise/write_target.h"

namespace cordon::sandbox {
namespace {

// What libraries look for, and do without.
constexpr absl::string_view kProbed[] = {
    "/run/nscd/socket",                            // glibc
    "/run/systemd/userdb/io.systemd.DynamicUser",  // nss-systemd
};

UniqueFd OpenBeneath(int directory, const std::string& path, uint64_t flags) {
  open_how how = {};
  how.flags = flags | O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(
      syscall(SYS_openat2, directory, path.c_str(), &how, sizeof(how))));
}

// A name for what a descriptor and a name beneath it mean, for calls that take
// no descriptor. procfs's link leads to exactly that directory.
int Store(const std::string& path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return ENAMETOOLONG;
  std::memcpy(address.sun_path, path.data(), path.size());
  return 0;
}

std::string PathOf(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

}  // namespace

std::string UnixAddress::ToString() const {
  return is_abstract ? absl::StrCat("@", name) : name;
}

std::optional<UnixAddress> ParseUnixAddress(const sockaddr_storage& storage,
                                            size_t length) {
  constexpr size_t kPathAt = offsetof(sockaddr_un, sun_path);
  if (storage.ss_family != AF_UNIX || length < kPathAt) return std::nullopt;
  sockaddr_un address;
  std::memcpy(&address, &storage, sizeof(address));
  const size_t size = std::min(length - kPathAt, sizeof(address.sun_path));
  UnixAddress parsed;
  parsed.is_abstract = size == 0 || address.sun_path[0] == '\0';
  parsed.name =
      parsed.is_abstract
          ? std::string(address.sun_path + (size > 0 ? 1 : 0),
                        size > 0 ? size - 1 : 0)
          : std::string(address.sun_path, strnlen(address.sun_path, size));
  return parsed;
}

UnixPlace FindUnixPlace(pid_t tid, const std::string& workspace,
                        absl::string_view path) {
  UnixPlace place;
  const std::string absolute = MakeAbsolute(tid, AT_FDCWD, path);
  absl::string_view relative = absolute;
  if (!absl::ConsumePrefix(&relative, absl::StrCat(workspace, "/"))) {
    place.error_number = EXDEV;
    return place;
  }
  const size_t slash = relative.rfind('/');
  const absl::string_view directory =
      slash == absl::string_view::npos ? "." : relative.substr(0, slash);
  place.name = std::string(
      slash == absl::string_view::npos ? relative : relative.substr(slash + 1));
  if (place.name.empty() || place.name == "." || place.name == "..") {
    place.error_number = EADDRINUSE;
    return place;
  }
  const UniqueFd root(
      open(workspace.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (root.valid()) {
    place.parent = OpenBeneath(root.get(),
                               directory.empty() ? "." : std::string(directory),
                               O_DIRECTORY);
  }
  if (!place.parent.valid()) place.error_number = errno;
  return place;
}

bool IsUnixSocketOfOthers(pid_t tid, absl::string_view path) {
  const std::string found = ResolveExisting(tid, AT_FDCWD, path);
  return !found.empty() && std::find(std::begin(kProbed), std::end(kProbed),
                                     found) == std::end(kProbed);
}

int BindUnix(int socket, const UnixPlace& place) {
  sockaddr_un address;
  const int error =
      Store(absl::StrCat(PathOf(place.parent.get()), "/", place.name), address);
  if (error != 0) return error;
  if (bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) !=
      0) {
    return errno;
  }
  // What the run has put in its place meanwhile is its own as well.
  struct stat directory;
  if (geteuid() != 0) return 0;
  return fstat(place.parent.get(), &directory) == 0 &&
                 fchownat(place.parent.get(), place.name.c_str(),
                          directory.st_uid, directory.st_gid,
                          AT_SYMLINK_NOFOLLOW) == 0
             ? 0
             : errno;
}

int ConnectUnix(int socket, const UnixPlace& place) {
  const UniqueFd target =
      OpenBeneath(place.parent.get(), place.name, O_NOFOLLOW);
  if (!target.valid()) return errno;
  sockaddr_un address;
  const int error = Store(PathOf(target.get()), address);
  if (error != 0) return error;
  return connect(socket, reinterpret_cast<sockaddr*>(&address),
                 sizeof(address)) == 0
             ? 0
             : errno;
}

}  // namespace cordon::sandbox
