// SYN cookies: nothing is kept of a SYN; who answers one has a whole connection.
#include "tests/path/cookies.h"

namespace nezu::lab {
namespace {

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

TEST_F(Cookies, WhoHasAnsweredNeedsNoShareOfThoseWhoHaveNot) {
  tables::Settings settings;
  settings.embryonic_percent = 1;
  lab_.world().settings(settings);
  const auto id = lab_.world().put(guarded());
  world::ServiceSpec open = web();
  open.protocol = net::Protocol::udp;
  open.port = 9;
  lab_.world().put(open);
  Fate last;
  for (uint16_t n = 0; n < 200; ++n) {
    last = lab_.send(eth() / ipv4(client(n), "203.0.113.10") / udp(1000, 9) / "x", n % 3);
  }
  ASSERT_EQ(last.reason, Reason::embryonic_limit);
  const Fate sent = in(from_client().syn().seq(100));
  ASSERT_EQ(sent.reason, Reason::cookie_sent);
  const Fate asked = in(from_client().seq(101).ack(sequence_of(sent.frame) + 1));
  EXPECT_EQ(asked.verdict, Verdict::forward) << to_string(asked.reason);
  // Nor is it ended for them while its server is silent.
  for (uint16_t n = 200; n < 2700; ++n) {
    if (n % 100 == 0) lab_.advance(0.1);
    lab_.send(eth() / ipv4(client(n), "203.0.113.10") / udp(1000, 9) / "x", n % 3);
  }
  EXPECT_EQ(lab_.gauge_of_service(id), 1u);
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

}  // namespace
}  // namespace nezu::lab
