// Door: DefaultFileView (sandbox/sandbox.h).
//
// Every entry names who needs it. What is not here and not in a language's own
// view does not exist for a run: no home, no /proc or /dev tree, no /tmp, no
// /run, and of /etc only these.

#include "sandbox/sandbox.h"

namespace cordon::sandbox {
namespace {

// Programs, libraries, and what they bring along. /bin, /lib and the like are
// links into /usr on a merged system, and directories of their own elsewhere.
constexpr const char* kReadExecute[] = {
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/libx32", "/lib64",
};

constexpr const char* kRead[] = {
    // The dynamic loader, and ld(1) when it follows -rpath-link.
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    // cc, c++, python3 or awk may be links through here
    // (update-alternatives(1)).
    "/etc/alternatives",
    // localtime(3), and Python's zoneinfo.
    "/etc/localtime",
    "/etc/timezone",
    // getpwuid(3), getservbyname(3) and kin: world-readable everywhere; never
    // /etc/shadow.
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/group",
    "/etc/services",
    "/etc/protocols",
    // TLS libraries fail at import without their configuration.
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/ca-certificates",
    // Python's mimetypes, file(1).
    "/etc/mime.types",
    "/etc/magic",
    "/etc/magic.mime",
    // setlocale(3), curses, fontconfig.
    "/etc/locale.alias",
    "/etc/terminfo",
    "/etc/fonts",
    // "Which system is this": Python's platform, build scripts.
    "/etc/os-release",
    "/etc/debian_version",
    // Debian's Python reads its sitecustomize from here at every start, and
    // Perl looks for modules.
    "/etc/python3",
    "/etc/python3.9",
    "/etc/python3.10",
    "/etc/python3.11",
    "/etc/python3.12",
    "/etc/python3.13",
    "/etc/python3.14",
    "/etc/perl",
    // Debian's JDKs are links into here: without java.security no program
    // starts.
    "/etc/java-11-openjdk",
    "/etc/java-17-openjdk",
    "/etc/java-21-openjdk",

    // What run-time systems size themselves by. /proc itself stays closed, and
    // with it /proc/self: a rule on it would open every process's entry.
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/version",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/filesystems",
    "/proc/sys/vm/overcommit_memory",
    // get_nprocs(3), the JVM, Go, OpenMP.
    "/sys/devices/system/cpu",
    // Go's and jemalloc's huge pages.
    "/sys/kernel/mm/transparent_hugepage",
};

constexpr const char* kReadWrite[] = {
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
};

template <size_t size>
std::vector<std::string> ToStrings(const char* const (&paths)[size]) {
  return {paths, paths + size};
}

}  // namespace

FileView DefaultFileView() {
  FileView view;
  view.read_execute = ToStrings(kReadExecute);
  view.read = ToStrings(kRead);
  view.read_write = ToStrings(kReadWrite);
  return view;
}

std::vector<std::string> NetworkFiles() {
  return {"/etc/hosts", "/etc/host.conf", "/etc/gai.conf", "/etc/resolv.conf"};
}

}  // namespace cordon::sandbox
