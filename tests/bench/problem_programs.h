// The programs of HumanEval (https://github.com/openai/human-eval), each with
// its canonical solution and its test: all of them exit with 0.
//
//   std::vector<std::string> programs =
//   ReadProgramsOrDie("HumanEval.jsonl.gz");

#ifndef CORDON_TESTS_BENCH_PROBLEM_PROGRAMS_H_
#define CORDON_TESTS_BENCH_PROBLEM_PROGRAMS_H_

#include <string>
#include <vector>

namespace cordon::bench {

// `path`: that project's file, compressed or not.
std::vector<std::string> ReadProgramsOrDie(const std::string& path);

}  // namespace cordon::bench

#endif  // CORDON_TESTS_BENCH_PROBLEM_PROGRAMS_H_
