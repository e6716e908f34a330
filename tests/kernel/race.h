// A race: a C program of two threads, one of which changes again and again what
// the calls of the other are about.
//
//   const auto run = SharedSandbox().Run(RaceSpec(
//       {.declarations = "static char path[64] = \"own\";",
//        .other = "strcpy(path, \"/etc/hostname\"); pause_();"
//                 "strcpy(path, \"own\"); pause_();",
//        .body = "int fd = open(path, O_WRONLY); did += fd >= 0;
//        close(fd);"}));
//   EXPECT_EQ(run->stdout_data(), kRaced);

#ifndef CORDON_TESTS_KERNEL_RACE_H_
#define CORDON_TESTS_KERNEL_RACE_H_

#include <string>

#include "sandbox/sandbox.h"

namespace cordon::testing {

struct Race {
  std::string declarations;
  // In main, before there is a second thread.
  std::string setup;
  // Over and over while `body` is, which goes on for RaceSeconds, and for some
  // more until each kind was done once and was not once: `acts` is how often
  // it was done before, and `kind` goes from 0 to `kinds` - 1. It counts in
  // `did` what it was given of its own, and in `reached` what of the host's.
  // `pause_()` gives the other side time for a call.
  std::string other;
  std::string body;
  int kinds = 1;
  // In main, when there is one thread again.
  std::string teardown;
};

sandbox::ExecutionSpec RaceSpec(const Race& race);

// What it prints when each kind was done and was not, and nothing was reached.
inline constexpr char kRaced[] = "1 1 0\n";

}  // namespace cordon::testing

#endif  // CORDON_TESTS_KERNEL_RACE_H_
