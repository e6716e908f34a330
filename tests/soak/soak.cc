// Many mixed runs, a tenth of them hostile, on a server that is killed and
// started again in between: no wrong outcome, nothing left, memory flat, no
// slot stuck.
//
//   bazel run -c opt //tests/soak -- --runs=100000      # minutes
//
// Prints where it is every few seconds and ends with a table and "N passed, N
// failed"; its exit code is 1 when something failed.

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/soak/soak_case.h"
#include "tests/support/process_view.h"
#include "tests/support/server_process.h"
#include "tests/support/test_client.h"

ABSL_FLAG(int, runs, 2000, "Runs in all");
ABSL_FLAG(int, callers, 8, "Runs at a time; the server has as many slots");
ABSL_FLAG(int, kills, 2, "How often the server is killed and started again");
ABSL_FLAG(uint32_t, seed, 1, "For the order of the cases");
ABSL_FLAG(std::vector<std::string>, server_flags, {},
          "Flags for the server, separated by commas");

namespace cordon::soak {
namespace {

namespace fs = std::filesystem;
using testing::Eventually;

constexpr int kHostileOneIn = 10;
constexpr uint64_t kResidentSlack = uint64_t{8} << 20;
// Event engine and connections come and go.
constexpr int kDescriptorSlack = 32;

// Counts of everything, and the first few things that were wrong.
class Ledger {
 public:
  void Done(const std::string& name) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++done_[name];
    ++total_;
  }
  void Interrupted() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++interrupted_;
  }
  void Wrong(const std::string& what) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++wrong_;
    if (wrong_ <= 20) std::printf("WRONG: %s\n", what.c_str());
    std::fflush(stdout);
  }
  int total() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return total_;
  }
  int wrong() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return wrong_;
  }
  void Print() {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [name, count] : done_) {
      std::printf("  %8d  %s\n", count, name.c_str());
    }
    std::printf("  %8d  interrupted by the server's death, sent again\n",
                interrupted_);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, int> done_;
  int total_ = 0;
  int interrupted_ = 0;
  int wrong_ = 0;
};

// Processes with `mark` in their arguments.
int Marked(const std::string& mark) {
  int count = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    std::stringstream text;
    text << std::ifstream(entry.path() / "cmdline").rdbuf();
    if (absl::StartsWith(text.str(), mark)) ++count;
  }
  return count;
}

// What a server calls its control groups (sandbox/cgroup/open_cgroups.h).
std::string CgroupName(const std::string& state_directory) {
  struct stat status;
  if (stat(state_directory.c_str(), &status) != 0) return "";
  return absl::StrCat("cordon-", absl::Hex(status.st_dev), "-",
                      absl::Hex(status.st_ino));
}

int CgroupsCalled(const std::string& name) {
  int count = 0;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(
           "/sys/fs/cgroup", fs::directory_options::skip_permission_denied,
           error);
       entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (error) break;
    if (entry->path().filename() == name) ++count;
  }
  return count;
}

const SoakCase& Draw(const std::vector<SoakCase>& cases, std::mt19937& random) {
  int total = 0;
  for (const SoakCase& one : cases) total += one.weight;
  int drawn = std::uniform_int_distribution<int>(0, total - 1)(random);
  for (const SoakCase& one : cases) {
    drawn -= one.weight;
    if (drawn < 0) return one;
  }
  return cases.back();
}

class Soak {
 public:
  Soak()
      : mark_(absl::StrCat("soak-", getpid())),
        benign_(BenignCases()),
        hostile_(HostileCases(mark_)),
        server_(Flags()),
        address_(server_.address()) {}

  int Run();

 private:
  static std::vector<std::string> Flags() {
    std::vector<std::string> flags = absl::GetFlag(FLAGS_server_flags);
    flags.push_back(absl::StrCat("--slots=", absl::GetFlag(FLAGS_callers)));
    flags.push_back("--log_level=error");
    return flags;
  }

  // The server's address and how often it was started.
  std::pair<std::string, int> Server() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return {address_, starts_};
  }
  void Call(int caller, int runs);
  void RunOne(const std::string& id, const SoakCase& one);
  void KillAndRestart();
  void ExpectNothingLeft(const std::string& when);
  void ExpectEverySlotFree();
  void Expect(bool good, const std::string& what) {
    if (!good) ledger_.Wrong(what);
  }

  const std::string mark_;
  const std::vector<SoakCase> benign_;
  const std::vector<SoakCase> hostile_;
  Ledger ledger_;
  testing::ServerProcess server_;
  std::mutex mutex_;
  std::string address_;
  int starts_ = 1;
  std::atomic<int> forks_ = 0;
};

// Again, until an attempt was not interrupted by the server's death.
void Soak::RunOne(const std::string& id, const SoakCase& one) {
  for (;;) {
    const auto [address, start] = Server();
    testing::TestClient client(address);
    v1::Result result;
    const grpc::Status status = client.TryRun(one.request(id), &result);
    if (status.ok()) {
      if (result.usage().warm()) ++forks_;
      const std::string error = one.check(id, result);
      if (!error.empty()) ledger_.Wrong(absl::StrCat(one.name, ": ", error));
      ledger_.Done(one.name);
      return;
    }
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE) {
      ledger_.Wrong(absl::StrCat(one.name, ": ", status.error_message()));
      ledger_.Done(one.name);
      return;
    }
    ledger_.Interrupted();
    if (!Eventually(
            [this, start = start] { return Server().second > start; })) {
      ledger_.Wrong(absl::StrCat(
          one.name, ": the server is gone: ", status.error_message()));
      return;
    }
  }
}

void Soak::Call(int caller, int runs) {
  std::mt19937 random(absl::GetFlag(FLAGS_seed) * 1000 +
                      static_cast<uint32_t>(caller));
  for (int i = 0; i < runs; ++i) {
    const bool hostile =
        std::uniform_int_distribution<int>(1, kHostileOneIn)(random) == 1;
    RunOne(absl::StrCat("id-", caller, "-", i),
           Draw(hostile ? hostile_ : benign_, random));
  }
}

void Soak::KillAndRestart() {
  const absl::Time begin = absl::Now();
  server_.Signal(SIGKILL);
  server_.WaitForExit();
  while (Marked(mark_) > 0 && absl::Now() - begin < absl::Seconds(10)) {
  }
  std::printf("killed the server: its runs were gone after %.0f ms\n",
              absl::ToDoubleMilliseconds(absl::Now() - begin));
  Expect(Marked(mark_) == 0, "processes outlived the server");
  server_.Restart();
  const std::lock_guard<std::mutex> lock(mutex_);
  address_ = server_.address();
  ++starts_;
}

void Soak::ExpectEverySlotFree() {
  const int slots = absl::GetFlag(FLAGS_callers);
  std::atomic<int> good = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < slots; ++i) {
    callers.emplace_back([this, &good] {
      testing::TestClient client(Server().first);
      v1::Result result;
      const grpc::Status status =
          client.TryRun(testing::BashRequest("sleep 0.5"), &result);
      if (status.ok() && testing::ToDuration(result.usage().queue_time()) <
                             absl::Milliseconds(250)) {
        ++good;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  Expect(good == slots,
         absl::StrCat("only ", good.load(), " of ", slots, " slots are free"));
}

void Soak::ExpectNothingLeft(const std::string& when) {
  const pid_t pid = server_.pid();
  Expect(Eventually([pid] { return testing::ChildrenOf(pid).empty(); }),
         when + ": processes are left");
  Expect(Marked(mark_) == 0, when + ": marked processes are left");
}

int Soak::Run() {
  const int runs = absl::GetFlag(FLAGS_runs);
  const int callers = absl::GetFlag(FLAGS_callers);
  const int kills = absl::GetFlag(FLAGS_kills);
  // Warm: every case has run, every view has its stock.
  for (const auto* cases : {&benign_, &hostile_}) {
    for (const SoakCase& one : *cases) RunOne("id-warm", one);
  }
  ExpectEverySlotFree();
  const absl::Time begin = absl::Now();
  std::vector<std::thread> threads;
  for (int i = 0; i < callers; ++i) {
    threads.emplace_back([this, i, runs, callers] { Call(i, runs / callers); });
  }
  int killed = 0;
  uint64_t resident = 0;
  int descriptors = 0;
  int armed = 0;
  absl::Time next_line = begin;
  while (ledger_.total() < runs / callers * callers && ledger_.wrong() < 100) {
    if (killed < kills && ledger_.total() > runs / (kills + 1) * (killed + 1)) {
      KillAndRestart();
      ++killed;
      resident = 0;
    }
    // A while after the start, so that what is kept ready is there.
    if (resident == 0 && ledger_.total() > runs / (kills + 1) * killed +
                                               runs / (kills + 1) / 3) {
      resident = testing::ResidentBytesOf(server_.pid());
      descriptors = testing::DescriptorsOf(server_.pid());
      armed = static_cast<int>(testing::ArmedChildrenOf(server_.pid()).size());
    }
    if (absl::Now() >= next_line) {
      std::printf("%7d runs, %.0f a second, server %lu KiB\n", ledger_.total(),
                  ledger_.total() / absl::ToDoubleSeconds(absl::Now() - begin),
                  testing::ResidentBytesOf(server_.pid()) >> 10);
      std::fflush(stdout);
      next_line = absl::Now() + absl::Seconds(10);
    }
    absl::SleepFor(absl::Milliseconds(20));
  }
  for (std::thread& thread : threads) thread.join();
  ExpectNothingLeft("at the end");
  ExpectEverySlotFree();
  const uint64_t resident_now = testing::ResidentBytesOf(server_.pid());
  const int descriptors_now = testing::DescriptorsOf(server_.pid());
  std::printf("server: %lu KiB -> %lu KiB, %d -> %d descriptors, %d armed\n",
              resident >> 10, resident_now >> 10, descriptors, descriptors_now,
              armed);
  std::printf("%d runs were forks of a template\n", forks_.load());
  Expect(forks_ > 0, "no run was a fork");
  Expect(resident_now < resident + kResidentSlack, "resident memory grows");
  Expect(descriptors_now < descriptors + kDescriptorSlack,
         "descriptors are left open");
  const std::string cgroups = CgroupName(server_.state_directory());
  std::printf("its control groups are in %d hierarchies\n",
              CgroupsCalled(cgroups));
  server_.Signal(SIGTERM);
  server_.WaitForExit();
  Expect(CgroupsCalled(cgroups) == 0, "control groups are left");
  // Its own, of runs and of headers, with nothing in them.
  for (const auto& entry : fs::directory_iterator(server_.state_directory())) {
    Expect(fs::is_directory(entry) && fs::is_empty(entry),
           "something is left in " + entry.path().filename().string());
  }
  std::printf("%.0f s\n", absl::ToDoubleSeconds(absl::Now() - begin));
  ledger_.Print();
  std::printf("%d passed, %d failed\n", ledger_.total() - ledger_.wrong(),
              ledger_.wrong());
  return ledger_.wrong() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace cordon::soak

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return cordon::soak::Soak().Run();
}
