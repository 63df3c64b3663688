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

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  const size_t length = std::min<size_t>(size - 1, 0xffff);
  const size_t contiguous = bytes[0] == 0xff ? length : std::min<size_t>(bytes[0], length);
  // What lies behind the contiguous bytes is not there: the buffer ends, the length goes on.
  std::vector<uint8_t> frame(bytes + 1, bytes + 1 + contiguous);
  struct Cut {
    std::vector<uint8_t>& first;
    size_t whole;
    uint8_t* data() { return first.data(); }
    size_t size() const { return whole; }
  } cut{frame, length};
  const std::string wrong = nezu::fuzz::check_parse(cut, contiguous);
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n%s\n", wrong.c_str(), nezu::net::describe(frame).c_str());
    std::abort();
  }
  static_cast<void>(nezu::net::describe(frame));
  return 0;
}
