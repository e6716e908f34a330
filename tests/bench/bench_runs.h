// What benchmarks run, in the sandbox over gRPC and bare, with workload.cc for
// a program. Whatever does not go as it should ends the benchmark.
//
//   RunOrDie(client, testing::CommandRequest({"/bin/true"}));
//   absl::Duration in_run = TimeInRun(client, WorkloadRequest({"compute",
//   "5"})); absl::Duration bare = TimeBare({"compute", "5"}, "/tmp/directory");
//
// The binaries are data dependencies: add "//server:cordond" and
// "//tests/bench:workload" to the target's data.

#ifndef CORDON_TESTS_BENCH_BENCH_RUNS_H_
#define CORDON_TESTS_BENCH_BENCH_RUNS_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "proto/cordon/v1/execution.pb.h"
#include "tests/support/test_client.h"

namespace cordon::bench {

[[noreturn]] void Die(const std::string& what);

// Until it has exited with 0.
v1::Result RunOrDie(testing::TestClient& client,
                    const v1::ExecuteRequest& request);

// A request that brings the program along; more of it may be filled in. In the
// run's directory it is called kWorkload.
inline constexpr char kWorkload[] = "./workload";
v1::ExecuteRequest WorkloadRequest(const std::vector<std::string>& arguments);

// How long its act took so many times, as the workload says itself.
absl::Duration TimeInRun(testing::TestClient& client,
                         const v1::ExecuteRequest& request);
// The same act in this directory, without cordon.
absl::Duration TimeBare(const std::vector<std::string>& arguments,
                        const std::string& directory);

}  // namespace cordon::bench

#endif  // CORDON_TESTS_BENCH_BENCH_RUNS_H_
