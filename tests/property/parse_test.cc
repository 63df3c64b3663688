// The parser on random bytes: the fast path and the general way say the same, and what passes has
// its headers within bounds. (tests/fuzz/parse.cc looks for the inputs; this walks without a
// corpus.)
#include "dataplane/parse/parse.h"

#include <gtest/gtest.h>

#include "tests/fuzz/parsed.h"
#include "tests/property/packets.h"

namespace nezu::property {
namespace {

TEST(Parse, DamagedPacketsAreJudgedAlikeAndStayInBounds) {
  Dice dice(6);
  for (int i = 0; i < 200'000; ++i) {
    const Shape shape = Shape::random(dice);
    dsl::Frame frame = shape.frame(dice.side(shape.v6), dice.side(shape.v6));
    for (uint32_t damage = dice.below(4); damage != 0; --damage) {
      frame[dice.below(static_cast<uint32_t>(frame.size()))] =
          static_cast<uint8_t>(dice.below(256));
    }
    const auto bytes = frame.bytes();
    dsl::Bytes exact(
        bytes.begin(),
        bytes.begin() +
            static_cast<ptrdiff_t>(dice.coin() ? bytes.size() : dice.below(100) % bytes.size()));
    const std::string wrong = fuzz::check_parse(exact, exact.size());
    ASSERT_EQ(wrong, "") << "round " << i << '\n' << testing::PrintToString(dsl::Frame(exact));
  }
}

}  // namespace
}  // namespace nezu::property
