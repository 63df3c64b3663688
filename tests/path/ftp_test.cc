// FTP: what a control connection announces reaches its server or its client, at every worker.
#include <gtest/gtest.h>

#include "tests/path/ftp_session.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;

using Session = FtpSession;

TEST(Ftp, PassiveInNat) {
  for (const uint16_t workers : {1, 3}) {
    Lab lab(workers);
    const auto spec = ftp(tables::Mode::nat);
    lab.world().put(spec);
    Session session(lab, spec);
    ASSERT_TRUE(session.is_open());
    EXPECT_EQ(session.ask("PASV\r\n"), "PASV\r\n");
    EXPECT_EQ(session.reply("227 Entering Passive Mode (10,0,1,5,156,64).\r\n"),
              "227 Entering Passive Mode (203,0,113,10,156,64).\r\n");
    EXPECT_EQ(session.client_reaches(40000), "10.0.1.5:40000");
    EXPECT_EQ(session.client_reaches(40001), "");
    // Lengths have changed; what follows comes as it was said.
    EXPECT_EQ(session.ask("RETR file\r\n"), "RETR file\r\n");
    EXPECT_EQ(session.reply("150 Here it is\r\n226 Done\r\n"), "150 Here it is\r\n226 Done\r\n");
    EXPECT_EQ(session.reply("229 Extended (|||40002|)\r\n"), "229 Extended (|||40002|)\r\n");
    EXPECT_EQ(session.client_reaches(40002, 50001), "10.0.1.5:40002");
    EXPECT_EQ(lab.audit(), "");
  }
}

TEST(Ftp, PassiveInFullNat) {
  Lab lab(3);
  const auto spec = ftp(tables::Mode::fullnat);
  lab.world().put(spec);
  Session session(lab, spec);
  EXPECT_EQ(session.reply("227 Entering Passive Mode (10,0,1,5,156,64).\r\n"),
            "227 Entering Passive Mode (203,0,113,10,156,64).\r\n");
  EXPECT_EQ(session.client_reaches(40000), "10.0.1.5:40000");
  EXPECT_EQ(session.reply("229 Extended (|||40002|)\r\n"), "229 Extended (|||40002|)\r\n");
  for (uint16_t worker = 0; worker < 3; ++worker) {
    const Fate fate = session.syn(40002, worker, static_cast<uint16_t>(51000 + worker));
    EXPECT_EQ(ends_of(fate.frame).source, world::address("10.0.0.1"));
    EXPECT_EQ(ends_of(fate.frame).destination_port, 40002);
  }
}

TEST(Ftp, AnAnnouncementIsForItsClientAndForAMinute) {
  Lab lab(2);
  const auto spec = ftp(tables::Mode::nat);
  lab.world().put(spec);
  Session session(lab, spec);
  session.reply("227 Entering Passive Mode (10,0,1,5,156,64).\r\n");
  EXPECT_EQ(lab.send(eth() / ipv4("198.18.0.8", kVip) / tcp(50000, 40000).syn()).reason,
            Reason::service_unknown);
  lab.advance(1);
  EXPECT_EQ(lab.count(&tables::WorkerLine::announced), 1u);
  lab.advance(70);
  EXPECT_EQ(session.syn(40000).reason, Reason::service_unknown);
  EXPECT_EQ(lab.count(&tables::WorkerLine::announced), 0u);
}

TEST(Ftp, ActiveInNat) {
  for (const uint16_t workers : {1, 3}) {
    Lab lab(workers);
    const auto spec = ftp(tables::Mode::nat);
    lab.world().put(spec);
    Session session(lab, spec);
    EXPECT_EQ(session.ask("PORT 198,18,0,7,156,64\r\n"), "PORT 198,18,0,7,156,64\r\n");
    EXPECT_EQ(session.server_reaches(kClient, 40000), "198.18.0.7:40000 from 203.0.113.10:20");
    EXPECT_EQ(session.ask("EPRT |1|198.18.0.7|40001|\r\n"), "EPRT |1|198.18.0.7|40001|\r\n");
    EXPECT_EQ(session.server_reaches(kClient, 40001, 3333),
              "198.18.0.7:40001 from 203.0.113.10:3333");
    EXPECT_NE(session.server_reaches(kClient, 40002).substr(0, 8), "198.18.0");
  }
}

TEST(Ftp, ActiveInFullNatAtEveryWorker) {
  Lab lab(3);
  const auto spec = ftp(tables::Mode::fullnat);
  lab.world().put(spec);
  Session session(lab, spec);
  for (uint16_t i = 0; i < 24; ++i) {
    const std::string told = session.ask("PORT 198,18,0,7,200," + std::to_string(i) + "\r\n");
    ASSERT_EQ(told.substr(0, 14), "PORT 10,0,0,1,") << told;
    EXPECT_EQ(session.server_reaches("10.0.0.1", port_in(told), 20, i % 3),
              "198.18.0.7:" + std::to_string(51200 + i) + " from 203.0.113.10:20");
    EXPECT_EQ(session.reply("200 PORT command successful\r\n"), "200 PORT command successful\r\n");
  }
  const std::string told = session.ask("eprt #1#198.18.0.7#40001#\r\n");
  EXPECT_EQ(told.substr(0, 17), "eprt #1#10.0.0.1#");
  EXPECT_EQ(lab.audit(), "");
  lab.advance(1000);
  EXPECT_EQ(lab.flow_count(), 0u);
}

TEST(Ftp, OverIpv6) {
  for (const tables::Mode mode : {tables::Mode::nat, tables::Mode::fullnat}) {
    Lab lab(2);
    const auto spec = ftp(mode, true, true);
    lab.world().put(spec);
    Session session(lab, spec);
    ASSERT_TRUE(session.is_open());
    EXPECT_EQ(session.reply("229 Extended (|||40002|)\r\n"), "229 Extended (|||40002|)\r\n");
    EXPECT_EQ(ends_of(session.syn(40002).frame).destination, world::address("fd00:1::5"));
    const std::string told = session.ask("EPRT |2|2001:db8:c::7|40001|\r\n");
    const bool full = mode == tables::Mode::fullnat;
    const std::string seen = full ? "fd00::1" : kClient6;
    EXPECT_EQ(told.substr(0, 8 + seen.size()), "EPRT |2|" + seen);
    EXPECT_EQ(session.server_reaches(seen, extended_port_in(told)),
              "[2001:db8:c::7]:40001 from [2001:db8::10]:20");
  }
}

TEST(Ftp, ClientsOfIpv6WithServersOfIpv4) {
  Lab lab(2);
  const auto spec = ftp(tables::Mode::fullnat, true, false);
  lab.world().put(spec);
  Session session(lab, spec);
  ASSERT_TRUE(session.is_open());
  EXPECT_EQ(session.ask("EPSV ALL\r\n"), "NOOP\r\n");
  EXPECT_EQ(session.ask("EPSV 2\r\n"), "PASV\r\n");
  EXPECT_EQ(session.reply("227 Entering Passive Mode (10,0,1,5,156,64).\r\n"),
            "229 Entering Extended Passive Mode (|||40000|)\r\n");
  const Fate fate = session.syn(40000);
  EXPECT_EQ(ends_of(fate.frame).destination, world::address("10.0.1.5"));
  EXPECT_EQ(ends_of(fate.frame).destination_port, 40000);
  const std::string told = session.ask("EPRT |2|2001:db8:c::7|40001|\r\n");
  ASSERT_EQ(told.substr(0, 14), "PORT 10,0,0,1,");
  EXPECT_EQ(session.server_reaches("10.0.0.1", port_in(told)),
            "[2001:db8:c::7]:40001 from [2001:db8::10]:20");
  EXPECT_EQ(session.ask("RETR x\r\n"), "RETR x\r\n");
}

TEST(Ftp, ClientsOfIpv4WithServersOfIpv6) {
  Lab lab(2);
  const auto spec = ftp(tables::Mode::fullnat, false, true);
  lab.world().put(spec);
  Session session(lab, spec);
  ASSERT_TRUE(session.is_open());
  EXPECT_EQ(session.ask("PASV\r\n"), "EPSV\r\n");
  EXPECT_EQ(session.reply("229 Entering Extended Passive Mode (|||40000|)\r\n"),
            "227 Entering Passive Mode (203,0,113,10,156,64).\r\n");
  EXPECT_EQ(ends_of(session.syn(40000).frame).destination, world::address("fd00:1::5"));
  EXPECT_EQ(session.ask("EPSV\r\n"), "EPSV\r\n");
  EXPECT_EQ(session.reply("229 Extended (|||40002|)\r\n"), "229 Extended (|||40002|)\r\n");
  const std::string told = session.ask("PORT 198,18,0,7,156,65\r\n");
  ASSERT_EQ(told.substr(0, 16), "EPRT |2|fd00::1|");
  EXPECT_EQ(session.server_reaches("fd00::1", extended_port_in(told)),
            "198.18.0.7:40001 from 203.0.113.10:20");
}

TEST(Ftp, AThirdHostIsTakenOut) {
  Lab lab(1);
  const auto spec = ftp(tables::Mode::fullnat);
  lab.world().put(spec);
  Session session(lab, spec);
  EXPECT_EQ(session.ask("PORT 198,18,0,8,156,64\r\n"), "PORT 0,0,0,0,0,0\r\n");
  EXPECT_EQ(session.ask("EPRT |1|10.0.1.6|22222|\r\n"), "EPRT |1|0.0.0.0|0|\r\n");
  EXPECT_EQ(session.ask("PORT 198,18,0,7,0,22\r\n"), "PORT 0,0,0,0,0,0\r\n");
  EXPECT_EQ(lab.count(Reason::ftp_address_refused), 3u);
  EXPECT_EQ(lab.count(&tables::WorkerLine::announced), 0u);
}

TEST(Ftp, TwoServersMayNameTheSamePort) {
  Lab lab(2);
  auto spec = ftp(tables::Mode::nat);
  spec.servers = {{"10.0.1.5", 21}, {"10.0.1.6", 21}};
  lab.world().put(spec);
  Session one(lab, spec, {}, 1, 40000), two(lab, spec, {}, 2, 40001);
  ASSERT_NE(one.talk().at_server().destination, two.talk().at_server().destination);
  const std::string first = one.reply("227 Passive (10,0,1,5,156,64).\r\n");
  const std::string other = two.reply("227 Passive (10,0,1,6,156,64).\r\n");
  ASSERT_EQ(first, "227 Passive (203,0,113,10,156,64).\r\n");
  const uint16_t port = port_in(other);
  EXPECT_NE(port, 40000);
  EXPECT_EQ(one.client_reaches(40000, 50000),
            net::to_string(one.talk().at_server().destination, 40000));
  EXPECT_EQ(two.client_reaches(port, 50001),
            net::to_string(two.talk().at_server().destination, 40000));
  const std::string third = two.reply("229 Extended (|||40000|)\r\n");
  EXPECT_EQ(extended_port_in(third.substr(0, third.size() - 3)), port) << third;
}

TEST(Ftp, DeclaredPortsLeadToTheClientsServer) {
  Lab lab(3);
  auto spec = ftp(tables::Mode::fullnat);
  spec.scheduler = tables::Scheduler::sh;
  spec.servers = {{"10.0.1.5", 21}, {"10.0.1.6", 21}, {"10.0.1.7", 21}};
  spec.passive_first = 10000;
  spec.passive_last = 10099;
  lab.world().put(spec);
  for (uint32_t n = 0; n < 12; ++n) {
    Conversation control(lab, client(n), 40000, kVip, 21);
    ASSERT_TRUE(control.open());
    for (const uint16_t port : {10000, 10050, 10099}) {
      Conversation data(lab, client(n), 40001, kVip, port);
      ASSERT_TRUE(data.open() && data.works());
      EXPECT_EQ(data.server().destination, control.server().destination);
      EXPECT_EQ(data.server().destination_port, port);
    }
  }
  EXPECT_EQ(lab.send(eth() / ipv4(kClient, kVip) / tcp(5, 10100).syn()).reason,
            Reason::service_unknown);
  Session session(lab, spec, {}, 1, 41000);
  EXPECT_EQ(session.reply("227 Passive (10,0,1,5,39,16).\r\n"),
            "227 Passive (203,0,113,10,39,16).\r\n");
  EXPECT_EQ(lab.count(&tables::WorkerLine::announced), 0u);
}

TEST(Ftp, NothingIsReadBehindTls) {
  Lab lab(1);
  const auto spec = ftp(tables::Mode::fullnat);
  lab.world().put(spec);
  Session session(lab, spec);
  EXPECT_EQ(session.ask("AUTH TLS\r\n"), "AUTH TLS\r\n");
  EXPECT_EQ(session.reply("234 Proceed\r\n"), "234 Proceed\r\n");
  EXPECT_EQ(session.ask("\nPO"), "\nPO");
  EXPECT_EQ(session.ask("RT 198,18,0,7,156,64\r\n"), "RT 198,18,0,7,156,64\r\n");
}

TEST(Ftp, ALineThatComesInPiecesWaitsForItsEnd) {
  Lab lab(1);
  const auto spec = ftp(tables::Mode::fullnat);
  lab.world().put(spec);
  Session session(lab, spec);
  session.talk().client().keep_back_small_ones();
  EXPECT_EQ(session.ask("P"), "");
  EXPECT_EQ(session.ask("ORT 198,18"), "");
  EXPECT_EQ(session.ask(",0,7,156,64"), "");
  EXPECT_EQ(session.ask("\r"), "");
  const std::string told = session.ask("\n");
  EXPECT_EQ(told.substr(0, 14), "PORT 10,0,0,1,");
  EXPECT_EQ(told.substr(told.size() - 2), "\r\n");
  EXPECT_EQ(session.server_reaches("10.0.0.1", port_in(told)),
            "198.18.0.7:40000 from 203.0.113.10:20");
  EXPECT_EQ(session.ask("PA"), "");
  EXPECT_EQ(session.ask("SS x\r\n"), "PASS x\r\n");
  EXPECT_EQ(session.reply("22"), "");
  EXPECT_EQ(session.reply("7 Passive (10,0,1,5,156,64).\r\n"),
            "227 Passive (203,0,113,10,156,64).\r\n");
}

TEST(Ftp, SeveralLinesInOneSegment) {
  Lab lab(1);
  const auto spec = ftp(tables::Mode::fullnat);
  lab.world().put(spec);
  Session session(lab, spec);
  const std::string told =
      session.ask("TYPE I\r\nPORT 198,18,0,7,156,64\r\nLIST\r\nPORT 198,18,0,7,156,65\r\nLIST\r\n");
  EXPECT_EQ(told.substr(0, 22), "TYPE I\r\nPORT 10,0,0,1,");
  const size_t list = told.find("LIST\r\nPORT 10,0,0,1,");
  ASSERT_NE(list, std::string::npos) << told;
  EXPECT_EQ(told.substr(told.size() - 6), "LIST\r\n");
  EXPECT_EQ(session.server_reaches("10.0.0.1", port_in(told.substr(0, list - 2))),
            "198.18.0.7:40000 from 203.0.113.10:20");
}

/// Long sessions in pieces of any size, over bad wires, with restarts: every line arrives, changed
/// where it must be.
void converse(tables::Mode mode, bool client6, bool server6, uint32_t seed, bool restarts) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  Lab lab(1 + seed % 3);
  const auto spec = ftp(mode, client6, server6);
  lab.world().put(spec);
  const double bad = 0.03 * (seed % 3);
  const auto size = static_cast<uint16_t>(seed % 2 == 0 ? 1400 : 20 + random() % 40);
  Session session(lab, spec, {bad, bad, bad}, seed + 1, 40000, size);
  ASSERT_TRUE(session.is_open());
  if (seed % 5 == 0) session.talk().client().keep_back_small_ones();
  const bool mixed = client6 != server6, full = mode == tables::Mode::fullnat;
  std::string wanted, lines;
  for (int i = 0; i < 12; ++i) {
    switch (random() % 4) {
      case 0: {
        lines += "RETR " + std::string(random() % 60, 'x') + "\r\n";
        break;
      }
      case 1:
        lines += client6 ? "EPSV\r\n" : "PASV\r\n";
        break;
      case 2:
        lines += client6 ? "EPRT |2|2001:db8:c::7|" + std::to_string(2000 + i) + "|\r\n"
                         : "PORT 198,18,0,7,200," + std::to_string(i) + "\r\n";
        break;
      default:
        lines += "NOOP\r\n";
    }
    if (random() % 2 == 0 && !lines.empty()) {
      const size_t before = session.talk().server().heard().size();
      (void)before;
      const std::string told = session.ask(lines);
      ASSERT_EQ(told.substr(0, 5) == "it is", false) << told;
      wanted += lines;
      lines.clear();
      const std::string answer = server6
                                     ? "229 Extended (|||4000" + std::to_string(i % 10) + "|)\r\n"
                                     : "227 Passive (10,0,1,5,156," + std::to_string(i) + ").\r\n";
      const std::string heard = session.reply("200 fine\r\n" + answer + "250 more\r\n");
      ASSERT_EQ(heard.substr(0, 10), "200 fine\r\n") << heard;
      ASSERT_EQ(heard.substr(heard.size() - 10), "250 more\r\n") << heard;
      ASSERT_EQ(std::count(heard.begin(), heard.end(), '\n'), 3) << heard;
      if (restarts && random() % 2 == 0) {
        ASSERT_EQ(lab.restart(static_cast<uint16_t>(1 + random() % 3)).dropped, 0u);
      }
    }
  }
  // Line by line: the same, or what takes its place.
  std::istringstream said(wanted), heard(session.talk().server().heard());
  std::string a, b;
  while (std::getline(said, a)) {
    ASSERT_TRUE(std::getline(heard, b));
    const bool active = a[0] == 'P' && a[1] == 'O' ? true : a.substr(0, 4) == "EPRT";
    const bool asks = a.substr(0, 4) == "PASV" || a.substr(0, 4) == "EPSV";
    if (active && full) {
      EXPECT_EQ(b.substr(0, server6 ? 16 : 14), server6 ? "EPRT |2|fd00::1|" : "PORT 10,0,0,1,")
          << a;
      EXPECT_EQ(b.back(), '\r');
    } else if (asks && mixed) {
      EXPECT_EQ(b, server6 ? "EPSV\r" : "PASV\r") << a;
    } else {
      EXPECT_EQ(b, a);
    }
  }
  EXPECT_FALSE(std::getline(heard, b)) << b;
  EXPECT_EQ(session.talk().complaint(), "");
  EXPECT_EQ(lab.audit(), "");
}

TEST(Ftp, EveryLineArrivesOverBadWires) {
  for (uint32_t seed = 0; seed < 30; ++seed) {
    converse(tables::Mode::fullnat, false, false, seed, false);
    converse(tables::Mode::nat, false, false, seed, false);
    converse(tables::Mode::fullnat, true, true, seed, false);
    converse(tables::Mode::fullnat, true, false, seed, false);
    converse(tables::Mode::fullnat, false, true, seed, false);
  }
}

TEST(Ftp, ControlConnectionsSurviveRestarts) {
  for (uint32_t seed = 0; seed < 24; seed += 2) {
    converse(tables::Mode::fullnat, false, false, seed, true);
    converse(tables::Mode::fullnat, true, false, seed, true);
  }
}

TEST(Ftp, DataConnectionsSurviveRestarts) {
  for (const tables::Mode mode : {tables::Mode::nat, tables::Mode::fullnat}) {
    Lab lab(2);
    const auto spec = ftp(mode);
    lab.world().put(spec);
    Session session(lab, spec);
    session.reply("227 Passive (10,0,1,5,156,64).\r\n");
    Conversation passive(lab, kClient, 50000, kVip, 40000);
    ASSERT_TRUE(passive.open() && passive.works());
    const std::string told = session.ask("PORT 198,18,0,7,200,1\r\n");
    const bool full = mode == tables::Mode::fullnat;
    const char* seen = full ? "10.0.0.1" : kClient;
    ASSERT_EQ(session.server_reaches(seen, port_in(told)), "198.18.0.7:51201 from 203.0.113.10:20");
    const auto restored = lab.restart(3);
    EXPECT_EQ(restored.kept, 3u);
    EXPECT_EQ(restored.dropped, 0u);
    EXPECT_TRUE(passive.works());
    EXPECT_EQ(session.server_reaches(seen, port_in(told)), "198.18.0.7:51201 from 203.0.113.10:20");
    EXPECT_EQ(lab.audit(), "");
    lab.advance(1000);
    EXPECT_EQ(lab.flow_count(), 0u);
  }
}

TEST(Tftp, AnswersComeFromANewPort) {
  for (const tables::Mode mode : {tables::Mode::nat, tables::Mode::fullnat}) {
    Lab lab(3);
    world::ServiceSpec spec = ftp(mode);
    spec.port = 69;
    spec.protocol = net::Protocol::udp;
    spec.servers = {{"10.0.1.5", 69}};
    spec.application = tables::Application::tftp;
    lab.world().put(spec);
    for (uint16_t i = 0; i < 8; ++i) {
      const auto port = static_cast<uint16_t>(40000 + i);
      const Fate ask = lab.send(eth() / ipv4(kClient, kVip) / udp(port, 69) / "\0\1file", i % 3);
      ASSERT_EQ(ask.verdict, Verdict::forward);
      const Ends seen = ends_of(ask.frame);
      const auto back = static_cast<uint16_t>(33333 + i);
      const Fate data = lab.send(eth() / ipv4("10.0.1.5", net::to_string(seen.source)) /
                                     udp(back, seen.source_port) / "data",
                                 (i + 1) % 3, 1);
      ASSERT_EQ(data.verdict, Verdict::forward) << net::to_string(data.reason);
      EXPECT_EQ(net::to_string(ends_of(data.frame).source, ends_of(data.frame).source_port),
                "203.0.113.10:" + std::to_string(back));
      EXPECT_EQ(ends_of(data.frame).destination_port, port);
      const Fate more = lab.send(eth() / ipv4(kClient, kVip) / udp(port, back) / "ack", i % 3);
      ASSERT_EQ(more.verdict, Verdict::forward);
      EXPECT_EQ(ends_of(more.frame).destination_port, back);
      EXPECT_EQ(ends_of(more.frame).source_port, seen.source_port);
    }
    // Nobody else's answers.
    EXPECT_NE(lab.send(eth() / ipv4("10.0.1.6", kClient) / udp(7, 40000) / "x", 0, 1).verdict,
              Verdict::forward);
    EXPECT_EQ(lab.audit(), "");
    lab.advance(1000);
    EXPECT_EQ(lab.flow_count(), 0u);
  }
}

}  // namespace
}  // namespace nezu::lab
