// RTSP: what SETUP says on each side, and media that find their way.
#include <gtest/gtest.h>

#include <memory>

#include "tests/path/rtsp_control.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;

using Session = RtspSession;

/// SETUP, and both streams both ways, whoever sends first.
void play(tables::Mode mode, bool client6, bool server6, uint16_t workers, bool server_first) {
  SCOPED_TRACE(std::to_string(client6) + std::to_string(server6) + " " + std::to_string(workers));
  Lab lab(workers);
  const auto spec = rtsp(mode, client6, server6);
  lab.world().put(spec);
  Session session(lab, spec);
  ASSERT_TRUE(session.is_open());
  const bool full = mode == tables::Mode::fullnat;
  const std::string vip(spec.vip), server(spec.servers[0].address),
      client = client6 ? kClient6 : kClient;
  const std::string asked = session.ask(setup("RTP/AVP;unicast;client_port=5000-5001"));
  const auto there = ports_in(asked, "client_port");
  EXPECT_EQ(asked, setup("RTP/AVP;unicast;client_port=" + std::to_string(there.first) + "-" +
                         std::to_string(there.second)));
  EXPECT_EQ(there == std::make_pair(uint16_t{5000}, uint16_t{5001}), !full);
  EXPECT_LT(there.first, there.second);
  // What the server says, with all that it may say; the client reads what it can reach.
  const std::string said =
      session.reply(answer("RTP/AVP;unicast;destination=" + session.seen() + ";source=" + server +
                           ";client_port=" + std::to_string(there.first) + "-" +
                           std::to_string(there.second) + ";server_port=6000-6001;ssrc=12"));
  EXPECT_EQ(said, answer("RTP/AVP;unicast;destination=" + client + ";source=" + vip +
                         ";client_port=5000-5001;server_port=6000-6001;ssrc=12"));
  for (const uint16_t control : {0, 1}) {  // RTP, RTCP
    const auto mine = static_cast<uint16_t>(5000 + control),
               his = static_cast<uint16_t>(6000 + control);
    const uint16_t told = control == 0 ? there.first : there.second;
    const std::string to_client = at(vip, his) + " > " + at(client, mine),
                      to_server = at(session.seen(), told) + " > " + at(server, his);
    for (int round = 0; round < 2; ++round) {
      if (server_first) {
        EXPECT_EQ(session.down(his, told, control), to_client);
      }
      EXPECT_EQ(session.up(mine, his, static_cast<uint16_t>(control + round)), to_server);
      if (!server_first) {
        EXPECT_EQ(session.down(his, told, control), to_client);
      }
    }
  }
  EXPECT_EQ(session.ask("TEARDOWN rtsp://203.0.113.10/a RTSP/1.0\r\nCSeq: 9\r\n\r\n"),
            "TEARDOWN rtsp://203.0.113.10/a RTSP/1.0\r\nCSeq: 9\r\n\r\n");
  EXPECT_EQ(lab.flow_count(), 3u);
  EXPECT_EQ(lab.audit(), "");
  lab.advance(1000);
  EXPECT_EQ(lab.flow_count(), 0u);
}

TEST(Rtsp, MediaBothWays) {
  for (const bool server_first : {true, false}) {
    for (const uint16_t workers : {1, 3}) {
      for (const bool six : {false, true}) {
        play(tables::Mode::nat, six, six, workers, server_first);
        play(tables::Mode::fullnat, six, six, workers, server_first);
      }
      play(tables::Mode::fullnat, true, false, workers, server_first);
      play(tables::Mode::fullnat, false, true, workers, server_first);
    }
  }
}

/// RFC 6052: the server sees the client below a prefix.
TEST(Rtsp, ClientsOfIpv4BelowAPrefix) {
  Lab lab(2);
  auto spec = rtsp(tables::Mode::nat, false, true);
  const net::Address prefix = world::address("2001:db8:64::");
  std::copy_n(prefix.bytes.begin(), 12, spec.client_prefix.bytes.begin());
  spec.client_prefix.length = 96;
  tables::Settings settings;
  settings.client_prefixes[0] = spec.client_prefix;
  lab.world().settings(settings);
  lab.world().put(spec);
  Session session(lab, spec);
  ASSERT_TRUE(session.is_open());
  EXPECT_EQ(session.ask(setup("RTP/AVP;unicast;destination=198.18.0.7;client_port=5000-5001")),
            setup("RTP/AVP;unicast;destination=" + session.seen() + ";client_port=5000-5001"));
  EXPECT_EQ(session.down(6000, 5000), "203.0.113.10:6000 > 198.18.0.7:5000");
}

TEST(Rtsp, AudioAndVideoOfSeveralClients) {
  for (const tables::Mode mode : {tables::Mode::nat, tables::Mode::fullnat}) {
    Lab lab(3);
    auto spec = rtsp(mode);
    spec.servers = {{"10.0.1.5", 8554}, {"10.0.1.6", 8554}};
    lab.world().put(spec);
    std::vector<std::unique_ptr<Session>> sessions;
    for (uint16_t i = 0; i < 4; ++i) {
      sessions.push_back(
          std::make_unique<Session>(lab, spec, Wires{}, i + 1, static_cast<uint16_t>(40000 + i)));
      for (uint16_t track = 0; track < 2; ++track) {
        const auto mine = static_cast<uint16_t>(5000 + 10 * i + 2 * track);
        const std::string told =
            sessions[i]->ask(setup("RTP/AVP;unicast;client_port=" + std::to_string(mine) + "-" +
                                   std::to_string(mine + 1)));
        const auto there = ports_in(told, "client_port");
        // Both servers wait at the same ports; the client is told them apart.
        const std::string said = sessions[i]->reply(
            answer("RTP/AVP;unicast;server_port=" + std::to_string(6000 + 2 * track) + "-" +
                   std::to_string(6001 + 2 * track)));
        const auto his = ports_in(said, "server_port");
        EXPECT_EQ(his.second, his.first + 1);
        const auto from = static_cast<uint16_t>(6000 + 2 * track);
        EXPECT_EQ(sessions[i]->down(from, there.first, i),
                  at(kVip, his.first) + " > " + at(kClient, mine));
        EXPECT_EQ(sessions[i]->up(static_cast<uint16_t>(mine + 1), his.second, i),
                  at(sessions[i]->seen(), there.second) + " > " +
                      at(sessions[i]->server(), static_cast<uint16_t>(from + 1)));
      }
    }
    EXPECT_NE(sessions[0]->server(), sessions[1]->server());
    EXPECT_EQ(lab.audit(), "");
  }
}

TEST(Rtsp, AListOfTransports) {
  Lab lab(2);
  const auto spec = rtsp(tables::Mode::fullnat);
  lab.world().put(spec);
  Session session(lab, spec);
  const std::string told = session.ask(
      setup("RTP/AVP/UDP;unicast;client_port=5000-5001,RTP/AVP;multicast;client_port=7000-7001,"
            "RAW/RAW/UDP;unicast;client_port=5004,RTP/AVP/TCP;unicast;interleaved=0-1"));
  const auto first = ports_in(told, "client_port");
  EXPECT_NE(told.find(",RTP/AVP;multicast;client_port=7000-7001,RAW"), std::string::npos) << told;
  EXPECT_NE(told.find(",RTP/AVP/TCP;unicast;interleaved=0-1\r\n"), std::string::npos) << told;
  const auto raw = ports_in(told.substr(told.find("RAW/RAW")), "client_port");
  EXPECT_EQ(session.down(6000, first.first), "203.0.113.10:6000 > 198.18.0.7:5000");
  EXPECT_EQ(session.down(6001, first.second), "203.0.113.10:6001 > 198.18.0.7:5001");
  EXPECT_EQ(session.down(6004, raw.first), "203.0.113.10:6004 > 198.18.0.7:5004");
  // Asked anew the same ports are told the same.
  EXPECT_EQ(ports_in(session.ask(setup("RTP/AVP;unicast;client_port=5000-5001")), "client_port"),
            first);
}

TEST(Rtsp, WhatIsOfAnotherHostOrOfNoSensePassesAndIsCounted) {
  Lab lab(1);
  const auto spec = rtsp(tables::Mode::fullnat);
  lab.world().put(spec);
  Session session(lab, spec);
  uint64_t count = 0;
  for (const char* transport :
       {"RTP/AVP;unicast;destination=198.18.0.9;client_port=5000-5001",
        "RTP/AVP;unicast;client_port=0-1", "RTP/AVP;unicast;client_port=5001--5000",
        "RTP/AVP;unicast;client_port=80-81", "RTP/AVP;unicast;client_port=5000-80",
        "RTP/AVP;unicast;client_port=70000",
        "RTP/AVP;unicast;destination=phone.example;client_port=5000-5001"}) {
    EXPECT_EQ(session.ask(setup(transport)), setup(transport));
    EXPECT_EQ(lab.count(Reason::rtsp_transport_left), ++count) << transport;
  }
  const std::string elsewhere = answer("RTP/AVP;unicast;source=10.0.9.9;server_port=6000-6001");
  EXPECT_EQ(session.reply(elsewhere), elsewhere);
  EXPECT_EQ(lab.count(Reason::rtsp_transport_left), ++count);
  lab.advance(1);
  EXPECT_EQ(lab.count(&tables::WorkerLine::announced), 0u);
}

/// A SETUP that finds no place comes again until there is one.
TEST(Rtsp, AFullBoard) {
  Lab lab(1);
  const auto spec = rtsp(tables::Mode::fullnat);
  lab.world().put(spec);
  Session session(lab, spec);
  for (uint32_t i = 0; lab.count(Reason::announcement_full) == 0 && i < 70000; i += 10) {
    std::string list;
    for (uint32_t j = 0; j < 10; ++j) {
      list += (j != 0 ? ",R/A;client_port=" : "R/A;client_port=") +
              std::to_string(2000 + (i + j) % 60000) + "-" + std::to_string(2000 + (i + j) % 60000);
    }
    session.talk().client().say("SETUP rtsp://x RTSP/1.0\r\nTransport: " + list + "\r\n\r\n");
    session.talk().run([&] { return session.talk().client().is_quiet(); }, 60);
  }
  EXPECT_GT(lab.count(Reason::announcement_full), 0u);
  lab.advance(300);
  EXPECT_TRUE(session.talk().run([&] { return session.talk().client().is_quiet(); }));
  EXPECT_EQ(session.talk().complaint(), "");
}

TEST(Rtsp, AServiceThatIsRemovedAndAServerThatLeaves) {
  Lab lab(2);
  auto spec = rtsp(tables::Mode::fullnat);
  const auto id = lab.world().put(spec);
  Session session(lab, spec);
  const auto there =
      ports_in(session.ask(setup("RTP/AVP;unicast;client_port=5000-5001")), "client_port");
  session.reply(answer("RTP/AVP;unicast;server_port=6000-6001"));
  EXPECT_EQ(session.down(6000, there.first), "203.0.113.10:6000 > 198.18.0.7:5000");
  lab.world().remove(id);
  // What flows goes on, and so does the connection; what has not begun does not any more.
  EXPECT_EQ(session.down(6000, there.first), "203.0.113.10:6000 > 198.18.0.7:5000");
  EXPECT_EQ(session.up(5001, 6001), "service_unknown");
  const std::string again = session.ask(setup("RTP/AVP;unicast;client_port=5002-5003"));
  EXPECT_NE(ports_in(again, "client_port").first, 5002);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Rtsp, MediaSurviveRestarts) {
  for (const tables::Mode mode : {tables::Mode::nat, tables::Mode::fullnat}) {
    Lab lab(2);
    const auto spec = rtsp(mode);
    lab.world().put(spec);
    Session session(lab, spec);
    const auto there =
        ports_in(session.ask(setup("RTP/AVP;unicast;client_port=5000-5001")), "client_port");
    session.reply(answer("RTP/AVP;unicast;server_port=6000-6001"));
    const std::string down = session.down(6000, there.first), up = session.up(5001, 6001);
    // In the middle of a header, of a body and of a frame.
    const std::string body = std::string(3000, 'x') + "\r\n\r\n";
    const std::string text = with_body(body) + frame(body) + with_body(body);
    for (size_t from = 0; from < text.size(); from += 900) {
      const std::string piece = text.substr(from, 900);
      EXPECT_EQ(session.reply(piece), piece);
      const auto restored = lab.restart(static_cast<uint16_t>(1 + from / 900 % 3));
      EXPECT_EQ(restored.kept, 3u);
      EXPECT_EQ(restored.dropped, 0u);
    }
    EXPECT_EQ(session.down(6000, there.first), down);
    EXPECT_EQ(session.up(5001, 6001), up);
    const auto next =
        ports_in(session.ask(setup("RTP/AVP;unicast;client_port=5002-5003")), "client_port");
    EXPECT_EQ(session.down(6002, next.first), "203.0.113.10:6002 > 198.18.0.7:5002");
    EXPECT_EQ(lab.audit(), "");
  }
}

}  // namespace
}  // namespace nezu::lab
