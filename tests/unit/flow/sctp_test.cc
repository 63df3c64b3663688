// SCTP associations: packets in, states out.
#include "dataplane/flow/sctp_track.h"

#include <gtest/gtest.h>

#include <vector>

namespace nezu::flow {
namespace {

using tables::Timeout;

enum Chunk : uint8_t {
  kData = 0,
  kInit = 1,
  kInitAck = 2,
  kAbort = 6,
  kShutdown = 7,
  kShutdownAck = 8,
  kCookieEcho = 10,
  kCookieAck = 11,
  kShutdownComplete = 14
};
constexpr uint32_t kOfServer = 0xbbbb, kOfClient = 0xaaaa;  ///< who wants to see it

SctpPacket there(uint8_t type, uint32_t tag = kOfServer) {
  return {.direction = Direction::to_server,
          .tag = tag,
          .chunks = 1u << type,
          .initiated = type == kInit ? kOfClient : 0};
}
SctpPacket back(uint8_t type, uint32_t tag = kOfClient) {
  return {.direction = Direction::to_client,
          .tag = tag,
          .chunks = 1u << type,
          .initiated = type == kInitAck ? kOfServer : 0};
}
Sctp run(const std::vector<SctpPacket>& packets, Sctp sctp = {}, bool one_way = false) {
  for (const SctpPacket& packet : packets) sctp = advance(sctp, packet, one_way);
  return sctp;
}
Sctp one_way(const std::vector<SctpPacket>& packets, Sctp sctp = {}) {
  return run(packets, sctp, true);
}

TEST(Sctp, FromInitToShutdownComplete) {
  Sctp sctp = run({there(kInit, 0)});
  EXPECT_EQ(sctp.state, Timeout::syn_sent);
  sctp = run({there(kInit, 0), back(kInitAck)}, sctp);
  EXPECT_EQ(sctp.state, Timeout::syn_received);
  sctp = run({there(kCookieEcho)}, sctp);
  EXPECT_EQ(sctp.state, Timeout::established);
  sctp = run({back(kCookieAck), there(kData), back(kData)}, sctp);
  EXPECT_EQ(sctp.state, Timeout::established);
  for (const bool by_client : {true, false}) {
    Sctp end = run({by_client ? there(kShutdown) : back(kShutdown)}, sctp);
    EXPECT_EQ(end.state, Timeout::fin_wait);
    end = run({by_client ? back(kShutdownAck) : there(kShutdownAck)}, end);
    EXPECT_EQ(end.state, Timeout::close_wait);
    end = run({by_client ? there(kShutdownComplete) : back(kShutdownComplete)}, end);
    EXPECT_EQ(end.state, Timeout::time_wait);
  }
}

TEST(Sctp, WithoutAnAnswerItDoesNotOpen) {
  EXPECT_EQ(run({there(kInit, 0), there(kCookieEcho)}).state, Timeout::syn_sent);
}

TEST(Sctp, AnAbortMustKnowTheTag) {
  const Sctp open = run({there(kInit, 0), back(kInitAck), there(kCookieEcho)});
  EXPECT_EQ(run({there(kAbort, 7)}, open), open);
  EXPECT_EQ(run({back(kAbort, 7)}, open), open);
  EXPECT_EQ(run({back(kAbort, kOfServer)}, open), open) << "it is the other's";
  EXPECT_EQ(run({there(kAbort)}, open).state, Timeout::closed);
  EXPECT_EQ(run({back(kAbort)}, open).state, Timeout::closed);
  // Who knows no association reflects the tag that it was sent (RFC 9260 8.5.1 B).
  SctpPacket reflected = back(kAbort, kOfServer);
  reflected.is_reflected = true;
  EXPECT_EQ(run({reflected}, open).state, Timeout::closed);
}

TEST(Sctp, ALivingOneTakesASecondInitForARestart) {
  const Sctp open = run({there(kInit, 0), back(kInitAck), there(kCookieEcho)});
  SctpPacket again = there(kInit, 0);
  again.initiated = 0xcccc;
  const Sctp restarted = run({again}, open);
  EXPECT_EQ(restarted.state, Timeout::established);
  EXPECT_EQ(run({back(kAbort, 0xcccc)}, restarted).state, Timeout::closed);
}

TEST(SctpOneWay, TheClientsHalfTells) {
  const Sctp first = one_way({there(kInit, 0), there(kInit, 0)});
  EXPECT_EQ(first.state, Timeout::syn_sent);
  const Sctp open = one_way({there(kCookieEcho)}, first);
  EXPECT_EQ(open.state, Timeout::established);
  EXPECT_EQ(one_way({there(kData)}, open).state, Timeout::established);
  EXPECT_EQ(one_way({there(kShutdown)}, open).state, Timeout::fin_wait);
  EXPECT_EQ(one_way({there(kShutdown), there(kShutdownComplete)}, open).state, Timeout::time_wait);
  // The server closes: the client's half of that is an acknowledgement.
  EXPECT_EQ(one_way({there(kShutdownAck)}, open).state, Timeout::close_wait);
}

/// The server's tag is never told: what the client sends first has it.
TEST(SctpOneWay, AnAbortMustKnowTheTagThatTheClientHasUsed) {
  const Sctp open = one_way({there(kInit, 0), there(kCookieEcho)});
  EXPECT_EQ(one_way({there(kAbort, 7)}, open), open);
  EXPECT_EQ(one_way({there(kShutdown, 7)}, open), open);
  EXPECT_EQ(one_way({there(kAbort)}, open).state, Timeout::closed);
  // Where answers come by, they tell (mode redirect).
  const Sctp told = one_way({there(kInit, 0), back(kInitAck)});
  EXPECT_EQ(one_way({there(kAbort, 7)}, told), told);
}

TEST(SctpOneWay, AReflectedTagIsNotTheServers) {
  SctpPacket reflected = there(kAbort, kOfClient);
  reflected.is_reflected = true;
  EXPECT_EQ(one_way({there(kInit, 0), reflected}).state, Timeout::closed);
  reflected.tag = 7;
  const Sctp first = one_way({there(kInit, 0)});
  EXPECT_EQ(one_way({reflected}, first), first);
}

TEST(SctpChunks, AreReadAsFarAsTheyGo) {
  // Tag 0x01020304, a SACK of 16 bytes, then DATA of 17 (padded to 20).
  std::vector<uint8_t> bytes{0x13, 0x88, 0x0b, 0x59, 1, 2, 3, 4, 0, 0, 0, 0, 3, 0, 0, 16};
  bytes.resize(28);
  bytes.insert(bytes.end(), {0, 3, 0, 17});
  bytes.resize(48);
  const auto read = [&](size_t length) {
    return read_sctp(bytes.data(), static_cast<uint32_t>(length), Direction::to_server);
  };
  EXPECT_EQ(read(48).tag, 0x01020304u);
  EXPECT_EQ(read(48).chunks, 1u << 3 | 1u << kData);
  EXPECT_EQ(read(28).chunks, 1u << 3);
  EXPECT_EQ(read(31).chunks, 1u << 3) << "half a chunk header";
  EXPECT_EQ(read(12).chunks, 0u);
  bytes[15] = 3;  // shorter than its header: nothing behind it can be found
  EXPECT_EQ(read(48).chunks, 1u << 3);
  EXPECT_FALSE(opens_sctp(bytes.data(), 48));
  bytes[12] = kInit;
  EXPECT_TRUE(opens_sctp(bytes.data(), 48));
  EXPECT_FALSE(opens_sctp(bytes.data(), 15));
}

}  // namespace
}  // namespace nezu::flow
