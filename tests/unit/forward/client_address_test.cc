#include "dataplane/forward/client_address.h"

#include <gtest/gtest.h>

#include "dataplane/parse/parse.h"
#include "tests/dsl/dsl.h"

namespace nezu::forward {
namespace {

using namespace dsl;

void parse_one(Frame& frame) {
  net::Burst burst;
  burst.count = 1;
  burst.packets[0] = frame.packet();
  parse::parse(burst);
  frame.packet() = burst.packets[0];
}

Bytes option(std::string_view address, uint16_t port) {
  const auto a = *net::parse_address(address);
  const uint8_t size = a.is_v4() ? 4 : 16;
  Bytes bytes = {254, static_cast<uint8_t>(size + 4), static_cast<uint8_t>(port >> 8),
                 static_cast<uint8_t>(port)};
  bytes.insert(bytes.end(), a.bytes.end() - size, a.bytes.end());
  return bytes;
}

Bytes joined(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const Bytes kTimestamps = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};

TEST(ClientAddress, AnOptionOfEightBytes) {
  Frame frame = eth() / ipv4("192.0.2.7", "203.0.113.10") / tcp(40000, 80).ack(9).seq(7) / "hello";
  parse_one(frame);
  ASSERT_TRUE(put_option(frame.packet(), Caller::of(frame.packet().tuple4), 1500));
  EXPECT_EQ(frame, eth() / ipv4("192.0.2.7", "203.0.113.10") /
                       tcp(40000, 80).ack(9).seq(7).options(option("192.0.2.7", 40000)) / "hello");
}

TEST(ClientAddress, AnOptionOfTwentyBytesBeforeTheOthers) {
  Frame frame = eth() / ipv6("2001:db8::7", "2001:db8::10") /
                tcp(40000, 80).ack(9).options(kTimestamps) / "x";
  parse_one(frame);
  ASSERT_TRUE(put_option(frame.packet(), Caller::of(frame.packet().tuple6), 1500));
  EXPECT_EQ(frame,
            eth() / ipv6("2001:db8::7", "2001:db8::10") /
                tcp(40000, 80).ack(9).options(joined(option("2001:db8::7", 40000), kTimestamps)) /
                "x");
}

TEST(ClientAddress, NoRoomForTheOptionChangesNothing) {
  const Frame full = eth() / ipv4("192.0.2.7", "203.0.113.10") /
                     tcp(40000, 80).ack(9).options(Bytes(36, 1)) / "hello";
  Frame frame = full;
  parse_one(frame);
  EXPECT_FALSE(put_option(frame.packet(), Caller::of(frame.packet().tuple4), 1500));
  EXPECT_EQ(frame, full);
  const Frame longest =
      eth() / ipv4("192.0.2.7", "203.0.113.10") / tcp(40000, 80).ack(9) / fill(1453);
  frame = longest;
  parse_one(frame);
  EXPECT_FALSE(put_option(frame.packet(), Caller::of(frame.packet().tuple4), 1500));
  EXPECT_EQ(frame, longest);
  EXPECT_TRUE(put_option(frame.packet(), Caller::of(frame.packet().tuple4), 1501));
}

const Bytes kSignature = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

TEST(ClientAddress, AHeaderInFrontOfADatagram) {
  Frame frame = eth() / ipv4("192.0.2.7", "203.0.113.10") / udp(40000, 53) / "hello";
  parse_one(frame);
  put_in_front(frame.packet(), Caller::of(frame.packet().tuple4));
  Bytes payload = joined(kSignature, {0x21, 0x12, 0,    12, 192, 0,   2,   7,   203, 0,  113,
                                      10,   0x9c, 0x40, 0,  53,  'h', 'e', 'l', 'l', 'o'});
  EXPECT_EQ(frame, eth() / ipv4("192.0.2.7", "203.0.113.10") / udp(40000, 53) / raw(payload));
}

TEST(ClientAddress, ADatagramWithoutAChecksumStaysSo) {
  Frame frame = eth() / ipv4("192.0.2.7", "203.0.113.10") / udp(40000, 53).no_checksum() / "x";
  parse_one(frame);
  put_in_front(frame.packet(), Caller::of(frame.packet().tuple4));
  EXPECT_EQ(net::load<uint16_t>(&frame[40]), 0);
}

TEST(ClientAddress, AHeaderOverIpv6) {
  Frame frame = eth() / ipv6("2001:db8::7", "2001:db8::10") / udp(40000, 53) / "hello";
  parse_one(frame);
  put_in_front(frame.packet(), Caller::of(frame.packet().tuple6));
  Bytes payload = joined(kSignature, {0x21, 0x22, 0, 36});
  for (const char* text : {"2001:db8::7", "2001:db8::10"}) {
    const auto address = *net::parse_address(text);
    payload.insert(payload.end(), address.bytes.begin(), address.bytes.end());
  }
  payload = joined(payload, {0x9c, 0x40, 0, 53, 'h', 'e', 'l', 'l', 'o'});
  EXPECT_EQ(frame, eth() / ipv6("2001:db8::7", "2001:db8::10") / udp(40000, 53) / raw(payload));
}

TEST(ClientAddress, ATooBigMessageTellsWhatTheHeaderLeaves) {
  const auto told = [](uint16_t mtu) {
    return Frame(eth() / ipv4("10.0.9.9", "10.0.0.1") / fragmentation_needed(mtu) /
                 ipv4("10.0.0.1", "10.0.1.5") / udp(5001, 53));
  };
  Frame frame = told(1400);
  parse_one(frame);
  lower_told_mtu(frame.packet(), 28);
  EXPECT_EQ(frame, told(1372));
}

}  // namespace
}  // namespace nezu::forward
