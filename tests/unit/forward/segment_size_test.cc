// The maximum segment size in SYNs, with sums from scratch beside.
#include "dataplane/forward/segment_size.h"

#include <gtest/gtest.h>

#include "dataplane/parse/parse.h"
#include "tests/dsl/dsl.h"

namespace nezu::forward {
namespace {

using namespace dsl;

Frame lowered(Frame frame, uint16_t most) {
  parse::parse(frame.packet());
  EXPECT_EQ(frame.packet().verdict, net::Verdict::undecided);
  lower_segment_size(frame.packet(), most);
  return frame;
}
Frame syn(Bytes options, bool v6 = false) {
  const auto text = tcp(40000, 80).syn().seq(7).options(std::move(options));
  return v6 ? Frame(eth() / ipv6("2001:db8::7", "2001:db8:1::10") / text / "early")
            : Frame(eth() / ipv4("192.0.2.7", "203.0.113.10") / text / "early");
}

TEST(SegmentSize, IsLoweredAtAnyPlace) {
  for (const bool v6 : {false, true}) {
    for (const uint16_t size : {1460, 1361, 65535, 0x1234}) {
      const auto high = static_cast<uint8_t>(size >> 8), low = static_cast<uint8_t>(size);
      // As Linux does it, behind one and two fillers, at the very end.
      for (const Bytes& front : std::vector<Bytes>{{},
                                                   {1},
                                                   {1, 1},
                                                   {3, 3, 7},
                                                   {4, 2, 3, 3, 7},
                                                   {8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 1}}) {
        Bytes from = front, to = front;
        from.insert(from.end(), {2, 4, high, low});
        to.insert(to.end(), {2, 4, 1360 >> 8, 1360 & 255});
        EXPECT_EQ(lowered(syn(from, v6), 1360), syn(to, v6)) << front.size();
      }
    }
  }
}

TEST(SegmentSize, ASmallerOneStays) {
  for (const Bytes& options : std::vector<Bytes>{{2, 4, 5, 0x50},           // 1360
                                                 {2, 4, 2, 0x18},           // 536
                                                 {},                        // none
                                                 {0, 2, 4, 0xff, 0xff},     // behind the end
                                                 {2, 3, 0xff, 1},           // not its length
                                                 {3, 0, 2, 4, 0xff, 0xff},  // goes nowhere
                                                 {8, 40, 2, 4, 0xff, 0xff}}) {
    EXPECT_EQ(lowered(syn(options), 1360), syn(options));
  }
}

}  // namespace
}  // namespace nezu::forward
