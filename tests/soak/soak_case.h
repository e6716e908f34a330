// What a soak sends, and how each of it must end.

#ifndef CORDON_TESTS_SOAK_SOAK_CASE_H_
#define CORDON_TESTS_SOAK_SOAK_CASE_H_

#include <functional>
#include <string>
#include <vector>

#include "proto/cordon/v1/execution.pb.h"

namespace cordon::soak {

struct SoakCase {
  std::string name;
  // Of all runs of its kind, so many parts are this one.
  int weight = 1;
  // `id` is unique; what the program prints has to carry it.
  std::function<v1::ExecuteRequest(const std::string& id)> request;
  // Empty when the result is what it must be; else what is wrong with it.
  std::function<std::string(const std::string& id, const v1::Result& result)>
      check;
};

// Programs that do as they should.
std::vector<SoakCase> BenignCases();

// Programs that pass a limit, try what they may not, or leave something behind.
// Every process that a case leaves has `mark` in its arguments.
std::vector<SoakCase> HostileCases(const std::string& mark);

}  // namespace cordon::soak

#endif  // CORDON_TESTS_SOAK_SOAK_CASE_H_
