// Whom the kernel talks to: what it says first makes a conversation, what a stranger makes it say
// does not; and which band packets take to it.
#include "dataplane/conversations.h"

#include <gtest/gtest.h>

#include "dataplane/errands.h"
#include "dataplane/parse/parse.h"
#include "tests/dsl/dsl.h"

namespace nezu::dataplane {
namespace {

using namespace dsl;

constexpr const char* kUs = "10.0.0.1";
constexpr const char* kThem = "10.0.0.20";
constexpr const char* kUs6 = "2001:db8:2::1";
constexpr const char* kThem6 = "2001:db8:2::20";

class ConversationsTest : public testing::Test {
 protected:
  void say(Frame frame) { conversations_.note({frame.packet().head, frame.packet().length}, now_); }
  bool know(Frame frame) {
    parse::parse(frame.packet());
    return conversations_.have(frame.packet());
  }
  Band band(Frame frame) {
    parse::parse(frame.packet());
    return band_of(frame.packet(), conversations_);
  }

  Conversations conversations_{7};
  net::Tick now_ = 1;
};

TEST_F(ConversationsTest, WhatTheKernelOpensIsOne) {
  const Frame answer = eth() / ipv4(kThem, kUs) / tcp(179, 40000).syn().ack(1);
  EXPECT_FALSE(know(answer));
  say(eth() / ipv4(kUs, kThem) / tcp(40000, 179).syn());
  EXPECT_TRUE(know(answer));
  EXPECT_FALSE(know(eth() / ipv4(kThem, kUs) / tcp(179, 40001).syn().ack(1)));
  EXPECT_FALSE(know(eth() / ipv4("10.0.0.21", kUs) / tcp(179, 40000).syn().ack(1)));
  EXPECT_FALSE(know(eth() / ipv4(kUs, kThem) / tcp(40000, 179).ack(1))) << "the other way";
}

TEST_F(ConversationsTest, WhatStrangersMakeItSayIsNone) {
  say(eth() / ipv4(kUs, kThem) / tcp(179, 40000).syn().ack(1));
  EXPECT_FALSE(know(eth() / ipv4(kThem, kUs) / tcp(40000, 179).ack(1)));
  say(eth() / ipv4(kUs, kThem) / tcp(179, 40000).rst().ack(1));
  EXPECT_FALSE(know(eth() / ipv4(kThem, kUs) / tcp(40000, 179).ack(1)));
  say(eth() / ipv4(kUs, kThem) / echo_reply(5, 1));
  EXPECT_FALSE(know(eth() / ipv4(kThem, kUs) / echo_request(5, 1)));
  say(eth() / arp_request(kUs, kThem));
  say(Frame(Bytes{}));
  say(Frame(Bytes(13)));
  EXPECT_FALSE(know(eth() / ipv4(kThem, kUs) / tcp(40000, 179).ack(1)));
}

TEST_F(ConversationsTest, OnceTheKernelGoesOnAfterAnAnswerItIsOne) {
  say(eth() / ipv4(kUs, kThem) / tcp(179, 40000).syn().ack(1));
  say(eth() / ipv4(kUs, kThem) / tcp(179, 40000).ack(1));
  EXPECT_TRUE(know(eth() / ipv4(kThem, kUs) / tcp(40000, 179).ack(1)));
}

TEST_F(ConversationsTest, PingsAndDatagramsOfItsOwnAre) {
  say(eth() / ipv4(kUs, kThem) / echo_request(5, 1));
  EXPECT_TRUE(know(eth() / ipv4(kThem, kUs) / echo_reply(5, 2)));
  EXPECT_FALSE(know(eth() / ipv4(kThem, kUs) / echo_reply(6, 2)));
  EXPECT_FALSE(know(eth() / ipv4(kThem, kUs) / echo_request(5, 2)));
  say(eth() / ipv6(kUs6, kThem6) / udp(49152, 3784));
  EXPECT_TRUE(know(eth() / ipv6(kThem6, kUs6) / udp(3784, 49152)));
  EXPECT_FALSE(know(eth() / ipv6(kThem6, kUs6) / tcp(3784, 49152).ack(1)));
}

TEST_F(ConversationsTest, AFloodOfAnsweredDatagramsPushesOutNoOther) {
  say(eth() / ipv4(kUs, kThem) / tcp(40000, 179).syn());
  for (uint32_t port = 1; port < 60000; ++port) {
    ++now_;
    say(eth() / ipv4(kUs, kThem) / udp(161, static_cast<uint16_t>(port)));
  }
  EXPECT_TRUE(know(eth() / ipv4(kThem, kUs) / tcp(179, 40000).ack(1)));
  EXPECT_TRUE(know(eth() / ipv4(kThem, kUs) / udp(59999, 161)));
}

TEST_F(ConversationsTest, WhoIsSilentMakesRoomForWhoSpeaks) {
  constexpr uint32_t kMany = 4 * Conversations::kWays * Conversations::kSets;
  const auto peer = [](uint32_t number) {
    return net::to_string(net::Address::v4(0x0a010000u + number / 50000));
  };
  for (uint32_t number = 0; number < kMany; ++number) {
    ++now_;
    const auto port = static_cast<uint16_t>(1024 + number % 50000);
    say(eth() / ipv4(kUs, peer(number)) / tcp(port, 179).ack(1));
    if (number % 64 == 0) say(eth() / ipv4(kUs, kThem) / tcp(40000, 179).ack(1));
  }
  EXPECT_TRUE(know(eth() / ipv4(kThem, kUs) / tcp(179, 40000).ack(1)));
  EXPECT_FALSE(know(eth() / ipv4(peer(0), kUs) / tcp(179, 1024).ack(1)));
}

TEST_F(ConversationsTest, BandsOfWhatGoesToTheKernel) {
  say(eth() / ipv4(kUs, kThem) / tcp(40000, 179).syn());
  EXPECT_EQ(band(eth() / ipv4(kThem, kUs) / tcp(179, 40000).ack(1)), Band::conversation);
  EXPECT_EQ(band(eth() / ipv4(kThem, kUs) / tcp(40000, 179).syn()), Band::tcp);
  EXPECT_EQ(band(eth() / ipv4(kThem, kUs) / udp(40000, 161)), Band::other);
  EXPECT_EQ(band(eth() / ipv4(kThem, kUs) / echo_request(1, 1)), Band::other);
  EXPECT_EQ(band(eth() / arp_request(kThem, kUs)), Band::question);
  EXPECT_EQ(band(eth() / arp_reply(kThem, kUs)), Band::link);
  EXPECT_EQ(band(eth().type(0x88cc) / "lldp"), Band::link) << "LLDP";
  EXPECT_EQ(band(eth() / ipv4(kThem, "224.0.0.5") / udp(1, 1)), Band::link);
}

/// Health checks of very many servers: connections that are closed, or that nobody answers.
TEST_F(ConversationsTest, ChecksPushOutNoSessionThatIsSilent) {
  constexpr uint16_t kSessions = 200;
  for (uint16_t n = 0; n < kSessions; ++n) {
    const auto port = static_cast<uint16_t>(20000 + n);
    say(eth() / ipv4(kUs, kThem) / tcp(port, 179).syn());
    say(eth() / ipv4(kUs, kThem) / tcp(port, 179).ack(1));
  }
  for (uint32_t check = 0; check < 300'000; ++check) {
    ++now_;
    const std::string server = net::to_string(net::Address::v4(0x0a020000u + check / 28000));
    const auto port = static_cast<uint16_t>(32768 + check % 28000);
    const auto of_us = [&] { return eth() / ipv4(kUs, server); };
    say(of_us() / tcp(port, 80).syn());
    if (check % 3 == 0) continue;  // nobody answers
    say(of_us() / tcp(port, 80).ack(1));
    EXPECT_TRUE(know(eth() / ipv4(server, kUs) / tcp(80, port).ack(1)));
    if (check % 3 == 1) {
      say(of_us() / tcp(port, 80).rst().ack(1));
    } else {
      say(of_us() / tcp(port, 80).fin().ack(1));
      say(of_us() / tcp(port, 80).ack(2));
    }
  }
  for (uint16_t n = 0; n < kSessions; ++n) {
    EXPECT_TRUE(know(eth() / ipv4(kThem, kUs) / tcp(179, static_cast<uint16_t>(20000 + n)).ack(1)))
        << n;
  }
}

TEST_F(ConversationsTest, AnswersToTheKernelsQuestions) {
  const Frame answer = eth() / arp_reply(kThem, kUs);
  EXPECT_EQ(band(answer), Band::link) << "nobody asked";
  say(eth() / arp_request(kUs, kThem));
  EXPECT_EQ(band(answer), Band::conversation);
  EXPECT_EQ(band(eth() / arp_reply("10.0.0.99", kUs)), Band::link);
  EXPECT_EQ(band(eth() / arp_request(kThem, kUs)), Band::question);
}

}  // namespace
}  // namespace nezu::dataplane
