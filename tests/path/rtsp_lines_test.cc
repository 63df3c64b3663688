// RTSP: bodies, frames and lines in pieces between what is read; noise, bad wires, restarts.
#include <gtest/gtest.h>

#include <random>

#include "tests/path/rtsp_control.h"

namespace nezu::lab {
namespace {

using net::Reason;
using Session = RtspSession;

TEST(RtspLines, FramesAndBodiesAreNotTakenForLines) {
  for (const uint16_t size : {1400, 61, 7}) {
    SCOPED_TRACE(size);
    Lab lab(1);
    const auto spec = rtsp(tables::Mode::fullnat);
    lab.world().put(spec);
    Session session(lab, spec, {}, 1, 40000, size);
    const std::string line = "Transport: RTP/AVP;unicast;client_port=5000-5001\r\n\r\n";
    const std::string interleaved = setup("RTP/AVP/TCP;unicast;interleaved=0-1");
    EXPECT_EQ(session.ask(interleaved), interleaved);
    std::string media;
    for (int i = 0; i < 40; ++i)
      media += frame("\r\n" + line + std::string(size_t(i * 37), '$'), 1);
    media += frame("") + frame("$");
    const std::string body = "v=0\r\no=- 1 1 IN IP4 10.0.1.5\r\nc=IN IP4 0.0.0.0\r\n\r\n" + line;
    for (const std::string& text : {media, with_body(body), media + with_body(body) + media,
                                    "\r\n" + with_body("") + with_body("RTSP/1.0")}) {
      EXPECT_EQ(session.reply(text), text);
      EXPECT_EQ(session.ask(text), text);
    }
    // Behind all that it is still read.
    const std::string told = session.ask(media + setup("RTP/AVP;unicast;client_port=5000-5001"));
    EXPECT_EQ(session.down(6000, ports_in(told.substr(media.size()), "client_port").first),
              "203.0.113.10:6000 > 198.18.0.7:5000");
    EXPECT_EQ(lab.count(Reason::rtsp_unreadable), 0u);
  }
}

/// Clients of IPv6 take the family of their sockets from there.
TEST(RtspLines, TheFamilyInSdp) {
  for (const uint16_t size : {1400, 33}) {
    const std::string body =
        "v=0\r\no=- 1 1 IN IP4 10.0.1.5\r\nc=IN IP4 0.0.0.0\r\nm=audio 0 RTP/AVP 0\r\n"
        "a=control:track1\r\nm=video 0 RTP/AVP 96\r\nc=IN IP4 10.0.1.5\r\na=x\r\nc=IN IP4 0.0.0.0";
    Lab lab(2);
    const auto spec = rtsp(tables::Mode::fullnat, true, false);
    lab.world().put(spec);
    Session session(lab, spec, {}, 1, 40000, size);
    ASSERT_TRUE(session.is_open());
    std::string wanted = body;
    for (const char* address : {"0.0.0.0", "10.0.1.5", "0.0.0.0"}) {
      const std::string was = std::string("c=IN IP4 ") + address;
      const char* becomes = was.size() == 16 ? "c=IN IP6 ::0:0:0" : "c=IN IP6 ::0:0:00";
      wanted.replace(wanted.find(was), was.size(), becomes);
    }
    EXPECT_EQ(session.reply(with_body(body)), with_body(wanted));
    // What a client announces to record says nothing that its server would need.
    EXPECT_EQ(session.ask(with_body(body)), with_body(body));
    // Other pairs of families leave it.
    const auto other = rtsp(tables::Mode::fullnat, false, true);
    Lab second(1);
    second.world().put(other);
    Session four(second, other, {}, 2, 40001, size);
    EXPECT_EQ(four.reply(with_body(body)), with_body(body));
  }
}

TEST(RtspLines, LinesInPiecesAndSeveralInASegment) {
  Lab lab(1);
  const auto spec = rtsp(tables::Mode::fullnat);
  lab.world().put(spec);
  Session session(lab, spec);
  session.talk().client().keep_back_small_ones();
  EXPECT_EQ(session.ask("SETUP rtsp://x/a RTSP/1.0\r\n"), "SETUP rtsp://x/a RTSP/1.0\r\n");
  for (const char* piece : {"Tr", "ansport", ": RTP/AVP;unicast;client_por", "t=5000-5001", "\r"}) {
    EXPECT_EQ(session.ask(piece), "");
  }
  const std::string told = session.ask("\nCSeq: 1\r\n\r\n");
  EXPECT_EQ(session.down(6000, ports_in(told, "client_port").first),
            "203.0.113.10:6000 > 198.18.0.7:5000");
  EXPECT_EQ(told.substr(told.size() - 13), "\r\nCSeq: 1\r\n\r\n");
  EXPECT_EQ(session.ask("PLAY rtsp://x/a RTSP/1.0\r\nContent-Len"), "PLAY rtsp://x/a RTSP/1.0\r\n");
  EXPECT_EQ(session.ask("gth: 5\r\n\r\n$$$$$"), "Content-Length: 5\r\n\r\n$$$$$");
  // Two of one segment change together.
  const std::string both = session.ask(setup("RTP/AVP;unicast;client_port=5002-5003", 1) +
                                       setup("RTP/AVP;unicast;client_port=5004-5005", 2));
  EXPECT_EQ(session.down(6002, ports_in(both, "client_port").second),
            "203.0.113.10:6002 > 198.18.0.7:5003");
  EXPECT_EQ(session.down(6004, ports_in(both.substr(both.find("track2")), "client_port").first),
            "203.0.113.10:6004 > 198.18.0.7:5004");
}

TEST(RtspLines, LongLinesPassAndAreCounted) {
  Lab lab(1);
  const auto spec = rtsp(tables::Mode::fullnat);
  lab.world().put(spec);
  Session session(lab, spec);
  const std::string lengthy =
      setup("RTP/AVP;unicast;x=" + std::string(700, 'y') + ";client_port=5000-5001");
  EXPECT_EQ(session.ask(lengthy), lengthy);
  EXPECT_EQ(lab.count(Reason::rtsp_line_too_long), 1u);
  const std::string others = "OPTIONS rtsp://" + std::string(3000, 'z') +
                             " RTSP/1.0\r\nX: " + std::string(3000, 'y') + "\r\n\r\n";
  EXPECT_EQ(session.ask(others), others);
  EXPECT_EQ(lab.count(Reason::rtsp_line_too_long), 1u);
  EXPECT_NE(ports_in(session.ask(setup("RTP/AVP;unicast;client_port=5000-5001")), "client_port"),
            std::make_pair(uint16_t{5000}, uint16_t{5001}));
}

TEST(RtspLines, WhatIsNoRtspIsReadNoFurther) {
  const std::string asks = setup("RTP/AVP;unicast;client_port=5000-5001");
  for (const std::string& other :
       {std::string("GET /tunnel HTTP/1.0\r\n\r\n"), std::string("\x16\x03\x01\x02\x00", 5),
        std::string("OPTIONS * RTSP/1.0\r\nContent-Length: 4000000000\r\n\r\n"),
        std::string("OPTIONS * RTSP/1.0\r\nContent-Length: -1\r\n\r\n"),
        std::string("OPTIONS * RTSP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")}) {
    Lab lab(1);
    const auto spec = rtsp(tables::Mode::fullnat);
    lab.world().put(spec);
    Session session(lab, spec);
    EXPECT_EQ(session.ask(other + asks), other + asks);
    EXPECT_EQ(session.ask(asks), asks);
    EXPECT_EQ(session.reply(answer("RTP/AVP;server_port=1-2")), answer("RTP/AVP;server_port=1-2"));
    EXPECT_EQ(lab.count(Reason::rtsp_unreadable), 1u) << other;
    EXPECT_EQ(lab.audit(), "");
  }
}

/// Long sessions in pieces of any size, over bad wires: all arrives, changed where it must be.
void converse(tables::Mode mode, bool client6, bool server6, uint32_t seed, bool restarts) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  Lab lab(1 + seed % 3);
  const auto spec = rtsp(mode, client6, server6);
  lab.world().put(spec);
  const double bad = 0.03 * (seed % 3);
  const auto size = static_cast<uint16_t>(seed % 2 == 0 ? 1400 : 20 + random() % 90);
  Session session(lab, spec, {bad, bad, bad}, seed + 1, 40000, size);
  ASSERT_TRUE(session.is_open());
  if (seed % 5 == 0) session.talk().client().keep_back_small_ones();
  const bool full = mode == tables::Mode::fullnat;
  const std::string server(spec.servers[0].address), vip(spec.vip);
  for (int i = 0; i < 8; ++i) {
    const auto mine = static_cast<uint16_t>(5000 + 2 * i),
               his = static_cast<uint16_t>(6000 + 2 * i);
    const std::string ports = std::to_string(mine) + "-" + std::to_string(mine + 1);
    const std::string before =
        random() % 2 == 0 ? frame(std::string(random() % 2000, '$')) : std::string("\r\n");
    const std::string behind = "ANNOUNCE rtsp://x/a RTSP/1.0\r\n" +
                               with_body(std::string(random() % 3000, '\n')).substr(17);
    const std::string asked =
        session.ask(before + setup("RTP/AVP;unicast;client_port=" + ports) + behind);
    ASSERT_NE(asked.substr(0, 5), "it is") << asked;
    const auto there = ports_in(asked.substr(before.size()), "client_port");
    const std::string told = std::to_string(there.first) + "-" + std::to_string(there.second);
    ASSERT_EQ(asked, before + setup("RTP/AVP;unicast;client_port=" + told) + behind);
    EXPECT_EQ(told == ports, !full);
    const std::string media = frame(std::string(random() % 1500, 'm'));
    const std::string place = ";server_port=" + std::to_string(his) + "-" + std::to_string(his + 1);
    const std::string said = session.reply(
        media + answer("RTP/AVP;unicast;source=" + server + ";client_port=" + told + place) +
        media);
    ASSERT_EQ(
        said,
        media + answer("RTP/AVP;unicast;source=" + vip + ";client_port=" + ports + place) + media);
    EXPECT_EQ(session.down(his, there.first),
              at(vip, his) + " > " + at(client6 ? kClient6 : kClient, mine));
    if (restarts && random() % 2 == 0) {
      ASSERT_EQ(lab.restart(static_cast<uint16_t>(1 + random() % 3)).dropped, 0u);
    }
  }
  EXPECT_EQ(session.talk().complaint(), "");
  EXPECT_EQ(lab.audit(), "");
}

TEST(RtspLines, AllArrivesOverBadWires) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    converse(tables::Mode::fullnat, false, false, seed, false);
    converse(tables::Mode::nat, false, false, seed, false);
    converse(tables::Mode::fullnat, true, true, seed, false);
    converse(tables::Mode::fullnat, true, false, seed, false);
    converse(tables::Mode::fullnat, false, true, seed, seed % 2 == 0);
  }
}

/// Whatever is said, what is not changed comes out as it was, and nothing is stuck.
TEST(RtspLines, NoiseComesThrough) {
  const std::string pieces[] = {
      "SETUP rtsp://x RTSP/1.0\r\n", "Transport: ", "RTP/AVP;", "$",
      std::string("\0\3", 2),        "\r\n",        "\n",       "Transport",
      "Content-Length: 7\r\n",       ",",           "abc\r\n",  "RTSP/1.0 200 OK\r\n"};
  for (uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    Lab lab(1);
    const auto spec = rtsp(tables::Mode::fullnat);
    lab.world().put(spec);
    Session session(lab, spec, {0.02, 0.02, 0.02}, seed + 1, 40000, seed % 2 == 0 ? 1400 : 19);
    for (int round = 0; round < 10; ++round) {
      std::string text;
      for (uint32_t i = 0; i < random() % 30; ++i) text += pieces[random() % std::size(pieces)];
      session.talk().client().say(text);
      session.talk().server().say(text);
      session.talk().run([&] { return session.talk().client().is_quiet(); }, 500);
    }
    session.talk().client().close();
    session.talk().server().close();
    ASSERT_TRUE(session.talk().run([&] {
      return session.talk().client().is_done() && session.talk().server().is_done();
    })) << session.talk().last_drop_;
    EXPECT_EQ(session.talk().server().heard(), session.talk().client().heard());
    EXPECT_EQ(session.talk().complaint(), "");
  }
}

}  // namespace
}  // namespace nezu::lab
