// A program of Python run both ways: as a fork of a template, and by an
// interpreter of its own.
//
//   const BothWays run = RunBothWays({.code = "print(1)"});
//   EXPECT_EQ(run.forked, run.executed);

#ifndef CORDON_TESTS_KERNEL_BOTH_WAYS_H_
#define CORDON_TESTS_KERNEL_BOTH_WAYS_H_

#include <ostream>
#include <string>
#include <vector>

namespace cordon::testing {

struct PythonProgram {
  // The test's.
  std::string name;
  std::string code;
  std::string input = "";
  std::vector<std::string> arguments = {};
  std::vector<std::string> environment = {};
};

void PrintTo(const PythonProgram& program, std::ostream* out);

// All that anybody sees of each: the end, the output, and the files named
// "out*"; without the names that differ from run to run.
struct BothWays {
  std::string forked;
  std::string executed;
};

// Beside it lies a module "neighbour". Fails the test when one did not start as
// it should.
BothWays RunBothWays(const PythonProgram& program);

}  // namespace cordon::testing

#endif  // CORDON_TESTS_KERNEL_BOTH_WAYS_H_
