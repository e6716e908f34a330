// Subjects that take turns, so that what the machine does meanwhile happens to
// all of them, at so many at a time.
//
//   Compare("/bin/true", {{"bare", [&] { SpawnBare(argv); }}, ...}, 4, rounds);

#ifndef CORDON_TESTS_BENCH_COMPARISON_H_
#define CORDON_TESTS_BENCH_COMPARISON_H_

#include <functional>
#include <string>
#include <vector>

namespace cordon::bench {

using Argv = std::vector<std::string>;

struct Subject {
  std::string name;
  std::function<void()> operation;
};

// posix_spawn(3) and waitpid(2) of a program, which has to exit with 0.
void SpawnBare(const Argv& argv);

// Prints a table with ratios to the first subject.
void Compare(const std::string& title, const std::vector<Subject>& subjects,
             int concurrency, int rounds);

}  // namespace cordon::bench

#endif  // CORDON_TESTS_BENCH_COMPARISON_H_
