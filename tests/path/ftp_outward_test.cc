// FTP clients behind source NAT: what they announce reaches them from outside, at every worker.
#include <gtest/gtest.h>

#include "tests/path/ftp_control.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;
using Kind = path::NatRecord::Kind;

constexpr uint16_t kFront = 0, kBack = 1;
const char* const kHost = "10.0.1.5";
const char* const kHost6 = "fd00:1::5";
const char* const kOut = "198.51.100.7";
const char* const kOut6 = "2001:db8:c::7";

world::RuleSpec rule() {
  world::RuleSpec spec;
  spec.networks = {"10.0.1.0/24", "fd00:1::/64"};
  spec.snats = {"203.0.113.1", "2001:db8::1"};
  spec.application = tables::Application::ftp;
  return spec;
}

struct Inside : Lab {
  explicit Inside(uint16_t workers = 1, flow::Capacity capacity = {1024, 512, 64})
      : Lab(workers, capacity) {
    for (const char* host : {kHost, kHost6}) {
      world().neighbour(world::address(host), *net::parse_mac("02:00:00:01:00:05"));
    }
    world().rebuild_routes();
  }
};

/// One control connection from inside to outside.
class Session : public FtpControl {
 public:
  Session(Lab& lab, bool v6 = false, Wires wires = {}, uint32_t seed = 1, uint16_t port = 40000,
          uint16_t size = 1400)
      : FtpControl(
            lab, wires, seed,
            {world::address(v6 ? kHost6 : kHost), world::address(v6 ? kOut6 : kOut), port, 21},
            size, true),
        v6_(v6) {}

  /// The server comes to the SNAT address from `from`: where it arrives and as whom, once the
  /// client's answer has come back to it; or why not.
  std::string server_reaches(uint16_t port, uint16_t from = 20, uint16_t worker = 0) {
    const Ends called{world::address(v6_ ? kOut6 : kOut), talk_.at_server().source, from, port};
    TcpSegment syn;
    syn.syn = true;
    syn.sequence = 900;
    const Fate there = lab_.send(frame_of(syn, called), worker, kFront);
    if (there.verdict == Verdict::forward) {
      EXPECT_EQ(there.egress, kBack);
    }
    return answered(there, called, worker, kBack);
  }

 private:
  bool v6_;
};

TEST(FtpOutward, AServerOutsideReachesTheClient) {
  for (const uint16_t workers : {1, 2, 3}) {
    Inside lab(workers);
    lab.world().put_rule(rule());
    Session session(lab);
    ASSERT_TRUE(session.is_open());
    EXPECT_EQ(session.talk().at_server().source, world::address("203.0.113.1"));
    for (uint16_t i = 0; i < 24; ++i) {
      const std::string told = session.ask("PORT 10,0,1,5,200," + std::to_string(i) + "\r\n");
      ASSERT_EQ(told.substr(0, 17), "PORT 203,0,113,1,") << told;
      const uint16_t port = port_in(told);
      EXPECT_GE(port, tables::kSnatFirstPort);
      // From 20 or anything else: for the client it is 20.
      EXPECT_EQ(session.server_reaches(port, i % 2 == 0 ? 20 : static_cast<uint16_t>(30000 + i),
                                       static_cast<uint16_t>(i % workers)),
                "10.0.1.5:" + std::to_string(51200 + i) + " from 198.51.100.7:20");
      EXPECT_EQ(session.reply("200 PORT command successful\r\n"),
                "200 PORT command successful\r\n");
    }
    EXPECT_EQ(lab.audit(), "");
    lab.advance(1000);
    EXPECT_EQ(lab.flow_count(), 0u);
  }
}

TEST(FtpOutward, OverIpv6) {
  Inside lab(2);
  lab.world().put_rule(rule());
  Session session(lab, true);
  ASSERT_TRUE(session.is_open());
  const std::string told = session.ask("EPRT |2|fd00:1::5|40001|\r\n");
  ASSERT_EQ(told.substr(0, 20), "EPRT |2|2001:db8::1|");
  const auto port = static_cast<uint16_t>(std::stoi(told.substr(20)));
  EXPECT_EQ(session.server_reaches(port), "[fd00:1::5]:40001 from [2001:db8:c::7]:20");
  EXPECT_EQ(lab.audit(), "");
}

TEST(FtpOutward, PassiveIsLeftAlone) {
  Inside lab(2);
  lab.world().put_rule(rule());
  Session session(lab);
  EXPECT_EQ(session.ask("PASV\r\n"), "PASV\r\n");
  EXPECT_EQ(session.reply("227 Entering Passive Mode (198,51,100,7,156,64).\r\n"),
            "227 Entering Passive Mode (198,51,100,7,156,64).\r\n");
  EXPECT_EQ(session.ask("EPSV\r\n"), "EPSV\r\n");
  EXPECT_EQ(session.reply("229 Extended (|||40002|)\r\n"), "229 Extended (|||40002|)\r\n");
  EXPECT_EQ(lab.count(&tables::WorkerLine::announced), 0u);
}

TEST(FtpOutward, OnlyWhereTheRuleSaysSoAndAtPort21) {
  Inside lab;
  auto spec = rule();
  spec.application = tables::Application::none;
  lab.world().put_rule(spec);
  Session session(lab);
  EXPECT_EQ(session.ask("PORT 10,0,1,5,200,1\r\n"), "PORT 10,0,1,5,200,1\r\n");
  EXPECT_EQ(session.server_reaches(1024), "snat_unmatched");

  Inside other;
  other.world().put_rule(rule());
  const Fate fate = other.send(eth() / ipv4(kHost, kOut) / tcp(5, 2121).syn().seq(1), 0, kBack);
  EXPECT_EQ(fate.verdict, Verdict::forward);
  const Fate data = other.send(
      eth() / ipv4(kHost, kOut) / tcp(5, 2121).psh().seq(2).ack(1) / "PORT 10,0,1,5,200,1\r\n", 0,
      kBack);
  EXPECT_EQ(data.frame.bytes().size(), 14u + 40u + 21u);
}

/// Neither other hosts nor ports of the system are told.
TEST(FtpOutward, AThirdHostIsTakenOut) {
  Inside lab;
  lab.world().put_rule(rule());
  Session session(lab);
  EXPECT_EQ(session.ask("PORT 10,0,1,6,156,64\r\n"), "PORT 0,0,0,0,0,0\r\n");
  EXPECT_EQ(session.ask("PORT 10,0,1,5,0,22\r\n"), "PORT 0,0,0,0,0,0\r\n");
  EXPECT_EQ(lab.count(Reason::ftp_address_refused), 2u);
  EXPECT_EQ(lab.count(&tables::WorkerLine::announced), 0u);
}

TEST(FtpOutward, NobodyElseComesIn) {
  Inside lab;
  lab.world().put_rule(rule());
  Session session(lab);
  const uint16_t port = port_in(session.ask("PORT 10,0,1,5,200,1\r\n"));
  const auto syn = [&](const char* from, uint16_t to) {
    return lab.send(eth() / ipv4(from, "203.0.113.1") / tcp(20, to).syn().seq(1), 0, kFront).reason;
  };
  EXPECT_EQ(syn("198.51.100.8", port), Reason::snat_unmatched);
  EXPECT_EQ(syn(kOut, static_cast<uint16_t>(port ^ 1)), Reason::snat_unmatched);
  lab.advance(70);
  EXPECT_EQ(syn(kOut, port), Reason::snat_unmatched);
}

/// Two connections from one place to one place: the second is refused until the first has gone.
TEST(FtpOutward, OneClientPortServesOneConnection) {
  Inside lab;
  lab.world().put_rule(rule());
  Session session(lab);
  const uint16_t one = port_in(session.ask("PORT 10,0,1,5,200,1\r\n"));
  const uint16_t two = port_in(session.ask("PORT 10,0,1,5,200,1\r\n"));
  ASSERT_NE(one, two);
  EXPECT_EQ(session.server_reaches(one), "10.0.1.5:51201 from 198.51.100.7:20");
  EXPECT_EQ(session.server_reaches(two), "flow_bucket_full");
  EXPECT_EQ(lab.audit(), "");
}

/// The told port comes round: what is dying makes place for what is announced.
TEST(FtpOutward, ADyingConnectionMakesPlace) {
  Inside lab;
  lab.world().put_rule(rule());
  Session session(lab);
  const uint16_t first = port_in(session.ask("PORT 10,0,1,5,200,1\r\n"));
  ASSERT_EQ(session.server_reaches(first), "10.0.1.5:51201 from 198.51.100.7:20");
  lab.send(eth() / ipv4(kOut, "203.0.113.1") / tcp(20, first).rst().seq(901), 0, kFront);
  uint16_t port = 0;
  for (uint32_t i = 0; i < tables::kSnatSlicePorts; ++i) {
    port = port_in(session.ask("PORT 10,0,1,5,200,2\r\n"));
  }
  ASSERT_EQ(port, first);
  EXPECT_EQ(session.server_reaches(first), "10.0.1.5:51202 from 198.51.100.7:20");
  EXPECT_EQ(lab.audit(), "");
}

TEST(FtpOutward, TheLogHearsOfBothConnections) {
  Inside lab;
  lab.world().put_rule(rule());
  Session session(lab);
  const uint16_t port = port_in(session.ask("PORT 10,0,1,5,200,1\r\n"));
  ASSERT_EQ(session.server_reaches(port), "10.0.1.5:51201 from 198.51.100.7:20");
  const auto records = lab.nat_log(0);
  ASSERT_EQ(records.size(), 2u);
  for (const auto& one : records) EXPECT_EQ(one.kind, Kind::open);
  EXPECT_EQ(records[0].outside_port, 21);
  EXPECT_EQ(records[1].inside_port, 51201);
  EXPECT_EQ(records[1].snat_port, port);
  lab.advance(1000);
  EXPECT_EQ(lab.nat_log(0).size(), 2u);
}

TEST(FtpOutward, WithoutRecordsTheConnectionIsRefused) {
  Inside lab(1, {64, 64, 2});
  lab.world().put_rule(rule());
  const auto open = [&](uint16_t port) {
    return lab.send(eth() / ipv4(kHost, kOut) / tcp(port, 21).syn().seq(1), 0, kBack).reason;
  };
  EXPECT_EQ(open(1), Reason::none);
  EXPECT_EQ(open(2), Reason::none);
  EXPECT_EQ(open(3), Reason::splice_table_full);
  // Others go on.
  EXPECT_EQ(lab.send(eth() / ipv4(kHost, kOut) / tcp(3, 80).syn().seq(1), 0, kBack).verdict,
            Verdict::forward);
  EXPECT_EQ(lab.audit(), "");
  lab.advance(1000);
  EXPECT_EQ(open(4), Reason::none);
}

TEST(FtpOutward, NoPlaceForTheDataConnection) {
  Inside lab(1, {2, 2, 2});
  lab.world().put_rule(rule());
  Session session(lab);
  const uint16_t port = port_in(session.ask("PORT 10,0,1,5,200,1\r\n"));
  lab.send(eth() / ipv4(kHost, kOut) / udp(3, 53) / "x", 0, kBack);
  ASSERT_EQ(lab.flow_count(), 2u);
  EXPECT_EQ(session.server_reaches(port), "flow_table_full");
  EXPECT_EQ(lab.audit(), "");
}

/// Over bad wires, in pieces of any size, and with restarts in the middle.
TEST(FtpOutward, EveryLineArrives) {
  for (uint32_t seed = 0; seed < 24; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Inside lab(static_cast<uint16_t>(1 + seed % 3));
    lab.world().put_rule(rule());
    const double bad = 0.03 * (seed % 3);
    Session session(lab, false, {bad, bad, bad}, seed + 1, 40000,
                    static_cast<uint16_t>(seed % 2 == 0 ? 1400 : 20 + seed));
    ASSERT_TRUE(session.is_open());
    for (uint16_t i = 0; i < 6; ++i) {
      const std::string told =
          session.ask("TYPE I\r\nPORT 10,0,1,5,200," + std::to_string(i) + "\r\nLIST\r\n");
      ASSERT_EQ(told.substr(0, 25), "TYPE I\r\nPORT 203,0,113,1,") << told;
      ASSERT_EQ(told.substr(told.size() - 8), "\r\nLIST\r\n");
      const std::string line = told.substr(0, told.size() - 8);
      if (seed % 4 == 0) {
        const auto restored = lab.restart(static_cast<uint16_t>(1 + (seed + i) % 3));
        EXPECT_EQ(restored.dropped, 0u);
      } else {
        EXPECT_EQ(session.server_reaches(port_in(line)),
                  "10.0.1.5:" + std::to_string(51200 + i) + " from 198.51.100.7:20");
      }
      ASSERT_EQ(session.reply("150 Here\r\n226 Done\r\n"), "150 Here\r\n226 Done\r\n");
    }
    EXPECT_EQ(lab.audit(), "");
  }
}

TEST(FtpOutward, DataConnectionsSurviveARestart) {
  Inside lab(2);
  lab.world().put_rule(rule());
  Session session(lab);
  const uint16_t port = port_in(session.ask("PORT 10,0,1,5,200,1\r\n"));
  ASSERT_EQ(session.server_reaches(port, 3333), "10.0.1.5:51201 from 198.51.100.7:20");
  const auto restored = lab.restart(3);
  EXPECT_EQ(restored.kept, 2u);
  EXPECT_EQ(restored.dropped, 0u);
  EXPECT_EQ(session.server_reaches(port, 3333), "10.0.1.5:51201 from 198.51.100.7:20");
  EXPECT_EQ(lab.audit(), "");
  lab.advance(1000);
  EXPECT_EQ(lab.flow_count(), 0u);
}

}  // namespace
}  // namespace nezu::lab
