// SYN cookies: while the server has not answered, and what else comes in between.
#include "tests/path/cookies.h"

namespace nezu::lab {
namespace {

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

}  // namespace
}  // namespace nezu::lab
