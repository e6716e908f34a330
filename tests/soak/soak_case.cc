#include "tests/soak/soak_case.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/support/test_client.h"

namespace cordon::soak {
namespace {

using testing::BashRequest;
using testing::CommandRequest;
using testing::PythonRequest;
using testing::SetDuration;
using testing::SourceRequest;

using Check =
    std::function<std::string(const std::string& id, const v1::Result& result)>;

std::string Describe(const v1::Result& result) {
  return absl::StrCat(
      v1::Outcome_Name(result.outcome()), " exit code ", result.exit_code(),
      " signal ", result.signal(), " stdout of ", result.stdout().size(),
      " bytes: ", result.stdout().substr(0, 80),
      "; stderr: ", result.stderr().substr(0, 200), "; ", result.message());
}

// The outcome alone.
Check Ends(v1::Outcome outcome) {
  return [outcome](const std::string&, const v1::Result& result) {
    return result.outcome() == outcome
               ? std::string()
               : absl::StrCat("expected ", v1::Outcome_Name(outcome), ", got ",
                              Describe(result));
  };
}

// EXITED with `code`, after printing its id and nothing else.
Check PrintsItsId(int code) {
  return [code](const std::string& id, const v1::Result& result) {
    const bool good = result.outcome() == v1::EXITED &&
                      result.exit_code() == code &&
                      result.stdout() == id + "\n" && result.stderr().empty();
    return good ? std::string()
                : absl::StrCat("expected ", id, " and ", code, ", got ",
                               Describe(result));
  };
}

v1::ExecuteRequest WithFiles(const std::string& id) {
  v1::ExecuteRequest request =
      BashRequest("cat; mkdir out; cp in/name out/copy; cat out/copy >&2");
  request.set_stdin(id + "\n");
  v1::File* file = request.add_files();
  file->set_path("in/name");
  file->set_content(id);
  request.add_output_files("out/*");
  return request;
}

v1::ExecuteRequest WithVirtualFilesystem(v1::ExecuteRequest request) {
  request.mutable_policy()->set_filesystem(v1::FILESYSTEM_VIRTUAL);
  return request;
}

std::string CheckFiles(const std::string& id, const v1::Result& result) {
  const bool good = result.outcome() == v1::EXITED &&
                    result.stdout() == id + "\n" && result.stderr() == id &&
                    result.files_size() == 1 && result.files(0).content() == id;
  return good ? "" : Describe(result);
}

std::string CheckLargeOutput(const std::string&, const v1::Result& result) {
  constexpr size_t kBytes = 200000;
  const bool good =
      result.outcome() == v1::EXITED && result.stdout().size() == kBytes;
  return good ? "" : Describe(result);
}

std::string CheckDenied(const std::string& id, const v1::Result& result) {
  if (std::string error = PrintsItsId(0)(id, result); !error.empty()) {
    return error;
  }
  return result.violations_size() > 0 ? "" : "no violation is reported";
}

std::string CheckRefusedProcesses(const std::string&,
                                  const v1::Result& result) {
  if (result.outcome() != v1::EXITED) return Describe(result);
  if (result.usage().peak_processes() > 20) return "more than 20 processes";
  return result.violations_size() > 0 ? "" : "no refusal is reported";
}

SoakCase Limited(std::string name, const std::string& program,
                 v1::Outcome outcome,
                 std::function<void(v1::Limits&)> set_limit) {
  return {std::move(name), 1,
          [program, set_limit](const std::string&) {
            v1::ExecuteRequest request = BashRequest(program);
            set_limit(*request.mutable_limits());
            return request;
          },
          Ends(outcome)};
}

}  // namespace

std::vector<SoakCase> BenignCases() {
  return {
      {"/bin/true", 60,
       [](const std::string&) { return CommandRequest({"/bin/true"}); },
       [](const std::string&, const v1::Result& result) {
         return result.outcome() == v1::EXITED && result.exit_code() == 0 &&
                        result.violations_size() == 0
                    ? std::string()
                    : Describe(result);
       }},
      {"echo and exit code", 25,
       [](const std::string& id) {
         return BashRequest(absl::StrCat("echo ", id, "; exit 7"));
       },
       PrintsItsId(7)},
      {"stdin, files in and out", 8, WithFiles, CheckFiles},
      {"200 kB of output", 3,
       [](const std::string&) {
         return BashRequest("head -c 200000 /dev/zero");
       },
       CheckLargeOutput},
      {"python", 4,
       [](const std::string& id) {
         return PythonRequest(absl::StrCat("print('", id, "')"));
       },
       PrintsItsId(0)},
      {"python as a fork", 10,
       [](const std::string& id) {
         return SourceRequest("python", absl::StrCat("import json, random\n"
                                                     "random.random()\n"
                                                     "print('",
                                                     id, "')\n"));
       },
       PrintsItsId(0)},
      {"a file system of its own", 8,
       [](const std::string& id) {
         return WithVirtualFilesystem(BashRequest(absl::StrCat(
             "cd /tmp; echo ", id, " > f; cp /bin/cat c; ./c /tmp/f; exit 7")));
       },
       PrintsItsId(7)},
      {"threads that change directory while another executes", 2,
       [](const std::string& id) {
         return WithVirtualFilesystem(PythonRequest(
             absl::StrCat("import os, threading, time\n"
                          "def change():\n"
                          "    while True: os.chdir('/tmp')\n"
                          "for i in range(3):\n"
                          "    threading.Thread(target=change).start()\n"
                          "time.sleep(.002)\n"
                          "os.execv('/bin/echo', ['echo', '",
                          id, "'])")));
       },
       PrintsItsId(0)},
  };
}

std::vector<SoakCase> HostileCases(const std::string& mark) {
  std::vector<SoakCase> cases = {
      Limited("spins", "while :; do :; done", v1::CPU_TIME_LIMIT,
              [](v1::Limits& limits) {
                SetDuration(limits.mutable_cpu_time(), absl::Milliseconds(50));
              }),
      Limited("sleeps", "exec -a " + mark + " sleep 1000", v1::WALL_TIME_LIMIT,
              [](v1::Limits& limits) {
                SetDuration(limits.mutable_wall_time(),
                            absl::Milliseconds(100));
              }),
      Limited("floods its output", "cat /dev/zero", v1::OUTPUT_LIMIT,
              [](v1::Limits& limits) { limits.set_output_bytes(100000); }),
      Limited("floods a file", "head -c 10000000 /dev/zero > file",
              v1::DISK_LIMIT,
              [](v1::Limits& limits) { limits.set_file_bytes(1 << 20); }),
      {"fills memory", 1,
       [](const std::string&) {
         v1::ExecuteRequest request =
             PythonRequest("x = [bytearray(1 << 20) for i in range(512)]");
         request.mutable_limits()->set_memory_bytes(uint64_t{48} << 20);
         return request;
       },
       Ends(v1::MEMORY_LIMIT)},
      {"fills memory as a fork", 1,
       [](const std::string&) {
         v1::ExecuteRequest request = SourceRequest(
             "python", "x = [bytearray(1 << 20) for i in range(512)]");
         request.mutable_limits()->set_memory_bytes(uint64_t{48} << 20);
         return request;
       },
       Ends(v1::MEMORY_LIMIT)},
      {"spins as a fork", 1,
       [](const std::string&) {
         v1::ExecuteRequest request =
             SourceRequest("python", "while True: pass");
         SetDuration(request.mutable_limits()->mutable_cpu_time(),
                     absl::Milliseconds(50));
         return request;
       },
       Ends(v1::CPU_TIME_LIMIT)},
      {"leaves a child of a fork", 1,
       [mark](const std::string&) {
         return SourceRequest(
             "python",
             absl::StrCat("import os, time\n"
                          "if os.fork() == 0: os.execv('/bin/sleep', ['",
                          mark,
                          "', '1000'])\n"
                          "time.sleep(.02)\n"
                          "os.kill(os.getpid(), 9)\n"));
       },
       Ends(v1::SIGNALED)},
      {"kills itself", 2,
       [](const std::string&) { return BashRequest("kill -9 $$"); },
       Ends(v1::SIGNALED)},
      {"writes outside", 2,
       [](const std::string& id) {
         return BashRequest(
             absl::StrCat("(echo x > /etc/passwd) 2>&-; echo ", id));
       },
       CheckDenied},
      {"forbidden call", 2,
       [](const std::string&) {
         return PythonRequest(
             "import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)");
       },
       Ends(v1::SYSCALL_VIOLATION)},
      {"not there", 2,
       [](const std::string&) { return CommandRequest({"no-such-program"}); },
       Ends(v1::START_FAILED)},
      {"leaves a ruined directory", 2,
       [](const std::string& id) {
         return BashRequest(absl::StrCat(
             "mkdir -p a/b/c; touch a/b/c/d a/-x; chmod 000 a .; echo ", id));
       },
       PrintsItsId(0)},
  };
  cases.push_back(Limited(
      "fills the disk",
      "for i in 1 2 3 4 5 6 7 8; do head -c 4000000 /dev/zero > $i; done",
      v1::DISK_LIMIT,
      [](v1::Limits& limits) { limits.set_disk_bytes(uint64_t{8} << 20); }));
  cases.push_back({"fork bomb", 1,
                   [](const std::string&) {
                     v1::ExecuteRequest request = PythonRequest(
                         "import os, signal\n"
                         "leader = os.getpid()\n"
                         "try:\n"
                         "    while True: os.fork()\n"
                         "except BlockingIOError:\n"
                         "    if os.getpid() != leader: signal.pause()\n");
                     request.mutable_limits()->set_processes(20);
                     return request;
                   },
                   CheckRefusedProcesses});
  // Ten processes that outlive their parent, half of them stopped.
  cases.push_back(
      {"leaves daemons", 2,
       [mark](const std::string& id) {
         return BashRequest(absl::StrCat(
             "trap '' HUP TERM INT; for i in 1 2 3 4 5; do (exec -a ", mark,
             " sleep 1000 & kill -STOP $!); (exec -a ", mark,
             " sleep 1000 &); done; echo ", id));
       },
       PrintsItsId(0)});
  return cases;
}

}  // namespace cordon::soak
