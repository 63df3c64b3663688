// Any bytes into the parser: no read out of bounds, offsets within bounds, both ways agree.
//
// Input: one byte that says how much of the frame is in its first segment (0xff: all of it, else so
// many bytes), then the frame.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "dataplane/net/text.h"
#include "tests/fuzz/parsed.h"

namespace {

/// A buffer that ends where the first segment does, though the frame goes on.
struct Segment {
  std::vector<uint8_t>& first;
  size_t whole;
  uint8_t* data() { return first.data(); }
  size_t size() const { return whole; }
};

void check(std::vector<uint8_t>& frame, size_t length) {
  Segment segment{frame, length};
  const std::string wrong = nezu::fuzz::check_parse(segment, frame.size());
  if (wrong.empty()) return;
  std::fprintf(stderr, "%s\n%s\n", wrong.c_str(), nezu::net::describe(frame).c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  const size_t length = std::min<size_t>(size - 1, 0xffff);
  const size_t contiguous = bytes[0] == 0xff ? length : std::min<size_t>(bytes[0], length);
  std::vector<uint8_t> frame(bytes + 1, bytes + 1 + contiguous);
  static_cast<void>(nezu::net::describe(frame));
  check(frame, length);
  nezu::fuzz::repair_ipv4_sum(frame);
  check(frame, length);
  return 0;
}
