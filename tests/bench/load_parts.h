// The parts of the load benchmark, each with its baseline in turn and a table
// of its own. `rounds` is how often its subjects take turns.

#ifndef CORDON_TESTS_BENCH_LOAD_PARTS_H_
#define CORDON_TESTS_BENCH_LOAD_PARTS_H_

#include "tests/bench/bare_server.h"

namespace cordon::bench {

// load_counts.cc: how many there are.
void MeasureSleepers(int rounds);
void MeasurePrinters(int rounds);
void MeasureBurst(int rounds);
void MeasureNoisyClient(int rounds);

// load_bytes.cc: how much there is of it.
void MeasureSlowReaders(int rounds);
void MeasureOutput(const BareServer& bare, int rounds);
void MeasureInput(const BareServer& bare, int rounds);
void MeasureLargeServer(int rounds);

}  // namespace cordon::bench

#endif  // CORDON_TESTS_BENCH_LOAD_PARTS_H_
