#include "sandbox/supervise/shared_mappings.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cordon::sandbox {
namespace {

constexpr uint64_t kMebibyte = uint64_t{1} << 20;

class Mapping {
 public:
  explicit Mapping(uint64_t bytes)
      : bytes_(bytes),
        address_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
  ~Mapping() { munmap(address_, bytes_); }
  char* data() { return static_cast<char*>(address_); }

 private:
  const uint64_t bytes_;
  void* const address_;
};

uint64_t HeldByThisProcess(const SharedMappings& mappings) {
  return mappings.HeldBytes({getpid()});
}

TEST(SharedMappingsTest, TheLargestRequestsAreTakenForThoseThatAreLeft) {
  SharedMappings mappings;
  for (const uint64_t size : {1, 8, 2, 4}) mappings.Note(size * kMebibyte);
  EXPECT_EQ(mappings.total_bytes(), 15 * kMebibyte);
  EXPECT_EQ(HeldByThisProcess(mappings), 0);
  const Mapping first(kMebibyte);
  EXPECT_EQ(HeldByThisProcess(mappings), 8 * kMebibyte);
  {
    const Mapping second(kMebibyte);
    EXPECT_EQ(HeldByThisProcess(mappings), 12 * kMebibyte);
  }
  EXPECT_EQ(HeldByThisProcess(mappings), 8 * kMebibyte);
}

TEST(SharedMappingsTest, APageThatIsLeftKeepsAllOfIt) {
  SharedMappings mappings;
  mappings.Note(4 * kMebibyte);
  Mapping mapping(4 * kMebibyte);
  ASSERT_EQ(munmap(mapping.data() + kMebibyte, 3 * kMebibyte), 0);
  ASSERT_EQ(munmap(mapping.data(), kMebibyte - 4096), 0);
  EXPECT_EQ(HeldByThisProcess(mappings), 4 * kMebibyte);
}

TEST(SharedMappingsTest, SeveralProcessesHaveOneMappingOnce) {
  SharedMappings mappings;
  mappings.Note(kMebibyte);
  mappings.Note(kMebibyte);
  const Mapping mapping(kMebibyte);
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  EXPECT_EQ(mappings.HeldBytes({getpid(), child}), kMebibyte);
  EXPECT_EQ(mappings.HeldBytes({child}), kMebibyte);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(mappings.HeldBytes({child}), 0) << "it is gone";
}

TEST(SharedMappingsTest, LengthsAreWholePages) {
  SharedMappings mappings;
  mappings.Note(1);
  EXPECT_EQ(mappings.total_bytes(), static_cast<uint64_t>(getpagesize()));
  mappings.Note(UINT64_MAX);
  EXPECT_EQ(mappings.total_bytes(), UINT64_MAX);
}

// What is kept of them is bounded, and errs to more.
TEST(SharedMappingsTest, ManyLengthsAreNeverTakenForLess) {
  SharedMappings mappings;
  const auto page = static_cast<uint64_t>(getpagesize());
  constexpr uint64_t kLengths = 5000;
  for (uint64_t pages = 1; pages <= kLengths; ++pages) {
    mappings.Note(pages * page);
  }
  EXPECT_EQ(mappings.total_bytes(), kLengths * (kLengths + 1) / 2 * page);
  const Mapping first(page);
  const Mapping second(page);
  EXPECT_EQ(HeldByThisProcess(mappings), (2 * kLengths - 1) * page);
}

TEST(AddSharedInodesTest, OfTheNamesThatTheKernelGivesThem) {
  std::set<uint64_t> inodes;
  AddSharedInodes(
      "55d0c0000000-55d0c0001000 r--p 00000000 fe:01 11 /usr/bin/cat\n"
      "7f0000000000-7f0000400000 rw-s 00000000 00:01 22     "
      "                    /dev/zero (deleted)\n"
      "7f0000400000-7f0000800000 rw-s 00400000 00:01 22     "
      "                    /dev/zero (deleted)\n"
      "7f0000800000-7f0000c00000 rw-s 00000000 00:01 33     "
      "                    [anon_shmem:mine]\n"
      "7f0001000000-7f0001400000 rw-p 00000000 00:00 0 \n",
      inodes);
  EXPECT_THAT(inodes, testing::ElementsAre(22, 33));
}

TEST(FaultedBytesTest, EachPageThatIsTouchedCounts) {
  Mapping mapping(4 * kMebibyte);
  const uint64_t before = FaultedBytes({getpid()});
  if (before == UINT64_MAX) GTEST_SKIP() << "huge pages in shared memory";
  const auto page = static_cast<uint64_t>(getpagesize());
  for (uint64_t at = 0; at < 4 * kMebibyte; at += page) mapping.data()[at] = 1;
  EXPECT_GE(FaultedBytes({getpid()}), before + 4 * kMebibyte);
}

}  // namespace
}  // namespace cordon::sandbox
