// SYN cookies: nothing is kept of a SYN; who answers one has a whole connection.
#include <gtest/gtest.h>

#include "tests/path/converse.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;

world::ServiceSpec guarded(tables::Mode mode = tables::Mode::nat, uint32_t above = 0) {
  world::ServiceSpec spec = web(mode);
  spec.servers = {{"10.0.1.5", 8080}};
  spec.refusal = tables::Refusal::refuse;
  spec.cookies.enabled = 1;
  spec.cookies.above_per_second = above;
  return spec;
}

Ends from_v4() { return {world::address("198.18.0.7"), world::address("203.0.113.10"), 40000, 80}; }
Ends from_v6() {
  return {world::address("2001:db8:c::7"), world::address("2001:db8::10"), 40000, 80};
}

/// A reply goes back the way it came.
Eth turned() { return eth().from("02:00:00:00:00:02").to("02:00:00:00:00:01"); }
Bytes big32(uint32_t value) {
  return {static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16),
          static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
}
Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}
Bytes stamps(uint32_t value, uint32_t echo) {
  return Bytes{1, 1, 8, 10} + big32(value) + big32(echo);
}
/// As Linux says them in a SYN.
Bytes linux_syn(uint16_t size, uint32_t value, uint8_t scale, uint32_t echo = 0) {
  return Bytes{2, 4, static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size), 4, 2, 8, 10} +
         big32(value) + big32(echo) + Bytes{1, 3, 3, scale};
}

uint32_t word_at(const Frame& frame, size_t at) {
  return net::swap32(net::load<uint32_t>(&frame.bytes()[at]));
}
uint32_t sequence_of(const Frame& frame) { return word_at(frame, 38); }
uint8_t flags_of(const Frame& frame) { return frame.bytes()[47]; }
/// Of a segment that begins with the options of `linux_syn` or with `stamps`.
uint32_t time_of_syn(const Frame& frame) { return word_at(frame, 62); }

/// One connection of a client as Linux is, by hand.
class Cookies : public testing::Test {
 protected:
  Fate in(const dsl::Tcp& tcp, std::string payload = "") {
    return lab_.send(eth() / ipv4("198.18.0.7", "203.0.113.10") / tcp / payload, worker_++ % 3);
  }
  Fate back(const dsl::Tcp& tcp, std::string payload = "") {
    return lab_.send(eth() / ipv4("10.0.1.5", "198.18.0.7") / tcp / payload, worker_++ % 3, 1);
  }
  static auto to_client(const dsl::Tcp& tcp) {
    return eth().from(world::kFrontMac).to(world::kRouterMac) /
           ipv4("203.0.113.10", "198.18.0.7").ttl(63) / tcp;
  }
  static auto to_server(const dsl::Tcp& tcp) {
    return eth().from(world::kBackMac).to("02:00:00:01:00:00") /
           ipv4("198.18.0.7", "10.0.1.5").ttl(63) / tcp;
  }
  /// What we say ourselves as the client.
  static auto said_to_server(const dsl::Tcp& tcp) {
    return eth().from(world::kBackMac).to("02:00:00:01:00:00") /
           ipv4("198.18.0.7", "10.0.1.5").ttl(63).dont_fragment() / tcp;
  }
  static dsl::Tcp there() { return tcp(40000, 8080); }
  static dsl::Tcp from_client() { return tcp(40000, 80); }
  static dsl::Tcp from_server() { return tcp(8080, 40000); }

  /// Until the server has been asked; the cookie is in `cookie_`, our clock in `time_`.
  void ask() {
    const Fate fate = in(from_client().syn().seq(100).options(linux_syn(1460, 7000, 9)));
    ASSERT_EQ(fate.verdict, Verdict::reply);
    ASSERT_EQ(fate.reason, Reason::cookie_sent);
    cookie_ = sequence_of(fate.frame);
    time_ = time_of_syn(fate.frame);
    ASSERT_EQ(lab_.flow_count(), 0u);
    const Fate asked =
        in(from_client().seq(101).ack(cookie_ + 1).window(502).options(stamps(7010, time_)));
    ASSERT_EQ(asked.verdict, Verdict::forward) << net::to_string(asked.reason);
    EXPECT_EQ(asked.frame,
              to_server(there().syn().seq(100).window(65535).options(asked_options())));
  }
  static Bytes asked_options(uint32_t value = 7010) {
    return Bytes{2, 4, 0x05, 0xb4, 4, 2, 8, 10} + big32(value) + big32(0) + Bytes{1, 3, 3, 9};
  }

  Lab lab_{3};
  uint32_t cookie_ = 0, time_ = 0;
  uint16_t worker_ = 0;
};

TEST_F(Cookies, ASynIsAnsweredAndForgotten) {
  lab_.world().put(guarded());
  const Fate fate = in(from_client().syn().seq(100).options(linux_syn(1400, 7000, 9)));
  EXPECT_EQ(fate.verdict, Verdict::reply);
  EXPECT_EQ(fate.reason, Reason::cookie_sent);
  const uint32_t cookie = sequence_of(fate.frame), time = time_of_syn(fate.frame);
  EXPECT_EQ(fate.frame, turned() / ipv4("203.0.113.10", "198.18.0.7").dont_fragment() /
                            tcp(80, 40000).syn().seq(cookie).ack(101).window(0).options(
                                linux_syn(1460, time, 7, 7000)));
  EXPECT_EQ(lab_.flow_count(), 0u);
  EXPECT_EQ(lab_.count(Reason::cookie_sent), 1u);
  // The same again, at whatever worker: a SYN that was sent twice changes nothing.
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(in(from_client().syn().seq(100).options(linux_syn(1400, 7000, 9))).frame, fate.frame);
  }
}

TEST_F(Cookies, TheServersNumbersTimesAndWindowsBecomeThoseOfTheCookie) {
  lab_.world().put(guarded());
  ask();
  // The server: first number 5000, timestamps from 900, scale 5.
  const Fate answer = back(
      from_server().syn().seq(5000).ack(101).window(64000).options(linux_syn(1460, 900, 5, 7010)));
  const uint32_t clock = word_at(answer.frame, 62);
  EXPECT_GE(static_cast<int32_t>(clock - time_), 0);
  const Bytes nothing = {1, 1, 1, 1, 1, 1};
  EXPECT_EQ(answer.frame, to_client(tcp(80, 40000)
                                        .seq(cookie_ + 1)
                                        .ack(101)
                                        .window(64000 >> 7)
                                        .options(nothing + Bytes{8, 10} + big32(clock) +
                                                 big32(7010) + Bytes{1, 1, 1, 1})));
  const auto said = lab_.said();
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0].frame,
            said_to_server(there().seq(101).ack(5001).window(502).options(stamps(7010, 900))));
  // Data, both ways: windows by two bits, times by what lies between the clocks.
  const uint32_t ahead = clock - 900;
  EXPECT_EQ(
      in(from_client().psh().seq(101).ack(cookie_ + 1).window(502).options(stamps(7020, clock)),
         "question")
          .frame,
      to_server(there().psh().seq(101).ack(5001).window(502).options(stamps(7020, 900))) /
          "question");
  EXPECT_EQ(
      back(from_server().psh().seq(5001).ack(109).window(1000).options(stamps(950, 7020)), "answer")
          .frame,
      to_client(tcp(80, 40000)
                    .psh()
                    .seq(cookie_ + 1)
                    .ack(109)
                    .window(250)
                    .options(stamps(950 + ahead, 7020))) /
          "answer");
  // SACK blocks, too.
  const auto blocks = [](uint32_t left, uint32_t right) {
    return Bytes{1, 1, 5, 10} + big32(left) + big32(right);
  };
  EXPECT_EQ(in(from_client()
                   .seq(109)
                   .ack(cookie_ + 1)
                   .window(502)
                   .options(stamps(7030, 950 + ahead) + blocks(cookie_ + 10, cookie_ + 20)))
                .frame,
            to_server(there().seq(109).ack(5001).window(502).options(stamps(7030, 950) +
                                                                     blocks(5010, 5020))));
  EXPECT_EQ(lab_.count(&tables::WorkerLine::cookies_taken), 1u);
  EXPECT_EQ(lab_.flow_count(), 1u);
  EXPECT_EQ(lab_.audit(), "");
}

TEST_F(Cookies, WithoutTimestampsOnlySizeAndSackAreOffered) {
  lab_.world().put(guarded());
  const Fate fate =
      in(from_client().syn().seq(100).options({2, 4, 0x05, 0xb4, 1, 1, 4, 2, 1, 3, 3, 9}));
  const uint32_t cookie = sequence_of(fate.frame);
  const Bytes offered = {2, 4, 0x05, 0xb4, 1, 1, 4, 2};
  EXPECT_EQ(fate.frame, turned() / ipv4("203.0.113.10", "198.18.0.7").dont_fragment() /
                            tcp(80, 40000).syn().seq(cookie).ack(101).window(0).options(offered));
  EXPECT_EQ(in(from_client().seq(101).ack(cookie + 1).window(500)).frame,
            to_server(there().syn().seq(100).window(500).options(offered)));
  EXPECT_EQ(back(from_server().syn().seq(5000).ack(101).window(64000).options(offered)).frame,
            to_client(tcp(80, 40000).seq(cookie + 1).ack(101).window(64000).options(Bytes(8, 1))));
}

TEST_F(Cookies, ServersWithoutTimestampsArePromisedNone) {
  world::ServiceSpec spec = guarded();
  spec.cookies.timestamps = 0;
  lab_.world().put(spec);
  const Fate fate = in(from_client().syn().seq(100).options(linux_syn(1460, 7000, 9)));
  const Bytes offered = {2, 4, 0x05, 0xb4, 1, 1, 4, 2};
  EXPECT_EQ(
      fate.frame,
      turned() / ipv4("203.0.113.10", "198.18.0.7").dont_fragment() /
          tcp(80, 40000).syn().seq(sequence_of(fate.frame)).ack(101).window(0).options(offered));
}

TEST_F(Cookies, AServerThatBreaksThePromiseOfTimestampsIsToldAndSoIsTheClient) {
  lab_.world().put(guarded());
  ask();
  const Fate fate = back(from_server().syn().seq(5000).ack(101).options({2, 4, 5, 180}));
  EXPECT_EQ(fate.verdict, Verdict::drop);
  EXPECT_EQ(fate.reason, Reason::cookie_no_timestamps);
  uint32_t resets = 0;
  for (const Fate& said : lab_.said()) {
    EXPECT_TRUE((flags_of(said.frame) & 4) != 0);
    if (said.egress == 0) {
      EXPECT_EQ(sequence_of(said.frame), cookie_ + 1);
    }
    ++resets;
  }
  EXPECT_EQ(resets, 2u);
}

TEST_F(Cookies, AServerThatKnowsNoScaleGetsWindowsItCanRead) {
  lab_.world().put(guarded());
  ask();
  const Bytes plain = Bytes{2, 4, 0x05, 0xb4} + stamps(900, 7010);
  const Fate answer = back(from_server().syn().seq(5000).ack(101).window(64000).options(plain));
  EXPECT_EQ(word_at(answer.frame, 48) >> 16, 64000u >> 7);
  EXPECT_EQ(
      word_at(back(from_server().seq(5001).ack(101).window(32000).options(stamps(901, 7010))).frame,
              48) >>
          16,
      32000u >> 7);
  // 502 of 512 bytes are more than 16 bits say.
  EXPECT_EQ(
      word_at(in(from_client().seq(101).ack(cookie_ + 1).window(502).options(stamps(7020, time_)))
                  .frame,
              48) >>
          16,
      65535u);
  EXPECT_EQ(
      word_at(
          in(from_client().seq(101).ack(cookie_ + 1).window(3).options(stamps(7020, time_))).frame,
          48) >>
          16,
      3u << 9);
}

TEST_F(Cookies, WhatNobodyWasGivenOpensNothing) {
  lab_.world().put(guarded());
  ask();
  const auto guess = [&](uint32_t sequence, uint32_t acknowledgement, uint16_t port = 41000) {
    return lab_.send(eth() / ipv4("198.18.0.8", "203.0.113.10") /
                     tcp(port, 80).seq(sequence).ack(acknowledgement));
  };
  const Fate fate = guess(101, cookie_ + 1);  // another client's
  EXPECT_EQ(fate.verdict, Verdict::reply);
  EXPECT_EQ(fate.reason, Reason::cookie_invalid);
  for (uint32_t i = 0; i < 1000; ++i) guess(i * 7919, i * 104729, static_cast<uint16_t>(i + 1));
  EXPECT_EQ(lab_.count(Reason::cookie_invalid), 1001u);
  EXPECT_EQ(lab_.flow_count(), 1u);
  // Its own, with another first number.
  EXPECT_EQ(lab_.send(eth() / ipv4("198.18.0.7", "203.0.113.10") /
                      tcp(40001, 80).seq(101).ack(cookie_ + 1))
                .reason,
            Reason::cookie_invalid);
}

TEST_F(Cookies, ACookieIsGoodForAMinuteAndNoMoreThanTwo) {
  lab_.world().put(guarded());
  const auto cookie = [&] { return sequence_of(in(from_client().syn().seq(100)).frame); };
  const auto opens = [&](uint32_t with) {
    return in(from_client().seq(101).ack(with + 1)).verdict == Verdict::forward;
  };
  uint32_t was = cookie();
  lab_.advance(63);
  EXPECT_TRUE(opens(was));
  lab_.advance(100);  // until that flow has ended
  was = cookie();
  lab_.advance(128);
  EXPECT_FALSE(opens(was));
}

TEST_F(Cookies, WhatTheClientSendsBeforeTheServerAnswersIsItsSynAgain) {
  lab_.world().put(guarded());
  ask();
  const auto again = to_server(there().syn().seq(100).window(65535).options(asked_options(7040)));
  EXPECT_EQ(
      in(from_client().psh().seq(101).ack(cookie_ + 1).window(502).options(stamps(7040, time_)),
         "early")
          .frame,
      again);
  // A probe of the closed window.
  EXPECT_EQ(
      in(from_client().seq(100).ack(cookie_ + 1).window(502).options(stamps(7040, time_))).frame,
      again);
  EXPECT_EQ(lab_.flow_count(), 1u);
}

TEST_F(Cookies, AProbeOfTheClosedWindowMayBringTheCookieFirst) {
  lab_.world().put(guarded());
  const uint32_t cookie = sequence_of(in(from_client().syn().seq(100)).frame);
  const Fate fate = in(from_client().seq(100).ack(cookie + 1));
  ASSERT_EQ(fate.verdict, Verdict::forward);
  EXPECT_EQ(sequence_of(fate.frame), 100u);
  EXPECT_EQ(flags_of(fate.frame), 2);
}

TEST_F(Cookies, ASilentServerIsAskedAgainAndThenTheClientIsTold) {
  lab_.world().put(guarded());
  ask();
  uint32_t asked = 0, told = 0;
  for (int i = 0; i < 40 * 4 && told == 0; ++i) {
    lab_.advance(0.25);
    for (const Fate& said : lab_.said()) {
      if (said.egress == 1) {
        EXPECT_EQ(said.frame,
                  said_to_server(there().syn().seq(100).window(65535).options(asked_options())));
        ++asked;
      } else {
        EXPECT_EQ(sequence_of(said.frame), cookie_ + 1);
        EXPECT_EQ(flags_of(said.frame), 0x14);
        ++told;
      }
    }
  }
  EXPECT_EQ(asked, 4u);
  EXPECT_EQ(told, 1u);
  lab_.advance(15);
  EXPECT_EQ(lab_.flow_count(), 0u);
  EXPECT_EQ(lab_.audit(), "");
}

TEST_F(Cookies, AServerThatRefusesResetsTheClientWhereItWaits) {
  lab_.world().put(guarded());
  ask();
  const Fate fate = back(from_server().rst().seq(0).ack(101).window(0));
  EXPECT_EQ(fate.frame, to_client(tcp(80, 40000).rst().seq(cookie_ + 1).ack(101).window(0)));
  lab_.advance(15);
  EXPECT_EQ(lab_.flow_count(), 0u);
}

TEST_F(Cookies, AnAnswerOfAnEarlierConnectionIsReset) {
  lab_.world().put(guarded());
  ask();
  const Fate fate = back(from_server().seq(777).ack(888));
  EXPECT_EQ(fate.verdict, Verdict::reply);
  EXPECT_EQ(sequence_of(fate.frame), 888u);
  EXPECT_EQ(flags_of(fate.frame), 4);
  EXPECT_EQ(
      back(from_server().syn().seq(5000).ack(101).options(linux_syn(1460, 900, 5, 7010))).verdict,
      Verdict::forward);
}

TEST_F(Cookies, ASynInFragmentsOpensNothing) {
  lab_.world().put(guarded());
  const Fate fate = lab_.send(eth() / ipv4("198.18.0.7", "203.0.113.10").id(5).fragment(0, true) /
                              from_client().syn().seq(100) / std::string(36, 'x'));
  EXPECT_EQ(fate.verdict, Verdict::drop);
  EXPECT_EQ(fate.reason, Reason::fragment_unsupported);
  EXPECT_EQ(lab_.flow_count(), 0u);
}

/// Whoever receives it: its owner knows whether there is a flow.
TEST_F(Cookies, ASynOfAPortThatIsUsedAgainBeginsAnew) {
  lab_.world().put(guarded());
  for (uint16_t worker = 0; worker < 3; ++worker) {
    worker_ = worker;
    ask();
    back(from_server().syn().seq(5000).ack(101).options(linux_syn(1460, 900, 5, 7010)));
    in(from_client().rst().seq(101));
    ask();
    back(from_server().rst().seq(0).ack(101));
    lab_.said();
    lab_.advance(15);
    ASSERT_EQ(lab_.flow_count(), 0u);
  }
}

TEST_F(Cookies, AClientThatBeginsAnewWhileItsServerIsSilentGetsAnotherCookie) {
  lab_.world().put(guarded());
  ask();
  const auto syn = [&] {
    return in(from_client().syn().seq(900).options(linux_syn(1460, 8000, 9)));
  };
  EXPECT_EQ(syn().verdict, Verdict::drop);
  const Fate again = syn();
  EXPECT_EQ(again.reason, Reason::cookie_sent);
  EXPECT_EQ(in(from_client()
                   .seq(901)
                   .ack(sequence_of(again.frame) + 1)
                   .options(stamps(8001, time_of_syn(again.frame))))
                .verdict,
            Verdict::forward);
  EXPECT_EQ(lab_.flow_count(), 1u);
}

/// An old connection's SYN-ACK does not make us believe that the server has answered.
TEST_F(Cookies, AStrangeAnswerKeepsNobodyFromAskingAgain) {
  lab_.world().put(guarded());
  ask();
  back(from_server().syn().seq(777).ack(888));
  in(from_client().seq(101).ack(cookie_ + 1).window(502).options(stamps(7040, time_)));
  lab_.said();
  lab_.advance(2);
  EXPECT_EQ(lab_.said().size(), 1u);
}

TEST_F(Cookies, WhoIsBeyondALimitIsToldAsItTakesTheConnectionForOpen) {
  world::ServiceSpec spec = guarded();
  spec.refusal = tables::Refusal::drop;
  spec.limits.all.at_once = 1;
  lab_.world().put(spec);
  ask();
  const Fate syn = in(tcp(41000, 80).syn().seq(100));
  ASSERT_EQ(syn.reason, Reason::cookie_sent);
  const Fate fate = in(tcp(41000, 80).seq(101).ack(sequence_of(syn.frame) + 1));
  EXPECT_EQ(fate.verdict, Verdict::reply);
  EXPECT_EQ(fate.reason, Reason::limit_flows);
  EXPECT_EQ(sequence_of(fate.frame), sequence_of(syn.frame) + 1);
}

TEST_F(Cookies, AboveARateOnly) {
  lab_.world().put(guarded(tables::Mode::nat, 10));
  uint32_t opened = 0, cookies = 0;
  for (uint16_t i = 0; i < 50; ++i) {
    const Fate fate = lab_.send(eth() / ipv4("198.18.0.7", "203.0.113.10") /
                                    tcp(static_cast<uint16_t>(1000 + i), 80).syn().seq(100),
                                i % 3);
    (fate.verdict == Verdict::forward ? opened : cookies) += 1;
  }
  EXPECT_EQ(opened, 10u);
  EXPECT_EQ(cookies, 40u);
  EXPECT_EQ(lab_.flow_count(), 10u);
  // Acknowledgements are asked for cookies as long as one may be valid.
  const auto stray = [&] {
    return lab_.send(eth() / ipv4("198.18.0.9", "203.0.113.10") / tcp(9, 80).seq(1).ack(2)).reason;
  };
  EXPECT_EQ(stray(), Reason::cookie_invalid);
  lab_.advance(300);
  EXPECT_EQ(stray(), Reason::tcp_without_flow);
}

TEST_F(Cookies, WhoeverIsNotServedGetsNone) {
  world::ServiceSpec spec = guarded();
  spec.servers.clear();
  lab_.world().put(spec);
  EXPECT_EQ(in(from_client().syn()).reason, Reason::no_server);
}

TEST_F(Cookies, AFullTableOfRecordsRefusesAtTheNumberThatTheClientExpects) {
  Lab lab(1, Capacity(4));
  lab.world().put(guarded());
  for (uint16_t i = 0; i < 6; ++i) {
    const auto port = static_cast<uint16_t>(1000 + i);
    const Fate syn =
        lab.send(eth() / ipv4("198.18.0.7", "203.0.113.10") / tcp(port, 80).syn().seq(100));
    const uint32_t cookie = sequence_of(syn.frame);
    const Fate fate = lab.send(eth() / ipv4("198.18.0.7", "203.0.113.10") /
                               tcp(port, 80).seq(101).ack(cookie + 1));
    if (i < 4) {
      EXPECT_EQ(fate.verdict, Verdict::forward);
    } else {
      EXPECT_EQ(fate.reason, Reason::splice_table_full);
      EXPECT_EQ(sequence_of(fate.frame), cookie + 1);
    }
  }
  EXPECT_EQ(lab.audit(), "");
}

TEST_F(Cookies, ARestartTakesTheCookiesOfTheProcessBefore) {
  lab_.world().put(guarded());
  const uint32_t cookie = sequence_of(in(from_client().syn().seq(100)).frame);
  lab_.restart(2);
  EXPECT_EQ(
      lab_.send(eth() / ipv4("198.18.0.7", "203.0.113.10") / from_client().seq(101).ack(cookie + 1),
                1)
          .verdict,
      Verdict::forward);
}

/// A client that says nothing and whose acknowledgement is lost is not known here, nor to anybody:
/// that is what a cookie costs. The models do not heed the closed window: what comes out of order
/// brings no cookie and must not be refused loudly.
void converse(world::ServiceSpec spec, const Ends& ends, const std::string& header, uint32_t seed,
              bool restarts) {
  spec.refusal = tables::Refusal::drop;
  lab::converse(spec, ends, header, static_cast<uint16_t>(1 + seed % 3), seed, restarts, false);
}

TEST(CookiesOverBadWires, BothStreamsComeWhole) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    converse(guarded(), from_v4(), "", seed, false);
  }
}

TEST(CookiesOverBadWires, InFullNatBehindRestarts) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    converse(guarded(tables::Mode::fullnat), from_v4(), "", seed, true);
  }
}

TEST(CookiesOverBadWires, OverIpv6) {
  world::ServiceSpec spec = guarded(tables::Mode::fullnat);
  spec.vip = "2001:db8::10";
  spec.servers = {{"2001:db8:1::5", 8080}};
  spec.snats = {"2001:db8:0:1::1"};
  for (uint32_t seed = 0; seed < 40; ++seed) converse(spec, from_v6(), "", seed, false);
}

TEST(CookiesOverBadWires, BetweenFamiliesAndBehindAProxyHeader) {
  world::ServiceSpec spec = guarded(tables::Mode::fullnat);
  spec.vip = "2001:db8::10";
  spec.snats = {"10.0.0.1"};
  for (uint32_t seed = 0; seed < 40; ++seed) converse(spec, from_v6(), "", seed, false);
  spec = guarded(tables::Mode::fullnat);
  spec.client_address = tables::ClientAddress::proxy_v2;
  const std::string header(
      "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x12\0\x07\xcb\0\x71\x0a\x9c\x40\0\x50", 28);
  for (uint32_t seed = 0; seed < 40; ++seed) {
    converse(spec, from_v4(), header, seed, seed % 2 == 0);
  }
}

}  // namespace
}  // namespace nezu::lab
