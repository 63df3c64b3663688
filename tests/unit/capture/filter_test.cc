// What each word of a capture filter is true of, and where a filter that is none is wrong.
#include "dataplane/capture/filter.h"

#include <gtest/gtest.h>

#include "controlplane/compile/capture_filter.h"
#include "dataplane/parse/parse.h"
#include "tests/dsl/dsl.h"

namespace nezu::capture {
namespace {

using namespace dsl;
using net::Reason;

compile::FilterNames names() {
  compile::FilterNames names;
  names.service = [](const std::string& name) -> std::optional<tables::ServiceKey> {
    tables::ServiceKey key;
    key.protocol = net::Protocol::tcp;
    key.address = *net::parse_address("203.0.113.10");
    key.port = 80;
    if (name == "shop") return key;
    key.address = *net::parse_address("203.0.113.0");
    key.host_bits = 8;
    key.last_port = 90;
    key.instance = net::Instance{7};
    if (name == "many") return key;
    key.address = *net::parse_address("2001:db8::10");
    key.host_bits = 0;
    key.port = key.last_port = 0;
    key.protocol = net::Protocol::any;
    key.instance = net::Instance::standard;
    if (name == "all6") return key;
    return std::nullopt;
  };
  names.interface = [](const std::string& name) -> std::optional<uint16_t> {
    if (name == "front" || name == "back") return name == "front" ? uint16_t{0} : uint16_t{1};
    return std::nullopt;
  };
  names.instance = [](const std::string& name) -> std::optional<uint16_t> {
    if (name == "red") return uint16_t{7};
    return std::nullopt;
  };
  return names;
}

struct Case {
  Frame frame;
  net::Instance instance = net::Instance::standard;
  uint16_t port = 0;
};

Look look(const Case& given) {
  net::Packet packet = given.frame.packet();
  packet.port = given.port;
  parse::parse(packet, given.instance);
  return look_at(packet, given.instance);
}

bool is_true(std::string_view filter, const Case& came, const Case* left = nullptr,
             Reason reason = Reason::none) {
  const compile::CompiledFilter compiled = compile::compile_filter(filter, names());
  EXPECT_FALSE(compiled.fault) << filter << ": " << compiled.fault->text;
  EXPECT_TRUE(tables::is_sound(compiled.program)) << filter;
  const Look before = look(came);
  const Look behind = left != nullptr ? look(*left) : Look{};
  return matches(compiled.program,
                 {&before, left != nullptr ? &behind : nullptr, reason != Reason::none, reason});
}

const Case kSyn{eth() / ipv4("198.51.100.7", "203.0.113.10") / tcp(40000, 80).syn()};
const Case kTranslated{eth() / ipv4("10.0.0.1", "10.0.1.5") / tcp(5001, 8080).syn(),
                       net::Instance::standard, 1};
const Case kDatagram6{eth() / ipv6("2001:db8:c::7", "2001:db8::10") / udp(53, 5300) / "question"};

TEST(Filter, WordsOfAPacket) {
  for (const char* filter : {"",
                             "host 198.51.100.7",
                             "host 203.0.113.10",
                             "src host 198.51.100.7",
                             "src 198.51.100.7",
                             "198.51.100.7",
                             "dst 203.0.113.10",
                             "net 198.51.100.0/24",
                             "198.51.100.0/24",
                             "dst net 203.0.112.0/20",
                             "net 0.0.0.0/0",
                             "port 80",
                             "dst port 80",
                             "src port 40000",
                             "portrange 70-80",
                             "src portrange 40000-40000",
                             "tcp",
                             "ip",
                             "proto 6",
                             "tcp port 80",
                             "ip tcp dst port 80",
                             "syn",
                             "tcp and not udp",
                             "vlan 0",
                             "instance 0",
                             "interface front",
                             "service shop",
                             "udp or tcp",
                             "not (udp or icmp)",
                             "! udp && ! arp",
                             "!(udp||arp)",
                             "port 80 and (host 198.51.100.7 or host 198.51.100.8)",
                             "udp and arp or tcp",
                             "tcp or udp and arp"}) {
    EXPECT_TRUE(is_true(filter, kSyn)) << filter;
  }
  for (const char* filter : {"host 198.51.100.8",
                             "dst host 198.51.100.7",
                             "src 203.0.113.10",
                             "net 198.51.100.8/30",
                             "net 198.51.101.0/24",
                             "port 81",
                             "src port 80",
                             "portrange 81-90",
                             "udp",
                             "ip6",
                             "arp",
                             "proto 17",
                             "rst",
                             "fin",
                             "rst or fin",
                             "vlan 1",
                             "instance 7",
                             "instance red",
                             "interface back",
                             "service many",
                             "service all6",
                             "dropped",
                             "reason no_server",
                             "net ::/0",
                             "tcp port 81",
                             "not tcp",
                             "not not udp",
                             "(tcp or udp) and arp"}) {
    EXPECT_FALSE(is_true(filter, kSyn)) << filter;
  }
}

TEST(Filter, Ipv6) {
  for (const char* filter : {"ip6", "net ::/0", "net 2001:db8::/32", "host 2001:db8::10", "udp",
                             "src port 53", "service all6", "dst net 2001:db8::/112"}) {
    EXPECT_TRUE(is_true(filter, kDatagram6)) << filter;
  }
  for (const char* filter : {"ip", "net 0.0.0.0/0", "host 2001:db8::11", "tcp", "service shop",
                             "src net 2001:db8::/112"}) {
    EXPECT_FALSE(is_true(filter, kDatagram6)) << filter;
  }
}

// A word is true of the packet as it came or as it leaves; "not" of neither.
TEST(Filter, BothSidesOfATranslation) {
  for (const char* filter :
       {"host 198.51.100.7 and host 10.0.1.5", "dst port 80 and dst port 8080", "service shop",
        "interface front and interface back", "net 10.0.0.0/8", "not host 192.0.2.1"}) {
    EXPECT_TRUE(is_true(filter, kSyn, &kTranslated)) << filter;
  }
  for (const char* filter : {"not host 198.51.100.7", "not net 10.0.0.0/8", "src host 10.0.1.5"}) {
    EXPECT_FALSE(is_true(filter, kSyn, &kTranslated)) << filter;
  }
}

TEST(Filter, ServicesByPrefixRangeAndInstance) {
  const auto to = [](const char* vip, uint16_t port, uint16_t instance) {
    return Case{eth() / ipv4("198.51.100.7", vip) / tcp(40000, port).syn(),
                net::Instance{instance}};
  };
  EXPECT_TRUE(is_true("service many", to("203.0.113.200", 85, 7)));
  EXPECT_FALSE(is_true("service many", to("203.0.113.200", 91, 7)));
  EXPECT_FALSE(is_true("service many", to("203.0.114.200", 85, 7)));
  EXPECT_FALSE(is_true("service many", to("203.0.113.200", 85, 0)));
  EXPECT_TRUE(is_true("instance red", to("203.0.113.200", 85, 7)));
  EXPECT_TRUE(is_true("service many",
                      {eth() / ipv4("203.0.113.9", "198.51.100.7") / tcp(80, 40000).syn().ack(1),
                       net::Instance{7}}));
}

TEST(Filter, DropsByReason) {
  EXPECT_TRUE(is_true("dropped", kSyn, nullptr, Reason::no_server));
  EXPECT_TRUE(is_true("reason no_server", kSyn, nullptr, Reason::no_server));
  EXPECT_FALSE(is_true("reason no_route", kSyn, nullptr, Reason::no_server));
  EXPECT_FALSE(is_true("dropped", kSyn, &kTranslated));
}

TEST(Filter, OtherFramesAndBrokenOnes) {
  const Case arp{eth() / dsl::arp_request("192.0.2.1", "192.0.2.2")};
  EXPECT_TRUE(is_true("arp", arp));
  EXPECT_FALSE(is_true("ip or ip6 or tcp or host 192.0.2.1", arp));
  const Case tagged{eth() / vlan(10) / ipv4("198.51.100.7", "203.0.113.10") / tcp(1, 2).syn()};
  EXPECT_TRUE(is_true("vlan 10 and tcp dst port 2", tagged));
  const Case wrong{eth() / ipv4("198.51.100.7", "203.0.113.10").checksum(1) / tcp(1, 2).syn()};
  EXPECT_TRUE(is_true("host 198.51.100.7 and tcp", wrong));
  EXPECT_FALSE(is_true("port 2", wrong)) << "not to be trusted";
  for (size_t length = 0; length < kSyn.frame.size(); ++length) {
    const Case cut{kSyn.frame.cut(length)};
    EXPECT_EQ(is_true("src host 198.51.100.7", cut), length >= 34) << length;
  }
  const Case later{eth() / ipv4("198.51.100.7", "203.0.113.10").id(1).fragment(1440, false) /
                   fill(100)};
  EXPECT_FALSE(is_true("portrange 0-65535", later)) << "it has no ports";
}

// The quoted packet counts as well, with its addresses and ports as they stand there.
TEST(Filter, IcmpErrors) {
  const Frame quoted = eth() / ipv4("203.0.113.10", "198.51.100.7") / tcp(80, 40000).ack(1);
  const Bytes inner(quoted.bytes().begin() + 14, quoted.bytes().end());
  const Case error{eth() / ipv4("192.0.2.99", "203.0.113.10") / fragmentation_needed(1400) /
                   raw(inner, 4)};
  for (const char* filter : {"icmp", "tcp", "host 192.0.2.99", "host 198.51.100.7",
                             "src port 80 and dst port 40000", "icmp and host 198.51.100.7"}) {
    EXPECT_TRUE(is_true(filter, error)) << filter;
  }
  EXPECT_FALSE(is_true("src host 198.51.100.7", error));
}

TEST(Filter, MistakesAreToldWithTheirColumn) {
  const std::pair<std::string, size_t> wrong[] = {
      {"hots 192.0.2.1", 1},
      {"host", 5},
      {"host example", 6},
      {"host 192.0.2.0/24", 6},
      {"net 192.0.2.0/33", 5},
      {"port 65536", 6},
      {"port http", 6},
      {"port -1", 6},
      {"portrange 9-8", 11},
      {"portrange 9", 11},
      {"portrange -", 11},
      {"tcp and", 8},
      {"tcp and or udp", 9},
      {"and tcp", 1},
      {"(tcp", 1},
      {"tcp)", 4},
      {"tcp or (udp and (arp)", 8},
      {"()", 2},
      {"not", 4},
      {"src", 4},
      {"src tcp", 5},
      {"port 80 port 81", 9},
      {"host 192.0.2.1 host 192.0.2.2", 16},
      {"proto 256", 7},
      {"vlan 4096", 6},
      {"instance blue", 10},
      {"interface front.10", 11},
      {"service ship", 9},
      {"reason none", 8},
      {"reason because", 8},
      {"  bogus", 3},
      {std::string(1025, ' '), 1025},
  };
  for (const auto& [text, column] : wrong) {
    const compile::CompiledFilter compiled = compile::compile_filter(text, names());
    ASSERT_TRUE(compiled.fault) << text;
    EXPECT_EQ(compiled.fault->column, column) << text << ": " << compiled.fault->text;
    EXPECT_EQ(compiled.program.count, 0u) << text;
  }
}

TEST(Filter, LengthAndDepthAreBounded) {
  std::string many = "tcp", deep;
  for (int i = 1; i < 32; ++i) many += " or udp";
  EXPECT_TRUE(is_true(many, kSyn)) << "63 steps";
  many += " or udp";
  EXPECT_TRUE(compile::compile_filter(many, names()).fault);
  for (int i = 0; i < 400; ++i) deep += '(';
  EXPECT_TRUE(compile::compile_filter(deep + "tcp", names()).fault);
  deep.assign(31, '(');
  EXPECT_TRUE(is_true(deep + "tcp" + std::string(31, ')'), kSyn));
}

TEST(Program, OnlySoundOnesAreAccepted) {
  using tables::CaptureOp;
  const auto is_sound = [](std::initializer_list<CaptureOp> ops) {
    tables::CaptureProgram program;
    for (const CaptureOp op : ops) program.steps[program.count++].op = op;
    return tables::is_sound(program);
  };
  EXPECT_TRUE(is_sound({}));
  EXPECT_TRUE(is_sound({CaptureOp::arp}));
  EXPECT_TRUE(is_sound({CaptureOp::arp, CaptureOp::arp, CaptureOp::both, CaptureOp::negation}));
  EXPECT_FALSE(is_sound({CaptureOp::arp, CaptureOp::arp}));
  EXPECT_FALSE(is_sound({CaptureOp::both}));
  EXPECT_FALSE(is_sound({CaptureOp::arp, CaptureOp::either}));
  EXPECT_FALSE(is_sound({CaptureOp::negation}));
  EXPECT_FALSE(is_sound({static_cast<CaptureOp>(99)}));
  tables::CaptureProgram program;
  program.count = tables::kMostCaptureSteps + 1;
  EXPECT_FALSE(tables::is_sound(program));
  program.count = 1;
  program.steps[0].op = CaptureOp::network;
  program.steps[0].host_bits = 129;
  EXPECT_FALSE(tables::is_sound(program));
}

}  // namespace
}  // namespace nezu::capture
