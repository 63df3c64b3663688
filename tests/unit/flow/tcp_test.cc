// TCP tracking as sentences: segments in, state out.
#include <gtest/gtest.h>

#include "dataplane/flow/tcp_track.h"

namespace nezu::flow {
namespace {

using net::kTcpAck, net::kTcpFin, net::kTcpPsh, net::kTcpRst, net::kTcpSyn;
using tables::Timeout;

constexpr uint32_t kClient = 1000, kServer = 0xfffffff0u;  // the server's numbers wrap

Segment there(uint8_t flags, uint32_t sequence, uint32_t ack = 0, uint32_t payload = 0) {
  return {Direction::to_server, flags, kClient + sequence, kServer + ack, payload};
}
Segment back(uint8_t flags, uint32_t sequence, uint32_t ack = 0, uint32_t payload = 0) {
  return {Direction::to_client, flags, kServer + sequence, kClient + ack, payload};
}
Tcp after(std::initializer_list<Segment> segments, Tcp tcp = {}) {
  for (const Segment& segment : segments) tcp = advance(tcp, segment);
  return tcp;
}
Tcp established() {
  return after({there(kTcpSyn, 0), back(kTcpSyn | kTcpAck, 0, 1), there(kTcpAck, 1, 1)});
}

TEST(Tcp, Handshake) {
  EXPECT_EQ(after({there(kTcpSyn, 0)}).state, Timeout::syn_sent);
  EXPECT_EQ(after({there(kTcpSyn, 0), back(kTcpSyn | kTcpAck, 0, 1)}).state, Timeout::syn_received);
  EXPECT_EQ(established().state, Timeout::established);
  EXPECT_EQ(after({there(kTcpSyn, 0), there(kTcpSyn, 0), there(kTcpAck, 1, 1)}).state,
            Timeout::syn_sent);
}

TEST(Tcp, CloseByTheClient) {
  Tcp tcp = advance(established(), there(kTcpFin | kTcpAck, 1, 1));
  EXPECT_EQ(tcp.state, Timeout::fin_wait);
  EXPECT_TRUE(is_dying(tcp.state, tcp.flags));
  tcp = advance(tcp, back(kTcpAck, 1, 2, 500));  // half closed: the server goes on sending
  EXPECT_EQ(tcp.state, Timeout::fin_wait);
  tcp = advance(tcp, back(kTcpFin | kTcpAck, 501, 2));
  EXPECT_EQ(tcp.state, Timeout::close_wait);
  tcp = advance(tcp, there(kTcpAck, 2, 501));  // not the FIN yet
  EXPECT_EQ(tcp.state, Timeout::close_wait);
  tcp = advance(tcp, there(kTcpAck, 2, 502));
  EXPECT_EQ(tcp.state, Timeout::time_wait);
  EXPECT_EQ(stage_of(tcp.state), Stage::closed);
}

TEST(Tcp, CloseByTheServerLeavesTheClientAlive) {
  const Tcp tcp = advance(established(), back(kTcpFin | kTcpAck, 1, 1));
  EXPECT_EQ(tcp.state, Timeout::fin_wait);
  EXPECT_FALSE(is_dying(tcp.state, tcp.flags));
}

TEST(Tcp, BothAtOnceAndRetransmitted) {
  const Tcp tcp = after({there(kTcpFin | kTcpAck, 1, 1), back(kTcpFin | kTcpAck, 1, 1),
                         there(kTcpFin | kTcpAck, 1, 1), back(kTcpAck, 2, 2), there(kTcpAck, 2, 2)},
                        established());
  EXPECT_EQ(tcp.state, Timeout::time_wait);
}

TEST(Tcp, ResetMustFit) {
  const Tcp open =
      after({there(kTcpAck | kTcpPsh, 1, 1, 1000), back(kTcpAck, 1, 1001)}, established());
  EXPECT_EQ(advance(open, there(kTcpRst, 1001)).state, Timeout::closed);
  EXPECT_EQ(advance(open, back(kTcpRst | kTcpAck, 1, 1001)).state, Timeout::closed);
  EXPECT_EQ(advance(open, there(kTcpRst, 1001 + kResetAhead)).state, Timeout::closed);
  EXPECT_EQ(advance(open, there(kTcpRst, 1002 + kResetAhead)), open);
  EXPECT_EQ(advance(open, there(kTcpRst, 0x40000000)), open);
  EXPECT_EQ(advance(open, there(kTcpRst, 1000u - kResetBehind)), open);
}

TEST(Tcp, RefusedSyn) {
  const Tcp syn = after({there(kTcpSyn, 0)});
  EXPECT_EQ(advance(syn, {Direction::to_client, kTcpRst | kTcpAck, 0, kClient + 1, 0}).state,
            Timeout::closed);
  EXPECT_EQ(advance(syn, {Direction::to_client, kTcpRst | kTcpAck, 0, kClient + 77, 0}), syn);
}

TEST(Tcp, ResetThatNobodySentIsTakenBack) {
  const Tcp reset = advance(established(), back(kTcpRst, 1));
  ASSERT_EQ(reset.state, Timeout::closed);
  EXPECT_EQ(advance(reset, there(kTcpAck, 1, 1)).state, Timeout::closed);  // still on its way
  EXPECT_EQ(advance(reset, back(kTcpAck, 1, 1, 100)).state, Timeout::established);
}

TEST(Tcp, LenientAfterARestartUntilSeenBothWays) {
  Tcp tcp = established();
  tcp.flags = static_cast<uint8_t>((tcp.flags & ~(flag::kSeenToServer | flag::kSeenToClient)) |
                                   flag::kAdopted);
  EXPECT_EQ(advance(tcp, there(kTcpRst, 0x40000000)).state, Timeout::closed);
  tcp = after({there(kTcpAck, 0x30000000, 1, 10)}, tcp);  // much was sent meanwhile
  EXPECT_NE(tcp.flags & flag::kAdopted, 0);
  tcp = advance(tcp, back(kTcpAck, 0x20000000, 0x3000000a));
  EXPECT_EQ(tcp.flags & flag::kAdopted, 0);
  EXPECT_EQ(advance(tcp, there(kTcpRst, 0x70000000)), tcp);
  EXPECT_EQ(advance(tcp, there(kTcpRst, 0x3000000a)).state, Timeout::closed);
}

TEST(Tcp, WhateverComesTheStateIsOneOfTcp) {
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    uint32_t random = seed * 2654435761u + 1;
    Tcp tcp;
    for (int i = 0; i < 50; ++i) {
      random = random * 1664525 + 1013904223;
      tcp = advance(tcp, {static_cast<Direction>(random >> 31), static_cast<uint8_t>(random >> 8),
                          random, random >> 3, random % 1500});
      ASSERT_LE(tcp.state, Timeout::closed);
    }
  }
}

Tcp one_way(std::initializer_list<Segment> segments, Tcp tcp = {}) {
  for (const Segment& segment : segments) tcp = advance_one_way(tcp, segment);
  return tcp;
}

TEST(TcpOneWay, TheClientsHalfTells) {
  const Tcp syn = one_way({there(kTcpSyn, 0), there(kTcpSyn, 0)});
  EXPECT_EQ(syn.state, Timeout::syn_sent);
  const Tcp open = one_way({there(kTcpAck, 1, 1)}, syn);
  EXPECT_EQ(open.state, Timeout::established);
  // Data may come with the first acknowledgement.
  EXPECT_EQ(one_way({there(kTcpAck | kTcpPsh, 1, 1, 700)}, syn).state, Timeout::established);
  const Tcp closing = one_way({there(kTcpFin | kTcpAck, 1, 1)}, open);
  EXPECT_EQ(closing.state, Timeout::fin_wait);
  EXPECT_TRUE(is_dying(closing.state, closing.flags));
  EXPECT_EQ(one_way({there(kTcpAck, 2, 9000)}, closing).state, Timeout::fin_wait);
  // An ACK that closes at once was lost on the way here; so was the handshake's.
  EXPECT_EQ(one_way({there(kTcpFin | kTcpAck, 1, 1)}, syn).state, Timeout::fin_wait);
}

TEST(TcpOneWay, ResetMustFit) {
  const Tcp open = one_way({there(kTcpSyn, 0), there(kTcpAck, 1, 1)});
  EXPECT_EQ(one_way({there(kTcpRst, 1)}, open).state, Timeout::closed);
  EXPECT_EQ(one_way({there(kTcpRst, 0x40000000)}, open), open);
  // It was not the client's: it goes on.
  EXPECT_EQ(one_way({there(kTcpRst, 1), there(kTcpAck, 1, 1, 10)}, open).state,
            Timeout::established);
}

TEST(TcpOneWay, AnAdoptedFlowIsStrictAgainAfterOneSegment) {
  Tcp open = one_way({there(kTcpSyn, 0), there(kTcpAck, 1, 1)});
  open.flags = static_cast<uint8_t>((open.flags & ~flag::kSeenToServer) | flag::kAdopted);
  EXPECT_EQ(one_way({there(kTcpRst, 0x40000000)}, open).state, Timeout::closed);
  const Tcp seen = one_way({there(kTcpAck, 1, 1)}, open);
  EXPECT_EQ(seen.flags & flag::kAdopted, 0);
  EXPECT_EQ(one_way({there(kTcpRst, 0x40000000)}, seen), seen);
}

}  // namespace
}  // namespace nezu::flow
