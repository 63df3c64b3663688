// A worker that is killed at any instruction of an insertion or erasure leaves only whole entries.
//
// A child works on shared memory and is stepped through one instruction at a time; after each, its
// memory is what a kill at that point would leave.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <memory>
#include <vector>

#include "dataplane/flow/table.h"

namespace nezu::flow {
namespace {

constexpr Capacity kCapacity{8, 0};
constexpr long kMostSteps = 400000;

net::Tuple4 tuple(uint32_t n) {
  return {0x01010101 * n,
          0x0a0a0a0a * n,
          static_cast<uint16_t>(n * 1000),
          static_cast<uint16_t>(n * 2000),
          net::Instance{static_cast<uint16_t>(n)},
          n % 2 == 0 ? net::Protocol::tcp : net::Protocol::udp};
}
Half4 answers(uint32_t n) {
  return {0x55 * n, 0x01010101 * n, static_cast<uint16_t>(n * 3000), static_cast<uint16_t>(n)};
}
Track track(uint32_t n) {
  Track t;
  t.service = static_cast<uint16_t>(n);
  t.server = static_cast<uint16_t>(n + 100);
  t.deadline = 5000 + n;
  t.timeout = n + 7;
  t.shard = static_cast<uint8_t>(n);
  t.stage = Stage::live;
  return t;
}

/// An entry is whole when all of it is of one flow.
bool is_whole(const Entry4& entry) {
  const uint32_t n = entry.track.service;
  return entry.to_server == tuple(n) && entry.to_client.source == answers(n).source &&
         entry.to_client.source_port == answers(n).source_port &&
         entry.to_client.destination_port == answers(n).destination_port &&
         entry.track.server == n + 100 && entry.track.deadline == 5000 + n &&
         entry.track.timeout == n + 7 && entry.track.shard == n;
}

/// What a start would make of this memory.
void rebuild_and_audit(const std::byte* shared, size_t bytes) {
  const std::unique_ptr<std::byte, decltype(&std::free)> copy(
      static_cast<std::byte*>(std::aligned_alloc(64, bytes)), &std::free);
  std::memcpy(copy.get(), shared, bytes);
  Table table({copy.get(), bytes}, kCapacity, net::FlowHash(3), 0);
  for (uint32_t i = 0; i < kCapacity.narrow; ++i) {
    const FlowId id(false, i, Direction::to_server);
    if (table.track(id).valid != 0) table.adopt(id);
  }
  EXPECT_EQ(table.audit(), nullptr);
}

TEST(Crash, AtAnyInstructionEntriesAreWholeOrFree) {
  const size_t bytes = Extent(kCapacity).bytes;
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(at, MAP_FAILED);
  auto* shared = static_cast<std::byte*>(at);
  Table table({shared, bytes}, kCapacity, net::FlowHash(1), 0);
  for (uint32_t n = 1; n <= 8; ++n) {
    ASSERT_TRUE(table.insert(tuple(n), answers(n), track(n)).id.exists());
  }
  table.erase(table.find(tuple(3)));

  const pid_t child = ::fork();
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    table.insert(tuple(20), answers(20), track(20));  // where 3 was
    table.erase(table.find(tuple(5)));
    table.insert(tuple(21), answers(21), track(21));
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFSTOPPED(status) || ::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) {
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    GTEST_FAIL() << "this process may not trace another";
  }
  const auto* entries = reinterpret_cast<const Entry4*>(shared + Extent(kCapacity).narrow);
  long steps = 0;
  uint64_t before = 0;
  for (; steps < kMostSteps; ++steps) {
    ::waitpid(child, &status, 0);
    if (!WIFSTOPPED(status)) break;
    uint64_t valid = 0;
    for (uint32_t i = 0; i < kCapacity.narrow; ++i) {
      if (entries[i].track.valid == 0) continue;
      valid |= uint64_t{1} << i;
      ASSERT_TRUE(is_whole(entries[i])) << "entry " << i << " after " << steps << " instructions";
    }
    if (valid != before || steps % 64 == 0) rebuild_and_audit(shared, bytes);
    before = valid;
    ::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr);
  }
  EXPECT_TRUE(WIFEXITED(status)) << "not at its end after " << steps << " instructions";
  EXPECT_GT(steps, 300);
  rebuild_and_audit(shared, bytes);
  ::munmap(at, bytes);
}

}  // namespace
}  // namespace nezu::flow
