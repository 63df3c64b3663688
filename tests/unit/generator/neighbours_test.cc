// The generator's hosts answer for their addresses, and find their gateway.
#include "bench/generator/neighbours.h"

#include <gtest/gtest.h>

#include "tests/dsl/dsl.h"

namespace nezu::generator {
namespace {

using namespace dsl;

const net::MacAddress kOwn{{2, 0, 0, 0, 0, 1}}, kDevice{{2, 0, 0, 0, 0, 0x99}};
const std::vector<net::Range> kPlayed{*net::parse_range("192.0.2.10-192.0.2.20"),
                                      *net::parse_range("2001:db8::/64")};

/// The answer to a question of the generator's own, by its own hosts.
std::vector<uint8_t> asked_and_answered(const char* wanted, const char* from, uint16_t vlan) {
  std::vector<uint8_t> frame =
      ask_neighbour(*net::parse_address(wanted), *net::parse_address(from), kOwn, vlan);
  const auto length = static_cast<uint32_t>(frame.size());
  frame.resize(256);
  frame.resize(answer_neighbour(frame.data(), length, 256, kPlayed, kDevice));
  return frame;
}

TEST(Neighbours, AskAnswerAndLearn) {
  for (const uint16_t vlan : {0, 7}) {
    for (const auto& [wanted, from] :
         {std::pair{"192.0.2.12", "192.0.2.1"}, {"2001:db8::12", "2001:db8::1:1"}}) {
      const auto answer = asked_and_answered(wanted, from, vlan);
      ASSERT_FALSE(answer.empty()) << wanted;
      EXPECT_EQ(learn_neighbour(answer, *net::parse_address(wanted)), kDevice);
      EXPECT_EQ(learn_neighbour(answer, *net::parse_address("192.0.2.13")), std::nullopt);
    }
  }
}

TEST(Neighbours, OthersAreNotAnsweredFor) {
  EXPECT_TRUE(asked_and_answered("192.0.2.21", "192.0.2.1", 0).empty());
  EXPECT_TRUE(asked_and_answered("2001:db8:1::1", "2001:db8::1:1", 0).empty());
}

TEST(Neighbours, TheMuteDoNotAnswer) {
  const std::vector<net::Address> mute{*net::parse_address("192.0.2.12"),
                                       *net::parse_address("2001:db8::12")};
  for (const auto& [wanted, answered] : {std::pair{"192.0.2.12", false},
                                         {"192.0.2.13", true},
                                         {"2001:db8::12", false},
                                         {"2001:db8::13", true}}) {
    const auto address = *net::parse_address(wanted);
    const auto own = *net::parse_address(address.is_v4() ? "192.0.2.1" : "2001:db8::1:1");
    auto frame = ask_neighbour(address, own, kOwn, 0);
    const auto length = static_cast<uint32_t>(frame.size());
    frame.resize(256);
    EXPECT_EQ(answer_neighbour(frame.data(), length, 256, kPlayed, kDevice, mute) != 0, answered)
        << wanted;
  }
}

/// What comes back for it, if anything.
std::vector<uint8_t> answered(const dsl::Frame& question) {
  std::vector<uint8_t> frame(question.bytes().begin(), question.bytes().end());
  const auto length = static_cast<uint32_t>(frame.size());
  frame.resize(256);
  frame.resize(answer_neighbour(frame.data(), length, 256, kPlayed, kDevice));
  return frame;
}

TEST(Neighbours, PingsOfThoseWhoArePlayedAreAnswered) {
  const auto pinged = answered(eth().from("02:00:00:00:00:07").to("02:00:00:00:00:99") /
                               ipv4("192.0.2.1", "192.0.2.12") / echo_request(5, 9));
  EXPECT_EQ(dsl::Frame(pinged), dsl::Frame(eth().from("02:00:00:00:00:99").to("02:00:00:00:00:07") /
                                           ipv4("192.0.2.12", "192.0.2.1") / echo_reply(5, 9)));
  EXPECT_FALSE(answered(eth() / ipv6("2001:db8::1", "2001:db8::12") / echo_request6(5, 9)).empty());
  EXPECT_TRUE(answered(eth() / ipv4("192.0.2.1", "192.0.2.21") / echo_request(5, 9)).empty());
  EXPECT_TRUE(answered(eth() / ipv4("192.0.2.1", "192.0.2.12") / echo_reply(5, 9)).empty());
  EXPECT_TRUE(answered(eth() / ipv4("192.0.2.1", "192.0.2.12") / udp(1, 7)).empty());
}

TEST(Neighbours, AQuestionIsWhatOthersExpect) {
  const auto frame =
      ask_neighbour(*net::parse_address("192.0.2.1"), *net::parse_address("192.0.2.10"), kOwn, 0);
  EXPECT_EQ(dsl::Frame(Bytes(frame.begin(), frame.end())),
            dsl::Frame(eth().from("02:00:00:00:00:01").to("ff:ff:ff:ff:ff:ff") /
                       arp_request("192.0.2.10", "192.0.2.1").sender_mac("02:00:00:00:00:01"))
                .padded(60));
}

TEST(Neighbours, NoiseIsNoQuestion) {
  for (size_t length : {0, 10, 14, 20, 60}) {
    std::vector<uint8_t> frame(256, 0xff);
    EXPECT_EQ(answer_neighbour(frame.data(), static_cast<uint32_t>(length), 256, kPlayed, kOwn),
              0u);
    EXPECT_FALSE(learn_neighbour({frame.data(), length}, kPlayed[0].first));
  }
}

}  // namespace
}  // namespace nezu::generator
