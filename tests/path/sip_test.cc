// SIP over UDP: which server a call goes to, what its messages say on each side, and its media.
#include <gtest/gtest.h>

#include <set>

#include "tests/path/frames.h"

namespace nezu::lab {
namespace {

using namespace dsl;
using net::Reason;
using net::Verdict;

const char* const kVip = "203.0.113.10";
const char* const kClient = "198.18.0.7";
const char* const kServer = "10.0.1.5";

world::ServiceSpec sip(tables::Mode mode,
                       std::vector<world::ServerSpec> servers = {{kServer, 5060}}) {
  world::ServiceSpec spec;
  spec.vip = kVip;
  spec.port = 5060;
  spec.protocol = net::Protocol::udp;
  spec.mode = mode;
  spec.servers = std::move(servers);
  if (mode == tables::Mode::fullnat) spec.snats = {"10.0.0.1", "fd00::1"};
  spec.application = tables::Application::sip;
  return spec;
}
std::vector<world::ServerSpec> three() {
  return {{"10.0.1.5", 5060}, {"10.0.1.6", 5060}, {"10.0.1.7", 5060}};
}

std::string sdp(const std::string& host, uint16_t port) {
  return "v=0\r\no=- 1 1 IN IP4 " + host + "\r\ns=-\r\nc=IN IP4 " + host + "\r\nt=0 0\r\nm=audio " +
         std::to_string(port) + " RTP/AVP 0\r\n";
}
/// `from`: host:port of the sender, as it names itself.
std::string request(const std::string& method, const std::string& to, const std::string& from,
                    const std::string& call, const std::string& body = "",
                    const std::string& tag = "") {
  return method + " sip:bob@" + to + " SIP/2.0\r\nVia: SIP/2.0/UDP " + from +
         ";branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:bob@x>" + tag +
         "\r\nCall-ID: " + call + "\r\nCSeq: 1 " + method + "\r\nContact: <sip:a@" + from +
         ">\r\n" + (body.empty() ? "" : "Content-Type: application/sdp\r\n") +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string answer(const std::string& via, const std::string& contact, const std::string& call,
                   const std::string& body = "") {
  return "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP " + via +
         ";branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:bob@x>;tag=2\r\nCall-ID: " + call +
         "\r\nCSeq: 1 INVITE\r\nContact: <sip:" + contact + ">\r\n" +
         (body.empty() ? "" : "Content-Type: application/sdp\r\n") +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string text_of(const Frame& frame) {
  const auto bytes = frame.bytes();
  const size_t at = bytes[12] == 8 ? 42 : 62;
  return {bytes.begin() + static_cast<ptrdiff_t>(at), bytes.end()};
}
bool says(const Fate& fate, const std::string& what) {
  return fate.verdict == Verdict::forward && text_of(fate.frame).find(what) != std::string::npos;
}
uint16_t media_in(const Fate& fate) {
  const std::string text = text_of(fate.frame);
  const size_t at = text.find("m=audio ");
  return at == std::string::npos ? uint16_t{0}
                                 : static_cast<uint16_t>(std::stoi(text.substr(at + 8)));
}
std::string place(const net::Address& address, uint16_t port) {
  return net::to_string(address, port);
}

struct Phones : Lab {
  using Lab::Lab;
  Fate from_client(const std::string& text, uint16_t port = 5060, const char* client = kClient,
                   uint16_t worker = 0) {
    return send(eth() / ipv4(client, kVip) / udp(port, 5060) / text, worker, 0);
  }
  /// To where that message of its client came from.
  Fate from_server(const Fate& asked, const std::string& text, uint16_t worker = 0) {
    return datagram(ends_of(asked.frame), text, worker);
  }
  Fate datagram(const Ends& seen, const std::string& text, uint16_t worker = 0) {
    return send(eth() / ipv4(net::to_string(seen.destination), net::to_string(seen.source)) /
                    udp(seen.destination_port, seen.source_port) / text,
                worker, 1);
  }
};

/// A whole call, its media both ways; whoever sends first.
void call(tables::Mode mode, uint16_t workers, bool server_first) {
  SCOPED_TRACE(std::to_string(workers) + (server_first ? " server first" : " client first"));
  Phones lab(workers);
  lab.world().put(sip(mode));
  const bool full = mode == tables::Mode::fullnat;
  const Fate invite =
      lab.from_client(request("INVITE", kVip, "198.18.0.7:5060", "one", sdp(kClient, 4000)));
  ASSERT_EQ(invite.verdict, Verdict::forward) << to_string(invite.reason);
  const Ends seen = ends_of(invite.frame);
  EXPECT_EQ(place(seen.destination, seen.destination_port), "10.0.1.5:5060");
  const std::string me = place(seen.source, seen.source_port);
  const std::string host = net::to_string(seen.source);
  EXPECT_EQ(host, full ? "10.0.0.1" : kClient);
  EXPECT_TRUE(says(invite, "INVITE sip:bob@10.0.1.5 SIP/2.0\r\nVia: SIP/2.0/UDP " + me));
  EXPECT_TRUE(says(invite, "Contact: <sip:a@" + me + ">"));
  EXPECT_TRUE(says(invite, "c=IN IP4 " + host + "\r\n"));
  const uint16_t there = media_in(invite);
  EXPECT_EQ(there == 4000, !full);
  // Again, it says the same.
  EXPECT_EQ(
      lab.from_client(request("INVITE", kVip, "198.18.0.7:5060", "one", sdp(kClient, 4000))).frame,
      invite.frame);

  const Fate ok = lab.from_server(invite, answer(me, "10.0.1.5:5060", "one", sdp(kServer, 6000)),
                                  static_cast<uint16_t>(workers - 1));
  ASSERT_EQ(ok.verdict, Verdict::forward) << to_string(ok.reason);
  EXPECT_TRUE(says(ok, "Via: SIP/2.0/UDP 198.18.0.7:5060;"));
  EXPECT_TRUE(says(ok, "Contact: <sip:203.0.113.10:5060>"));
  EXPECT_TRUE(says(ok, "o=- 1 1 IN IP4 203.0.113.10\r\n"));
  EXPECT_EQ(media_in(ok), 6000);

  for (const uint16_t control : {0, 1}) {  // RTP, RTCP
    if (control != 0 && full) continue;    // told by a line of its own: below
    const auto up = [&] {
      const Fate fate = lab.send(
          eth() / ipv4(kClient, kVip) /
              udp(static_cast<uint16_t>(4000 + control), static_cast<uint16_t>(6000 + control)) /
              "voice",
          static_cast<uint16_t>(workers / 2), 0);
      EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
      const Ends ends = ends_of(fate.frame);
      EXPECT_EQ(place(ends.source, ends.source_port),
                place(seen.source, static_cast<uint16_t>(there + control)));
      EXPECT_EQ(place(ends.destination, ends.destination_port),
                place(world::address(kServer), static_cast<uint16_t>(6000 + control)));
    };
    const auto down = [&] {
      const Fate fate = lab.send(
          eth() / ipv4(kServer, host) /
              udp(static_cast<uint16_t>(6000 + control), static_cast<uint16_t>(there + control)) /
              "voice",
          0, 1);
      EXPECT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
      const Ends ends = ends_of(fate.frame);
      EXPECT_EQ(place(ends.source, ends.source_port),
                place(world::address(kVip), static_cast<uint16_t>(6000 + control)));
      EXPECT_EQ(place(ends.destination, ends.destination_port),
                place(world::address(kClient), static_cast<uint16_t>(4000 + control)));
    };
    server_first ? down() : up();
    server_first ? up() : down();
    up();
    down();
  }
  // The server hangs up.
  const Fate bye =
      lab.from_server(invite, request("BYE", me, "10.0.1.5:5060", "one", "", ";tag=1"));
  EXPECT_TRUE(
      says(bye, "BYE sip:bob@198.18.0.7:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.10:5060"));
  EXPECT_EQ(lab.audit(), "");
  lab.advance(1000);
  EXPECT_EQ(lab.flow_count(), 0u);
}

TEST(Sip, ACallWithItsMedia) {
  for (const tables::Mode mode : {tables::Mode::nat, tables::Mode::fullnat}) {
    for (const uint16_t workers : {1, 2, 3}) {
      call(mode, workers, false);
      call(mode, workers, true);
    }
  }
}

/// In `fullnat` RTCP has a port of another slice, which the server is told (RFC 3605).
TEST(Sip, ControlStreamsInFullNat) {
  Phones lab(2);
  lab.world().put(sip(tables::Mode::fullnat));
  const Fate invite =
      lab.from_client(request("INVITE", kVip, "198.18.0.7:5060", "one", sdp(kClient, 4000)));
  const std::string text = text_of(invite.frame);
  const size_t at = text.find("a=rtcp:");
  ASSERT_NE(at, std::string::npos) << text;
  const auto control = static_cast<uint16_t>(std::stoi(text.substr(at + 7)));
  const Fate down =
      lab.send(eth() / ipv4(kServer, "10.0.0.1") / udp(6001, control) / "report", 1, 1);
  ASSERT_EQ(down.verdict, Verdict::forward) << to_string(down.reason);
  EXPECT_EQ(ends_of(down.frame).destination_port, 4001);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Sip, CallsOfOnePortGoToServersOfTheirOwn) {
  for (const tables::Mode mode : {tables::Mode::nat, tables::Mode::fullnat}) {
    for (const uint16_t workers : {1, 3}) {
      Phones lab(workers);
      lab.world().put(sip(mode, three()));
      std::map<std::string, net::Address> servers;
      for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 12; ++i) {
          const std::string id = "call" + std::to_string(i);
          // Also from another port, and from another client.
          const Fate fate = lab.from_client(request("OPTIONS", kVip, "198.18.0.7:5060", id),
                                            static_cast<uint16_t>(5060 + round % 2),
                                            round == 2 ? "198.18.0.99" : kClient,
                                            static_cast<uint16_t>(i % workers));
          ASSERT_EQ(fate.verdict, Verdict::forward) << to_string(fate.reason);
          const net::Address server = ends_of(fate.frame).destination;
          EXPECT_EQ(servers.try_emplace(id, server).first->second, server) << round;
          // Its answer comes back.
          const Fate back = lab.from_server(fate, answer("198.18.0.7:5060", "x", id));
          EXPECT_EQ(back.verdict, Verdict::forward) << to_string(back.reason);
          EXPECT_EQ(ends_of(back.frame).source, world::address(kVip));
          EXPECT_EQ(ends_of(back.frame).source_port, 5060);
        }
      }
      std::set<net::Address> used;
      for (const auto& [id, server] : servers) used.insert(server);
      EXPECT_EQ(used.size(), 3u);
      EXPECT_EQ(lab.flow_count(), 9u);  // three clients' ports, three servers
      EXPECT_EQ(lab.audit(), "");
      lab.advance(1);
      EXPECT_GE(lab.count(&tables::WorkerLine::calls), 12u);
      lab.advance(2000);
      EXPECT_EQ(lab.flow_count(), 0u);
      EXPECT_EQ(lab.count(&tables::WorkerLine::calls), 0u);
    }
  }
}

/// What a server begins is answered to that server.
TEST(Sip, CallsThatServersBegin) {
  Phones lab(2);
  lab.world().put(sip(tables::Mode::fullnat, three()));
  std::vector<Fate> registered;
  for (int i = 0; i < 3; ++i) {
    registered.push_back(
        lab.from_client(request("REGISTER", kVip, "198.18.0.7:5060", "r" + std::to_string(i))));
  }
  for (size_t i = 0; i < 3; ++i) {
    const Ends seen = ends_of(registered[i].frame);
    const std::string server = place(seen.destination, seen.destination_port);
    const std::string id = "from-server" + std::to_string(i);
    const Fate invite = lab.from_server(
        registered[i], request("INVITE", place(seen.source, seen.source_port), server, id));
    ASSERT_TRUE(says(invite, "INVITE sip:bob@198.18.0.7:5060 SIP/2.0")) << text_of(invite.frame);
    EXPECT_TRUE(says(invite, "Via: SIP/2.0/UDP 203.0.113.10:5060"));
    const Fate ok = lab.from_client(answer("203.0.113.10:5060", "a@198.18.0.7:5060", id));
    EXPECT_EQ(ends_of(ok.frame).destination, seen.destination);
    EXPECT_TRUE(says(ok, "Via: SIP/2.0/UDP " + server));
  }
}

TEST(Sip, AServerThatFailsLosesItsCalls) {
  Phones lab(1);
  lab.world().put(sip(tables::Mode::nat, three()));
  const Fate first = lab.from_client(request("INVITE", kVip, "198.18.0.7:5060", "one"));
  const std::string was = net::to_string(ends_of(first.frame).destination);
  auto servers = three();
  for (auto& server : servers) {
    if (server.address == was) server.state = tables::ServerState::draining;
  }
  lab.world().put(sip(tables::Mode::nat, servers));
  EXPECT_EQ(
      net::to_string(ends_of(lab.from_client(request("BYE", kVip, "198.18.0.7:5060", "one")).frame)
                         .destination),
      was);
  for (auto& server : servers) {
    if (server.address == was) server.state = tables::ServerState::failed;
  }
  lab.world().put(sip(tables::Mode::nat, servers));
  const Fate other = lab.from_client(request("BYE", kVip, "198.18.0.7:5060", "one"));
  EXPECT_NE(net::to_string(ends_of(other.frame).destination), was);
  const Fate again = lab.from_client(request("BYE", kVip, "198.18.0.7:5060", "one"));
  EXPECT_EQ(ends_of(again.frame).destination, ends_of(other.frame).destination);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Sip, ACallGoesOnWhenItsClientIsDenied) {
  Phones lab(2);
  world::ServiceSpec spec = sip(tables::Mode::nat);
  lab.world().put(spec);
  ASSERT_EQ(lab.from_client(request("INVITE", kVip, "198.18.0.7:5060", "one")).verdict,
            Verdict::forward);
  spec.access.deny = {*net::parse_prefix("198.18.0.0/24")};
  lab.world().put(spec);
  EXPECT_EQ(lab.from_client(request("BYE", kVip, "198.18.0.7:5060", "one")).verdict,
            Verdict::forward);
  const Fate other =
      lab.from_client(request("INVITE", kVip, "198.18.0.9:5060", "two"), 5060, "198.18.0.9");
  EXPECT_EQ(other.reason, net::Reason::access_denied);
}

TEST(Sip, WhatCannotBeReadIsCounted) {
  Phones lab(1);
  lab.world().put(sip(tables::Mode::fullnat));
  const std::string good = request("INVITE", kVip, "198.18.0.7:5060", "one", sdp(kClient, 4000));
  EXPECT_EQ(lab.from_client(good.substr(0, 100)).reason, Reason::sip_message_broken);
  EXPECT_EQ(lab.from_client(good.substr(0, good.size() - 1)).reason, Reason::sip_message_broken);
  EXPECT_EQ(lab.from_client("hello").reason, Reason::sip_message_broken);
  EXPECT_EQ(lab.from_client("\r\n\r\n").reason, Reason::sip_keep_alive);
  EXPECT_EQ(lab.flow_count(), 0u);
  const Fate fate = lab.from_client(good);
  EXPECT_EQ(lab.from_server(fate, "hello").reason, Reason::sip_message_broken);
  EXPECT_EQ(lab.from_server(fate, "\r\n\r\n").verdict, Verdict::forward);
  std::string many(sdp(kServer, 6000));
  for (int i = 0; i < 9; ++i) many += "m=audio 7000 RTP/AVP 0\r\n";
  EXPECT_EQ(lab.from_server(fate, answer("x", "y", "one", many)).reason, Reason::sip_too_long);
  EXPECT_EQ(
      lab.send(eth() / ipv4(kClient, kVip).id(7).fragment(0, true) /
               udp(5060, 5060).length(static_cast<uint16_t>(good.size() + 8)) / good.substr(0, 304))
          .reason,
      Reason::payload_fragment);
  EXPECT_EQ(lab.audit(), "");
}

/// It grows, and does not fit the way out any more.
TEST(Sip, AMessageThatGrowsTooLong) {
  Phones lab(1);
  lab.world().put(sip(tables::Mode::fullnat));
  std::string text = request("INVITE", kVip, "198.18.0.7:5060", "one", sdp(kClient, 4000));
  const size_t from = text.find("Via:");
  text.insert(from, "X: " + std::string(1470 - text.size() - 5, 'x') + "\r\n");
  EXPECT_EQ(lab.from_client(text).reason, Reason::too_big);
  EXPECT_EQ(lab.audit(), "");
}

TEST(Sip, AWrongSumStaysWrong) {
  Phones lab(1);
  lab.world().put(sip(tables::Mode::fullnat));
  Frame frame = eth() / ipv4(kClient, kVip) / udp(5060, 5060) /
                request("INVITE", kVip, "198.18.0.7:5060", "one", sdp(kClient, 4000));
  Bytes bytes(frame.bytes().begin(), frame.bytes().end());
  bytes[60] ^= 1;  // in a name
  EXPECT_EQ(lab.send(Frame(bytes)).reason, Reason::transport_checksum);
}

TEST(Sip, MediaElsewhereAreLeftAlone) {
  Phones lab(1);
  lab.world().put(sip(tables::Mode::fullnat));
  const Fate fate =
      lab.from_client(request("INVITE", kVip, "198.18.0.7:5060", "one", sdp("198.51.100.9", 4000)));
  EXPECT_TRUE(says(fate, "c=IN IP4 198.51.100.9\r\n"));
  EXPECT_EQ(media_in(fate), 4000);
  EXPECT_EQ(lab.count(Reason::sip_media_elsewhere), 1u);
  lab.advance(1);
  EXPECT_EQ(lab.count(&tables::WorkerLine::announced), 0u);
}

TEST(Sip, NoPlaceForMedia) {
  Phones lab(1);
  lab.world().put(sip(tables::Mode::nat));
  uint32_t refused = 0;
  for (uint16_t i = 0; i < 2600; ++i) {
    const Fate fate = lab.from_client(request("INVITE", kVip, "198.18.0.7:5060", "one",
                                              sdp(kClient, static_cast<uint16_t>(2000 + 2 * i))));
    refused += fate.reason == Reason::announcement_full;
  }
  EXPECT_GT(refused, 0u);
  EXPECT_EQ(lab.count(Reason::announcement_full), refused);
  lab.advance(300);
  EXPECT_EQ(lab.from_client(request("INVITE", kVip, "198.18.0.7:5060", "one", sdp(kClient, 4000)))
                .verdict,
            Verdict::forward);
}

/// The process ends in the middle of calls: they go on where they were, and so do their media.
TEST(Sip, CallsSurviveARestart) {
  for (const tables::Mode mode : {tables::Mode::nat, tables::Mode::fullnat}) {
    Phones lab(2);
    lab.world().put(sip(mode, three()));
    const bool full = mode == tables::Mode::fullnat;
    const Fate invite =
        lab.from_client(request("INVITE", kVip, "198.18.0.7:5060", "one", sdp(kClient, 4000)));
    const Ends seen = ends_of(invite.frame);
    const std::string server = net::to_string(seen.destination);
    const std::string me = place(seen.source, seen.source_port);
    lab.from_server(invite, answer(me, server + ":5060", "one", sdp(server, 6000)));
    const auto up = [&] {
      return lab.send(eth() / ipv4(kClient, kVip) / udp(4000, 6000) / "voice", 1, 0);
    };
    const Ends before = ends_of(up().frame);
    EXPECT_EQ(before.source_port == 4000, !full);
    ASSERT_EQ(lab.flow_count(), 2u);
    const auto restored = lab.restart(3);
    EXPECT_EQ(restored.kept, 2u);
    EXPECT_EQ(restored.dropped, 0u);
    const Ends after = ends_of(up().frame);
    EXPECT_EQ(place(after.source, after.source_port), place(before.source, before.source_port));
    EXPECT_EQ(after.destination, before.destination);
    for (int i = 0; i < 4; ++i) {
      const Fate bye =
          lab.from_client(request("BYE", kVip, "198.18.0.7:5060", "one", "", ";tag=2"));
      EXPECT_EQ(ends_of(bye.frame).destination, seen.destination);
      EXPECT_EQ(ends_of(bye.frame).source_port, seen.source_port);
    }
    EXPECT_EQ(lab.audit(), "");
  }
}

TEST(Sip, ClientsOfIpv6WithServersOfIpv4) {
  Phones lab(2);
  auto spec = sip(tables::Mode::fullnat);
  spec.vip = "2001:db8::10";
  lab.world().put(spec);
  const std::string text =
      "INVITE sip:bob@[2001:db8::10] SIP/2.0\r\nVia: SIP/2.0/UDP [2001:db8:c::7]:5060\r\n"
      "Call-ID: six\r\nContact: <sip:[2001:db8:c::7]:5060>\r\nContent-Type: application/sdp\r\n\r\n"
      "v=0\r\no=- 1 1 IN IP6 2001:db8:c::7\r\nc=IN IP6 2001:db8:c::7\r\nm=audio 4000 RTP/AVP 0\r\n";
  const Fate invite =
      lab.send(eth() / ipv6("2001:db8:c::7", "2001:db8::10") / udp(5060, 5060) / text);
  ASSERT_EQ(invite.verdict, Verdict::forward) << to_string(invite.reason);
  EXPECT_TRUE(says(invite, "INVITE sip:bob@10.0.1.5 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:"));
  EXPECT_TRUE(says(invite, "c=IN IP4 10.0.0.1\r\n"));
  const Fate ok =
      lab.from_server(invite, answer("10.0.0.1", "10.0.1.5", "six", sdp(kServer, 6000)));
  EXPECT_TRUE(says(ok, "Contact: <sip:[2001:db8::10]>"));
  EXPECT_TRUE(says(ok, "c=IN IP6 2001:db8::10\r\n"));
  const Fate up =
      lab.send(eth() / ipv6("2001:db8:c::7", "2001:db8::10") / udp(4000, 6000) / "voice");
  ASSERT_EQ(up.verdict, Verdict::forward) << to_string(up.reason);
  EXPECT_EQ(ends_of(up.frame).source_port, media_in(invite));
  const Fate down =
      lab.send(eth() / ipv4(kServer, "10.0.0.1") / udp(6000, media_in(invite)) / "voice", 1, 1);
  ASSERT_EQ(down.verdict, Verdict::forward) << to_string(down.reason);
  EXPECT_EQ(place(ends_of(down.frame).destination, ends_of(down.frame).destination_port),
            "[2001:db8:c::7]:4000");
  EXPECT_EQ(lab.audit(), "");
}

}  // namespace
}  // namespace nezu::lab
