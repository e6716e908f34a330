#include "sandbox/launch/low_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
    read.Reset(ends[0]);
    write.Reset(ends[1]);
  }
  LowDescriptors::Numbers Writers() const {
    return {write.get(), write.get(), write.get()};
  }
  UniqueFd read;
  UniqueFd write;
};

// As a server with a thousand runs has them.
std::vector<UniqueFd> ManyDescriptors() {
  std::vector<UniqueFd> many;
  for (int i = 0; i < 500; ++i) {
    many.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  return many;
}

TEST(LowDescriptorsTest, TheCopiesComeBeforeWhatWasOpenedLater) {
  LowDescriptors low;
  const std::vector<UniqueFd> many = ManyDescriptors();
  const Pipe pipe;
  EXPECT_GT(pipe.write.get(), 500) << "control: the originals do not";
  const LowDescriptors::Streams streams = low.Lend(pipe.Writers());
  for (const int number : streams.numbers()) {
    EXPECT_LT(number, many.front().get());
    EXPECT_EQ(write(number, "x", 1), 1);
    EXPECT_EQ(fcntl(number, F_GETFD), FD_CLOEXEC);
  }
  char read_back[8];
  EXPECT_EQ(read(pipe.read.get(), read_back, sizeof(read_back)), 3);
}

// A copy that stayed would keep a program's output from ending.
TEST(LowDescriptorsTest, NothingOfAPipeStaysAfterwards) {
  LowDescriptors low;
  Pipe pipe;
  char byte;
  {
    LowDescriptors::Streams streams = low.Lend(pipe.Writers());
    pipe.write.Reset();
    EXPECT_EQ(read(pipe.read.get(), &byte, 1), -1) << "control: it is open";
    LowDescriptors::Streams moved = std::move(streams);
    EXPECT_EQ(read(pipe.read.get(), &byte, 1), -1);
  }
  EXPECT_EQ(read(pipe.read.get(), &byte, 1), 0);
}

TEST(LowDescriptorsTest, MoreThanThereAreGetTheirOwnNumbers) {
  LowDescriptors low;
  const std::vector<UniqueFd> many = ManyDescriptors();
  const Pipe pipe;
  std::vector<LowDescriptors::Streams> lent;
  while (lent.empty() || lent.back().numbers() != pipe.Writers()) {
    ASSERT_LT(lent.size(), 100u);
    lent.push_back(low.Lend(pipe.Writers()));
  }
  EXPECT_GT(lent.size(), 2u);
  lent.clear();
  EXPECT_NE(low.Lend(pipe.Writers()).numbers(), pipe.Writers())
      << "those that were lent are back";
  EXPECT_EQ(write(pipe.write.get(), "x", 1), 1) << "the original is untouched";
}

TEST(LowDescriptorsTest, WhatIsNoDescriptorIsLeftToWhoUsesIt) {
  LowDescriptors low;
  EXPECT_EQ(low.Lend({-1, -1, -1}).numbers(),
            (LowDescriptors::Numbers{-1, -1, -1}));
}

}  // namespace
}  // namespace cordon::sandbox
