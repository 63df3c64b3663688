#include "dataplane/flow/relay.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace nezu::flow {
namespace {

Relay relay(uint32_t n) {
  Relay one;
  one.server.address = net::Address::v4(0x0a000000 + n % 64);
  one.sender.bytes = {2, 0, 0, 0, static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)};
  return one;
}

TEST(Relays, EqualOnesAreSharedAndTheLastUserFreesThem) {
  std::vector<Relay> memory(kRelays);
  Relays relays(memory);
  const uint16_t first = relays.hold(relay(1));
  EXPECT_EQ(relays.hold(relay(1)), first);
  EXPECT_NE(relays.hold(relay(2)), first);
  EXPECT_EQ(relays.used(), 2u);
  relays.let_go(first);
  EXPECT_EQ(relays[first], relay(1));
  EXPECT_EQ(relays.used(), 2u);
  relays.let_go(first);
  EXPECT_EQ(relays.used(), 1u);
}

TEST(Relays, FullRefusesAndForgetsNobody) {
  std::vector<Relay> memory(kRelays);
  Relays relays(memory);
  std::vector<uint16_t> numbers;
  for (uint32_t n = 0; n < kRelays; ++n) numbers.push_back(relays.hold(relay(n)));
  EXPECT_EQ(relays.hold(relay(kRelays)), kNoRelay);
  EXPECT_EQ(relays.hold(relay(17)), numbers[17]);
  relays.let_go(numbers[99]);
  EXPECT_NE(relays.hold(relay(kRelays)), kNoRelay);
}

TEST(Relays, RandomUseAgreesWithAModel) {
  std::vector<Relay> memory(kRelays);
  Relays relays(memory);
  std::mt19937 random(7);
  std::vector<std::pair<uint16_t, uint32_t>> held;
  for (int i = 0; i < 200000; ++i) {
    if (held.empty() || random() % 5 < 2u + static_cast<uint32_t>(i / 20000 % 2)) {
      const auto n = static_cast<uint32_t>(random() % 3000);
      held.emplace_back(relays.hold(relay(n)), n);
      ASSERT_NE(held.back().first, kNoRelay);
    } else {
      std::swap(held[random() % held.size()], held.back());
      ASSERT_EQ(relays[held.back().first], relay(held.back().second));
      relays.let_go(held.back().first);
      held.pop_back();
    }
  }
  // The next process counts its users from the entries.
  Relays again(memory);
  for (const auto& [number, n] : held) again.hold_again(number);
  EXPECT_EQ(again.used(), relays.used());
  for (const auto& [number, n] : held) again.let_go(number);
  EXPECT_EQ(again.used(), 0u);
}

}  // namespace
}  // namespace nezu::flow
